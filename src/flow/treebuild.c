/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/treebuild.h"

#include "base/error.h"
#include "flow/treeahead.h"
#include <stdatomic.h>

struct TreeSlot {
    TreeBuild *build;
    TreeSlot *dir; /* NULL: the root */
    Node *node;
    const Node *old; /* in dir->old_tree */
    bool dropped, undated;
    /* directories: */
    GPtrArray *children; /* of TreeSlot; appended by the walking thread only */
    Tree *old_tree;      /* of the parent snapshot, with its id */
    Id old_id;
    atomic_uint
        pending; /* 1 while the directory itself is open, and every child that is not complete */
};

struct TreeBuild {
    Packer *packer;
    TreeAhead *ahead; /* NULL without a parent */
    TreeSlot *root, *current;
    Id root_tree;
    atomic_bool root_stored;
    _Atomic uint64_t dirs_new, dirs_changed, dirs_same;
};

static TreeSlot *slot_new(TreeBuild *build, TreeSlot *dir, const Node *node)
{
    TreeSlot *slot = g_new0(TreeSlot, 1);

    slot->build = build;
    slot->dir = dir;
    slot->node = node ? node_copy(node) : NULL;
    if (!node || S_ISDIR(node->mode)) {
        slot->children = g_ptr_array_new();
        atomic_init(&slot->pending, 1);
    }
    return slot;
}

static void slot_free(TreeSlot *slot)
{
    if (!slot)
        return;
    if (slot->children)
        for (guint i = 0; i < slot->children->len; i++)
            slot_free(g_ptr_array_index(slot->children, i));
    g_clear_pointer(&slot->children, g_ptr_array_unref);
    tree_free(slot->old_tree);
    node_free(slot->node);
    g_free(slot);
}

TreeBuild *tree_build_new(Repo *repo, Packer *packer, const Id *parent, TreeUnreadable unreadable,
                          void *user)
{
    TreeBuild *build = g_new0(TreeBuild, 1);

    build->packer = packer;
    build->root = build->current = slot_new(build, NULL, NULL);
    if (parent) {
        build->ahead = tree_ahead_new(repo, unreadable, user);
        build->root->old_tree = tree_ahead_take(build->ahead, parent);
        build->root->old_id = *parent;
    }
    return build;
}

void tree_build_free(TreeBuild *build)
{
    if (!build)
        return;
    slot_free(build->root);
    tree_ahead_free(build->ahead);
    g_free(build);
}

TreeSlot *tree_build_begin(TreeBuild *build, const Node *node, GError **error)
{
    TreeSlot *dir = build->current;
    TreeSlot *slot;

    if (!dir->children) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: entry in a directory that is complete",
                    node->name);
        return NULL;
    }
    slot = slot_new(build, dir, node);
    slot->old = dir->old_tree ? tree_find(dir->old_tree, node->name) : NULL;
    atomic_fetch_add(&dir->pending, 1);
    g_ptr_array_add(dir->children, slot);
    if (S_ISDIR(node->mode)) {
        if (slot->old && S_ISDIR(slot->old->mode)) {
            slot->old_tree = tree_ahead_take(build->ahead, &slot->old->subtree);
            slot->old_id = slot->old->subtree;
        }
        build->current = slot;
    }
    return slot;
}

void tree_build_enter(TreeBuild *build, TreeSlot *dir)
{
    g_assert(dir->children);
    build->current = dir;
}

void tree_build_leave(TreeBuild *build)
{
    g_assert(build->current->dir);
    build->current = build->current->dir;
}

void tree_slot_undate(TreeSlot *slot)
{
    slot->undated = true;
}

Node *tree_slot_node(TreeSlot *slot)
{
    return slot->node;
}

void tree_slot_update(TreeSlot *slot, const Node *node)
{
    Node *next = node_copy(node);

    g_free(next->name);
    next->name = g_steal_pointer(&slot->node->name);
    g_clear_pointer(&next->content, g_array_unref);
    next->content = g_steal_pointer(&slot->node->content);
    next->subtree = slot->node->subtree;
    node_free(slot->node);
    slot->node = next;
}

const Node *tree_slot_old(const TreeSlot *slot)
{
    return slot->old;
}

/* ---- completion ---- */

static bool same_content(const Node *a, const Node *b)
{
    if ((a->mode & S_IFMT) != (b->mode & S_IFMT))
        return false;
    if (S_ISDIR(a->mode))
        return id_equal(&a->subtree, &b->subtree);
    return S_ISREG(a->mode) && b->content && a->size == b->size &&
           a->content->len == b->content->len &&
           memcmp(a->content->data, b->content->data, a->content->len * sizeof(Id)) == 0;
}

