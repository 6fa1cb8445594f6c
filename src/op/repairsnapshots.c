/* SPDX-License-Identifier: Apache-2.0 */
#include "op/repairsnapshots.h"

#include "base/error.h"
#include "base/plural.h"
#include "op/select.h"
#include "repo/packer.h"
#include "repo/strays.h"
#include "repo/walk.h"

#define REPAIRED_TAG "repaired"

/* A directory between enter and leave. */
typedef struct {
    Id tree;
    GArray *subtrees; /* of Id: the new trees of its directories, in order */
} Level;

typedef struct {
    Repo *repo;
    const RepairSnapshotsWatch *watch;
    Packer *packer;
    BlobOpener *opener;
    Strays *strays;
    GHashTable *sound; /* of Id: trees with nothing damaged below */
    GArray *levels;    /* of Level */
    const Snapshot *snapshot;
    Id root;        /* the new tree of the snapshot */
    bool root_lost; /* nothing can be had of it */
    bool unlike;    /* a tree is whole but not of the format */
} Repair;

static void level_clear(gpointer level)
{
    g_array_unref(((Level *)level)->subtrees);
}

static void push_level(Repair *repair, const Id *tree)
{
    Level level = { *tree, g_array_new(FALSE, FALSE, sizeof(Id)) };

    g_array_append_val(repair->levels, level);
}

/* The new tree of the directory that was just left, or never entered. */
static void pass_up(Repair *repair, const Id *tree)
{
    if (repair->levels->len == 0)
        repair->root = *tree;
    else
        g_array_append_vals(g_array_index(repair->levels, Level, repair->levels->len - 1).subtrees,
                            tree, 1);
}

static void G_GNUC_PRINTF(4, 5)
    damaged(const Repair *repair, const char *path, const char *action, const char *format, ...)
{
    g_autofree char *message = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    repair->watch->damaged(&repair->snapshot->id, path, action, message, repair->watch->user);
}

/* ---- one directory ---- */

/* Only the index is asked: `repair index --read-data` takes damaged blobs out of it. */
static bool mend_file(const Repair *repair, const char *path, Node *node, bool *ret_changed,
                      GError **error)
{
    g_autoptr(GArray) content = g_array_new(FALSE, FALSE, sizeof(Id));
    guint before = node->content->len;
    uint64_t size = 0;

    for (guint i = 0; i < before; i++) {
        const Id *id = &g_array_index(node->content, Id, i);
        BlobPlace place;

        if (index_find(repo_index(repair->repo), BLOB_DATA, id, &place)) {
            g_array_append_vals(content, id, 1);
            size += blob_plain_len(place.length, place.plain_len);
        } else if (!strays_lack(repair->strays, BLOB_DATA, id, error)) {
            return false;
        }
    }
    if (content->len == before && size == node->size)
        return true;
    if (content->len < before)
        damaged(repair, path, "content-removed",
                "%u of %u %s missing: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                " bytes are left",
                before - content->len, before, plural(before, "blob is", "blobs are"), size,
                node->size);
    else
        damaged(repair, path, "size-fixed",
                "its blobs have %" G_GUINT64_FORMAT " bytes instead of %" G_GUINT64_FORMAT, size,
                node->size);
    node->size = size;
    g_array_unref(node->content);
    node->content = g_steal_pointer(&content);
    *ret_changed = true;
    return true;
}

static void mend_dir(Node *node, const Id *subtree, bool *ret_changed)
{
    *ret_changed = *ret_changed || !id_equal(&node->subtree, subtree);
    node->subtree = *subtree;
}

static bool mend_tree(const Repair *repair, const char *path, Tree *tree, const GArray *subtrees,
                      bool *ret_changed, GError **error)
{
    guint n_dirs = 0;

    for (guint i = 0; i < tree->nodes->len;) {
        Node *node = g_ptr_array_index(tree->nodes, i);
        g_autofree char *below = g_strconcat(path, "/", node->name, NULL);

        if (node->irregular) {
            damaged(repair, below, "node-removed", "of a type that nobody can restore");
            g_ptr_array_remove_index(tree->nodes, i);
            *ret_changed = true;
            continue;
        }
        if (S_ISDIR(node->mode))
            mend_dir(node, &g_array_index(subtrees, Id, n_dirs++), ret_changed);
        else if (S_ISREG(node->mode) && !mend_file(repair, below, node, ret_changed, error))
            return false;
        i++;
    }
    return true;
}

static bool store_tree(const Repair *repair, Node *const *nodes, size_t n, Id *ret_id,
                       GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    tree_encode(nodes, n, text);
    return packer_store(repair->packer, BLOB_TREE, text->str, text->len, ret_id, error);
}

/* ---- the walk ---- */

