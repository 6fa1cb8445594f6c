/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repo.h"

#include "base/error.h"
#include "base/parallel.h"
#include "codec/compress.h"
#include "repo/config.h"
#include "repo/index.h"
#include "repo/keyring.h"
#include "repo/stores.h"

#include <string.h>

#define PACK_TARGET (16u * 1024 * 1024)

#define READERS_MAX 8u

/*
 * Measured with zstd -b on 1 MiB pieces, sizes and times against level 3: a dump 0.98 and 0.58, a
 * heap file 1.03 and 0.69, source code 1.05 and 0.94, programs 1.04 and 0.77. Level 1 costs 8 to 15
 * % more room on the last two. For max the next useful step is 11; beyond it 3 MB/s are left for 2
 * %.
 */
#define AUTO_LEVEL 2
#define MAX_LEVEL  11

struct Repo {
    Store *store; /* stores.plain, once that is open */
    Stores stores;
    RepoOptions options; /* its strings are ours */
    Secret *master;      /* a SealKey */
    Id key_id;
    bool by_master; /* key_id is not known */
    RepoConfig config;
    char id[ID_HEX_LEN + 1];
    char *config_text;
    GearTable gear;
    Index *index;
};

/* ---- opening ---- */

static RepoOptions copy_options(const RepoOptions *options)
{
    RepoOptions copy = *options;

    copy.cache_dir = g_strdup(options->cache_dir);
    copy.key_hint = g_strdup(options->key_hint);
    copy.likely_key = g_strdup(options->likely_key);
    if (copy.pack_size == 0)
        copy.pack_size = PACK_TARGET;
    return copy;
}

static bool something(G_GNUC_UNUSED const StoreObject *object, void *user,
                      G_GNUC_UNUSED GError **error)
{
    *(bool *)user = true;
    return true;
}

/* No config: says whether there never was a repository or one has lost it. */
static bool no_repo(Store *store, GError **error)
{
    bool was = false;

    if (!store_list(store, "keys/", something, &was, error) ||
        (!was && !store_list(store, "snapshots/", something, &was, error)))
        return false;
    if (was)
        g_set_error(error, BS_ERROR, BS_ERROR_NO_REPO,
                    "the repository at %s has lost its config; bring it back from a copy",
                    store->location);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_NO_REPO,
                    "repository does not exist at %s: no config; create it with `backstay init`",
                    store->location);
    return false;
}

