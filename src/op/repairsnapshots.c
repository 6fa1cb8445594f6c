/* SPDX-License-Identifier: Apache-2.0 */
#include "op/repairsnapshots.h"

#include "base/error.h"
#include "base/plural.h"
#include "op/repairtree.h"
#include "op/select.h"

#define REPAIRED_TAG "repaired"

/* ---- which snapshots ---- */

/* A snapshot object that is damaged itself goes only when it is named. */
static bool forget_unreadable(OpenRepo *open, const Id *id, const GError *problem,
                              const RepairSnapshotsRequest *request,
                              const RepairSnapshotsWatch *watch, GError **error)
{
    if (!g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT)) {
        g_propagate_error(error, g_error_copy(problem));
        return false;
    }
    watch->damaged(id, "", "unreadable", problem->message, watch->user);
    return request->dry_run ||
           (lock_check(open->lock, error) && repo_remove(open->repo, FILE_SNAPSHOT, id, error));
}

/* Of the names, those of snapshots that can be read. */
static bool forget_named(OpenRepo *open, const RepairSnapshotsRequest *request,
                         const RepairSnapshotsWatch *watch, GPtrArray *names,
                         RepairSnapshotsResult *result, GError **error)
{
    for (char *const *name = request->ids; *name; name++) {
        g_autoptr(Snapshot) snapshot = NULL;
        g_autoptr(GError) problem = NULL;
        Id id;

        if (!request->forget || !repo_resolve(open->repo, FILE_SNAPSHOT, *name, &id, NULL) ||
            snapshot_load(open->repo, &id, &snapshot, &problem)) {
            g_ptr_array_add(names, *name);
            continue;
        }
        if (!forget_unreadable(open, &id, problem, request, watch, error))
            return false;
        result->removed++;
    }
    g_ptr_array_add(names, NULL);
    return true;
}

static bool choose(OpenRepo *open, const RepairSnapshotsRequest *request,
                   const RepairSnapshotsWatch *watch, GPtrArray **ret_chosen,
                   RepairSnapshotsResult *result, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    if (!request->ids || !*request->ids)
        return select_snapshots(open->repo, NULL, &request->filter, ret_chosen, &result->unreadable,
                                error);
    if (!forget_named(open, request, watch, names, result, error))
        return false;
    if (names->len == 1) { // all were unreadable: no name must not mean all snapshots
        *ret_chosen = g_ptr_array_new();
        return true;
    }
    return select_snapshots(open->repo, (char *const *)names->pdata, &request->filter, ret_chosen,
                            &result->unreadable, error);
}

/* ---- the new snapshots ---- */

/* Those that cannot be read were told when they were chosen. */
static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)id;
    (void)problem;
    (void)user;
    return true;
}

/* The mark that something is missing in it. */
static void add_tag(Snapshot *snapshot)
{
    guint n = g_strv_length(snapshot->tags);

    if (snapshot_has_tag(snapshot, REPAIRED_TAG))
        return;
    snapshot->tags = g_renew(char *, snapshot->tags, n + 2);
    snapshot->tags[n] = g_strdup(REPAIRED_TAG);
    snapshot->tags[n + 1] = NULL;
}

/* A run that was interrupted, or that left the old one, did this already. */
static bool is_there(const GPtrArray *all, const Snapshot *wanted, Id *ret_id)
{
    for (guint i = 0; i < all->len; i++) {
        const Snapshot *other = g_ptr_array_index(all, i);

        if (other->has_original && id_equal(&other->original, &wanted->original) &&
            id_equal(&other->tree, &wanted->tree)) {
            *ret_id = other->id;
            return true;
        }
    }
    return false;
}

static bool save_repaired(OpenRepo *open, const GPtrArray *all, Snapshot *snapshot, GError **error)
{
    return is_there(all, snapshot, &snapshot->id) ||
           (lock_check(open->lock, error) && snapshot_save(open->repo, snapshot, error));
}

typedef struct {
    Snapshot *snapshot; /* borrowed */
    RepairedTree root;
} Damage;

