/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/arrival.h"

#include "base/error.h"

#include <inttypes.h>

#define PAGE  1000 /* keys in a page of a listing, as S3 has it */
#define LOOKS 5    /* with 1, 2, 3 and 4 seconds between them */

struct Arrivals {
    GHashTable *sizes; /* Id -> uint64_t */
};

Arrivals *arrivals_new(void)
{
    Arrivals *arrivals = g_new0(Arrivals, 1);

    arrivals->sizes = g_hash_table_new_full(id_hash, id_equal_func, g_free, g_free);
    return arrivals;
}

void arrivals_free(Arrivals *arrivals)
{
    if (!arrivals)
        return;
    g_hash_table_unref(arrivals->sizes);
    g_free(arrivals);
}

void arrivals_add(Arrivals *arrivals, const Id *pack, uint64_t size)
{
    g_hash_table_replace(arrivals->sizes, g_memdup2(pack, sizeof *pack),
                         g_memdup2(&size, sizeof size));
}

/* ---- one by one ---- */

/* An object of that size, now? Otherwise what is wrong goes to *ret_found, or it is an error. */
static bool look(Store *store, const char *key, uint64_t size, GString *found, bool *ret_there,
                 GError **error)
{
    g_autoptr(GError) failure = NULL;
    uint64_t there;

    *ret_there = false;
    if (store_stat(store, key, &there, &failure)) {
        *ret_there = there == size;
        g_string_printf(found, "%" PRIu64 " of its %" PRIu64 " bytes are there", there, size);
        return true;
    }
    g_string_assign(found, "it is not there");
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool wait_for(Store *store, const char *key, uint64_t size, const Cancel *cancel,
                     GError **error)
{
    g_autoptr(GString) found = g_string_new(NULL);
    bool there;

    for (unsigned n = 1;; n++) {
        if (!look(store, key, size, found, &there, error))
            return false;
        if (there)
            return true;
        if (n == LOOKS)
            break;
        if (!cancel_sleep(cancel, n * 1000, error))
            return false;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "%s: the store acknowledged %s, but %s; it cannot be relied on", store->location,
                key, found->str);
    return false;
}

bool arrival_prove(Store *store, const char *key, uint64_t size, const Cancel *cancel,
                   GError **error)
{
    return !store->acks_may_lie || wait_for(store, key, size, cancel, error);
}

/* ---- many ---- */

typedef struct {
    const Arrivals *arrivals;
    GHashTable *seen; /* set of Id, which belong to arrivals */
} Listing;

static bool note(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Listing *listing = user;
    gpointer pack, size;
    Id id;

    if (file_parse_key(FILE_PACK, object->key, &id) &&
        g_hash_table_lookup_extended(listing->arrivals->sizes, &id, &pack, &size) &&
        *(uint64_t *)size == object->size)
        g_hash_table_add(listing->seen, pack);
    return true;
}

static bool wait_for_unseen(const Arrivals *arrivals, GHashTable *seen, Store *store,
                            const Cancel *cancel, GError **error)
{
    GHashTableIter iter;
    gpointer pack, size;

    g_hash_table_iter_init(&iter, arrivals->sizes);
    while (g_hash_table_iter_next(&iter, &pack, &size))
        if (!g_hash_table_contains(seen, pack) &&
            !wait_for(store, file_key(FILE_PACK, pack).text, *(uint64_t *)size, cancel, error))
            return false;
    return true;
}

bool arrivals_prove(const Arrivals *arrivals, Store *store, uint64_t n_there, const Cancel *cancel,
                    GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(id_hash, id_equal_func);
    Listing listing = { arrivals, seen };
    guint n = g_hash_table_size(arrivals->sizes);

    if (!store->acks_may_lie)
        return true;
    if (n > 1 + (n_there + n) / PAGE &&
        !store_list(store, file_dir(FILE_PACK), note, &listing, error))
        return false;
    return wait_for_unseen(arrivals, seen, store, cancel, error);
}
