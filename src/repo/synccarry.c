/* SPDX-License-Identifier: Apache-2.0 */
/* Carrying what a copy lacks (repo/sync.h). */
#include "base/error.h"
#include "base/parallel.h"
#include "repo/config.h"
#include "repo/index.h"
#include "repo/syncing.h"
#include "store/carry.h"

#include <pthread.h>
#include <stdatomic.h>

/* Each holds at most 32 MiB. */
#define CARRIERS_MAX 4u

typedef struct {
    Sync *sync;
    const SyncWatch *watch;
    const Cancel *cancel;
    SyncPlace place;
    const GArray *items; /* of SyncItem */
    pthread_mutex_t mutex;
    SyncResult *result; /* this and the rest: under the mutex */
    GHashTable *packs;  /* set of Id: held back */
    bool index_held_back;
} Carrying;

/* ---- one object ---- */

static void hold_back(Carrying *carrying, const SyncItem *item, const char *key,
                      const GError *problem)
{
    pthread_mutex_lock(&carrying->mutex);
    carrying->result->held_back.objects++;
    if (carrying->place == SYNC_PACKS)
        g_hash_table_add(carrying->packs, g_memdup2(&item->id, sizeof item->id));
    if (carrying->place == SYNC_INDEX)
        carrying->index_held_back = true;
    carrying->watch->held_back(key, problem, carrying->watch->user);
    pthread_mutex_unlock(&carrying->mutex);
}

static bool unseals(const Sync *sync, GBytes *bytes, GError **error)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(sync->repo));
    gsize len;
    const uint8_t *sealed = g_bytes_get_data(bytes, &len);
    g_autofree uint8_t *plain = g_malloc(len + 1);

    return unseal(sealer, sealed, len, plain, error);
}

/* Its name is no hash, so its seal must hold. What is there already is never replaced. */
static bool carry_sealed(const Sync *sync, const SyncItem *item, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    return store_get_whole(sync->from, item->name, (size_t)item->size, &bytes, error) &&
           unseals(sync, bytes, error) &&
           carry_put_same(sync->to, item->name, g_bytes_get_data(bytes, NULL),
                          g_bytes_get_size(bytes), error);
}

static bool carry_item(const Sync *sync, const SyncItem *item, const char *key, GError **error)
{
    Id id = item->id;

    return item->name && !record_parse_key(key, &id)
               ? carry_sealed(sync, item, error)
               : carry_object(sync->from, sync->to, key, item->size, &id, error);
}

/* Damaged here, gone since it was listed, or another object there: that concerns this object alone.
 * Everything else is a store that fails. */
static bool concerns_object(const Sync *sync, const char *key, const GError *problem)
{
    g_autoptr(GError) absent = NULL;
    uint64_t size;

    if (g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT) ||
        g_error_matches(problem, BS_ERROR, BS_ERROR_EXISTS))
        return true;
    return g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND) &&
           !store_stat(sync->from, key, &size, &absent) &&
           g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void count_carried(Carrying *carrying, uint64_t bytes)
{
    pthread_mutex_lock(&carrying->mutex);
    carrying->result->carried.objects++;
    carrying->result->carried.bytes += bytes;
    pthread_mutex_unlock(&carrying->mutex);
    if (carrying->watch->bytes)
        atomic_fetch_add(carrying->watch->bytes, bytes);
}