static bool replace(OpenRepo *open, const RepairSnapshotsRequest *request,
                    const RepairSnapshotsWatch *watch, const GPtrArray *all, const Damage *damage,
                    RepairSnapshotsResult *result, GError **error)
{
    Snapshot *snapshot = damage->snapshot;
    const Id old = snapshot->id;
    bool saved = !damage->root.lost && !request->dry_run;
    bool named = request->ids && *request->ids;
    bool remove = request->forget && (named || !damage->root.unlike);

    if (!damage->root.lost) {
        snapshot->has_original = true;
        snapshot->original = old;
        snapshot->tree = damage->root.tree;
        add_tag(snapshot);
        if (saved && !save_repaired(open, all, snapshot, error))
            return false;
        result->repaired++;
    }
    if (remove && !request->dry_run &&
        (!lock_check(open->lock, error) || !repo_remove(open->repo, FILE_SNAPSHOT, &old, error)))
        return false;
    result->removed += remove;
    result->kept += request->forget && !remove;
    watch->repaired(&old, saved ? &snapshot->id : NULL, damage->root.lost, remove, watch->user);
    return true;
}

static bool walk_all(RepairTree *repair, const GPtrArray *chosen, GArray *damages,
                     RepairSnapshotsResult *result, const Cancel *cancel, GError **error)
{
    for (guint i = 0; i < chosen->len; i++) {
        Snapshot *snapshot = g_ptr_array_index(chosen, i);
        Damage damage = { .snapshot = snapshot };

        if (!repair_tree_run(repair, snapshot, cancel, &damage.root, error))
            return false;
        if (damage.root.lost || !id_equal(&damage.root.tree, &snapshot->tree))
            g_array_append_val(damages, damage);
        else
            result->sound++;
    }
    return true;
}

/* What they become, with all their new trees durable. */
static bool find_damage(OpenRepo *open, const RepairSnapshotsRequest *request,
                        const RepairSnapshotsWatch *watch, const GPtrArray *chosen, Strays *strays,
                        GArray *damages, RepairSnapshotsResult *result, const Cancel *cancel,
                        GError **error)
{
    // nothing counts as known: an empty directory's tree may be among the damaged ones
    g_autoptr(Index) claims = index_new_empty();
    PackerOptions options = { .dry_run = request->dry_run, .claims = claims };
    g_autoptr(Packer) packer = packer_new(open->repo, &options, cancel);
    g_autoptr(RepairTree) repair = repair_tree_new(open->repo, packer, strays, watch);

    return walk_all(repair, chosen, damages, result, cancel, error) &&
           lock_confirm(open->lock, error) && packer_finish(packer, error);
}

static bool all_done(const RepairSnapshotsResult *result, GError **error)
{
    if (result->unreadable > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s cannot be read; name %s with --forget to remove %s", result->unreadable,
                    plural(result->unreadable, "snapshot", "snapshots"),
                    plural(result->unreadable, "it", "them"),
                    plural(result->unreadable, "it", "them"));
    else if (result->kept > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s directories that are whole but not of the format, and %s "
                    "not removed; restore with the program that wrote them, or name the "
                    "snapshot with --forget to give those directories up",
                    result->kept, plural(result->kept, "snapshot holds", "snapshots hold"),
                    plural(result->kept, "was", "were"));
    return result->unreadable + result->kept == 0;
}

bool op_repair_snapshots(OpenRepo *open, const RepairSnapshotsRequest *request,
                         const RepairSnapshotsWatch *watch, const Cancel *cancel,
                         RepairSnapshotsResult *ret_result, GError **error)
{
    g_autoptr(GPtrArray) chosen = NULL;
    g_autoptr(GPtrArray) all = NULL;
    g_autoptr(Strays) strays = NULL;
    g_autoptr(GArray) damages = g_array_new(FALSE, FALSE, sizeof(Damage));
    RepairSnapshotsResult result = { 0 };

    repo_distrust_copies(open->repo); // a tree that only we still have is no part of the repository
    if (!choose(open, request, watch, &chosen, &result, error) ||
        !snapshot_list(open->repo, pass_over, NULL, &all, error) ||
        !strays_load(open->repo, cancel, &strays, error) ||
        !find_damage(open, request, watch, chosen, strays, damages, &result, cancel, error))
        return false;
    for (guint i = 0; i < damages->len; i++)
        if (!replace(open, request, watch, all, &g_array_index(damages, Damage, i), &result, error))
            return false;
    *ret_result = result;
    return all_done(&result, error);
}
