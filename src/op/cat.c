/* SPDX-License-Identifier: Apache-2.0 */
#include "op/cat.h"

#include "base/error.h"
#include "base/log.h"
#include "codec/hash.h"
#include "op/key.h"
#include "op/select.h"
#include "repo/blob.h"
#include <string.h>

static const struct {
    const char *name;
    bool has_name, json;
} kinds[] = {
    [CAT_MASTERKEY] = { "masterkey", false, true },
    [CAT_CONFIG] = { "config", false, true },
    [CAT_INDEX] = { "index", true, false },
    [CAT_SNAPSHOT] = { "snapshot", true, true },
    [CAT_KEY] = { "key", true, true },
    [CAT_LOCK] = { "lock", true, true },
    [CAT_PACK] = { "pack", true, false },
    [CAT_BLOB] = { "blob", true, false },
    [CAT_TREE] = { "tree", true, false },
};

bool cat_kind_parse(const char *text, CatKind *ret_kind, GError **error)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(text, kinds[i].name) == 0) {
            *ret_kind = (CatKind)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s: must be masterkey, config, index, snapshot, key, lock, pack, blob or tree",
                text);
    return false;
}

bool cat_kind_has_name(CatKind kind)
{
    return kinds[kind].has_name;
}

bool cat_kind_is_json(CatKind kind)
{
    return kinds[kind].json;
}

static bool cat_object(Repo *repo, FileType type, const char *name, GBytes **ret_text,
                       GError **error)
{
    Id id;

    return repo_resolve(repo, type, name, &id, error) &&
           (type == FILE_KEY ? repo_load_raw(repo, type, &id, ret_text, error)
                             : repo_load(repo, type, &id, ret_text, error));
}

static bool cat_snapshot(Repo *repo, const char *name, GBytes **ret_text, GError **error)
{
    static const SnapshotFilter any = { 0 };
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL;
    unsigned unreadable;

    return select_snapshot(repo, name, &any, &snapshot, &subpath, &unreadable, error) &&
           repo_load(repo, FILE_SNAPSHOT, &snapshot->id, ret_text, error);
}

static bool cat_pack(Repo *repo, const char *name, GBytes **ret_bytes, GError **error)
{
    Id id, hash;

    // packs stay below 4 GiB: repository format, "Packs"
    if (!repo_resolve(repo, FILE_PACK, name, &id, error) ||
        !store_get_whole(repo_store(repo), file_key(FILE_PACK, &id).text, UINT32_MAX, ret_bytes,
                         error))
        return false;
    hash_bytes(g_bytes_get_data(*ret_bytes, NULL), g_bytes_get_size(*ret_bytes), &hash);
    if (!id_equal(&id, &hash))
        log_warn("pack does not match its name", "pack", id_hex(&id).text, "hash",
                 id_hex(&hash).text, NULL);
    return true;
}

static bool cat_blob(Repo *repo, const char *name, GBytes **ret_bytes, GError **error)
{
    static const BlobType types[] = { BLOB_DATA, BLOB_TREE };
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    Id id;

    if (!id_parse(name, &id)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: a blob is named by its whole id, 64 digits", name);
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (index_find_all(repo_index(repo), types[i], &id, NULL, 0) > 0)
            return blob_load(repo, opener, types[i], &id, ret_bytes, error);
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "blob %s: in no index", name);
    return false;
}

static bool cat_tree(Repo *repo, const char *name, GBytes **ret_bytes, GError **error)
{
    static const SnapshotFilter any = { 0 };
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL;
    unsigned unreadable;
    Id tree;

    return select_snapshot(repo, name, &any, &snapshot, &subpath, &unreadable, error) &&
           select_tree(repo, snapshot, subpath, &tree, error) &&
           blob_load(repo, opener, BLOB_TREE, &tree, ret_bytes, error);
}

bool op_cat(OpenRepo *open, CatKind kind, const char *name, const Cancel *cancel,
            GBytes **ret_bytes, GError **error)
{
    Repo *repo = open->repo;
    const char *config = repo_config_text(repo);

    if ((kind == CAT_BLOB || kind == CAT_TREE) && !repo_load_index(repo, cancel, error))
        return false;
    switch (kind) {
    case CAT_MASTERKEY:
        *ret_bytes = key_master_text(repo);
        return true;
    case CAT_CONFIG:
        *ret_bytes = g_bytes_new(config, strlen(config));
        return true;
    case CAT_INDEX:
        return cat_object(repo, FILE_INDEX, name, ret_bytes, error);
    case CAT_SNAPSHOT:
        return cat_snapshot(repo, name, ret_bytes, error);
    case CAT_KEY:
        return cat_object(repo, FILE_KEY, name, ret_bytes, error);
    case CAT_LOCK:
        return cat_object(repo, FILE_LOCK, name, ret_bytes, error);
    case CAT_PACK:
        return cat_pack(repo, name, ret_bytes, error);
    case CAT_BLOB:
        return cat_blob(repo, name, ret_bytes, error);
    case CAT_TREE:
        return cat_tree(repo, name, ret_bytes, error);
    }
    g_assert_not_reached();
}
