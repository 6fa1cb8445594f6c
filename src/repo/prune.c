/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/prune.h"

#include "base/error.h"
#include "repo/pack.h"
#include "repo/pruning.h"
#include "repo/snapshot.h"
#include <stdlib.h>

#define PACK_TARGET     (16u * 1024 * 1024)
#define SMALL_PACKS_MIN 10 /* fewer are not worth a rewrite */

/* ---- what is used ---- */

static bool collect_used(Prune *prune, const GPtrArray *snapshots, const Cancel *cancel,
                         GError **error)
{
    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = g_ptr_array_index(snapshots, i);

        if (!used_blobs_add(prune->used, &snapshot->tree, cancel, error)) {
            g_prefix_error(error, "nothing removed: snapshot %s: ", id_short(&snapshot->id).text);
            return false;
        }
    }
    return true;
}

static void weigh_blob(Prune *prune, PackPlan *plan, const PackBlob *blob)
{
    PruneStats *stats = &prune->stats;
    bool used = used_blobs_has(prune->used, blob->type, &blob->id);

    if (used && used_blobs_take(prune->taken, blob->type, &blob->id)) {
        plan->used += blob->length;
        stats->blobs_used++;
        stats->bytes_used += blob->length;
    } else {
        plan->unused += blob->length;
        stats->blobs_duplicate += used;
        stats->bytes_duplicate += used ? blob->length : 0;
        stats->blobs_unused += !used;
        stats->bytes_unused += used ? 0 : blob->length;
    }
    plan->tree = plan->tree || blob->type == BLOB_TREE;
    plan->data = plan->data || blob->type == BLOB_DATA;
    if (repo_version(prune->repo) >= 2 && !blob->plain_len &&
        (blob->type == BLOB_TREE || prune->options.repack_uncompressed))
        plan->must_repack = true;
}

static bool weigh_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Prune *prune = user;
    PackPlan plan = { .id = *pack, .size = pack_size(blobs, n) };

    (void)error;
    for (size_t i = 0; i < n; i++)
        weigh_blob(prune, &plan, &blobs[i]);
    plan.must_repack = plan.must_repack || (plan.tree && plan.data); // mixed packs spoil caches
    g_array_append_val(prune->packs, plan);
    return true;
}

/* ---- what is there ---- */

static bool needed_pack_is_wrong(const PackPlan *plan, const FileInfo *file, GError **error)
{
    if (plan->used == 0 || (file && file->size == plan->size))
        return false;
    if (!file)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "nothing removed: pack %s is needed but does not exist; run "
                    "`backstay check`",
                    id_hex(&plan->id).text);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "nothing removed: pack %s has %" G_GUINT64_FORMAT
                    " bytes instead of %" G_GUINT64_FORMAT "; run `backstay check`",
                    id_hex(&plan->id).text, file->size, plan->size);
    return true;
}

/* Compares the packs of the index with those of the store; both lists are sorted. */
static bool compare_packs(Prune *prune, const GArray *files, GError **error)
{
    guint k = 0;

    for (guint i = 0; i < prune->packs->len; i++) {
        PackPlan *plan = &g_array_index(prune->packs, PackPlan, i);
        const FileInfo *file = NULL;

        for (; k < files->len && id_compare(&g_array_index(files, FileInfo, k).id, &plan->id) < 0;
             k++)
            g_array_append_val(prune->unindexed, g_array_index(files, FileInfo, k));
        if (k < files->len && id_equal(&g_array_index(files, FileInfo, k).id, &plan->id))
            file = &g_array_index(files, FileInfo, k++);
        if (needed_pack_is_wrong(plan, file, error))
            return false;
    }
    for (; k < files->len; k++)
        g_array_append_val(prune->unindexed, g_array_index(files, FileInfo, k));
    return true;
}

static GArray *ids_of(const GPtrArray *snapshots)
{
    GArray *ids = g_array_sized_new(FALSE, FALSE, sizeof(Id), snapshots->len);

    for (guint i = 0; i < snapshots->len; i++)
        g_array_append_val(ids, ((const Snapshot *)g_ptr_array_index(snapshots, i))->id);
    g_array_sort(ids, pack_plan_by_id);
    return ids;
}

/* ---- what to do ---- */

static uint64_t unused_allowed(const Prune *prune)
{
    const PruneOptions *options = &prune->options;

    switch (options->unused) {
    case PRUNE_UNUSED_UNLIMITED:
        return UINT64_MAX;
    case PRUNE_UNUSED_BYTES:
        return options->unused_bytes;
    case PRUNE_UNUSED_PERCENT:
    default:
        if (options->unused_percent >= 100)
            return UINT64_MAX;
        return (uint64_t)((double)prune->stats.bytes_used * options->unused_percent /
                          (100 - options->unused_percent));
    }
}

/* The larger the unused share, the more is gained for what is rewritten. */
static int by_gain(gconstpointer a, gconstpointer b)
{
    const PackPlan *left = *(const PackPlan *const *)a, *right = *(const PackPlan *const *)b;
    double left_share = (double)left->unused / (double)left->size;
    double right_share = (double)right->unused / (double)right->size;

    if (left->must_repack != right->must_repack)
        return left->must_repack ? -1 : 1;
    return left_share > right_share ? -1 : left_share < right_share;
}

static bool may_repack(const Prune *prune, const PackPlan *plan)
{
    uint64_t limit = prune->options.max_repack;

    if (prune->options.cacheable_only && plan->data)
        return false;
    return limit == 0 || prune->stats.bytes_repack + plan->size <= limit;
}

