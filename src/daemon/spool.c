/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/spool.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/id.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ITEM_MAX     ((size_t)1024 * 1024)
#define WAIT_FIRST_S 30
#define WAIT_MAX_S   3600
#define SUFFIX       ".json"

struct Spool {
    char *dir;
    GPtrArray *items; /* of SpoolItem, in order */
    uint64_t last;    /* number */
};

void spool_free(Spool *spool)
{
    if (!spool)
        return;
    g_ptr_array_unref(spool->items);
    g_free(spool->dir);
    g_free(spool);
}

unsigned spool_n(const Spool *spool)
{
    return spool->items->len;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const SpoolItem *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static char *path_of(const Spool *spool, const SpoolItem *item)
{
    return g_build_filename(spool->dir, item->name, NULL);
}

/* ---- files ---- */

static bool item_save(const Spool *spool, const SpoolItem *item, GError **error)
{
    g_autofree char *path = path_of(spool, item);
    g_autofree char *text = spool_item_encode(item);

    return fs_write_durable(path, text, strlen(text), 0600, FS_REPLACE, error);
}

/* Not removed: somebody may want to know what was in it. */
static void set_aside(const char *path, const char *why)
{
    g_autofree char *aside = g_strconcat(path, ".bad", NULL);

    (void)rename(path, aside); // else it is told again at the next start
    log_warn("notification cannot be read", "file", path, "error", why, NULL);
}

static void load_item(Spool *spool, const char *name)
{
    g_autofree char *path = g_build_filename(spool->dir, name, NULL);
    g_autofree char *id = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = NULL;
    SpoolItem *item = NULL;
    uint64_t number = 0;

    if (!fs_read_file(path, ITEM_MAX, &bytes, &error)) {
        set_aside(path, error->message);
        return;
    }
    if (spool_name_parse(name, &number, &id))
        item = spool_item_decode(name, id, bytes);
    spool->last = MAX(spool->last, number);
    if (item)
        g_ptr_array_add(spool->items, item);
    else
        set_aside(path, "it is no notification of ours");
}

/* Of groups that were made durable before their members were removed. */
static bool remove_members(Spool *spool, GError **error)
{
    g_autoptr(GHashTable) members = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < spool->items->len; i++) {
        const SpoolItem *group = g_ptr_array_index(spool->items, i);

        for (char **id = group->members; id && *id; id++)
            g_hash_table_add(members, *id);
    }
    for (guint i = spool->items->len; i-- > 0;) {
        SpoolItem *item = g_ptr_array_index(spool->items, i);

        if (g_hash_table_contains(members, event_text(item->event, "id")) &&
            !spool_remove(spool, item, error))
            return false;
    }
    return true;
}

static bool load(Spool *spool, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(spool->dir, 0, NULL);
    const char *name;

    if (!dir) {
        bs_error_errno(error, errno, "opening %s", spool->dir);
        return false;
    }
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(spool->dir, name, NULL);

        if (strstr(name, SUFFIX "-tmp-")) // base/fs.h: never became the file
            (void)remove(path);
        else if (g_str_has_suffix(name, SUFFIX))
            load_item(spool, name);
    }
    g_ptr_array_sort(spool->items, by_name);
    return remove_members(spool, error);
}

bool spool_open(const char *dir, Spool **ret_spool, GError **error)
{
    g_autoptr(Spool) spool = g_new0(Spool, 1);
    g_autofree char *parent = g_path_get_dirname(dir);

    spool->dir = g_strdup(dir);
    spool->items = g_ptr_array_new_with_free_func(spool_item_free);
    if (!fs_make_dirs(dir, 0700, error) || !fs_sync_dir(parent, error) || !load(spool, error))
        return false;
    *ret_spool = g_steal_pointer(&spool);
    return true;
}

/* ---- in and out ---- */

static SpoolItem *find(const Spool *spool, const char *id)
{
    for (guint i = 0; i < spool->items->len; i++) {
        SpoolItem *item = g_ptr_array_index(spool->items, i);

        if (strcmp(event_text(item->event, "id"), id) == 0 ||
            (item->members && g_strv_contains((const char *const *)item->members, id)))
            return item;
    }
    return NULL;
}

/* The disk is for backups: a channel that is away for weeks must not fill it. */
static bool make_room(Spool *spool, GError **error)
{
    for (guint i = 0; spool->items->len >= SPOOL_MAX && i < spool->items->len;) {
        SpoolItem *oldest = g_ptr_array_index(spool->items, i);

        if (oldest->held) {
            i++;
            continue;
        }
        log_warn("notification dropped, the queue is full", "queue", spool->dir, "title",
                 event_text(oldest->event, "title"), NULL);
        if (!spool_remove(spool, oldest, error))
            return false;
    }
    return true;
}

