/* SPDX-License-Identifier: Apache-2.0 */
/* Listings that are tried again, and what was left unfinished. */
#include "store/retrying.h"

#include "codec/hash.h"

#include <stdlib.h>
#include <string.h>

/* Half of the SHA-256 of a key: no two keys share it, and a million of them fit into 16 MB. */
typedef struct {
    uint8_t bytes[16];
} Mark;

static int compare_marks(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(Mark));
}

static Mark mark_of(const char *key)
{
    Mark mark;
    Id hash;

    hash_bytes(key, strlen(key), &hash);
    memcpy(mark.bytes, hash.bytes, sizeof mark.bytes);
    return mark;
}

void retry_told_init(RetryTold *told)
{
    *told = (RetryTold){ g_array_new(FALSE, FALSE, sizeof(Mark)), 0 };
}

void retry_told_done(RetryTold *told)
{
    g_array_unref(told->marks);
}

void retry_told_begin(RetryTold *told)
{
    g_array_sort(told->marks, compare_marks);
    told->n_sorted = told->marks->len;
}

bool retry_told_is_new(RetryTold *told, const char *name)
{
    Mark mark = mark_of(name);

    if (told->n_sorted > 0 &&
        bsearch(&mark, told->marks->data, told->n_sorted, sizeof mark, compare_marks))
        return false;
    g_array_append_val(told->marks, mark);
    return true;
}

typedef struct {
    Store *next;
    const char *prefix;
    StoreEach each;
    void *user;
    RetryTold told;
    GError *stopped; /* by each, whose errors are final whatever their code */
} Listing;

static bool tell_once(const StoreObject *object, void *user, GError **error)
{
    Listing *listing = user;

    if (!retry_told_is_new(&listing->told, object->key) ||
        listing->each(object, listing->user, &listing->stopped))
        return true;
    g_propagate_error(error, g_error_copy(listing->stopped));
    return false;
}

static bool try_list(void *user, GError **error)
{
    Listing *listing = user;

    retry_told_begin(&listing->told);
    return store_list(listing->next, listing->prefix, tell_once, listing, error) ||
           listing->stopped;
}

bool retry_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Listing listing = { .next = retry->next, .prefix = prefix, .each = each, .user = user };
    bool ok;

    retry_told_init(&listing.told);
    ok = retry_call(retry, g_strconcat("list ", *prefix ? prefix : "everything", NULL), try_list,
                    &listing, error);
    retry_told_done(&listing.told);
    if (!ok || !listing.stopped)
        return ok;
    g_propagate_error(error, listing.stopped);
    return false;
}

/* ---- what was left unfinished ---- */

typedef struct {
    Store *next;
    const char *prefix;
    GArray *found; /* of StoreObject that own their keys */
    const StoreLeftovers *places;
    size_t n_places;
    unsigned *ret_n;
} Unfinished;

static void object_clear(gpointer object)
{
    g_free((char *)((StoreObject *)object)->key);
}

static bool note_unfinished(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    GArray *found = user;
    StoreObject copy = *object;

    copy.key = g_strdup(object->key);
    g_array_append_val(found, copy);
    return true;
}

static bool try_list_unfinished(void *user, GError **error)
{
    Unfinished *unfinished = user;

    g_array_set_size(unfinished->found, 0);
    return store_list_unfinished(unfinished->next, unfinished->prefix, note_unfinished,
                                 unfinished->found, error);
}

/* Two leftovers may have one key and one size, so that nobody could say which was told. */
bool retry_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                           GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(StoreObject));
    Unfinished unfinished = { .next = retry->next, .prefix = prefix, .found = found };

    g_array_set_clear_func(found, object_clear);
    if (!retry_call(retry, g_strdup("list what is unfinished"), try_list_unfinished, &unfinished,
                    error))
        return false;
    for (guint i = 0; i < found->len; i++)
        if (!each(&g_array_index(found, StoreObject, i), user, error))
            return false;
    return true;
}

static bool try_remove_unfinished(void *user, GError **error)
{
    Unfinished *unfinished = user;

    return store_remove_unfinished(unfinished->next, unfinished->places, unfinished->n_places,
                                   unfinished->ret_n, error);
}

bool retry_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                             GError **error)
{
    RetryStore *retry = (RetryStore *)store;
    Unfinished unfinished = {
        .next = retry->next, .places = places, .n_places = n, .ret_n = ret_n
    };

    return retry_call(retry, g_strdup("remove what is unfinished"), try_remove_unfinished,
                      &unfinished, error);
}
