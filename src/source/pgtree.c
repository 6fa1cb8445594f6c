/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgtree.h"
#include "base/error.h"
#include <string.h>

typedef struct {
    char *path;
    void *handle;
    bool keep, ended;
} Directory;

struct PgTree {
    Sink *sink;
    const char *top;
    GHashTable *seen; /* path -> Directory, or NULL for what is none */
    GPtrArray *stack; /* of Directory, not owned: the way to where the last entry lies */
    GPtrArray *kept;  /* of Directory, not owned, parents first */
    /* the entry at hand, when it is no directory */
    Node *node;
    void *handle;
    uint64_t written;
};

static void directory_free(gpointer data)
{
    Directory *directory = data;

    if (directory)
        g_free(directory->path);
    g_free(directory);
}

PgTree *pg_tree_new(Sink *sink, const char *top)
{
    PgTree *tree = g_new0(PgTree, 1);

    g_assert(sink_can_enter(sink));
    tree->sink = sink;
    tree->top = top;
    tree->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, directory_free);
    tree->stack = g_ptr_array_new();
    tree->kept = g_ptr_array_new();
    return tree;
}

void pg_tree_free(PgTree *tree)
{
    if (!tree)
        return;
    node_free(tree->node);
    g_ptr_array_unref(tree->stack);
    g_ptr_array_unref(tree->kept);
    g_hash_table_unref(tree->seen);
    g_free(tree);
}

bool pg_tree_has(const PgTree *tree, const char *path)
{
    return g_hash_table_contains(tree->seen, path);
}

/* ---- directories ---- */

static bool end_directory(PgTree *tree, Directory *directory, GError **error)
{
    directory->ended = true;
    return sink_end(tree->sink, directory->handle, NULL, error);
}

static Directory *last_of(const GPtrArray *directories)
{
    return directories->len ? directories->pdata[directories->len - 1] : NULL;
}

/* Is directory the one at path, or above it? "" is above all. */
static bool leads_to(const Directory *directory, const char *path)
{
    size_t len = strlen(directory->path);

    return len == 0 ||
           (strncmp(directory->path, path, len) == 0 && (path[len] == '/' || path[len] == '\0'));
}

/* The stack becomes the way to the directory at path; what was left is complete, unless it is kept.
 */
static bool go_to(PgTree *tree, const char *path, GError **error)
{
    Directory *directory = g_hash_table_lookup(tree->seen, path);

    if (!directory || directory->ended) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "/%s/%s: an entry came in a directory that did not come, or had ended",
                    tree->top, path);
        return false;
    }
    while (last_of(tree->stack) && !leads_to(last_of(tree->stack), path)) {
        Directory *left = last_of(tree->stack);

        g_ptr_array_set_size(tree->stack, (int)tree->stack->len - 1);
        if (!left->keep && !end_directory(tree, left, error))
            return false;
    }
    if (last_of(tree->stack) != directory)
        g_ptr_array_add(tree->stack, directory); // a kept one, come back to
    sink_enter(tree->sink, directory->handle);
    return true;
}

/* ---- entries ---- */

static Node *make_node(const TarEntry *entry)
{
    Node *node = node_new();

    node->mode = entry->mode;
    node->uid = entry->uid;
    node->gid = entry->gid;
    node->mtime = node->atime = node->ctime = (Timestamp){ .sec = entry->mtime };
    node->links = S_ISDIR(entry->mode) ? 0 : 1;
    node->size = entry->size;
    node->linktarget = g_strdup(entry->target);
    return node;
}

static void add_directory(PgTree *tree, const char *path, void *handle, bool keep)
{
    Directory *directory = g_new0(Directory, 1);

    directory->path = g_strdup(path);
    directory->handle = handle;
    directory->keep = keep;
    g_hash_table_insert(tree->seen, g_strdup(path), directory);
    g_ptr_array_add(tree->stack, directory);
    if (keep)
        g_ptr_array_add(tree->kept, directory);
}

static bool go_to_parent(PgTree *tree, const char *path, GError **error)
{
    const char *slash = strrchr(path, '/');
    g_autofree char *parent = g_strndup(path, slash ? (size_t)(slash - path) : 0);

    return !*path || go_to(tree, parent, error);
}

bool pg_tree_begin_node(PgTree *tree, const char *relative, Node *own, bool keep, size_t cut,
                        GError **error)
{
    g_autoptr(Node) node = own;
    const char *slash = strrchr(relative, '/');
    g_autofree char *path = g_strconcat("/", tree->top, *relative ? "/" : "", relative, NULL);
    Entry to_sink = { .path = path, .node = node, .cut = cut };
    void *handle;

    g_free(node->name);
    node->name = g_strdup(!*relative ? tree->top : slash ? slash + 1 : relative);
    if (pg_tree_has(tree, relative)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: it came twice", path);
        return false;
    }
    if (!go_to_parent(tree, relative, error) || !sink_begin(tree->sink, &to_sink, &handle, error))
        return false;
    if (S_ISDIR(node->mode)) {
        add_directory(tree, relative, handle, keep);
        return true;
    }
    g_hash_table_insert(tree->seen, g_strdup(relative), NULL);
    tree->node = g_steal_pointer(&node);
    tree->handle = handle;
    tree->written = 0;
    return true;
}

bool pg_tree_begin(PgTree *tree, const TarEntry *entry, bool keep, size_t cut, GError **error)
{
    return pg_tree_begin_node(tree, entry->path, make_node(entry), keep, cut, error);
}

void *pg_tree_hand_over(PgTree *tree, Node **ret_node)
{
    g_assert(tree->node);
    *ret_node = g_steal_pointer(&tree->node);
    return tree->handle;
}

bool pg_tree_write(PgTree *tree, const void *data, size_t len, GError **error)
{
    if (!sink_write(tree->sink, tree->handle, tree->written, data, len, error))
        return false;
    tree->written += len;
    return true;
}

bool pg_tree_end(PgTree *tree, GError **error)
{
    g_autoptr(Node) node = g_steal_pointer(&tree->node);

    if (!node)
        return true;
    node->size = S_ISREG(node->mode) ? tree->written : 0;
    return sink_end(tree->sink, tree->handle, node, error);
}

bool pg_tree_enter(PgTree *tree, const char *path, GError **error)
{
    return go_to(tree, path, error);
}

bool pg_tree_finish(PgTree *tree, GError **error)
{
    Directory *directory;

    for (; (directory = last_of(tree->stack));
         g_ptr_array_set_size(tree->stack, (int)tree->stack->len - 1))
        if (!directory->keep && !end_directory(tree, directory, error))
            return false;
    for (; (directory = last_of(tree->kept));
         g_ptr_array_set_size(tree->kept, (int)tree->kept->len - 1))
        if (!end_directory(tree, directory, error))
            return false;
    return true;
}