bool spool_add(Spool *spool, const json_t *event, int64_t now, GError **error)
{
    const char *id = event_text(event, "id");
    g_autofree char *name = NULL;
    SpoolItem *item;

    if (find(spool, id))
        return true;
    if (!make_room(spool, error))
        return false;
    name = spool_name_format(++spool->last, id);
    item = spool_item_new(name, json_deep_copy(event), json_object());
    item->kept_at = item->next_at = now;
    if (!item_save(spool, item, error)) {
        spool_item_free(item);
        return false;
    }
    g_ptr_array_add(spool->items, item);
    return true;
}

/* It, or one of those that it stands for. */
static bool concerns(const SpoolItem *item, const char *incident)
{
    if (item->incidents)
        return g_strv_contains((const char *const *)item->incidents, incident);
    return item->incident && strcmp(item->incident, incident) == 0;
}

/* Another of the same incident goes first. */
static bool is_blocked(const Spool *spool, guint place)
{
    const SpoolItem *item = g_ptr_array_index(spool->items, place);

    for (guint i = 0; item->incident && i < place; i++) {
        if (concerns(g_ptr_array_index(spool->items, i), item->incident))
            return true;
    }
    return false;
}

/* A clock that was set back makes nobody wait for longer than the longest wait. */
static bool is_due(const SpoolItem *item, int64_t now)
{
    return item->next_at <= now || item->next_at > now + 2 * WAIT_MAX_S;
}

static bool waits_for_one_of(const GPtrArray *late, const SpoolItem *item)
{
    for (guint i = 0; item->incident && i < late->len; i++)
        if (concerns(g_ptr_array_index(late, i), item->incident))
            return true;
    return false;
}

GPtrArray *spool_all_due(Spool *spool, int64_t now)
{
    g_autoptr(GPtrArray) late = g_ptr_array_new();
    GPtrArray *due = g_ptr_array_new();

    for (guint i = 0; i < spool->items->len; i++) {
        SpoolItem *item = g_ptr_array_index(spool->items, i);
        bool is_late = !is_due(item, now) || waits_for_one_of(late, item);

        g_ptr_array_add(is_late ? late : due, item);
    }
    return due;
}

static SpoolItem *group_new(Spool *spool, const GPtrArray *items, const json_t *event)
{
    g_autoptr(GStrvBuilder) ids = g_strv_builder_new(), incidents = g_strv_builder_new();
    const SpoolItem *first = g_ptr_array_index(items, 0);
    g_autofree char *name = spool_name_format(++spool->last, event_text(event, "id"));
    SpoolItem *group = spool_item_new(name, json_deep_copy(event), json_object());

    group->kept_at = first->kept_at;
    group->next_at = first->next_at;
    for (guint i = 0; i < items->len; i++) {
        const SpoolItem *item = g_ptr_array_index(items, i);

        g_strv_builder_add(ids, event_text(item->event, "id"));
        if (item->incident)
            g_strv_builder_add(incidents, item->incident);
        group->kept_at = MIN(group->kept_at, item->kept_at);
    }
    group->members = g_strv_builder_end(ids);
    group->incidents = g_strv_builder_end(incidents);
    return group;
}

SpoolItem *spool_group(Spool *spool, const GPtrArray *items, const json_t *event, GError **error)
{
    SpoolItem *group = group_new(spool, items, event);

    if (!item_save(spool, group, error)) {
        spool_item_free(group);
        return NULL;
    }
    g_ptr_array_add(spool->items, group);
    for (guint i = 0; i < items->len; i++) {
        SpoolItem *item = g_ptr_array_index(items, i);
        g_autoptr(GError) stays = NULL;

        if (spool_remove(spool, item, &stays))
            continue;
        // the next start removes it, and this one must not send it either
        log_warn("notification stays in the queue", "error", stays->message, NULL);
        (void)g_ptr_array_remove(spool->items, item);
    }
    return group;
}

int64_t spool_next(const Spool *spool)
{
    int64_t next = INT64_MAX;

    for (guint i = 0; i < spool->items->len; i++) {
        const SpoolItem *item = g_ptr_array_index(spool->items, i);

        if (item->next_at < next && !is_blocked(spool, i))
            next = item->next_at;
    }
    return next;
}

int64_t spool_wait(unsigned attempts, uint32_t random)
{
    int64_t wait = WAIT_FIRST_S;

    for (unsigned i = 1; i < attempts && wait < WAIT_MAX_S; i++)
        wait *= 2;
    wait = MIN(wait, WAIT_MAX_S);
    return wait * 4 / 5 + (int64_t)(random % (uint32_t)(wait * 2 / 5 + 1));
}

bool spool_again(Spool *spool, SpoolItem *item, int64_t now, int64_t wait_s, GError **error)
{
    uint32_t random;

    random_bytes(&random, sizeof random);
    item->attempts++;
    item->next_at = now + MAX(spool_wait(item->attempts, random), wait_s);
    return item_save(spool, item, error);
}

bool spool_remove(Spool *spool, SpoolItem *item, GError **error)
{
    g_autofree char *path = path_of(spool, item);

    if (remove(path) != 0 && errno != ENOENT) {
        bs_error_errno(error, errno, "removing %s", path);
        return false;
    }
    (void)g_ptr_array_remove(spool->items, item);
    return fs_sync_dir(spool->dir, error);
}