static WalkNext enter(const char *path, const Node *node, void *user, GError **error)
{
    Repair *repair = user;

    (void)path;
    (void)error;
    if (node->irregular || !S_ISDIR(node->mode))
        return WALK_SKIP;
    if (g_hash_table_contains(repair->sound, &node->subtree)) {
        pass_up(repair, &node->subtree);
        return WALK_SKIP;
    }
    push_level(repair, &node->subtree);
    return WALK_CONTINUE;
}

/* A directory whose tree cannot be had becomes an empty one. */
static bool new_tree(Repair *repair, const char *path, Tree *tree, const Level *level, Id *ret_id,
                     GError **error)
{
    bool changed = false;

    *ret_id = level->tree;
    if (!tree)
        return strays_lack(repair->strays, BLOB_TREE, &level->tree, error) &&
               store_tree(repair, NULL, 0, ret_id, error);
    if (!mend_tree(repair, path, tree, level->subtrees, &changed, error))
        return false;
    if (changed)
        return store_tree(repair, (Node *const *)tree->nodes->pdata, tree->nodes->len, ret_id,
                          error);
    g_hash_table_add(repair->sound, g_memdup2(ret_id, sizeof *ret_id));
    return true;
}

static bool leave(const char *path, bool complete, Tree **tree, void *user, GError **error)
{
    Repair *repair = user;
    const Level *level = &g_array_index(repair->levels, Level, repair->levels->len - 1);
    Id id;

    if (!new_tree(repair, path, complete ? *tree : NULL, level, &id, error))
        return false;
    g_array_set_size(repair->levels, repair->levels->len - 1);
    pass_up(repair, &id);
    return true;
}

/* Another program, or a newer one, may make something of it: restic 0.14 restores names that we
 * refuse. */
static bool is_whole(const Repair *repair)
{
    const Level *level = &g_array_index(repair->levels, Level, repair->levels->len - 1);
    g_autoptr(GBytes) text = NULL;

    return blob_load(repair->repo, repair->opener, BLOB_TREE, &level->tree, &text, NULL);
}

/* A store that does not answer costs nobody a directory. */
static bool tree_lost(const char *path, const GError *problem, void *user)
{
    Repair *repair = user;

    if (!g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT) &&
        !g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND))
        return false;
    repair->root_lost = repair->root_lost || *path == '\0';
    repair->unlike = repair->unlike || is_whole(repair);
    damaged(repair, *path ? path : "/", "dir-emptied", "%s", problem->message);
    return true;
}

static bool walk_snapshot(Repair *repair, const Snapshot *snapshot, const Cancel *cancel,
                          GError **error)
{
    WalkOps ops = { enter, leave, tree_lost, repair };

    repair->snapshot = snapshot;
    repair->root_lost = repair->unlike = false;
    g_array_set_size(repair->levels, 0);
    push_level(repair, &snapshot->tree);
    if (walk_run(repair->repo, repair->opener, &snapshot->tree, "", &ops, cancel, error))
        return true;
    g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
    return false;
}

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
    Id tree;
    bool lost, unlike;
} Damage;

static bool replace(OpenRepo *open, const RepairSnapshotsRequest *request,
                    const RepairSnapshotsWatch *watch, const GPtrArray *all, const Damage *damage,
                    RepairSnapshotsResult *result, GError **error)
{
    Snapshot *snapshot = damage->snapshot;
    const Id old = snapshot->id;
    bool saved = !damage->lost && !request->dry_run;
    bool named = request->ids && *request->ids;
    bool remove = request->forget && (named || !damage->unlike);

    if (!damage->lost) {
        snapshot->has_original = true;
        snapshot->original = old;
        snapshot->tree = damage->tree;
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
    watch->repaired(&old, saved ? &snapshot->id : NULL, damage->lost, remove, watch->user);
    return true;
}

static bool walk_all(Repair *repair, const GPtrArray *chosen, GArray *damages,
                     RepairSnapshotsResult *result, const Cancel *cancel, GError **error)
{
    for (guint i = 0; i < chosen->len; i++) {
        Snapshot *snapshot = g_ptr_array_index(chosen, i);
        Damage damage = { .snapshot = snapshot };

        if (!walk_snapshot(repair, snapshot, cancel, error))
            return false;
        damage.tree = repair->root;
        damage.lost = repair->root_lost;
        damage.unlike = repair->unlike;
        if (damage.lost || !id_equal(&damage.tree, &snapshot->tree))
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
    g_autoptr(BlobOpener) opener = blob_opener_new(open->repo);
    g_autoptr(GHashTable) sound = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    g_autoptr(GArray) levels = g_array_new(FALSE, FALSE, sizeof(Level));
    Repair repair = {
        .repo = open->repo,
        .watch = watch,
        .packer = packer,
        .opener = opener,
        .strays = strays,
        .sound = sound,
        .levels = levels,
    };

    g_array_set_clear_func(levels, level_clear);
    return walk_all(&repair, chosen, damages, result, cancel, error) &&
           lock_check(open->lock, error) && packer_finish(packer, error);
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
