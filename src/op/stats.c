/* SPDX-License-Identifier: Apache-2.0 */
#include "op/stats.h"

#include "base/error.h"
#include "codec/hash.h"
#include "codec/seal.h"
#include "repo/snapshot.h"
#include "repo/used.h"
#include "repo/walk.h"
#include <string.h>

typedef struct {
    Repo *repo;
    StatsMode mode;
    Stats stats;
    GHashTable *hard_links; /* of one snapshot, set of Id: hash of device and inode */
    GHashTable *contents;   /* set of Id: hash of a list of blobs */
    GHashTable *paths;      /* set of Id: hash of a path */
    GHashTable *path_blobs; /* set of Id: hash of a path and a blob */
} Counting;

bool stats_mode_parse(const char *text, StatsMode *ret_mode, GError **error)
{
    static const char *const names[] = {
        [STATS_RESTORE_SIZE] = "restore-size",
        [STATS_FILES_BY_CONTENTS] = "files-by-contents",
        [STATS_BLOBS_PER_FILE] = "blobs-per-file",
        [STATS_RAW_DATA] = "raw-data",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *ret_mode = (StatsMode)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--mode %s: must be restore-size, files-by-contents, blobs-per-file or raw-data",
                text);
    return false;
}

/* True when the two together come for the first time. */
static bool is_first(GHashTable *seen, const void *a, size_t a_len, const void *b, size_t b_len)
{
    g_autoptr(Hash) hash = hash_new();
    Id *id = g_new(Id, 1);

    hash_update(hash, a, a_len);
    hash_update(hash, b, b_len);
    hash_final(hash, id);
    return g_hash_table_add(seen, id);
}

static void count_restored(Counting *counting, const Node *node)
{
    bool linked = node->links != 1 && !S_ISDIR(node->mode) && node->inode != 0;

    counting->stats.files++;
    if (!linked || is_first(counting->hard_links, &node->device_id, sizeof node->device_id,
                            &node->inode, sizeof node->inode))
        counting->stats.size += node->size;
}

static bool is_new_content(Counting *counting, const Node *node)
{
    return node->content ? is_first(counting->contents, node->content->data,
                                    node->content->len * sizeof(Id), "", 0)
                         : is_first(counting->contents, "", 0, "", 0);
}

static bool count_blobs(Counting *counting, const char *path, const Node *node, GError **error)
{
    size_t path_len = strlen(path);
    guint n = node->content ? node->content->len : 0;

    if (n > 0 && is_first(counting->paths, path, path_len, "", 0))
        counting->stats.files++;
    for (guint i = 0; i < n; i++) {
        const Id *id = &g_array_index(node->content, Id, i);
        BlobPlace place;

        if (!is_first(counting->path_blobs, path, path_len + 1, id->bytes, ID_LEN))
            continue;
        if (!index_find(repo_index(counting->repo), BLOB_DATA, id, &place)) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: data blob %s is in no index", path,
                        id_hex(id).text);
            return false;
        }
        counting->stats.size += blob_plain_len(place.length, place.plain_len);
        counting->stats.blobs++;
    }
    return true;
}

static WalkNext count_entry(const char *path, const Node *node, void *user, GError **error)
{
    Counting *counting = user;

    if (counting->mode == STATS_RESTORE_SIZE) {
        count_restored(counting, node);
        return WALK_CONTINUE;
    }
    if (!is_new_content(counting, node))
        return WALK_CONTINUE;
    if (counting->mode == STATS_BLOBS_PER_FILE)
        return count_blobs(counting, path, node, error) ? WALK_CONTINUE : WALK_FAIL;
    counting->stats.files++;
    counting->stats.size += node->size;
    return WALK_CONTINUE;
}

static GHashTable *id_set(void)
{
    return g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
}

static bool walk_snapshots(Counting *counting, const GPtrArray *snapshots, const Cancel *cancel,
                           GError **error)
{
    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = snapshots->pdata[i];

        g_hash_table_remove_all(counting->hard_links);
        if (!tree_walk(counting->repo, &snapshot->tree, "", count_entry, NULL, counting, cancel,
                       error)) {
            g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
            return false;
        }
    }
    return true;
}

static bool count_files(Repo *repo, const GPtrArray *snapshots, StatsMode mode,
                        const Cancel *cancel, Stats *stats, GError **error)
{
    g_autoptr(GHashTable) hard_links = id_set(), contents = id_set();
    g_autoptr(GHashTable) paths = id_set(), path_blobs = id_set();
    Counting counting = { repo, mode, *stats, hard_links, contents, paths, path_blobs };

    if (!walk_snapshots(&counting, snapshots, cancel, error))
        return false;
    *stats = counting.stats;
    return true;
}

/* ---- raw data ---- */

typedef struct {
    UsedBlobs *used, *counted;
    Stats *stats;
    bool compresses; /* the repository's version can */
} RawCounting;

/* A blob in several packs counts once. */
static bool count_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    RawCounting *raw = user;

    (void)pack;
    (void)error;
    for (size_t i = 0; i < n; i++) {
        const PackBlob *blob = &blobs[i];
        size_t plain = blob_plain_len(blob->length, blob->plain_len) + SEAL_OVERHEAD;

        if (!used_blobs_has(raw->used, blob->type, &blob->id) ||
            !used_blobs_take(raw->counted, blob->type, &blob->id))
            continue;
        raw->stats->blobs++;
        raw->stats->size += blob->length;
        if (raw->compresses)
            raw->stats->plain_size += plain;
        if (blob->plain_len) {
            raw->stats->compressed += blob->length;
            raw->stats->compressed_plain_size += plain;
        }
    }
    return true;
}

static bool count_raw(Repo *repo, const GPtrArray *snapshots, const Cancel *cancel, Stats *stats,
                      GError **error)
{
    g_autoptr(UsedBlobs) used = used_blobs_new(repo), counted = used_blobs_new(repo);
    RawCounting raw = { used, counted, stats, repo_version(repo) >= 2 };

    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = snapshots->pdata[i];

        if (!used_blobs_add(used, &snapshot->tree, cancel, error)) {
            g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
            return false;
        }
    }
    return index_each_pack(repo_index(repo), count_pack, &raw, error);
}

bool op_stats(Repo *repo, const GPtrArray *snapshots, StatsMode mode, const Cancel *cancel,
              Stats *ret_stats, GError **error)
{
    Stats stats = { .snapshots = snapshots->len };

    if (mode == STATS_RAW_DATA ? !count_raw(repo, snapshots, cancel, &stats, error)
                               : !count_files(repo, snapshots, mode, cancel, &stats, error))
        return false;
    *ret_stats = stats;
    return true;
}
