/* SPDX-License-Identifier: Apache-2.0 */
/* Plain objects of a repository: what is JSON and sealed whole. */
#include "base/error.h"
#include "codec/compress.h"
#include "codec/hash.h"
#include "repo/arrival.h"
#include "repo/repo.h"
#include <string.h>

#define REMOVE_AT_ONCE 1000u /* what S3 takes in one request */

#define ENCODING_ZSTD 0x02 /* the first byte of compressed plain objects in version 2 */
#define TEXT_LEVEL    3    /* of zstd, as restic */

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

    if (!store_get_whole(repo_store(repo), key.text, size_max(type), &bytes, error))
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
    if (repo_version(repo) >= 2)
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

    if (repo_version(repo) < 2)
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
    if (!repo_options(repo)->no_verify && !verify(repo, stored, text, len, error)) {
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
        !store_put(repo_store(repo), file_key(type, &id).text, g_bytes_get_data(stored, NULL),
                   g_bytes_get_size(stored), false, error) ||
        !arrival_prove(repo_store(repo), file_key(type, &id).text, g_bytes_get_size(stored), NULL,
                       error))
        return false;
    *ret_id = id;
    return true;
}

/* ---- all of a type ---- */

bool repo_list(Repo *repo, FileType type, GArray **ret_files, unsigned *ret_foreign, GError **error)
{
    return file_list(repo_store(repo), type, ret_files, ret_foreign, error);
}

bool repo_remove(Repo *repo, FileType type, const Id *id, GError **error)
{
    return store_remove(repo_store(repo), file_key(type, id).text, error);
}

static bool remove_batch(Repo *repo, FileType type, const Id *ids, guint n, GError **error)
{
    g_autofree FileKey *names = g_new(FileKey, n);
    g_autofree const char **keys = g_new(const char *, n);

    for (guint i = 0; i < n; i++) {
        names[i] = file_key(type, &ids[i]);
        keys[i] = names[i].text;
    }
    return store_remove_many(repo_store(repo), keys, n, error);
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
