/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store keeps objects. An object is written whole, never changed, and named by a key such as
 * "data/ab/abcd..." (bytes of A-Za-z0-9._-/ ; no empty part, no "." or "..", no part that ends like
 * a temporary name, "-tmp-<letters, digits>"; at most STORE_KEY_MAX bytes). Every call may come
 * from several threads at once. Names mean nothing here: that is repo/'s business.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Store Store;

#define STORE_KEY_MAX 1024u /* what S3 allows */

typedef struct {
    const char *key; /* borrowed, during the call only */
    uint64_t size;
    int64_t modified_at; /* Unix seconds */
} StoreObject;

/* False with error set ends the listing, which then fails with that error. */
typedef bool (*StoreEach)(const StoreObject *object, void *user, GError **error);
/* Gives the next bytes of a stream, at most size; *ret_len 0 is its end. */
typedef bool (*StoreRead)(void *user, void *buf, size_t size, size_t *ret_len, GError **error);

typedef struct {
    const char *name;
    /* Durable when this returns true. With if_absent an existing object is BS_ERROR_EXISTS. */
    bool (*put)(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                GError **error);
    /* Fills buf with len bytes from offset: all of them or none.
     * BS_ERROR_NOT_FOUND: no such object. BS_ERROR_CORRUPT: it is shorter than that. */
    bool (*get)(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                GError **error);
    /* The whole object; BS_ERROR_CORRUPT when it is larger than bound. */
    bool (*get_whole)(Store *store, const char *key, size_t bound, GBytes **ret_data,
                      GError **error);
    /* Every object whose key begins with prefix (which ends in '/' or is empty), in no order, each
     * once. A prefix with nothing below it is an empty list. Complete or an error. */
    bool (*list)(Store *store, const char *prefix, StoreEach each, void *user, GError **error);
    bool (*stat)(Store *store, const char *key, uint64_t *ret_size, GError **error);
    /* Durable. An absent object is success. */
    bool (*remove)(Store *store, const char *key, GError **error);
    /* All of them, as remove does each; on an error the others have been tried, too. NULL: one by
     * one. */
    bool (*remove_many)(Store *store, const char *const *keys, size_t n, GError **error);
    /* An object of unknown length, which appears whole or, when read fails, not at all. Replaces.
     */
    bool (*put_stream)(Store *store, const char *key, StoreRead read, void *user, GError **error);
    /* What puts that never ended have left below prefix: the key that it would have become, the
     * bytes that lie there. NULL: nothing is ever left. */
    bool (*list_unfinished)(Store *store, const char *prefix, StoreEach each, void *user,
                            GError **error);
    /* Removes what began at least age_s seconds ago. NULL as above. */
    bool (*remove_unfinished)(Store *store, const char *prefix, int64_t age_s, unsigned *ret_n,
                              GError **error);
    /* Release everything. Never called with NULL, nor while another call runs. */
    void (*free)(Store *store);
} StoreOps;

/* Drivers embed this first. */
struct Store {
    const StoreOps *ops;
    char *location;       /* for messages: a path or URL without secrets */
    bool lists_at_once;   /* a listing shows every put that has returned, whoever made it */
    bool acks_may_lie;    /* what put acknowledged is looked for before it is built on: a server */
    bool far;             /* a request takes long or costs money: copies are worth keeping */
    unsigned connections; /* how many uploads or reads at once make sense: 2 local, 8 S3 */
};

/* An illegal key or prefix is BS_ERROR_USAGE, before the driver sees it. */
bool store_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
               GError **error);
bool store_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
               GError **error);
bool store_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                     GError **error);
bool store_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error);
bool store_stat(Store *store, const char *key, uint64_t *ret_size, GError **error);
bool store_remove(Store *store, const char *key, GError **error);
bool store_remove_many(Store *store, const char *const *keys, size_t n, GError **error);
bool store_put_stream(Store *store, const char *key, StoreRead read, void *user, GError **error);
bool store_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                           GError **error);
/* ret_n may be NULL. */
bool store_remove_unfinished(Store *store, const char *prefix, int64_t age_s, unsigned *ret_n,
                             GError **error);
void store_free(Store *store); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)

/* ---- for drivers: what they find and do not list ---- */

bool store_key_is_valid(const char *key);
/* "<name>-tmp-<letters, digits>": what a crash leaves of a put. */
bool store_name_is_temporary(const char *name, size_t len);