static void mark_small(Prune *prune)
{
    size_t set = repo_options(prune->repo)->pack_size;
    uint64_t bound = (set ? set : PACK_TARGET) / 5;
    unsigned n = 0;

    for (guint i = 0; i < prune->packs->len; i++) {
        PackPlan *plan = &g_array_index(prune->packs, PackPlan, i);

        plan->small = plan->action == PRUNE_KEEP && plan->size < bound;
        n += plan->small;
    }
    for (guint i = 0; n < SMALL_PACKS_MIN && i < prune->packs->len; i++)
        g_array_index(prune->packs, PackPlan, i).small = false;
}

static void repack(Prune *prune, PackPlan *plan)
{
    plan->action = PRUNE_REPACK;
    prune->stats.bytes_repack += plan->size;
    prune->stats.bytes_repack_free += plan->unused;
}

static void decide(Prune *prune)
{
    g_autoptr(GPtrArray) candidates = g_ptr_array_new();
    uint64_t unused_left = 0, allowed = unused_allowed(prune);

    for (guint i = 0; i < prune->packs->len; i++) {
        PackPlan *plan = &g_array_index(prune->packs, PackPlan, i);

        plan->action = plan->used == 0 ? PRUNE_REMOVE : PRUNE_KEEP;
        if (plan->action == PRUNE_KEEP && (plan->unused > 0 || plan->must_repack))
            g_ptr_array_add(candidates, plan);
        if (plan->action == PRUNE_KEEP)
            unused_left += plan->unused;
    }
    g_ptr_array_sort(candidates, by_gain);
    for (guint i = 0; i < candidates->len; i++) {
        PackPlan *plan = g_ptr_array_index(candidates, i);

        if ((plan->must_repack || unused_left > allowed) && may_repack(prune, plan)) {
            repack(prune, plan);
            unused_left -= plan->unused;
        }
    }
    if (prune->options.repack_small)
        mark_small(prune);
    for (guint i = 0; i < prune->packs->len; i++) {
        PackPlan *plan = &g_array_index(prune->packs, PackPlan, i);

        if (plan->small && may_repack(prune, plan)) {
            repack(prune, plan);
            unused_left -= plan->unused;
        }
    }
    prune->stats.bytes_unused_after = unused_left;
}

static void count_packs(Prune *prune)
{
    PruneStats *stats = &prune->stats;

    for (guint i = 0; i < prune->packs->len; i++) {
        const PackPlan *plan = &g_array_index(prune->packs, PackPlan, i);

        stats->packs_keep += plan->action == PRUNE_KEEP;
        stats->packs_repack += plan->action == PRUNE_REPACK;
        stats->packs_remove += plan->action == PRUNE_REMOVE;
        stats->bytes_remove += plan->action == PRUNE_REMOVE ? plan->size : 0;
    }
    for (guint i = 0; i < prune->unindexed->len; i++)
        stats->bytes_unindexed += g_array_index(prune->unindexed, FileInfo, i).size;
    stats->packs_unindexed = prune->unindexed->len;
}

bool prune_plan(Repo *repo, const PruneOptions *options, const Cancel *cancel, Prune **ret_prune,
                GError **error)
{
    g_autoptr(Prune) prune = g_new0(Prune, 1);
    g_autoptr(GPtrArray) snapshots = NULL;
    g_autoptr(GArray) files = NULL;

    prune->repo = repo;
    prune->options = *options;
    prune->packs = g_array_new(FALSE, FALSE, sizeof(PackPlan));
    prune->unindexed = g_array_new(FALSE, FALSE, sizeof(FileInfo));
    // without a callback one unreadable snapshot ends it: its blobs would look unused
    if (!snapshot_list(repo, NULL, NULL, &snapshots, error)) {
        g_prefix_error(error, "nothing removed: ");
        return false;
    }
    prune->snapshots = ids_of(snapshots);
    if (!repo_load_index_whole(repo, cancel, error))
        return false;
    prune->used = used_blobs_new(repo);
    prune->taken = used_blobs_new(repo);
    if (!collect_used(prune, snapshots, cancel, error) ||
        !index_each_pack(repo_index(repo), weigh_pack, prune, error) ||
        !repo_list(repo, FILE_PACK, &files, NULL, error))
        return false;
    g_array_sort(prune->packs, pack_plan_by_id);
    if (!compare_packs(prune, files, error))
        return false;
    decide(prune);
    count_packs(prune);
    *ret_prune = g_steal_pointer(&prune);
    return true;
}

void prune_free(Prune *prune)
{
    if (!prune)
        return;
    used_blobs_free(prune->used);
    used_blobs_free(prune->taken);
    g_clear_pointer(&prune->packs, g_array_unref);
    g_clear_pointer(&prune->unindexed, g_array_unref);
    g_clear_pointer(&prune->snapshots, g_array_unref);
    g_free(prune);
}

const PruneStats *prune_stats(const Prune *prune)
{
    return &prune->stats;
}

const GArray *prune_snapshots(const Prune *prune)
{
    return prune->snapshots;
}

bool prune_has_work(const Prune *prune)
{
    return prune->stats.packs_repack + prune->stats.packs_remove + prune->stats.packs_unindexed > 0;
}

const ProtectKept *prune_kept(const Prune *prune)
{
    return &prune->kept;
}
