/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/heal.h"

#include "base/error.h"
#include "codec/hash.h"
#include "repo/config.h"
#include "store/carry.h"
#include "store/memory.h"
#include <string.h>

#define PIECE (8u * 1024 * 1024)

/* ---- objects ---- */

static bool has_hash(const char *key, Id *ret_id)
{
    static const FileType types[] = { FILE_KEY, FILE_SNAPSHOT, FILE_INDEX, FILE_PACK };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (file_parse_key(types[i], key, ret_id))
            return true;
    return false;
}

/* What cannot be read is not sound. */
static bool is_sound(Store *store, const char *key, const Id *id)
{
    g_autoptr(Hash) hash = hash_new();
    g_autofree uint8_t *piece = g_malloc(PIECE);
    uint64_t size;
    Id actual;

    if (!store_stat(store, key, &size, NULL))
        return false;
    for (uint64_t at = 0; at < size; at += PIECE) {
        size_t len = (size_t)MIN(PIECE, size - at);

        if (!store_get(store, key, at, piece, len, NULL))
            return false;
        hash_update(hash, piece, len);
    }
    hash_final(hash, &actual);
    return id_equal(&actual, id);
}

bool heal_object(Store *from, Store *to, const char *key, bool write, GError **error)
{
    g_autoptr(Store) nowhere = write ? NULL : memory_store_new();
    uint64_t size;
    Id id;

    if (!has_hash(key, &id)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: its name is no hash", key);
        return false;
    }
    if (is_sound(to, key, &id)) {
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS,
                    "its bytes are what its name says, so a copy is no better");
        return false;
    }
    return store_stat(from, key, &size, error) &&
           carry_object(from, write ? to : nowhere, key, size, &id, error);
}

/* ---- config ---- */

bool heal_config_state(Repo *repo, Store *store, ConfigState *ret_state, GError **error)
{
    g_autoptr(Sealer) sealer = sealer_new(repo_master_key(repo));
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;
    g_autofree char *text = NULL;
    RepoConfig config;
    gsize len;

    if (!store_get_whole(store, CONFIG_KEY, CONFIG_MAX, &bytes, &failure)) {
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) &&
            !g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        *ret_state = g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ? CONFIG_MISSING
                                                                            : CONFIG_FOREIGN;
        return true;
    }
    len = g_bytes_get_size(bytes);
    text = g_malloc0(len + 1);
    if (!unseal(sealer, g_bytes_get_data(bytes, NULL), len, text, NULL) ||
        !config_decode(text, len - SEAL_OVERHEAD, &config, NULL))
        *ret_state = CONFIG_FOREIGN;
    else
        *ret_state =
            strcmp(id_hex(&config.id).text, repo_id(repo)) == 0 ? CONFIG_OURS : CONFIG_OTHER;
    return true;
}

bool heal_config(Repo *repo, Store *to, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    return store_get_whole(repo_store(repo), CONFIG_KEY, CONFIG_MAX, &bytes, error) &&
           carry_put(to, CONFIG_KEY, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
}

/* ---- is it a copy? ---- */

static bool share_names(Store *one, Store *other, FileType type, bool *ret_shared, GError **error)
{
    g_autoptr(GHashTable) names = g_hash_table_new(id_hash, id_equal_func);
    g_autoptr(GArray) here = NULL;
    g_autoptr(GArray) there = NULL;

    if (!file_list(one, type, &here, NULL, error) || !file_list(other, type, &there, NULL, error))
        return false;
    for (guint i = 0; i < here->len; i++)
        g_hash_table_add(names, &g_array_index(here, FileInfo, i).id);
    *ret_shared = false;
    for (guint i = 0; i < there->len && !*ret_shared; i++)
        *ret_shared = g_hash_table_contains(names, &g_array_index(there, FileInfo, i).id);
    return true;
}

bool heal_is_copy(Repo *repo, Store *store, bool *ret_copy, GError **error)
{
    static const FileType types[] = { FILE_KEY, FILE_SNAPSHOT, FILE_INDEX, FILE_PACK };

    *ret_copy = false;
    for (size_t i = 0; i < G_N_ELEMENTS(types) && !*ret_copy; i++)
        if (!share_names(repo_store(repo), store, types[i], ret_copy, error))
            return false;
    return true;
}
