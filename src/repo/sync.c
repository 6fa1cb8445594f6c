/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/sync.h"

#include "base/error.h"
#include "repo/config.h"
#include "repo/index.h"
#include "repo/syncing.h"

#include <stdlib.h>
#include <string.h>

#define REMOVE_AT_ONCE 1000u

/* ---- places ---- */

/* In the order of carrying. */
static const struct {
    const char *prefix;
    int type;    /* FileType: names are ids; -1: any names */
    bool always; /* also with SYNC_NAMES */
} places[SYNC_PLACES] = {
    [SYNC_KEYS] = { "keys/", FILE_KEY, true },
    [SYNC_PACKS] = { "data/", FILE_PACK, false },
    [SYNC_INDEX] = { "index/", FILE_INDEX, true },
    [SYNC_SNAPSHOTS] = { "snapshots/", FILE_SNAPSHOT, true },
    [SYNC_WAL] = { "wal/", -1, false },
    [SYNC_RECORDS] = { "backstay/", -1, false },
    [SYNC_MIRRORS] = { "backstay/mirrors/", -1, true }, // part of the records
};

/* What is listed first may name what is listed later, never the other way round: repository format,
 * "Order of operations". */
static const SyncPlace reading_order[] = { SYNC_KEYS, SYNC_SNAPSHOTS, SYNC_INDEX,  SYNC_PACKS,
                                           SYNC_WAL,  SYNC_RECORDS,   SYNC_MIRRORS };

static bool is_listed(SyncPlace place, SyncScope scope)
{
    // with all records their part need not be listed twice
    return place == SYNC_MIRRORS ? scope == SYNC_NAMES : scope == SYNC_ALL || places[place].always;
}

char *sync_key(SyncPlace place, const SyncItem *item)
{
    return item->name ? g_strdup(item->name)
                      : g_strdup(file_key((FileType)places[place].type, &item->id).text);
}

/* ---- listing ---- */

static void item_clear(gpointer pointer)
{
    g_free(((SyncItem *)pointer)->name);
}

static GArray *items_new(void)
{
    GArray *items = g_array_new(FALSE, FALSE, sizeof(SyncItem));

    g_array_set_clear_func(items, item_clear);
    return items;
}

int sync_item_compare(const void *a, const void *b)
{
    const SyncItem *left = a, *right = b;

    return left->name ? strcmp(left->name, right->name) : id_compare(&left->id, &right->id);
}

bool sync_lists(const GArray *items, const SyncItem *item)
{
    return items->len > 0 &&
           bsearch(item, items->data, items->len, sizeof *item, sync_item_compare);
}

typedef struct {
    int type;
    GArray *items;
} Listing;

static bool note(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Listing *listing = user;
    SyncItem item = { .size = object->size, .modified_at = object->modified_at };

    if (listing->type >= 0) {
        if (!file_parse_key((FileType)listing->type, object->key, &item.id))
            return true; // foreign names stay where they are
    } else {
        if (strcmp(object->key, MIRROR_MARK_KEY) == 0)
            return true;
        item.name = g_strdup(object->key);
    }
    g_array_append_val(listing->items, item);
    return true;
}

static bool list_place(Store *store, SyncPlace place, GArray **ret_items, GError **error)
{
    GArray *items = items_new();
    Listing listing = { places[place].type, items };

    if (!store_list(store, places[place].prefix, note, &listing, error)) {
        g_array_unref(items);
        return false;
    }
    g_array_sort(items, sync_item_compare);
    *ret_items = items;
    return true;
}

/* ---- comparing ---- */

static void add_missing(Sync *sync, SyncPlace place, const SyncItem *item, bool replaces)
{
    SyncItem copy = *item;
    SyncFacts *facts = &sync->facts;

    copy.name = g_strdup(item->name);
    copy.replaces = replaces;
    g_array_append_val(sync->missing[place], copy);
    facts->missing.objects++;
    facts->missing.bytes += item->size;
    facts->since = facts->since ? MIN(facts->since, item->modified_at) : item->modified_at;
}

/* A list of mirrors is not lost with an entry that was removed. */
static bool may_be_lost(SyncPlace place, const SyncItem *item)
{
    return place != SYNC_PACKS && place != SYNC_INDEX &&
           !(item->name && g_str_has_prefix(item->name, places[SYNC_MIRRORS].prefix));
}

static void add_extra(Sync *sync, SyncPlace place, const SyncItem *item)
{
    SyncItem copy = *item;

    copy.name = g_strdup(item->name);
    g_array_append_val(sync->extra[place], copy);
    sync->facts.extra.objects++;
    sync->facts.extra.bytes += item->size;
    sync->facts.extra_snapshots += place == SYNC_SNAPSHOTS;
    sync->facts.extra_names += may_be_lost(place, item);
}

