/* SPDX-License-Identifier: Apache-2.0 */
#include "op/repairtree.h"

#include "base/error.h"
#include "base/plural.h"
#include "repo/walk.h"

/* A directory between enter and leave. */
typedef struct {
    Id tree;
    GArray *subtrees; /* of Id: the new trees of its directories, in order */
} Level;

struct RepairTree {
    Repo *repo;
    const RepairSnapshotsWatch *watch;
    Packer *packer;
    Strays *strays;
    BlobOpener *opener;
    GHashTable *sound; /* of Id: trees with nothing damaged below */
    GArray *levels;    /* of Level */
    const Snapshot *snapshot;
    RepairedTree root; /* what becomes of it */
};

static void level_clear(gpointer level)
{
    g_array_unref(((Level *)level)->subtrees);
}

static void push_level(RepairTree *repair, const Id *tree)
{
    Level level = { *tree, g_array_new(FALSE, FALSE, sizeof(Id)) };

    g_array_append_val(repair->levels, level);
}

/* The new tree of the directory that was just left, or never entered. */
static void pass_up(RepairTree *repair, const Id *tree)
{
    if (repair->levels->len == 0)
        repair->root.tree = *tree;
    else
        g_array_append_vals(g_array_index(repair->levels, Level, repair->levels->len - 1).subtrees,
                            tree, 1);
}

static void G_GNUC_PRINTF(4, 5)
    damaged(const RepairTree *repair, const char *path, const char *action, const char *format, ...)
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
static bool mend_file(const RepairTree *repair, const char *path, Node *node, bool *ret_changed,
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

static bool mend_tree(const RepairTree *repair, const char *path, Tree *tree,
                      const GArray *subtrees, bool *ret_changed, GError **error)
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

static bool store_tree(const RepairTree *repair, Node *const *nodes, size_t n, Id *ret_id,
                       GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    tree_encode(nodes, n, text);
    return packer_store(repair->packer, BLOB_TREE, text->str, text->len, ret_id, error);
}

/* ---- the walk ---- */

static WalkNext enter(const char *path, const Node *node, void *user, GError **error)
{
    RepairTree *repair = user;

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
static bool new_tree(RepairTree *repair, const char *path, Tree *tree, const Level *level,
                     Id *ret_id, GError **error)
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
    RepairTree *repair = user;
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
static bool is_whole(const RepairTree *repair)
{
    const Level *level = &g_array_index(repair->levels, Level, repair->levels->len - 1);
    g_autoptr(GBytes) text = NULL;

    return blob_load(repair->repo, repair->opener, BLOB_TREE, &level->tree, &text, NULL);
}

/* A store that does not answer costs nobody a directory. */
static bool tree_lost(const char *path, const GError *problem, void *user)
{
    RepairTree *repair = user;

    if (!g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT) &&
        !g_error_matches(problem, BS_ERROR, BS_ERROR_NOT_FOUND))
        return false;
    repair->root.lost = repair->root.lost || *path == '\0';
    repair->root.unlike = repair->root.unlike || is_whole(repair);
    damaged(repair, *path ? path : "/", "dir-emptied", "%s", problem->message);
    return true;
}

bool repair_tree_run(RepairTree *repair, const Snapshot *snapshot, const Cancel *cancel,
                     RepairedTree *ret_tree, GError **error)
{
    WalkOps ops = { enter, leave, tree_lost, repair };

    repair->snapshot = snapshot;
    repair->root = (RepairedTree){ 0 };
    g_array_set_size(repair->levels, 0);
    push_level(repair, &snapshot->tree);
    if (!walk_run(repair->repo, repair->opener, &snapshot->tree, "", &ops, cancel, error)) {
        g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
        return false;
    }
    *ret_tree = repair->root;
    return true;
}

/* ---- */

RepairTree *repair_tree_new(Repo *repo, Packer *packer, Strays *strays,
                            const RepairSnapshotsWatch *watch)
{
    RepairTree *repair = g_new0(RepairTree, 1);

    repair->repo = repo;
    repair->packer = packer;
    repair->strays = strays;
    repair->watch = watch;
    repair->opener = blob_opener_new(repo);
    repair->sound = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    repair->levels = g_array_new(FALSE, FALSE, sizeof(Level));
    g_array_set_clear_func(repair->levels, level_clear);
    return repair;
}

void repair_tree_free(RepairTree *repair)
{
    if (!repair)
        return;
    blob_opener_free(repair->opener);
    g_hash_table_unref(repair->sound);
    g_array_unref(repair->levels);
    g_free(repair);
}
