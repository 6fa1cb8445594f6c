/* SPDX-License-Identifier: Apache-2.0 */
/* Retention of archives (op/archive.h). */
#include "base/clock.h"
#include "base/error.h"
#include "codec/rfc3339.h"
#include "op/archive.h"
#include "op/exportmanifest.h"
#include "plan/filename.h"
#include <string.h>

#define GUARD_FROM 10 /* removals that need no second look */

typedef struct {
    char *key;
    int64_t time;
} Archive;

static void archive_free(gpointer data)
{
    Archive *archive = data;

    g_free(archive->key);
    g_free(archive);
}

/* ---- what is there ---- */

static bool note_object(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    uint64_t *size = g_new(uint64_t, 1);

    *size = object->size;
    g_hash_table_replace(user, g_strdup(object->key), size);
    return true;
}

static void put_in_group(GHashTable *groups, const char *group, const char *key, int64_t time)
{
    GPtrArray *archives = g_hash_table_lookup(groups, group);
    Archive *archive = g_new(Archive, 1);

    if (!archives) {
        archives = g_ptr_array_new_with_free_func(archive_free);
        g_hash_table_insert(groups, g_strdup(group), archives);
    }
    *archive = (Archive){ g_strdup(key), time };
    g_ptr_array_add(archives, archive);
}

/* Of one manifest. What does not fit in every way is not ours to remove. */
static void consider(const ArchivePlace *place, const char *key, const json_t *manifest,
                     uint64_t size, GHashTable *groups)
{
    const json_t *archive = json_object_get(manifest, "archive");
    const char *source = json_string_value(json_object_get(archive, "source"));
    const char *database = json_string_value(json_object_get(manifest, "database"));
    const char *taken =
        json_string_value(json_object_get(json_object_get(manifest, "snapshot"), "time"));
    g_autofree char *group =
        g_strdup_printf("%s\n%s", source ? source : "", database ? database : "");
    Timestamp time;

    if (!archive_manifest_is_ours(place, manifest, key) ||
        json_is_true(json_object_get(archive, "latest")))
        return;
    if (json_is_true(json_object_get(archive, "unfinished"))) {
        archive_log(place, "warn",
                    "%s is of a run that was cut off before it could say what is in it; it is left "
                    "alone",
                    key);
        return;
    }
    if (!source || !taken || !rfc3339_parse(taken, strlen(taken), &time, NULL))
        return;
    if ((uint64_t)json_integer_value(json_object_get(manifest, "size")) != size) {
        archive_log(place, "warn", "%s is not as long as its manifest says; it is left alone", key);
        return;
    }
    put_in_group(groups, group, key, time.sec);
}

static bool look(const ArchivePlace *place, GHashTable *groups, GError **error)
{
    g_autofree char *folder = filename_folder(place->pattern);
    g_autoptr(GHashTable) sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer key, size;

    if (!store_list(place->at.store, folder, note_object, sizes, error))
        return false;
    g_hash_table_iter_init(&iter, sizes);
    while (g_hash_table_iter_next(&iter, &key, &size)) {
        json_auto_t *manifest = NULL;

        if (!filename_fits(place->pattern, key))
            continue;
        if (!cancel_check(place->cancel, error) ||
            !archive_manifest_load(place, key, &manifest, error))
            return false;
        if (manifest)
            consider(place, key, manifest, *(uint64_t *)size, groups);
    }
    return true;
}

/* ---- what goes ---- */

static void decide(const ArchivePlace *place, const GPtrArray *archives, GPtrArray *away)
{
    g_autofree RetentionItem *items = g_new0(RetentionItem, archives->len);

    for (guint i = 0; i < archives->len; i++)
        items[i].time = ((const Archive *)archives->pdata[i])->time;
    retention_apply(&place->request->config->keep, items, archives->len, clock_now().sec,
                    place->zone);
    for (guint i = 0; i < archives->len; i++)
        if (!items[i].keep)
            g_ptr_array_add(away, ((const Archive *)archives->pdata[i])->key);
    retention_items_done(items, archives->len);
}

/* The file first: a manifest without file tells of nothing. */
static bool remove_one(const ArchivePlace *place, const char *key, GError **error)
{
    g_autofree char *manifest = g_strconcat(key, EXPORT_MANIFEST_SUFFIX, NULL);

    if (!store_remove(place->at.store, key, error) ||
        !store_remove(place->at.store, manifest, error))
        return false;
    archive_log(place, "info", "archive %s/%s removed", place->at.store->location, key);
    return true;
}

static bool guard(const ArchivePlace *place, guint n_away, guint n, GError **error)
{
    if (!place->request->guarded || n_away <= GUARD_FROM || n_away <= n / 2)
        return true;
    g_set_error(
        error, BS_ERROR, BS_ERROR_GUARD,
        "%u of %u archives would be removed, much more than usual, and none was; if that is "
        "meant, run the schedule once by hand",
        n_away, n);
    return false;
}

bool archive_keep(const ArchivePlace *place, GError **error)
{
    g_autoptr(GHashTable) groups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    g_autoptr(GPtrArray) away = g_ptr_array_new(); // borrowed from the groups
    GHashTableIter iter;
    gpointer archives;
    guint n = 0;

    if (retention_is_empty(&place->request->config->keep))
        return true;
    if (!look(place, groups, error))
        return false;
    g_hash_table_iter_init(&iter, groups);
    while (g_hash_table_iter_next(&iter, NULL, &archives)) {
        decide(place, archives, away);
        n += ((GPtrArray *)archives)->len;
    }
    if (!guard(place, away->len, n, error))
        return false;
    for (guint i = 0; i < away->len; i++)
        if (!remove_one(place, away->pdata[i], error))
            return false;
    return true;
}
