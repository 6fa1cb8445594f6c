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

/* What puts that never ended have left below prefix, and that began at least age_s seconds ago. */
typedef struct {
    const char *prefix;
    int64_t age_s;
} StoreLeftovers;

/* ---- what guards a store against losing what somebody removes or replaces ---- */

typedef enum { STORE_UNKNOWN, STORE_OFF, STORE_ON } StoreState;

typedef enum {
    STORE_RULE_EXPIRES,     /* removes objects that are in use */
    STORE_RULE_FREEZES,     /* moves them to where they cannot be read at once */
    STORE_RULE_EXPIRES_OLD, /* removes older versions: what makes room again */
} StoreRuleKind;

/* A rule by which the server does something to our objects when they have some age. */
typedef struct {
    StoreRuleKind kind;
    char *name;
    char *prefix;  /* of the keys that it is for; "": of all */
    unsigned days; /* 0: at a date */
} StoreRule;

typedef struct {
    StoreState versions; /* what is replaced or removed is kept as an older version */
    StoreState locks;    /* objects can be protected until a time */
    char *lock_mode; /* "governance" or "compliance", which new objects get by themselves; NULL */
    unsigned lock_days;            /* and for how long; 0: they get none */
    StoreState ruled;              /* ON: there are rules, OFF: there are none */
    GPtrArray *rules;              /* of StoreRule; never NULL */
    GError *why;                   /* why the first of what is unknown is; NULL */
    int64_t server_time, our_time; /* two clocks at the same moment; 0: it told none */
} StoreGuard;
void store_guard_clear(StoreGuard *guard);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StoreGuard, store_guard_clear)
/* Takes the strings. */
void store_guard_add_rule(StoreGuard *guard, StoreRuleKind kind, char *name, char *prefix,
                          unsigned days);

/* Borrowed, during the call only. */
typedef struct {
    const char *key, *id;
    uint64_t size;
    int64_t modified_at; /* Unix seconds */
    bool latest;         /* this is what get gives */
    bool removed;        /* no object, but the note that it was removed then */
} StoreVersion;
typedef bool (*StoreEachVersion)(const StoreVersion *version, void *user, GError **error);

/* Protected until then (Unix seconds), and therefore still there; 0: nobody knows until when. */
typedef void (*StoreProtected)(const char *key, int64_t until, void *user);

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
    /* Removes what lies at one of the places, none of which is below another. NULL as above. */
    bool (*remove_unfinished)(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                              GError **error);

    /* The rest is for stores that guard what they hold; all NULL: BS_ERROR_UNSUPPORTED. */

    /* Asks the server. What it does not know or tell to these keys is unknown in *ret_guard, which
     * is no error; no answer at all is one. */
    bool (*guard)(Store *store, StoreGuard *ret_guard, GError **error);
    /* All versions of all objects below a prefix (that ends in '/' or is empty), or of one key; of
     * each key the newest first. Complete or an error. */
    bool (*versions)(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                     GError **error);
    /* As get_whole, of a version. */
    bool (*get_version)(Store *store, const char *key, const char *id, size_t bound,
                        GBytes **ret_data, GError **error);
    /* Protects the object, as it is now, until a time (Unix seconds), unless it is already until
     * enough_until; what is protected for longer stays so. *ret_done: there was something to do. */
    bool (*protect)(Store *store, const char *key, int64_t enough_until, int64_t until,
                    bool *ret_done, GError **error);
    /* Removes objects with all their versions, so that nothing of them takes room any more. What is
     * protected stays as it is and is told, which is no error. Otherwise as remove_many. */
    bool (*purge_many)(Store *store, const char *const *keys, size_t n, StoreProtected each,
                       void *user, GError **error);

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
bool store_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n, unsigned *ret_n,
                             GError **error);
bool store_guard(Store *store, StoreGuard *ret_guard, GError **error);
bool store_versions(Store *store, const char *prefix_or_key, StoreEachVersion each, void *user,
                    GError **error);
bool store_get_version(Store *store, const char *key, const char *id, size_t bound,
                       GBytes **ret_data, GError **error);
/* ret_done may be NULL. */
bool store_protect(Store *store, const char *key, int64_t enough_until, int64_t until,
                   bool *ret_done, GError **error);
/* A store without older versions removes what there is. */
bool store_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each,
                      void *user, GError **error);
void store_free(Store *store); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)

/* ---- for drivers: what they find and do not list ---- */

bool store_key_is_valid(const char *key);
/* "<name>-tmp-<letters, digits>": what a crash leaves of a put. */
bool store_name_is_temporary(const char *name, size_t len);
