/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "repo/packer.h"
#include "repo/pruning.h"
#include "repo/transfer.h"
#include <stdlib.h>

#define INDEX_BLOBS 50000
#define ONE_DAY     (24 * 60 * 60) /* s */

static const PackPlan *plan_of(const Prune *prune, const Id *pack)
{
    return bsearch(pack, prune->packs->data, prune->packs->len, sizeof(PackPlan), pack_plan_by_id);
}

typedef struct {
    bool (*call)(void *user, GError **error); /* may be NULL */
    void *user;
} StillLocked;

typedef struct {
    Prune *prune;
    UsedBlobs *taken;
    Transfer *transfer;
    GArray *wanted; /* of PackBlob */
} Rewrite;

/* The same choice among duplicates as in the plan, for the packs come in the same order. */
static bool rewrite_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                         GError **error)
{
    Rewrite *rewrite = user;
    Prune *prune = rewrite->prune;
    bool wanted = plan_of(prune, pack)->action == PRUNE_REPACK;

    (void)error;
    g_array_set_size(rewrite->wanted, 0);
    for (size_t i = 0; i < n; i++)
        if (used_blobs_has(prune->used, blobs[i].type, &blobs[i].id) &&
            used_blobs_take(rewrite->taken, blobs[i].type, &blobs[i].id) && wanted)
            g_array_append_val(rewrite->wanted, blobs[i]);
    return rewrite->wanted->len == 0 ||
           transfer_add(rewrite->transfer, pack, (const PackBlob *)(void *)rewrite->wanted->data,
                        rewrite->wanted->len);
}

/* (b) used blobs of packs that go, into new packs, with index objects of their own. */
static bool write_new_packs(Prune *prune, const StillLocked *locked, const Cancel *cancel,
                            GError **error)
{
    g_autoptr(Index) claims = index_new_empty();
    g_autoptr(UsedBlobs) taken = used_blobs_new(prune->repo);
    g_autoptr(GArray) wanted = g_array_new(FALSE, FALSE, sizeof(PackBlob));
    PackerOptions packing = { .claims = claims,
                              .still_locked = locked->call,
                              .user = locked->user };
    g_autoptr(Packer) packer = packer_new(prune->repo, &packing, cancel);
    g_autoptr(Transfer) transfer = transfer_new(prune->repo, packer, NULL, cancel);
    Rewrite rewrite = { prune, taken, transfer, wanted };

    // rewrite_pack only stops when the transfer failed, which finish tells
    (void)index_each_pack(repo_index(prune->repo), rewrite_pack, &rewrite, NULL);
    return transfer_finish(transfer, error) && packer_finish(packer, error);
}

typedef struct {
    Prune *prune;
    IndexText *text;
} Reindex;

static bool save_text(Reindex *reindex, GError **error)
{
    size_t len;
    const char *json = index_text_finish(reindex->text, &len);
    Id id;
    bool ok = repo_save(reindex->prune->repo, FILE_INDEX, json, len, &id, error);

    index_text_free(reindex->text);
    reindex->text = index_text_new();
    return ok;
}

static bool reindex_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                         GError **error)
{
    Reindex *reindex = user;

    if (plan_of(reindex->prune, pack)->action != PRUNE_KEEP)
        return true;
    index_text_add(reindex->text, pack, blobs, n);
    return index_text_n_blobs(reindex->text) < INDEX_BLOBS || save_text(reindex, error);
}

/* (c) what stays, in new index objects. */
static bool write_new_index(Prune *prune, GError **error)
{
    Reindex reindex = { prune, index_text_new() };
    bool ok = index_each_pack(repo_index(prune->repo), reindex_pack, &reindex, error) &&
              (index_text_n_blobs(reindex.text) == 0 || save_text(&reindex, error));

    index_text_free(reindex.text);
    return ok;
}

static bool is_locked(const StillLocked *locked, GError **error)
{
    return !locked->call || locked->call(locked->user, error);
}

