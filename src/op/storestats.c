/* SPDX-License-Identifier: Apache-2.0 */
#include "op/storestats.h"

#include "base/error.h"
#include <string.h>
#include <sys/statvfs.h>

static const char *const names[STORE_PLACES] = {
    [STORE_CONFIG] = "config", [STORE_KEYS] = "keys",           [STORE_DATA] = "data",
    [STORE_INDEX] = "index",   [STORE_SNAPSHOTS] = "snapshots", [STORE_LOCKS] = "locks",
    [STORE_WAL] = "wal",       [STORE_BACKSTAY] = "backstay",   [STORE_OTHER] = "other",
};

const char *store_place_name(StorePlace place)
{
    return names[place];
}

/* config is an object, the others are prefixes. */
static StorePlace place_of(const char *key)
{
    size_t len = strcspn(key, "/");
    bool below = key[len] == '/';

    for (StorePlace place = 0; place < STORE_OTHER; place++)
        if (strlen(names[place]) == len && memcmp(names[place], key, len) == 0 &&
            below == (place != STORE_CONFIG))
            return place;
    return STORE_OTHER;
}

static void count(StoreUsage *usage, const StoreObject *object)
{
    usage->oldest = usage->objects ? MIN(usage->oldest, object->modified_at) : object->modified_at;
    usage->newest = usage->objects ? MAX(usage->newest, object->modified_at) : object->modified_at;
    usage->objects++;
    usage->bytes += object->size;
}

static bool count_object(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    StoreStats *stats = user;

    count(&stats->total, object);
    count(&stats->places[place_of(object->key)], object);
    return true;
}

static bool count_unfinished(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    count(&((StoreStats *)user)->unfinished, object);
    return true;
}

static bool list_unfinished(Store *store, StoreStats *stats, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (store_list_unfinished(store, "", count_unfinished, stats, &failure))
        return true;
    stats->unfinished_unseen = g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED);
    if (stats->unfinished_unseen)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static void ask_disk(const Store *store, StoreStats *stats)
{
    struct statvfs disk;

    // the location of anything but a directory is a URL
    if (*store->location != '/' || statvfs(store->location, &disk) != 0)
        return;
    stats->has_room = true;
    stats->free = (uint64_t)disk.f_bavail * disk.f_frsize;
    stats->room = (uint64_t)disk.f_blocks * disk.f_frsize;
}

bool op_store_stats(Store *store, StoreStats *ret_stats, GError **error)
{
    StoreStats stats = { 0 };

    if (!store_list(store, "", count_object, &stats, error) ||
        !list_unfinished(store, &stats, error))
        return false;
    if (stats.places[STORE_CONFIG].objects == 0 && stats.places[STORE_KEYS].objects == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NO_REPO,
                    "repository does not exist at %s: neither config nor keys", store->location);
        return false;
    }
    ask_disk(store, &stats);
    *ret_stats = stats;
    return true;
}
