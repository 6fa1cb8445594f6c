/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repo.h"

#include "base/error.h"
#include "base/parallel.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "repo/arrival.h"
#include "repo/config.h"
#include "repo/index.h"
#include "repo/keyring.h"
#include "repo/stores.h"

#include <string.h>

#define PACK_TARGET    (16u * 1024 * 1024)
#define REMOVE_AT_ONCE 1000u /* what S3 takes in one request */

#define READERS_MAX 8u

#define ENCODING_ZSTD 0x02 /* the first byte of compressed plain objects in version 2 */
#define TEXT_LEVEL    3    /* of zstd, as restic */

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

/* ---- reading objects ---- */

/* Bounds of what is read whole. Snapshots can name many paths; a pack stays below 4 GiB. */
static size_t size_max(FileType type)
{
    switch (type) {
    case FILE_KEY:
        return KEYFILE_MAX;
    case FILE_LOCK:
        return 64 * 1024;
    case FILE_SNAPSHOT:
        return 256 * 1024 * 1024;
    case FILE_INDEX:
        return REPO_PLAIN_MAX;
    case FILE_PACK:
        break;
    }
    return UINT32_MAX;
}

bool repo_load_raw(Repo *repo, FileType type, const Id *id, GBytes **ret_bytes, GError **error)
{
    FileKey key = file_key(type, id);
    g_autoptr(GBytes) bytes = NULL;
    Id content;

    if (!store_get_whole(repo->store, key.text, size_max(type), &bytes, error))
        return false;
    hash_bytes(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &content);
    if (!id_equal(&content, id)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: content does not match its name",
                    key.text);
        return false;
    }
    *ret_bytes = g_steal_pointer(&bytes);
    return true;
}

/* Takes plain: the text of an object of version 2 (repository format, "Plain objects"). */
static bool decode_text(GBytes *plain, size_t bound, GBytes **ret_text, GError **error)
{
    g_autoptr(GBytes) owned = plain;
    g_autoptr(Decompressor) decompressor = NULL;
    GByteArray *text;
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(owned, &len);

    // an empty text is for the JSON parser to refuse
    if (len == 0 || bytes[0] == '{' || bytes[0] == '[') {
        *ret_text = g_steal_pointer(&owned);
        return true;
    }
    if (bytes[0] != ENCODING_ZSTD) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "unknown encoding 0x%02x", bytes[0]);
        return false;
    }
    decompressor = decompressor_new();
    if (!decompress_bounded(decompressor, bytes + 1, len - 1, bound, &text, error))
        return false;
    *ret_text = g_byte_array_free_to_bytes(text);
    return true;
}

bool repo_decode(Repo *repo, GBytes *stored, size_t bound, GBytes **ret_text, GError **error)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    size_t len;
    g_autofree uint8_t *sealed = g_bytes_unref_to_data(stored, &len);
    uint8_t *text = sealed + SEAL_OVERHEAD / 2; // behind the IV
    GBytes *plain;

    if (!unseal(sealer, sealed, len, text, error))
        return false;
    plain = g_bytes_new_with_free_func(text, len - SEAL_OVERHEAD, g_free, sealed);
    sealed = NULL;
    if (repo->config.version >= 2)
        return decode_text(plain, bound, ret_text, error);
    *ret_text = plain;
    return true;
}

bool repo_load(Repo *repo, FileType type, const Id *id, GBytes **ret_text, GError **error)
{
    g_autoptr(GBytes) stored = NULL;

    g_assert(type != FILE_KEY && type != FILE_PACK);
    if (!repo_load_raw(repo, type, id, &stored, error))
        return false;
    if (repo_decode(repo, g_steal_pointer(&stored), size_max(type), ret_text, error))
        return true;
    g_prefix_error(error, "%s: ", file_key(type, id).text);
    return false;
}

/* ---- writing objects ---- */

/* What is sealed: in version 2 compressed, whatever the mode for data. */
static GByteArray *encode_text(const Repo *repo, const char *text, size_t len)
{
    GByteArray *plain = g_byte_array_new();
    g_autoptr(Compressor) compressor = NULL;
    size_t room = compress_bound(len), frame;

    if (repo->config.version < 2)
        return g_byte_array_append(plain, (const guint8 *)text, (guint)len);
    compressor = compressor_new(TEXT_LEVEL);
    g_byte_array_set_size(plain, (guint)(1 + room));
    plain->data[0] = ENCODING_ZSTD;
    frame = compress_into(compressor, text, len, plain->data + 1, room);
    g_assert(frame > 0);
    return g_byte_array_set_size(plain, (guint)(1 + frame));
}