static bool remove_these_packs(Prune *prune, const GArray *ids, const StillLocked *locked,
                               GError **error)
{
    if (prune->options.purge)
        return protect_remove_packs(prune->repo, ids, locked->call, locked->user, &prune->kept,
                                    error);
    return repo_remove_many(prune->repo, FILE_PACK, ids, locked->call, locked->user, error);
}

static bool remove_packs(Prune *prune, const StillLocked *locked, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(Id));

    for (guint i = 0; i < prune->packs->len; i++) {
        const PackPlan *plan = &g_array_index(prune->packs, PackPlan, i);

        if (plan->action != PRUNE_KEEP)
            g_array_append_val(ids, plan->id);
    }
    return remove_these_packs(prune, ids, locked, error);
}

static bool remove_unindexed(Prune *prune, const StillLocked *locked, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(Id));

    for (guint i = 0; i < prune->unindexed->len; i++)
        g_array_append_val(ids, g_array_index(prune->unindexed, FileInfo, i).id);
    return remove_these_packs(prune, ids, locked, error);
}

/*
 * What killed runs left of objects that they were writing. Whoever writes below the first three
 * prefixes holds a lock, and nobody else does now; below the others a put may be under way, but
 * none takes a day. Other people's files may lie beside ours: so only there.
 */
static bool remove_unfinished(Prune *prune, GError **error)
{
    static const StoreLeftovers places[] = {
        { "data/", 0 },        { "index/", 0 },     { "snapshots/", 0 },      { "keys/", ONE_DAY },
        { "locks/", ONE_DAY }, { "wal/", ONE_DAY }, { "backstay/", ONE_DAY },
    };

    return store_remove_unfinished(repo_store(prune->repo), places, G_N_ELEMENTS(places), NULL,
                                   error);
}

static bool replace_packs(Prune *prune, const StillLocked *locked, const Cancel *cancel,
                          GError **error)
{
    if (prune->stats.packs_repack > 0 &&
        (!is_locked(locked, error) || !write_new_packs(prune, locked, cancel, error)))
        return false;
    // from here on an interruption would only leave duplicates behind, but never less
    return cancel_check(cancel, error) && is_locked(locked, error) &&
           write_new_index(prune, error) &&
           repo_remove_many(prune->repo, FILE_INDEX, index_objects(repo_index(prune->repo)),
                            locked->call, locked->user, error) &&
           remove_packs(prune, locked, error);
}

/* known: of Id, sorted. */
static bool lists_no_other(Repo *repo, FileType type, const GArray *known, GError **error)
{
    g_autoptr(GArray) files = NULL;

    if (!repo_list(repo, type, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const Id *id = &g_array_index(files, FileInfo, i).id;

        if (bsearch(id, known->data, known->len, sizeof(Id), pack_plan_by_id))
            continue;
        g_set_error(
            error, BS_ERROR, BS_ERROR_FAILED,
            "nothing removed: %s is listed now and was not when the plan was made, although "
            "nobody else is at work; the store's listings cannot be relied upon, try later",
            file_key(type, id).text);
        return false;
    }
    return true;
}

/*
 * What only a snapshot needs that the store forgot to list looks as if nobody needed it: servers
 * are known for listings that leave something out for a moment. So both are listed once more before
 * anything goes.
 */
static bool look_again(const Prune *prune, GError **error)
{
    return lists_no_other(prune->repo, FILE_SNAPSHOT, prune->snapshots, error) &&
           lists_no_other(prune->repo, FILE_INDEX, index_objects(repo_index(prune->repo)), error);
}

bool prune_execute(Prune *prune, bool (*still_locked)(void *user, GError **error), void *user,
                   const Cancel *cancel, GError **error)
{
    StillLocked locked = { still_locked, user };
    bool changes = prune->stats.packs_repack + prune->stats.packs_remove > 0;

    return (!prune_has_work(prune) || look_again(prune, error)) &&
           remove_unindexed(prune, &locked, error) &&
           (!changes || replace_packs(prune, &locked, cancel, error)) &&
           is_locked(&locked, error) && remove_unfinished(prune, error);
}