/* Both are sorted. */
static void compare_place(Sync *sync, SyncPlace place)
{
    const GArray *here = sync->here[place], *there = sync->there[place];
    guint i = 0, k = 0;

    while (i < here->len || k < there->len) {
        const SyncItem *left = i < here->len ? &g_array_index(here, SyncItem, i) : NULL;
        const SyncItem *right = k < there->len ? &g_array_index(there, SyncItem, k) : NULL;
        int order = !left ? 1 : !right ? -1 : sync_item_compare(left, right);

        if (order < 0 || (order == 0 && left->size != right->size))
            add_missing(sync, place, left, order == 0);
        else if (order > 0)
            add_extra(sync, place, right);
        i += order <= 0;
        k += order >= 0;
    }
}

static bool load_config(Store *store, GBytes **ret_bytes, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (store_get_whole(store, CONFIG_KEY, CONFIG_MAX, ret_bytes, &failure))
        return true;
    *ret_bytes = NULL;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* 0: it does not open with our key, or is not of this repository. */
static unsigned version_of(const Sync *sync, GBytes *bytes)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(sync->repo));
    gsize len;
    const uint8_t *sealed = g_bytes_get_data(bytes, &len);
    g_autofree char *text = g_malloc0(len + 1);
    RepoConfig config;

    return unseal(sealer, sealed, len, text, NULL) &&
                   config_decode(text, len - SEAL_OVERHEAD, &config, NULL) &&
                   strcmp(id_hex(&config.id).text, repo_id(sync->repo)) == 0
               ? config.version
               : 0;
}

/*
 * The only object that is not named by its content. A sound one is never replaced, but for the one
 * time in its life that its version is raised; the mark has told that the copy is ours, so one that
 * does not open is damaged. *ret_foreign: it may also be that of another repository.
 */
static bool compare_config(Sync *sync, bool *ret_foreign, GError **error)
{
    g_autoptr(GBytes) there = NULL;
    unsigned version;

    if (!load_config(sync->from, &sync->config, error) || !load_config(sync->to, &there, error))
        return false;
    version = sync->config ? version_of(sync, sync->config) : 0;
    if (version == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: config is missing or damaged",
                    sync->from->location);
        return false;
    }
    *ret_foreign = there && version_of(sync, there) == 0;
    if (there && (g_bytes_equal(there, sync->config) || version_of(sync, there) >= version))
        g_clear_pointer(&sync->config, g_bytes_unref);
    else {
        sync->facts.missing.objects++;
        sync->facts.missing.bytes += g_bytes_get_size(sync->config);
    }
    return true;
}

/* With keys that we do not have it was made by somebody else. */
static bool check_not_foreign(const Sync *sync, bool foreign, GError **error)
{
    if (!foreign || sync->extra[SYNC_KEYS]->len == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                "%s: config does not open with the key of this repository, and there are other "
                "keys: it looks like another repository",
                sync->to->location);
    return false;
}

bool sync_compare(Repo *repo, Store *from, Store *to, SyncScope scope, const Cancel *cancel,
                  Sync **ret_sync, GError **error)
{
    g_autoptr(Sync) sync = g_new0(Sync, 1);
    bool foreign;

    sync->repo = repo;
    sync->from = from;
    sync->to = to;
    for (SyncPlace place = 0; place < SYNC_PLACES; place++) {
        sync->missing[place] = items_new();
        sync->extra[place] = items_new();
    }
    if (!compare_config(sync, &foreign, error))
        return false;
    // the copy first: what comes to both in between then counts as missing, never as too much
    for (int side = 0; side < 2; side++)
        for (size_t i = 0; i < G_N_ELEMENTS(reading_order); i++) {
            SyncPlace place = reading_order[i];

            if (is_listed(place, scope) &&
                (!cancel_check(cancel, error) ||
                 !list_place(side ? from : to, place,
                             side ? &sync->here[place] : &sync->there[place], error)))
                return false;
        }
    for (SyncPlace place = 0; place < SYNC_PLACES; place++)
        if (is_listed(place, scope))
            compare_place(sync, place);
    if (!check_not_foreign(sync, foreign, error))
        return false;
    *ret_sync = g_steal_pointer(&sync);
    return true;
}

