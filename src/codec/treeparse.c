/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of codec/tree.h: a tree's text as a stream of tokens, straight into nodes. */
#include "base/error.h"
#include "codec/nodeparser.h"
#include <string.h>

typedef enum {
    IN_NOTHING, /* before the first and after the last token */
    IN_TREE,
    IN_NODES,
    IN_NODE,
    IN_CONTENT,
    IN_XATTRS,
    IN_XATTR,
} Place;

#define TREE_NODES (NODE_XATTR_VALUE + 1)

/* In the order of the format. */
static const JsonKey keys[] = {
    JSON_KEY(IN_TREE, TREE_NODES, "nodes"),
    JSON_KEY(IN_NODE, NODE_NAME, "name"),
    JSON_KEY(IN_NODE, NODE_TYPE, "type"),
    JSON_KEY(IN_NODE, NODE_MODE, "mode"),
    JSON_KEY(IN_NODE, NODE_MTIME, "mtime"),
    JSON_KEY(IN_NODE, NODE_ATIME, "atime"),
    JSON_KEY(IN_NODE, NODE_CTIME, "ctime"),
    JSON_KEY(IN_NODE, NODE_UID, "uid"),
    JSON_KEY(IN_NODE, NODE_GID, "gid"),
    JSON_KEY(IN_NODE, NODE_USER, "user"),
    JSON_KEY(IN_NODE, NODE_GROUP, "group"),
    JSON_KEY(IN_NODE, NODE_INODE, "inode"),
    JSON_KEY(IN_NODE, NODE_DEVICE_ID, "device_id"),
    JSON_KEY(IN_NODE, NODE_SIZE, "size"),
    JSON_KEY(IN_NODE, NODE_LINKS, "links"),
    JSON_KEY(IN_NODE, NODE_LINKTARGET, "linktarget"),
    JSON_KEY(IN_NODE, NODE_LINKTARGET_RAW, "linktarget_raw"),
    JSON_KEY(IN_NODE, NODE_XATTRS, "extended_attributes"),
    JSON_KEY(IN_NODE, NODE_DEVICE, "device"),
    JSON_KEY(IN_NODE, NODE_CONTENT, "content"),
    JSON_KEY(IN_NODE, NODE_SUBTREE, "subtree"),
    JSON_KEY(IN_XATTR, NODE_XATTR_NAME, "name"),
    JSON_KEY(IN_XATTR, NODE_XATTR_VALUE, "value"),
};

typedef struct {
    JsonReader base;
    Tree *tree;
    bool seen_nodes;
    NodeParser node;
} Parser;

/* A list may be null when it is empty; any other null leaves the field as it is. */
static bool read_null(JsonReader *reader)
{
    return reader->field != 0 || json_refuse(reader, "null where none belongs");
}

static bool read_number(JsonReader *reader, const char *text, size_t len)
{
    if (reader->place == IN_NODE)
        return node_parser_number(&((Parser *)reader)->node, text, len);
    return json_refuse(reader, "a number where none belongs");
}

static bool read_string(JsonReader *reader, const char *text, size_t len)
{
    NodeParser *parser = &((Parser *)reader)->node;

    switch (reader->place) {
    case IN_NODE:
        return node_parser_string(parser, text, len);
    case IN_CONTENT:
        return node_parser_content(parser, text, len);
    case IN_XATTR:
        return node_parser_xattr_string(parser, text, len);
    default:
        return json_refuse(reader, "a string where none belongs");
    }
}

static bool begin_object(Parser *parser)
{
    switch (parser->base.place) {
    case IN_NOTHING:
        parser->base.place = IN_TREE;
        return true;
    case IN_NODES:
        parser->base.place = IN_NODE;
        node_parser_begin(&parser->node);
        return true;
    case IN_XATTRS:
        parser->base.place = IN_XATTR;
        return true;
    default:
        return json_refuse(&parser->base, "an object where none belongs");
    }
}

static bool begin_list(Parser *parser)
{
    JsonReader *reader = &parser->base;

    if (reader->place == IN_NODE) {
        if (!node_parser_begin_list(&parser->node))
            return false;
        reader->place = reader->field == NODE_CONTENT ? IN_CONTENT : IN_XATTRS;
        return true;
    }
    if (reader->field != TREE_NODES || parser->seen_nodes)
        return json_refuse(reader, "a list where none belongs");
    reader->place = IN_NODES;
    parser->seen_nodes = true;
    return true;
}

static bool read_begin(JsonReader *reader, bool list)
{
    return list ? begin_list((Parser *)reader) : begin_object((Parser *)reader);
}

static bool end_node(Parser *parser)
{
    Node *node;

    if (!node_parser_end(&parser->node, &node))
        return false;
    g_ptr_array_add(parser->tree->nodes, node);
    return true;
}

static bool read_end(JsonReader *reader)
{
    static const Place outside[] = {
        [IN_TREE] = IN_NOTHING, [IN_NODES] = IN_TREE,  [IN_NODE] = IN_NODES,
        [IN_CONTENT] = IN_NODE, [IN_XATTRS] = IN_NODE, [IN_XATTR] = IN_XATTRS,
    };
    Parser *parser = (Parser *)reader;
    Place place = (Place)reader->place;

    reader->place = outside[place];
    if (place == IN_NODE)
        return end_node(parser);
    return place != IN_XATTR || node_parser_end_xattr(&parser->node);
}

static const JsonReaderOps reader_ops = {
    .keys = keys,
    .n_keys = G_N_ELEMENTS(keys),
    .null = read_null,
    .number = read_number,
    .string = read_string,
    .begin = read_begin,
    .end = read_end,
};

/* ---- the whole ---- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
    const Node *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

/* Old writers did not sort; a name that stands twice has no meaning. */
static bool sort_nodes(GPtrArray *nodes, GError **error)
{
    for (guint i = 1; i < nodes->len; i++) {
        if (compare_names(&nodes->pdata[i - 1], &nodes->pdata[i]) > 0) {
            g_ptr_array_sort(nodes, compare_names);
            break;
        }
    }
    for (guint i = 1; i < nodes->len; i++) {
        if (compare_names(&nodes->pdata[i - 1], &nodes->pdata[i]) == 0) {
            const Node *node = nodes->pdata[i];
            g_autofree char *shown = g_strescape(node->name, NULL);

            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tree: two nodes named \"%s\"", shown);
            return false;
        }
    }
    return true;
}

static void name_place(const Parser *parser, GError **error)
{
    const Node *node = parser->node.node;
    const char *name = node ? node->name : NULL;
    g_autofree char *shown = name ? g_strescape(name, NULL) : NULL;

    if (shown)
        g_prefix_error(error, "tree: node \"%s\": ", shown);
    else
        g_prefix_error(error, "tree: ");
}

bool tree_decode(const char *text, size_t len, Tree **ret_tree, GError **error)
{
    g_autoptr(Tree) tree = tree_new();
    Parser parser = { .base.ops = &reader_ops, .tree = tree, .node.reader = &parser.base };
    bool ok = json_read(&parser.base, text, len, error);

    if (!ok)
        name_place(&parser, error);
    node_parser_clear(&parser.node);
    if (!ok || !sort_nodes(tree->nodes, error))
        return false;
    *ret_tree = g_steal_pointer(&tree);
    return true;
}