/* Memory errors and a broken library otherwise become objects that look good. */
static bool verify(Repo *repo, GBytes *stored, const char *text, size_t len, GError **error)
{
    g_autoptr(GBytes) copy = g_bytes_new(g_bytes_get_data(stored, NULL), g_bytes_get_size(stored));
    g_autoptr(GBytes) again = NULL;

    if (!repo_decode(repo, g_steal_pointer(&copy), len, &again, error))
        return false;
    if (g_bytes_get_size(again) == len && memcmp(g_bytes_get_data(again, NULL), text, len) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "it opens to another text");
    return false;
}

bool repo_encode(Repo *repo, const char *text, size_t len, GBytes **ret_stored, Id *ret_id,
                 GError **error)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    g_autoptr(GByteArray) plain = NULL;
    g_autoptr(GBytes) stored = NULL;
    uint8_t *sealed;

    g_assert(len > 0 && len <= REPO_PLAIN_MAX);
    plain = encode_text(repo, text, len);
    sealed = g_malloc(plain->len + SEAL_OVERHEAD);
    seal(sealer, plain->data, plain->len, sealed);
    stored = g_bytes_new_take(sealed, plain->len + SEAL_OVERHEAD);
    if (!repo->options.no_verify && !verify(repo, stored, text, len, error)) {
        g_prefix_error(error, "an object was sealed wrongly, check the memory of this machine: ");
        return false;
    }
    hash_bytes(sealed, plain->len + SEAL_OVERHEAD, ret_id);
    *ret_stored = g_steal_pointer(&stored);
    return true;
}

bool repo_save(Repo *repo, FileType type, const char *text, size_t len, Id *ret_id, GError **error)
{
    g_autoptr(GBytes) stored = NULL;
    Id id;

    g_assert(type != FILE_KEY && type != FILE_PACK);
    if (!repo_encode(repo, text, len, &stored, &id, error) ||
        !store_put(repo->store, file_key(type, &id).text, g_bytes_get_data(stored, NULL),
                   g_bytes_get_size(stored), false, error) ||
        !arrival_prove(repo->store, file_key(type, &id).text, g_bytes_get_size(stored), NULL,
                       error))
        return false;
    *ret_id = id;
    return true;
}

/* ---- all of a type ---- */

bool repo_list(Repo *repo, FileType type, GArray **ret_files, unsigned *ret_foreign, GError **error)
{
    return file_list(repo->store, type, ret_files, ret_foreign, error);
}

bool repo_remove(Repo *repo, FileType type, const Id *id, GError **error)
{
    return store_remove(repo->store, file_key(type, id).text, error);
}

static bool remove_batch(Repo *repo, FileType type, const Id *ids, guint n, GError **error)
{
    g_autofree FileKey *names = g_new(FileKey, n);
    g_autofree const char **keys = g_new(const char *, n);

    for (guint i = 0; i < n; i++) {
        names[i] = file_key(type, &ids[i]);
        keys[i] = names[i].text;
    }
    return store_remove_many(repo->store, keys, n, error);
}

bool repo_remove_many(Repo *repo, FileType type, const GArray *ids,
                      bool (*before)(void *user, GError **error), void *user, GError **error)
{
    for (guint i = 0; i < ids->len; i += REMOVE_AT_ONCE)
        if ((before && !before(user, error)) ||
            !remove_batch(repo, type, &g_array_index(ids, Id, i), MIN(ids->len - i, REMOVE_AT_ONCE),
                          error))
            return false;
    return true;
}

static bool none_begins_with(FileType type, const char *prefix, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "no %s begins with '%s'", file_type_name(type),
                prefix);
    return false;
}

bool repo_resolve(Repo *repo, FileType type, const char *prefix, Id *ret_id, GError **error)
{
    g_autoptr(GArray) files = NULL;
    unsigned n = 0;
    Id found;

    if (!repo_list(repo, type, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const Id *id = &g_array_index(files, FileInfo, i).id;

        if (g_str_has_prefix(id_hex(id).text, prefix) && n++ == 0)
            found = *id;
    }
    if (n == 0)
        return none_begins_with(type, prefix, error);
    if (n > 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "'%s' is ambiguous: %u of type %s begin with it; give more digits", prefix, n,
                    file_type_name(type));
        return false;
    }
    *ret_id = found;
    return true;
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
