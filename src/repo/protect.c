/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/protect.h"

#include "base/error.h"
#include "base/parallel.h"
#include "repo/config.h"
#include "repo/index.h"
#include <pthread.h>
#include <stdatomic.h>

#define WAL_DIR        "wal/"
#define REMOVE_AT_ONCE 1000 /* what one request takes */

/* ---- what is no longer needed ---- */

static void note_kept(G_GNUC_UNUSED const char *key, int64_t until, void *user)
{
    ProtectKept *kept = user;

    kept->until = kept->n > 0 && (until == 0 || kept->until == 0) ? 0 : MAX(kept->until, until);
    kept->n++;
}

static bool purge_batch(Repo *repo, const Id *ids, guint n, ProtectKept *kept, GError **error)
{
    g_autofree FileKey *names = g_new(FileKey, n);
    g_autofree const char **keys = g_new(const char *, n);

    for (guint i = 0; i < n; i++) {
        names[i] = file_key(FILE_PACK, &ids[i]);
        keys[i] = names[i].text;
    }
    return store_purge_many(repo_store(repo), keys, n, note_kept, kept, error);
}

bool protect_remove_packs(Repo *repo, const GArray *ids, bool (*before)(void *user, GError **error),
                          void *user, ProtectKept *kept, GError **error)
{
    for (guint i = 0; i < ids->len; i += REMOVE_AT_ONCE)
        if ((before && !before(user, error)) ||
            !purge_batch(repo, &g_array_index(ids, Id, i), MIN(ids->len - i, REMOVE_AT_ONCE), kept,
                         error))
            return false;
    return true;
}

/* ---- what is ---- */

typedef struct {
    Repo *repo;
    const ProtectOptions *options;
    const Cancel *cancel;
    GPtrArray *keys; /* of char * */
    atomic_uint_fast64_t n;
    atomic_bool failed;
    pthread_mutex_t mutex; /* around failure */
    GError *failure;       /* the first */
} Protect;

static void add_key(Protect *protect, FileType type, const Id *id)
{
    g_ptr_array_add(protect->keys, g_strdup(file_key(type, id).text));
}

static bool add_listed(Protect *protect, FileType type, GError **error)
{
    g_autoptr(GArray) files = NULL;

    if (!repo_list(protect->repo, type, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++)
        add_key(protect, type, &g_array_index(files, FileInfo, i).id);
    return true;
}

static bool add_pack(const Id *pack, G_GNUC_UNUSED const PackBlob *blobs, G_GNUC_UNUSED size_t n,
                     void *user, G_GNUC_UNUSED GError **error)
{
    add_key(user, FILE_PACK, pack);
    return true;
}

static bool add_packs(Protect *protect, GError **error)
{
    return add_listed(protect, FILE_INDEX, error) &&
           repo_load_index(protect->repo, protect->cancel, error) &&
           index_each_pack(repo_index(protect->repo), add_pack, protect, error);
}

static bool add_object(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    Protect *protect = user;
    GHashTable *leave = protect->options->leave;

    if (!leave || !g_hash_table_contains(leave, object->key))
        g_ptr_array_add(protect->keys, g_strdup(object->key));
    return true;
}

/* What lies beside the repository and belongs to it. */
static bool add_ours(Protect *protect, GError **error)
{
    Store *store = repo_store(protect->repo);

    return store_list(store, WAL_DIR, add_object, protect, error) &&
           store_list(store, "backstay/", add_object, protect, error);
}

static void keep_failure(Protect *protect, GError *failure)
{
    pthread_mutex_lock(&protect->mutex);
    if (protect->failure)
        g_error_free(failure);
    else
        protect->failure = failure;
    pthread_mutex_unlock(&protect->mutex);
    atomic_store(&protect->failed, true);
}

/* What was received of a segment makes room for more of it. */
static bool may_be_gone(const char *key, const GError *failure)
{
    return g_str_has_prefix(key, WAL_DIR) && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void protect_one(size_t i, void *user)
{
    Protect *protect = user;
    const ProtectOptions *options = protect->options;
    const char *key = g_ptr_array_index(protect->keys, i);
    GError *failure = NULL;
    bool done;

    if (atomic_load(&protect->failed))
        return;
    if (cancel_check(protect->cancel, &failure) &&
        store_protect(repo_store(protect->repo), key, options->enough_until, options->until, &done,
                      &failure))
        atomic_fetch_add(&protect->n, done);
    else if (may_be_gone(key, failure))
        g_error_free(failure);
    else
        keep_failure(protect, failure);
}

static bool protect_all(Protect *protect, GError **error)
{
    g_ptr_array_add(protect->keys, g_strdup(CONFIG_KEY));
    if (!add_listed(protect, FILE_KEY, error) || !add_listed(protect, FILE_SNAPSHOT, error) ||
        (protect->options->packs && (!add_packs(protect, error) || !add_ours(protect, error))))
        return false;
    parallel_each(repo_readers(protect->repo), protect->keys->len, protect_one, protect);
    if (!protect->failure)
        return true;
    g_propagate_prefixed_error(error, protect->failure, "renewing object locks: ");
    return false;
}

bool protect_needed(Repo *repo, const ProtectOptions *options, const Cancel *cancel,
                    uint64_t *ret_n, GError **error)
{
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    Protect protect = { .repo = repo, .options = options, .cancel = cancel, .keys = keys };
    bool ok;

    pthread_mutex_init(&protect.mutex, NULL);
    ok = protect_all(&protect, error);
    pthread_mutex_destroy(&protect.mutex);
    if (ok)
        *ret_n = atomic_load(&protect.n);
    return ok;
}
