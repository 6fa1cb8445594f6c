/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pathtree.h"

#include <string.h>

static PathNode *path_node_new(const char *name)
{
    PathNode *node = g_new0(PathNode, 1);

    node->name = g_strdup(name);
    node->children = g_ptr_array_new();
    return node;
}

PathNode *path_tree_new(void)
{
    return path_node_new("");
}

void path_tree_free(PathNode *node)
{
    if (!node)
        return;
    for (guint i = 0; i < node->children->len; i++)
        path_tree_free(g_ptr_array_index(node->children, i));
    g_ptr_array_unref(node->children);
    g_free(node->name);
    g_free(node);
}

static PathNode *path_node_child(PathNode *node, const char *name)
{
    PathNode *child;
    guint i;

    for (i = 0; i < node->children->len; i++) {
        PathNode *there = g_ptr_array_index(node->children, i);
        int order = strcmp(there->name, name);

        if (order == 0)
            return there;
        if (order > 0)
            break;
    }
    child = path_node_new(name);
    g_ptr_array_insert(node->children, (gint)i, child);
    return child;
}

void path_tree_add(PathNode *root, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    PathNode *node = root;

    for (char **part = parts; *part; part++)
        if (**part)
            node = path_node_child(node, *part);
    node->target = true;
}

bool path_tree_has_target(const PathNode *node)
{
    if (node->target)
        return true;
    for (guint i = 0; i < node->children->len; i++)
        if (path_tree_has_target(g_ptr_array_index(node->children, i)))
            return true;
    return false;
}