static bool load_config(Store *store, GBytes **ret_sealed, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (store_get_whole(store, CONFIG_KEY, CONFIG_MAX, ret_sealed, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return no_repo(store, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static void cannot_open_config(const Repo *repo, GError **error)
{
    if (repo->by_master)
        g_set_error(error, BS_ERROR, BS_ERROR_PASSWORD,
                    "this master key does not open the repository at %s: it is of another one, or "
                    "config is damaged",
                    repo->store->location);
    else // the password has opened a key: it is not to blame
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "config is damaged; bring back %s/" CONFIG_KEY " from a copy",
                    repo->store->location);
}

static bool open_config(Repo *repo, GBytes *sealed, GError **error)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(sealed, &len);
    g_autofree char *text = g_malloc0(len + 1);

    if (!unseal(sealer, bytes, len, text, NULL)) {
        cannot_open_config(repo, error);
        return false;
    }
    if (!config_decode(text, len - SEAL_OVERHEAD, &repo->config, error))
        return false;
    memcpy(repo->id, id_hex(&repo->config.id).text, sizeof repo->id);
    repo->config_text = g_steal_pointer(&text);
    return true;
}

/* The same bytes whichever form of r a key file holds (repository format, "Cryptography"). */
static void derive_gear(Repo *repo)
{
    static const uint8_t clamp[16] = { 255, 255, 255, 15, 252, 255, 255, 15,
                                       252, 255, 255, 15, 252, 255, 255, 15 };
    const SealKey *key = repo_master_key(repo);
    uint8_t bytes[SEAL_KEY_LEN];

    memcpy(bytes, key->encrypt, 32);
    memcpy(bytes + 32, key->mac_k, 16);
    for (size_t i = 0; i < 16; i++)
        bytes[48 + i] = key->mac_r[i] & clamp[i];
    gear_table_derive(bytes, &repo->gear);
    secret_wipe(bytes, sizeof bytes);
}

typedef struct {
    Repo *repo;
    const Secret *password;
    GBytes *sealed; /* config */
    GError *no_config, *no_key;
} Opening;

static void open_key(Opening *opening)
{
    Repo *repo = opening->repo;
    const KeyringWish wish = { repo->options.key_hint, repo->options.likely_key };
    SealKey master;

    if (!keyring_open(repo->store, opening->password, &wish, &master, &repo->key_id,
                      &opening->no_key))
        return;
    repo->master = secret_new(&master, sizeof master);
    secret_wipe(&master, sizeof master);
}

static void open_part(size_t i, void *user)
{
    Opening *opening = user;

    if (i == 0)
        open_key(opening);
    else
        (void)load_config(opening->repo->store, &opening->sealed, &opening->no_config);
}

/* The key and config, at the same time. Without config there is no repository, whatever the keys
 * say. */
static bool open_parts(Repo *repo, const Secret *password, GError **error)
{
    Opening opening = { .repo = repo, .password = password };
    g_autoptr(GBytes) sealed = NULL;
    g_autoptr(GError) failure = NULL;

    parallel_each(2, 2, open_part, &opening);
    sealed = opening.sealed;
    failure = opening.no_key;
    if (opening.no_config) {
        g_propagate_error(error, opening.no_config);
        return false;
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return open_config(repo, sealed, error);
}

static Repo *repo_new(Store *store, const RepoOptions *options)
{
    Repo *repo = g_new0(Repo, 1);

    repo->store = store;
    repo->options = copy_options(options);
    return repo;
}

/* What follows when key and config are known. */
static Repo *complete(Repo *repo)
{
    derive_gear(repo);
    stores_open(&repo->stores, repo->store, &repo->options, repo->id);
    repo->store = repo->stores.plain;
    return repo;
}

bool repo_open(Store *store, const Secret *password, const RepoOptions *options, Repo **ret_repo,
               GError **error)
{
    g_autoptr(Repo) repo = repo_new(store, options);

    if (!open_parts(repo, password, error))
        return false;
    *ret_repo = complete(g_steal_pointer(&repo));
    return true;
}

bool repo_open_master(Store *store, const SealKey *master, const RepoOptions *options,
                      Repo **ret_repo, GError **error)
{
    g_autoptr(Repo) repo = repo_new(store, options);
    g_autoptr(GBytes) sealed = NULL;

    repo->master = secret_new(master, sizeof *master);
    repo->by_master = true;
    if (!load_config(store, &sealed, error) || !open_config(repo, sealed, error))
        return false;
    *ret_repo = complete(g_steal_pointer(&repo));
    return true;
}

void repo_close(Repo *repo)
{
    if (!repo)
        return;
    index_free(repo->index);
    stores_close(&repo->stores);
    secret_free(repo->master);
    secret_wipe(&repo->gear, sizeof repo->gear);
    g_free(repo->config_text);
    g_free((char *)repo->options.cache_dir);
    g_free((char *)repo->options.key_hint);
    g_free((char *)repo->options.likely_key);
    g_free(repo);
}

/* ---- what it is ---- */

Store *repo_store(const Repo *repo)
{
    return repo->store;
}

Store *repo_tree_store(const Repo *repo)
{
    return repo->stores.trees;
}

void repo_distrust_copies(Repo *repo)
{
    if (repo->stores.cache)
        cache_distrust(repo->stores.cache);
}

bool repo_drop_damaged_copy(Repo *repo, const Id *pack)
{
    return repo->stores.cache &&
           cache_drop_damaged(repo->stores.cache, file_key(FILE_PACK, pack).text);
}

unsigned repo_readers(const Repo *repo)
{
    return MIN(MAX(repo->store->connections, parallel_cores()), READERS_MAX);
}

const RepoOptions *repo_options(const Repo *repo)
{
    return &repo->options;
}

const SealKey *repo_master_key(const Repo *repo)
{
    return secret_data(repo->master);
}

const Id *repo_key_id(const Repo *repo)
{
    return repo->by_master ? NULL : &repo->key_id;
}

const char *repo_id(const Repo *repo)
{
    return repo->id;
}

unsigned repo_version(const Repo *repo)
{
    return repo->config.version;
}

uint64_t repo_polynomial(const Repo *repo)
{
    return repo->config.polynomial;
}

const GearTable *repo_gear(const Repo *repo)
{
    return &repo->gear;
}

int repo_data_level(const Repo *repo)
{
    if (repo->config.version < 2)
        return 0;
    switch (repo->options.compress) {
    case COMPRESS_OFF:
        return 0;
    case COMPRESS_MAX:
        return MAX_LEVEL;
    case COMPRESS_LEVEL:
        return CLAMP(repo->options.compress_level, COMPRESS_LEVEL_MIN, COMPRESS_LEVEL_MAX);
    case COMPRESS_AUTO:
        break;
    }
    return AUTO_LEVEL;
}

const char *repo_config_text(const Repo *repo)
{
    return repo->config_text;
}

/* ---- the index ---- */

bool repo_load_index_whole(Repo *repo, const Cancel *cancel, GError **error)
{
    Index *index;

    if (!index_load(repo, cancel, &index, error))
        return false;
    repo_set_index(repo, index);
    return true;
}

static bool pass_over_index(const Id *object, const GError *problem, void *user)
{
    const Repo *repo = user;

    repo->options.index_damaged(object, problem);
    return true;
}

bool repo_load_index(Repo *repo, const Cancel *cancel, GError **error)
{
    g_autoptr(GError) problem = NULL;
    Index *index;

    if (repo_load_index_whole(repo, cancel, &problem))
        return true;
    if (!repo->options.index_damaged || !g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    if (!index_load_full(repo, pass_over_index, repo, cancel, &index, error))
        return false;
    repo_set_index(repo, index);
    return true;
}

void repo_set_index(Repo *repo, Index *index)
{
    index_free(repo->index);
    repo->index = index;
}

Index *repo_index(Repo *repo)
{
    return repo->index;
}
