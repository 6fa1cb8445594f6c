/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/record.h"

#include "base/error.h"
#include "codec/hash.h"

#include <string.h>

#define STORED_MAX (RECORD_MAX + 4096u)

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

RecordKey record_key(const char *kind, const Id *id)
{
    RecordKey key;

    (void)g_snprintf(key.text, sizeof key.text, "backstay/%s/%s", kind, id_hex(id).text);
    return key;
}

bool record_parse_key(const char *key, Id *ret_id)
{
    const char *slash = strrchr(key, '/');

    return g_str_has_prefix(key, "backstay/") && slash && id_parse(slash + 1, ret_id);
}

/* ---- JSON and what is stored of it ---- */

static bool encode(Repo *repo, const char *kind, json_t *object, GBytes **ret_stored, Id *ret_id,
                   GError **error)
{
    g_autoptr(json_t) whole = json_deep_copy(object);
    char *text;
    bool ok;

    json_object_set_new(whole, "kind", json_string(kind));
    json_object_set_new(whole, "repository", json_string(repo_id(repo)));
    text = json_dumps(whole, JSON_COMPACT | JSON_SORT_KEYS);
    g_assert(text && strlen(text) <= RECORD_MAX); // ours
    ok = repo_encode(repo, text, strlen(text), ret_stored, ret_id, error);
    free(text);
    return ok;
}

static bool says(const json_t *object, const char *field, const char *want)
{
    return g_strcmp0(json_string_value(json_object_get(object, field)), want) == 0;
}

/* Takes stored. */
static bool decode(Repo *repo, const char *key, const char *kind, GBytes *stored,
                   json_t **ret_object, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    g_autoptr(json_t) object = NULL;

    if (!repo_decode(repo, stored, RECORD_MAX, &text, error)) {
        g_prefix_error(error, "%s: ", key);
        return false;
    }
    object = json_loadb(g_bytes_get_data(text, NULL), g_bytes_get_size(text), 0, NULL);
    if (!json_is_object(object) || !says(object, "kind", kind) ||
        !says(object, "repository", repo_id(repo))) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: not a record \"%s\" of this repository",
                    key, kind);
        return false;
    }
    *ret_object = g_steal_pointer(&object);
    return true;
}

/* ---- records ---- */

bool record_save(Repo *repo, const char *kind, json_t *object, Id *ret_id, GError **error)
{
    g_autoptr(GBytes) stored = NULL;
    Id id;

    if (!encode(repo, kind, object, &stored, &id, error) ||
        !store_put(repo_store(repo), record_key(kind, &id).text, g_bytes_get_data(stored, NULL),
                   g_bytes_get_size(stored), false, error))
        return false;
    *ret_id = id;
    return true;
}

bool record_load(Repo *repo, const char *kind, const Id *id, json_t **ret_object, GError **error)
{
    RecordKey key = record_key(kind, id);
    g_autoptr(GBytes) stored = NULL;
    Id actual;

    if (!store_get_whole(repo_store(repo), key.text, STORED_MAX, &stored, error))
        return false;
    hash_bytes(g_bytes_get_data(stored, NULL), g_bytes_get_size(stored), &actual);
    if (!id_equal(&actual, id)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: content does not match its name",
                    key.text);
        return false;
    }
    return decode(repo, key.text, kind, g_steal_pointer(&stored), ret_object, error);
}

bool record_remove(Repo *repo, const char *kind, const Id *id, GError **error)
{
    return store_remove(repo_store(repo), record_key(kind, id).text, error);
}

/* ---- under a name of their own ---- */

bool record_put(Repo *repo, Store *store, const char *key, const char *kind, json_t *object,
                GError **error)
{
    g_autoptr(GBytes) stored = NULL;
    Id ignored;

    return encode(repo, kind, object, &stored, &ignored, error) &&
           store_put(store, key, g_bytes_get_data(stored, NULL), g_bytes_get_size(stored), false,
                     error);
}

bool record_get(Repo *repo, Store *store, const char *key, const char *kind, json_t **ret_object,
                GError **error)
{
    g_autoptr(GBytes) stored = NULL;

    return store_get_whole(store, key, STORED_MAX, &stored, error) &&
           decode(repo, key, kind, g_steal_pointer(&stored), ret_object, error);
}
