/* SPDX-License-Identifier: Apache-2.0 */
#include "op/key.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "codec/hash.h"
#include "codec/json.h"
#include "op/identity.h"
#include <string.h>

/* restic tries no more than twenty (repository format, "Keys"). */
#define KEYS_MAX 20

/* ---- listing ---- */

static bool load(Repo *repo, const Id *id, KeyFile **ret_keyfile, GError **error)
{
    g_autoptr(GBytes) text = NULL;

    if (!repo_load_raw(repo, FILE_KEY, id, &text, error))
        return false;
    *ret_keyfile = keyfile_decode(g_bytes_get_data(text, NULL), g_bytes_get_size(text), error);
    return *ret_keyfile != NULL;
}

static void key_info_clear(gpointer data)
{
    KeyInfo *key = data;

    g_free(key->username);
    g_free(key->hostname);
}

bool op_key_list(Repo *repo, GArray **ret_keys, unsigned *ret_unreadable, GError **error)
{
    g_autoptr(GArray) files = NULL;
    g_autoptr(GArray) keys = g_array_new(FALSE, TRUE, sizeof(KeyInfo));

    g_array_set_clear_func(keys, key_info_clear);
    *ret_unreadable = 0;
    if (!repo_list(repo, FILE_KEY, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const Id *id = &g_array_index(files, FileInfo, i).id;
        g_autoptr(KeyFile) keyfile = NULL;
        g_autoptr(GError) problem = NULL;
        const Id *in_use = repo_key_id(repo);
        KeyInfo key = { .id = *id, .current = in_use && id_equal(id, in_use) };

        if (!load(repo, id, &keyfile, &problem)) {
            log_warn("key cannot be read", "key", id_hex(id).text, "error", problem->message, NULL);
            ++*ret_unreadable;
            continue;
        }
        key.username = g_strdup(keyfile->username ? keyfile->username : "");
        key.hostname = g_strdup(keyfile->hostname ? keyfile->hostname : "");
        key.created = keyfile->created;
        g_array_append_val(keys, key);
    }
    *ret_keys = g_steal_pointer(&keys);
    return true;
}

/* ---- adding and removing ---- */

static bool same_master(const SealKey *a, const SealKey *b)
{
    SealKey left = *a, right = *b;
    bool same;

    seal_clamp(left.mac_r);
    seal_clamp(right.mac_r);
    same = memcmp(&left, &right, sizeof left) == 0;
    secret_wipe(&left, sizeof left);
    secret_wipe(&right, sizeof right);
    return same;
}

/* Reads it back from the store: only what opens from there is a key. */
static bool prove(Repo *repo, const Id *id, const Secret *password, GError **error)
{
    g_autoptr(KeyFile) keyfile = NULL;
    SealKey master;
    bool same;

    if (!load(repo, id, &keyfile, error) || !keyfile_open(keyfile, password, &master, error))
        return false;
    same = same_master(&master, repo_master_key(repo));
    secret_wipe(&master, sizeof master);
    if (!same)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "it opens to another master key");
    return same;
}

static bool has_room(Repo *repo, GError **error)
{
    g_autoptr(GArray) files = NULL;

    if (!repo_list(repo, FILE_KEY, &files, NULL, error))
        return false;
    if (files->len < KEYS_MAX)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "the repository has %u keys, and no more than %d are tried; remove one first",
                files->len, KEYS_MAX);
    return false;
}

static bool write_key(Repo *repo, const Secret *password, const char *username,
                      const char *hostname, Id *ret_id, GError **error)
{
    g_autofree char *user = username ? g_strdup(username) : identity_user();
    g_autofree char *host = identity_host(hostname);
    g_autoptr(GBytes) text = NULL;
    gsize len;
    const char *data;

    text = keyfile_encode(repo_master_key(repo), password, key_cost_default, user, host, error);
    if (!text)
        return false;
    data = g_bytes_get_data(text, &len);
    hash_bytes(data, len, ret_id);
    return store_put(repo_store(repo), file_key(FILE_KEY, ret_id).text, data, len, true, error);
}

bool op_key_add(Repo *repo, const Secret *password, const char *username, const char *hostname,
                Id *ret_id, GError **error)
{
    if (!has_room(repo, error) || !write_key(repo, password, username, hostname, ret_id, error))
        return false;
    if (prove(repo, ret_id, password, error))
        return true;
    g_prefix_error(error, "new key %s: ", id_short(ret_id).text);
    (void)repo_remove(repo, FILE_KEY, ret_id, NULL); // the failure told is why it is of no use
    return false;
}

/* So that a password is never the last that was, and nobody knows it any more. */
static bool has_key_in_use(Repo *repo, GError **error)
{
    if (repo_key_id(repo))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "the repository was opened with a key file; open it with a password that stays");
    return false;
}

bool op_key_remove(Repo *repo, const char *name, Id *ret_id, GError **error)
{
    uint64_t size;

    if (!has_key_in_use(repo, error) || !repo_resolve(repo, FILE_KEY, name, ret_id, error))
        return false;
    if (id_equal(ret_id, repo_key_id(repo))) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "key %s is the one in use; open the repository with another password to "
                    "remove it",
                    id_short(ret_id).text);
        return false;
    }
    // somebody may have removed the one in use meanwhile; then this is the last
    if (!store_stat(repo_store(repo), file_key(FILE_KEY, repo_key_id(repo)).text, &size, error)) {
        g_prefix_error(error, "the key in use: ");
        return false;
    }
    return repo_remove(repo, FILE_KEY, ret_id, error);
}

bool op_key_change(Repo *repo, const Secret *password, const char *username, const char *hostname,
                   Id *ret_id, GError **error)
{
    if (!has_key_in_use(repo, error) ||
        !op_key_add(repo, password, username, hostname, ret_id, error))
        return false;
    if (repo_remove(repo, FILE_KEY, repo_key_id(repo), error))
        return true;
    g_prefix_error(error, "the new key %s is in place, but the old one was not removed: ",
                   id_short(ret_id).text);
    return false;
}

/* ---- the master key ---- */

static void free_wiped(gpointer data)
{
    GString *text = data;

    secret_wipe(text->str, text->allocated_len);
    g_string_free(text, TRUE);
}

GBytes *key_master_text(Repo *repo)
{
    const SealKey *key = repo_master_key(repo);
    GString *text = g_string_sized_new(256); // never moves: no copy stays behind

    g_string_append(text, "{\"mac\":{\"k\":");
    json_append_base64(text, key->mac_k, sizeof key->mac_k);
    g_string_append(text, ",\"r\":");
    json_append_base64(text, key->mac_r, sizeof key->mac_r);
    g_string_append(text, "},\"encrypt\":");
    json_append_base64(text, key->encrypt, sizeof key->encrypt);
    g_string_append_c(text, '}');
    return g_bytes_new_with_free_func(text->str, text->len, free_wiped, text);
}

bool op_key_export(Repo *repo, const char *path, GError **error)
{
    g_autoptr(GBytes) text = key_master_text(repo);

    return fs_write_durable(path, g_bytes_get_data(text, NULL), g_bytes_get_size(text), 0600,
                            FS_IF_ABSENT, error);
}
