/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/walk.h"
#include "base/error.h"
#include <string.h>

/* A path of so many names is no longer somebody's directory but an attack. */
#define DEPTH_MAX 32768

typedef struct {
    Tree *tree;
    guint next;
    size_t path_len; /* of the directory's own path */
} Frame;

typedef struct {
    Repo *repo;
    BlobOpener *opener;
    const WalkOps *ops;
    GArray *frames;
    GString *path;
} Walk;

bool walk_load(Repo *repo, BlobOpener *opener, const Id *id, Tree **ret_tree, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    size_t len = 0;
    const char *data;

    if (!blob_load(repo, opener, BLOB_TREE, id, &text, error))
        return false;
    data = g_bytes_get_data(text, &len);
    if (tree_decode(data, len, ret_tree, error))
        return true;
    g_prefix_error(error, "tree %s: ", id_short(id).text);
    return false;
}

static void frame_clear(gpointer data)
{
    tree_free(((Frame *)data)->tree);
}

static bool call_leave(const Walk *walk, bool complete, Tree **tree, GError **error)
{
    const WalkOps *ops = walk->ops;

    return !ops->leave || ops->leave(walk->path->str, complete, tree, ops->user, error);
}

/* The directory at the path. */
static bool descend(Walk *walk, const Id *id, GError **error)
{
    g_autoptr(GError) problem = NULL;
    Frame frame = { .path_len = walk->path->len };
    Tree *none = NULL;

    if (walk->frames->len >= DEPTH_MAX)
        g_set_error_literal(&problem, BS_ERROR, BS_ERROR_CORRUPT, "directories nested too deeply");
    else if (walk_load(walk->repo, walk->opener, id, &frame.tree, &problem))
        return g_array_append_val(walk->frames, frame), true;
    if (walk->ops->bad && walk->ops->bad(walk->path->str, problem, walk->ops->user))
        return call_leave(walk, false, &none, error);
    g_propagate_prefixed_error(error, g_steal_pointer(&problem),
                               "%s: ", walk->path->len ? walk->path->str : "/");
    return false;
}

static bool step(Walk *walk, GError **error)
{
    Frame *frame = &g_array_index(walk->frames, Frame, walk->frames->len - 1);
    const Node *node;

    g_string_truncate(walk->path, frame->path_len);
    if (frame->next == frame->tree->nodes->len) {
        bool ok = call_leave(walk, true, &frame->tree, error);

        g_array_set_size(walk->frames, walk->frames->len - 1);
        return ok;
    }
    node = frame->tree->nodes->pdata[frame->next++];
    g_string_append_c(walk->path, '/');
    g_string_append(walk->path, node->name);
    switch (walk->ops->enter(walk->path->str, node, walk->ops->user, error)) {
    case WALK_FAIL:
        return false;
    case WALK_CONTINUE:
        return !S_ISDIR(node->mode) || descend(walk, &node->subtree, error);
    default:
        return true;
    }
}

bool walk_run(Repo *repo, BlobOpener *opener, const Id *tree, const char *prefix,
              const WalkOps *ops, const Cancel *cancel, GError **error)
{
    Walk walk = { .repo = repo, .opener = opener, .ops = ops };
    bool ok;

    walk.frames = g_array_new(FALSE, FALSE, sizeof(Frame));
    g_array_set_clear_func(walk.frames, frame_clear);
    walk.path = g_string_new(strcmp(prefix, "/") == 0 ? "" : prefix);
    ok = descend(&walk, tree, error);
    while (ok && walk.frames->len > 0)
        ok = cancel_check(cancel, error) && step(&walk, error);
    g_array_unref(walk.frames);
    g_string_free(walk.path, TRUE);
    return ok;
}

bool tree_walk(Repo *repo, const Id *tree, const char *prefix, TreeEach each,
               bool (*bad)(const char *path, const GError *problem, void *user), void *user,
               const Cancel *cancel, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    WalkOps ops = { .enter = each, .bad = bad, .user = user };

    return walk_run(repo, opener, tree, prefix, &ops, cancel, error);
}

bool walk_find(Repo *repo, const Id *tree, const char *path, Node **ret_node, Id *ret_tree,
               GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);
    g_autoptr(Node) found = NULL;
    g_auto(GStrv) names = g_strsplit(path, "/", -1);
    Id id = *tree;

    for (char **name = names; *name; name++) {
        g_autoptr(Tree) level = NULL;
        const Node *node;

        if (**name == '\0')
            continue;
        if (found && !S_ISDIR(found->mode)) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: %s is not a directory", path,
                        found->name);
            return false;
        }
        if (!walk_load(repo, opener, &id, &level, error))
            return false;
        node = tree_find(level, *name);
        if (!node) {
            g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "%s: not in the snapshot", path);
            return false;
        }
        g_clear_pointer(&found, node_free);
        found = node_copy(node);
        id = found->subtree;
    }
    if (ret_tree)
        *ret_tree = id;
    *ret_node = g_steal_pointer(&found);
    return true;
}

static bool read_blobs(Repo *repo, const Node *node, GByteArray *bytes, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(repo);

    // what a node says of its size binds nobody who wrote its list of blobs
    for (guint i = 0; i < node->content->len && bytes->len <= node->size; i++) {
        g_autoptr(GBytes) blob = NULL;

        if (!blob_load(repo, opener, BLOB_DATA, &g_array_index(node->content, Id, i), &blob, error))
            return false;
        g_byte_array_append(bytes, g_bytes_get_data(blob, NULL), (guint)g_bytes_get_size(blob));
    }
    return true;
}

bool walk_read(Repo *repo, const Id *tree, const char *path, size_t bound, GBytes **ret_content,
               GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(Node) node = NULL;

    if (!walk_find(repo, tree, path, &node, NULL, error))
        return false;
    if (!node || !S_ISREG(node->mode) || node->size > bound) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: no file, or too large for one", path);
        return false;
    }
    if (!read_blobs(repo, node, bytes, error))
        return false;
    if (bytes->len != node->size) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s: its content is not as long as the snapshot says", path);
        return false;
    }
    *ret_content = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
    return true;
}