static void keep_times(TreeSlot *slot)
{
    const Node *old = slot->old;

    if (!slot->undated || !old || !same_content(slot->node, old))
        return;
    slot->node->mtime = old->mtime;
    slot->node->atime = old->atime;
    slot->node->ctime = old->ctime;
}

static int by_name(gconstpointer a, gconstpointer b)
{
    const TreeSlot *const *left = a, *const *right = b;

    return strcmp((*left)->node->name, (*right)->node->name);
}

static GPtrArray *sorted_nodes(TreeSlot *dir)
{
    GPtrArray *nodes = g_ptr_array_sized_new(dir->children->len);

    g_ptr_array_sort(dir->children, by_name);
    for (guint i = 0; i < dir->children->len; i++) {
        TreeSlot *child = g_ptr_array_index(dir->children, i);

        if (!child->dropped)
            g_ptr_array_add(nodes, child->node);
    }
    return nodes;
}

/* Nothing changed: the parent's tree serves, and need be neither written nor hashed again. */
static bool is_as_before(const TreeSlot *dir, const GPtrArray *nodes)
{
    if (!dir->old_tree || dir->old_tree->nodes->len != nodes->len)
        return false;
    for (guint i = 0; i < nodes->len; i++)
        if (!node_equal(g_ptr_array_index(nodes, i), g_ptr_array_index(dir->old_tree->nodes, i)))
            return false;
    return true;
}

static void count_dir(TreeBuild *build, const TreeSlot *dir, const Id *tree)
{
    if (!dir->old || !S_ISDIR(dir->old->mode))
        atomic_fetch_add(&build->dirs_new, 1);
    else if (id_equal(&dir->old->subtree, tree))
        atomic_fetch_add(&build->dirs_same, 1);
    else
        atomic_fetch_add(&build->dirs_changed, 1);
}

/* False: could not be stored, which the packer knows; then nothing above is ever complete. */
static bool store_tree(TreeSlot *dir)
{
    TreeBuild *build = dir->build;
    g_autoptr(GPtrArray) nodes = sorted_nodes(dir);
    Id id = dir->old_id;

    if (!is_as_before(dir, nodes)) {
        g_autoptr(GString) text = g_string_sized_new(4096);

        tree_encode((Node *const *)nodes->pdata, nodes->len, text);
        if (!packer_store(build->packer, BLOB_TREE, text->str, text->len, &id, NULL))
            return false;
    }
    if (dir->dir) {
        dir->node->subtree = id;
        keep_times(dir);
        count_dir(build, dir, &id);
    } else {
        build->root_tree = id;
        atomic_store(&build->root_stored, true);
    }
    return true;
}

/* What is only needed until the tree is stored: a run holds the nodes of open directories, not of
 * all. */
static void forget_children(TreeSlot *dir)
{
    for (guint i = 0; i < dir->children->len; i++)
        slot_free(g_ptr_array_index(dir->children, i));
    g_clear_pointer(&dir->children, g_ptr_array_unref);
    g_clear_pointer(&dir->old_tree, tree_free);
}

static void child_complete(TreeSlot *dir)
{
    // a loop, not recursion: directories can be thousands deep
    for (; dir && atomic_fetch_sub(&dir->pending, 1) == 1; dir = dir->dir) {
        if (!dir->dropped && !store_tree(dir))
            return;
        forget_children(dir);
    }
}

void tree_slot_done(TreeSlot *slot)
{
    if (!slot->children && !slot->dropped)
        keep_times(slot);
    child_complete(slot->children ? slot : slot->dir);
}

void tree_slot_drop(TreeSlot *slot)
{
    slot->dropped = true;
    tree_slot_done(slot);
}

bool tree_build_finish(TreeBuild *build, Id *ret_tree, GError **error)
{
    g_assert(build->current == build->root);
    child_complete(build->root);
    if (!packer_check(build->packer, error))
        return false;
    if (!atomic_load(&build->root_stored)) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "an entry was never ended, so the tree is not complete");
        return false;
    }
    *ret_tree = build->root_tree;
    return true;
}

void tree_build_dir_counts(const TreeBuild *build, uint64_t *ret_new, uint64_t *ret_changed,
                           uint64_t *ret_same)
{
    *ret_new = atomic_load(&build->dirs_new);
    *ret_changed = atomic_load(&build->dirs_changed);
    *ret_same = atomic_load(&build->dirs_same);
}
