/* SPDX-License-Identifier: Apache-2.0 */
#include "op/copy.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "op/copywal.h"
#include "op/installation.h"
#include "repo/packer.h"
#include "repo/transfer.h"
#include "repo/used.h"

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    unsigned *unreadable = user;

    ++*unreadable;
    log_warn("snapshot cannot be read and is not copied", "snapshot", id_short(id).text, "error",
             problem->message, NULL);
    return true;
}

/* ---- what to copy ---- */

static bool choose(OpenRepo *from, const CopyRequest *request, GPtrArray *ret_chosen,
                   unsigned *unreadable, GError **error)
{
    g_autoptr(GPtrArray) all = NULL;

    for (char *const *id = request->ids; id && *id; id++) {
        Snapshot *snapshot = NULL;
        g_autofree char *path = NULL;

        if (!snapshot_find(from->repo, *id, &request->filter, pass_over, unreadable, &snapshot,
                           &path, error))
            return false;
        g_ptr_array_add(ret_chosen, snapshot);
    }
    if (ret_chosen->len > 0)
        return true;
    if (!snapshot_list(from->repo, pass_over, unreadable, &all, error))
        return false;
    while (all->len > 0) {
        Snapshot *snapshot = g_ptr_array_steal_index(all, 0);

        if (snapshot_matches(snapshot, &request->filter))
            g_ptr_array_add(ret_chosen, snapshot);
        else
            snapshot_free(snapshot);
    }
    return true;
}

/* The id a snapshot had when it was first made: the same in every copy. */
static const Id *origin(const Snapshot *snapshot)
{
    return snapshot->has_original ? &snapshot->original : &snapshot->id;
}

static bool is_there(const GPtrArray *there, const Snapshot *snapshot)
{
    for (guint i = 0; i < there->len; i++) {
        const Snapshot *other = g_ptr_array_index(there, i);

        if (id_equal(origin(other), origin(snapshot)) && id_equal(&other->tree, &snapshot->tree) &&
            timestamp_compare(other->time, snapshot->time) == 0 &&
            g_strv_equal((const char *const *)other->tags, (const char *const *)snapshot->tags))
            return true;
    }
    return false;
}

/* ---- blobs ---- */

typedef struct {
    const UsedBlobs *wanted;
    const Index *there;
    Transfer *transfer;
    GArray *blobs; /* of PackBlob */
} Selection;

static bool select_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Selection *selection = user;
    BlobPlace place;

    (void)error;
    g_array_set_size(selection->blobs, 0);
    for (size_t i = 0; i < n; i++)
        if (used_blobs_has(selection->wanted, blobs[i].type, &blobs[i].id) &&
            !index_find(selection->there, blobs[i].type, &blobs[i].id, &place))
            g_array_append_val(selection->blobs, blobs[i]);
    return selection->blobs->len == 0 ||
           transfer_add(selection->transfer, pack, (const PackBlob *)(void *)selection->blobs->data,
                        selection->blobs->len);
}

static bool still_locked(void *user, GError **error)
{
    return lock_confirm(user, error);
}

static bool copy_blobs(OpenRepo *from, OpenRepo *to, const UsedBlobs *wanted,
                       const CopyWatch *watch, const Cancel *cancel, GError **error)
{
    g_autoptr(GArray) blobs = g_array_new(FALSE, FALSE, sizeof(PackBlob));
    PackerOptions packing = { .still_locked = still_locked, .user = to->lock };
    g_autoptr(Packer) packer = packer_new(to->repo, &packing, cancel);
    g_autoptr(Transfer) transfer = transfer_new(from->repo, packer, watch->bytes, cancel);
    Selection selection = { wanted, repo_index(to->repo), transfer, blobs };

    // select_pack only stops when the transfer failed, which finish tells
    (void)index_each_pack(repo_index(from->repo), select_pack, &selection, NULL);
    if (transfer_finish(transfer, error) && packer_finish(packer, error))
        return true;
    (void)packer_salvage(packer, NULL); // so that the next try finds what is durable
    return false;
}

/* ---- snapshots ---- */

static bool save_copy(OpenRepo *to, Snapshot *snapshot, const CopyWatch *watch, GError **error)
{
    Id before = snapshot->id;
    bool had_original = snapshot->has_original;
    Snapshot source;

    if (!had_original) {
        snapshot->has_original = true;
        snapshot->original = before;
    }
    snapshot->has_parent = false; // it names one of the other repository
    if (!lock_confirm(to->lock, error) || !snapshot_save(to->repo, snapshot, error))
        return false;
    source = *snapshot;
    source.id = before;
    watch->copied(&source, snapshot, watch->user);
    return true;
}

static bool save_all(OpenRepo *to, const GPtrArray *chosen, const GPtrArray *there,
                     const CopyWatch *watch, CopyResult *result, GError **error)
{
    for (guint i = 0; i < chosen->len; i++) {
        Snapshot *snapshot = g_ptr_array_index(chosen, i);

        if (is_there(there, snapshot)) {
            watch->copied(snapshot, NULL, watch->user);
            result->snapshots_there++;
        } else if (save_copy(to, snapshot, watch, error)) {
            result->snapshots++;
        } else {
            return false;
        }
    }
    return true;
}

/* ---- all ---- */

static bool copy_chosen(OpenRepo *from, OpenRepo *to, const GPtrArray *chosen,
                        const CopyWatch *watch, const Cancel *cancel, CopyResult *result,
                        GError **error)
{
    g_autoptr(GPtrArray) there = NULL;
    g_autoptr(UsedBlobs) wanted = NULL;
    unsigned ignored = 0;

    if (!snapshot_list(to->repo, pass_over, &ignored, &there, error) ||
        !repo_load_index(from->repo, cancel, error) || !repo_load_index(to->repo, cancel, error))
        return false;
    wanted = used_blobs_new(from->repo);
    for (guint i = 0; i < chosen->len; i++) {
        const Snapshot *snapshot = g_ptr_array_index(chosen, i);

        if (!is_there(there, snapshot) && !used_blobs_add(wanted, &snapshot->tree, cancel, error)) {
            g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
            return false;
        }
    }
    return copy_blobs(from, to, wanted, watch, cancel, error) &&
           copy_wal(from, to, chosen, watch, cancel, result, error) &&
           save_all(to, chosen, there, watch, result, error) &&
           installation_copy(from->repo, to->repo, &result->installations, &result->held_back,
                             error);
}

bool op_copy(OpenRepo *from, OpenRepo *to, const CopyRequest *request, const CopyWatch *watch,
             const Cancel *cancel, CopyResult *ret_result, GError **error)
{
    g_autoptr(GPtrArray) chosen = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
    CopyResult result = { 0 };
    unsigned unreadable = 0;

    if (!choose(from, request, chosen, &unreadable, error) ||
        !copy_chosen(from, to, chosen, watch, cancel, &result, error))
        return false;
    *ret_result = result;
    if (unreadable > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s could not be read and %s not copied",
                    unreadable, plural(unreadable, "snapshot", "snapshots"),
                    plural(unreadable, "was", "were"));
    else if (result.held_back > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%" G_GUINT64_FORMAT " %s could not be copied, damaged or not what %s; "
                    "`backstay wal check` says what that means for restores",
                    result.held_back, plural(result.held_back, "object", "objects"),
                    plural(result.held_back, "its name says", "their names say"));
    return unreadable == 0 && result.held_back == 0;
}