void sync_free(Sync *sync)
{
    if (!sync)
        return;
    for (SyncPlace place = 0; place < SYNC_PLACES; place++) {
        g_clear_pointer(&sync->here[place], g_array_unref);
        g_clear_pointer(&sync->there[place], g_array_unref);
        g_clear_pointer(&sync->missing[place], g_array_unref);
        g_clear_pointer(&sync->extra[place], g_array_unref);
    }
    g_clear_pointer(&sync->config, g_bytes_unref);
    g_free(sync);
}

const SyncFacts *sync_facts(const Sync *sync)
{
    return &sync->facts;
}

/* ---- removing ---- */

static bool may_remove(const Sync *sync, SyncRemoval what, GError **error)
{
    guint left = sync->here[SYNC_SNAPSHOTS]->len;

    if (sync->facts.missing.objects > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "nothing removed: the copy lacks %" G_GUINT64_FORMAT " objects",
                    sync->facts.missing.objects);
        return false;
    }
    if (what == SYNC_REMOVE_UNNEEDED && sync->facts.extra_names > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "nothing removed: the copy has snapshots, keys or records (%" G_GUINT64_FORMAT
                    ") that the repository does not have; if they were removed on purpose while "
                    "the copy was away, run `backstay mirror sync --delete`, else bring snapshots "
                    "back with `backstay copy`",
                    sync->facts.extra_names);
        return false;
    }
    if (what != SYNC_REMOVE_FORCED && sync->facts.extra_snapshots > left) {
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "nothing removed: %" G_GUINT64_FORMAT
                    " snapshots at the copy are not in the repository, which has only %u; if they "
                    "were forgotten on purpose, run `backstay mirror sync --delete --force`, else "
                    "bring them back with `backstay copy`",
                    sync->facts.extra_snapshots, left);
        return false;
    }
    return true;
}

static bool listing_was_incomplete(const Sync *sync, const char *key, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                "nothing removed: %s is in the repository, but a listing of %s left it out", key,
                sync->from->location);
    return false;
}

/* Nothing is removed because a listing does not name it: the store is asked once more. */
static bool are_absent(const Sync *sync, SyncPlace place, GError **error)
{
    for (guint i = 0; i < sync->extra[place]->len; i++) {
        g_autofree char *key = sync_key(place, &g_array_index(sync->extra[place], SyncItem, i));
        g_autoptr(GError) absent = NULL;
        uint64_t size;

        if (store_stat(sync->from, key, &size, &absent))
            return listing_was_incomplete(sync, key, error);
        if (!g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&absent));
            return false;
        }
    }
    return true;
}

/* Packs are many; of them the index tells. */
static bool is_unnamed(const Id *pack, G_GNUC_UNUSED const PackBlob *blobs, G_GNUC_UNUSED size_t n,
                       void *user, GError **error)
{
    const Sync *sync = user;
    SyncItem wanted = { .id = *pack };

    if (!sync_lists(sync->extra[SYNC_PACKS], &wanted))
        return true;
    return listing_was_incomplete(sync, file_key(FILE_PACK, pack).text, error);
}

static bool check_extra(Sync *sync, GError **error)
{
    for (SyncPlace place = 0; place < SYNC_PLACES; place++)
        if (place != SYNC_PACKS && !are_absent(sync, place, error))
            return false;
    return index_each_pack(repo_index(sync->repo), is_unnamed, sync, error);
}

static bool remove_place(Sync *sync, SyncPlace place, SyncLocked still_locked, void *user,
                         SyncResult *result, GError **error)
{
    const GArray *extra = sync->extra[place];

    for (guint i = 0; i < extra->len; i += REMOVE_AT_ONCE) {
        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);

        for (guint k = i; k < MIN(extra->len, i + REMOVE_AT_ONCE); k++)
            g_ptr_array_add(keys, sync_key(place, &g_array_index(extra, SyncItem, k)));
        if (!still_locked(user, error) ||
            !store_remove_many(sync->to, (const char *const *)keys->pdata, keys->len, error))
            return false;
        result->removed += keys->len;
    }
    return true;
}

bool sync_remove(Sync *sync, SyncRemoval what, SyncLocked still_locked, void *user,
                 SyncResult *result, GError **error)
{
    static const SyncPlace order[] = { SYNC_SNAPSHOTS, SYNC_INDEX,   SYNC_PACKS,
                                       SYNC_WAL,       SYNC_RECORDS, SYNC_KEYS };

    g_assert(sync->here[SYNC_PACKS] && repo_index(sync->repo)); // compared all
    if (!may_remove(sync, what, error) || !check_extra(sync, error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++)
        if (!remove_place(sync, order[i], still_locked, user, result, error))
            return false;
    return true;
}