/* True also when it is held back. */
static bool carry_one(size_t i, void *user, GError **error)
{
    Carrying *carrying = user;
    const SyncItem *item = &g_array_index(carrying->items, SyncItem, i);
    g_autofree char *key = sync_key(carrying->place, item);
    g_autoptr(GError) problem = NULL;

    if (!cancel_check(carrying->cancel, error))
        return false;
    if (carry_item(carrying->sync, item, key, &problem)) {
        count_carried(carrying, item->size);
        return true;
    }
    if (concerns_object(carrying->sync, key, problem)) {
        hold_back(carrying, item, key, problem);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* ---- all of a place ---- */

/* Side by side; done when it returns. */
static bool carry_place(Carrying *carrying, SyncPlace place, const GArray *items, GError **error)
{
    carrying->place = place;
    carrying->items = items;
    return parallel_try(MIN(CARRIERS_MAX, carrying->sync->to->connections), items->len, carry_one,
                        carrying, error);
}

static bool carry_config(Carrying *carrying, GError **error)
{
    GBytes *config = carrying->sync->config;

    if (!config)
        return true;
    if (!store_put(carrying->sync->to, CONFIG_KEY, g_bytes_get_data(config, NULL),
                   g_bytes_get_size(config), false, error))
        return false;
    count_carried(carrying, g_bytes_get_size(config));
    return true;
}

/* ---- index objects ---- */

/* All packs that could be carried have been. */
static bool check_pack(const Id *pack, G_GNUC_UNUSED const PackBlob *blobs, G_GNUC_UNUSED size_t n,
                       void *user, GError **error)
{
    const Carrying *carrying = user;
    const Sync *sync = carrying->sync;
    SyncItem wanted = { .id = *pack };

    if (!g_hash_table_contains(carrying->packs, pack) &&
        (sync_lists(sync->here[SYNC_PACKS], &wanted) ||
         sync_lists(sync->there[SYNC_PACKS], &wanted)))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "it names pack %s, which could not be carried",
                id_hex(pack).text);
    return false;
}

static bool names_only_packs_that_are_there(Carrying *carrying, const SyncItem *item,
                                            GError **error)
{
    g_autoptr(GBytes) text = NULL;

    return repo_load(carrying->sync->repo, FILE_INDEX, &item->id, &text, error) &&
           index_text_parse(g_bytes_get_data(text, NULL), g_bytes_get_size(text), check_pack,
                            carrying, error);
}

static bool carry_index(Carrying *carrying, GError **error)
{
    const GArray *missing = carrying->sync->missing[SYNC_INDEX];
    g_autoptr(GArray) good = g_array_new(FALSE, FALSE, sizeof(SyncItem)); // names are borrowed

    carrying->place = SYNC_INDEX;
    for (guint i = 0; i < missing->len; i++) {
        const SyncItem *item = &g_array_index(missing, SyncItem, i);
        g_autofree char *key = sync_key(SYNC_INDEX, item);
        g_autoptr(GError) problem = NULL;

        if (names_only_packs_that_are_there(carrying, item, &problem))
            g_array_append_vals(good, item, 1);
        else if (concerns_object(carrying->sync, key, problem)) {
            hold_back(carrying, item, key, problem);
        } else {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
    return carry_place(carrying, SYNC_INDEX, good, error);
}

/* Without an index object a snapshot may name what cannot be found. */
static bool carry_snapshots(Carrying *carrying, GError **error)
{
    const GArray *missing = carrying->sync->missing[SYNC_SNAPSHOTS];
    g_autoptr(GError) problem =
        g_error_new_literal(BS_ERROR, BS_ERROR_CORRUPT, "it waits for what was held back before");

    if (!carrying->index_held_back)
        return carry_place(carrying, SYNC_SNAPSHOTS, missing, error);
    carrying->place = SYNC_SNAPSHOTS;
    for (guint i = 0; i < missing->len; i++) {
        const SyncItem *item = &g_array_index(missing, SyncItem, i);
        g_autofree char *key = sync_key(SYNC_SNAPSHOTS, item);

        hold_back(carrying, item, key, problem);
    }
    return true;
}

/* ---- */

static bool carry_all(Carrying *carrying, GError **error)
{
    GArray *const *missing = carrying->sync->missing;

    // with its keys and config first whatever comes then can be opened there
    return carry_place(carrying, SYNC_KEYS, missing[SYNC_KEYS], error) &&
           carry_config(carrying, error) &&
           carry_place(carrying, SYNC_PACKS, missing[SYNC_PACKS], error) &&
           carry_index(carrying, error) && carry_snapshots(carrying, error) &&
           carry_place(carrying, SYNC_WAL, missing[SYNC_WAL], error) &&
           carry_place(carrying, SYNC_RECORDS, missing[SYNC_RECORDS], error);
}

bool sync_carry(Sync *sync, const SyncWatch *watch, const Cancel *cancel, SyncResult *result,
                GError **error)
{
    g_autoptr(GHashTable) packs = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    Carrying carrying = {
        .sync = sync, .watch = watch, .cancel = cancel, .result = result, .packs = packs
    };
    bool ok;

    g_assert(sync->here[SYNC_PACKS]); // compared all
    pthread_mutex_init(&carrying.mutex, NULL);
    ok = carry_all(&carrying, error);
    pthread_mutex_destroy(&carrying.mutex);
    if (ok) {
        sync->facts.missing = (SyncAmount){ .objects = result->held_back.objects };
        sync->facts.since = result->held_back.objects ? sync->facts.since : 0;
    }
    return ok;
}
