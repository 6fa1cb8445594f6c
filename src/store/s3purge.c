/* SPDX-License-Identifier: Apache-2.0 */
/* Removing objects of a bucket with versioning for good: version by version. What is locked, the
 * server refuses, in the words of a missing right; only the object itself tells which it was. */
#include "store/s3ops.h"

#include "base/clock.h"
#include "base/error.h"

#include <string.h>

#define PIECE 1000
/* So many keys are looked for in one listing of all that lies beside them, a thousand a request,
 * instead of one request each. */
#define MANY 100

typedef struct {
    GHashTable *wanted; /* set of keys, borrowed */
    GArray *doomed;     /* of S3Doomed; the versions are ours */
    StoreProtected each;
    void *user;
    GHashTable *told; /* set of keys, borrowed */
} Purge;

static void doomed_clear(gpointer doomed)
{
    g_free((char *)((S3Doomed *)doomed)->version);
}

static void purge_done(Purge *purge)
{
    g_hash_table_unref(purge->wanted);
    g_hash_table_unref(purge->told);
    g_array_unref(purge->doomed);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Purge, purge_done)

/* ---- what there is of them ---- */

static bool note_version(const StoreVersion *version, void *user, G_GNUC_UNUSED GError **error)
{
    Purge *purge = user;
    const char *key = g_hash_table_lookup(purge->wanted, version->key);
    S3Doomed doomed = { .key = key };

    if (!key)
        return true;
    doomed.version = g_strdup(version->id);
    g_array_append_val(purge->doomed, doomed);
    return true;
}

/* What the keys begin with in common, up to its last '/'. */
static char *common_prefix(const char *const *keys, size_t n)
{
    size_t len = strlen(keys[0]);

    for (size_t i = 1; i < n; i++) {
        size_t same = 0;

        while (same < len && keys[i][same] == keys[0][same])
            same++;
        len = same;
    }
    while (len > 0 && keys[0][len - 1] != '/')
        len--;
    return g_strndup(keys[0], len);
}

static bool find_versions(Store *store, const char *const *keys, size_t n, Purge *purge,
                          GError **error)
{
    g_autofree char *prefix = NULL;

    if (n >= MANY) {
        prefix = common_prefix(keys, n);
        return s3_versions(store, prefix, note_version, purge, error);
    }
    for (size_t i = 0; i < n; i++)
        if (!s3_versions(store, keys[i], note_version, purge, error))
            return false;
    return true;
}

/* ---- what is refused ---- */

static bool tell_if_locked(S3Store *s3, const S3Doomed *doomed, const GError *failure, void *user)
{
    Purge *purge = user;
    S3Protection now;

    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED) ||
        !s3_protection_get(s3, doomed->key, doomed->version, &now, NULL) ||
        (!now.held && now.until <= clock_now().sec))
        return false;
    if (g_hash_table_add(purge->told, (char *)doomed->key))
        purge->each(doomed->key, now.held ? 0 : now.until, purge->user);
    return true;
}

static bool purge_piece(Store *store, const char *const *keys, size_t n, StoreProtected each,
                        void *user, GError **error)
{
    g_auto(Purge) purge = { .wanted = g_hash_table_new(g_str_hash, g_str_equal),
                            .doomed = g_array_new(FALSE, FALSE, sizeof(S3Doomed)),
                            .each = each,
                            .user = user,
                            .told = g_hash_table_new(g_str_hash, g_str_equal) };

    g_array_set_clear_func(purge.doomed, doomed_clear);
    for (size_t i = 0; i < n; i++)
        g_hash_table_add(purge.wanted, (char *)keys[i]);
    return find_versions(store, keys, n, &purge, error) &&
           s3_remove_all((S3Store *)store, (const S3Doomed *)(void *)purge.doomed->data,
                         purge.doomed->len, tell_if_locked, &purge, error);
}

bool s3_purge_many(Store *store, const char *const *keys, size_t n, StoreProtected each, void *user,
                   GError **error)
{
    g_autoptr(GError) first = NULL;

    for (size_t i = 0; i < n; i += PIECE)
        (void)purge_piece(store, keys + i, MIN(n - i, PIECE), each, user, first ? NULL : &first);
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}
