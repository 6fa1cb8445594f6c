/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of codec/tree.h: a tree's text as a stream of tokens, straight into nodes. */
#include "base/error.h"
#include "codec/jsonreader.h"
#include "codec/quote.h"
#include "codec/rfc3339.h"
#include "codec/tree.h"
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

typedef enum {
    FIELD_NODES = 1,
    FIELD_NAME,
    FIELD_TYPE,
    FIELD_MODE,
    FIELD_MTIME,
    FIELD_ATIME,
    FIELD_CTIME,
    FIELD_UID,
    FIELD_GID,
    FIELD_USER,
    FIELD_GROUP,
    FIELD_INODE,
    FIELD_DEVICE_ID,
    FIELD_SIZE,
    FIELD_LINKS,
    FIELD_LINKTARGET,
    FIELD_LINKTARGET_RAW,
    FIELD_XATTRS,
    FIELD_DEVICE,
    FIELD_CONTENT,
    FIELD_SUBTREE,
    FIELD_XATTR_NAME,
    FIELD_XATTR_VALUE,
} Field;

/* In the order of the format. */
static const JsonKey keys[] = {
    JSON_KEY(IN_TREE, FIELD_NODES, "nodes"),
    JSON_KEY(IN_NODE, FIELD_NAME, "name"),
    JSON_KEY(IN_NODE, FIELD_TYPE, "type"),
    JSON_KEY(IN_NODE, FIELD_MODE, "mode"),
    JSON_KEY(IN_NODE, FIELD_MTIME, "mtime"),
    JSON_KEY(IN_NODE, FIELD_ATIME, "atime"),
    JSON_KEY(IN_NODE, FIELD_CTIME, "ctime"),
    JSON_KEY(IN_NODE, FIELD_UID, "uid"),
    JSON_KEY(IN_NODE, FIELD_GID, "gid"),
    JSON_KEY(IN_NODE, FIELD_USER, "user"),
    JSON_KEY(IN_NODE, FIELD_GROUP, "group"),
    JSON_KEY(IN_NODE, FIELD_INODE, "inode"),
    JSON_KEY(IN_NODE, FIELD_DEVICE_ID, "device_id"),
    JSON_KEY(IN_NODE, FIELD_SIZE, "size"),
    JSON_KEY(IN_NODE, FIELD_LINKS, "links"),
    JSON_KEY(IN_NODE, FIELD_LINKTARGET, "linktarget"),
    JSON_KEY(IN_NODE, FIELD_LINKTARGET_RAW, "linktarget_raw"),
    JSON_KEY(IN_NODE, FIELD_XATTRS, "extended_attributes"),
    JSON_KEY(IN_NODE, FIELD_DEVICE, "device"),
    JSON_KEY(IN_NODE, FIELD_CONTENT, "content"),
    JSON_KEY(IN_NODE, FIELD_SUBTREE, "subtree"),
    JSON_KEY(IN_XATTR, FIELD_XATTR_NAME, "name"),
    JSON_KEY(IN_XATTR, FIELD_XATTR_VALUE, "value"),
};

typedef struct {
    JsonReader base;
    Tree *tree;
    bool seen_nodes;

    Node *node; /* the one being read, and what it is known by only at its end: */
    char type[16];
    uint32_t go_mode;
    bool has_type, has_subtree, raw_target;
    char *xattr_name;
    GBytes *xattr_value;
} Parser;

static bool corrupt(Parser *parser, const char *problem)
{
    return json_refuse(&parser->base, problem);
}

/* ---- values ---- */

static bool take_string(char **place, const char *text, size_t len)
{
    if (memchr(text, '\0', len))
        return false;
    g_free(*place);
    *place = g_strndup(text, len);
    return true;
}

static bool set_name(Parser *parser, const char *quoted, size_t len)
{
    g_autofree char *name = NULL;
    size_t name_len = 0;

    if (!unquote(quoted, len, &name, &name_len, &parser->base.error))
        return false;
    if (name_len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        memchr(name, '/', name_len) || memchr(name, '\0', name_len))
        return corrupt(parser, "a name that cannot be a file's");
    g_free(parser->node->name);
    parser->node->name = g_steal_pointer(&name);
    return true;
}

static bool set_type(Parser *parser, const char *text, size_t len)
{
    parser->has_type = true;
    // longer than any known type: one we do not know
    if (len >= sizeof parser->type)
        len = 0;
    memcpy(parser->type, text, len);
    parser->type[len] = '\0';
    return true;
}

static bool set_time(Parser *parser, Timestamp *time, const char *text, size_t len)
{
    return rfc3339_parse(text, len, time, &parser->base.error);
}

static bool set_raw_target(Parser *parser, const char *text, size_t len)
{
    g_autoptr(GBytes) raw = json_parse_base64(text, len);
    size_t raw_len = 0;
    const char *target = raw ? g_bytes_get_data(raw, &raw_len) : NULL;

    if (!raw || memchr(target, '\0', raw_len))
        return corrupt(parser, "bad linktarget_raw");
    if (raw_len > 0) {
        (void)take_string(&parser->node->linktarget, target, raw_len);
        parser->raw_target = true;
    }
    return true;
}

static bool node_string(Parser *parser, const char *text, size_t len)
{
    Node *node = parser->node;

    switch (parser->base.field) {
    case FIELD_NAME:
        return set_name(parser, text, len);
    case FIELD_TYPE:
        return set_type(parser, text, len);
    case FIELD_MTIME:
        return set_time(parser, &node->mtime, text, len);
    case FIELD_ATIME:
        return set_time(parser, &node->atime, text, len);
    case FIELD_CTIME:
        return set_time(parser, &node->ctime, text, len);
    case FIELD_USER:
        return take_string(&node->user, text, len) || corrupt(parser, "zero byte in user");
    case FIELD_GROUP:
        return take_string(&node->group, text, len) || corrupt(parser, "zero byte in group");
    case FIELD_LINKTARGET:
        return parser->raw_target || take_string(&node->linktarget, text, len) ||
               corrupt(parser, "zero byte in linktarget");
    case FIELD_LINKTARGET_RAW:
        return set_raw_target(parser, text, len);
    case FIELD_SUBTREE:
        parser->has_subtree = id_parse_len(text, len, &node->subtree);
        return parser->has_subtree || corrupt(parser, "bad subtree id");
    default:
        return corrupt(parser, "a string where none belongs");
    }
}

static bool node_number(Parser *parser, const char *text, size_t len)
{
    static const char problem[] = "a number out of its range";
    Node *node = parser->node;
    uint64_t small = 0;
    uint64_t *wide = NULL;

    switch (parser->base.field) {
    case FIELD_INODE:
        wide = &node->inode;
        break;
    case FIELD_DEVICE_ID:
        wide = &node->device_id;
        break;
    case FIELD_SIZE:
        wide = &node->size;
        break;
    case FIELD_LINKS:
        wide = &node->links;
        break;
    case FIELD_DEVICE:
        wide = &node->device;
        break;
    case FIELD_MODE:
    case FIELD_UID:
    case FIELD_GID:
        break;
    default:
        return corrupt(parser, "a number where none belongs");
    }
    if (wide)
        return json_parse_uint(text, len, UINT64_MAX, wide) || corrupt(parser, problem);
    if (!json_parse_uint(text, len, UINT32_MAX, &small))
        return corrupt(parser, problem);
    if (parser->base.field == FIELD_MODE)
        parser->go_mode = (uint32_t)small;
    else if (parser->base.field == FIELD_UID)
        node->uid = (uint32_t)small;
    else
        node->gid = (uint32_t)small;
    return true;
}

static bool add_content(Parser *parser, const char *text, size_t len)
{
    Id id;

    if (!id_parse_len(text, len, &id))
        return corrupt(parser, "bad content id");
    g_array_append_val(parser->node->content, id);
    return true;
}

static bool xattr_string(Parser *parser, const char *text, size_t len)
{
    switch (parser->base.field) {
    case FIELD_XATTR_NAME:
        return take_string(&parser->xattr_name, text, len) ||
               corrupt(parser, "zero byte in the name of an extended attribute");
    case FIELD_XATTR_VALUE:
        g_clear_pointer(&parser->xattr_value, g_bytes_unref);
        parser->xattr_value = json_parse_base64(text, len);
        return parser->xattr_value || corrupt(parser, "bad value of an extended attribute");
    default:
        return corrupt(parser, "a string where none belongs");
    }
}

static bool end_xattr(Parser *parser)
{
    NodeXattr xattr;

    if (!parser->xattr_name)
        return corrupt(parser, "an extended attribute without name");
    xattr.name = g_steal_pointer(&parser->xattr_name);
    xattr.value =
        parser->xattr_value ? g_steal_pointer(&parser->xattr_value) : g_bytes_new(NULL, 0);
    g_array_append_val(parser->node->xattrs, xattr);
    return true;
}

static bool end_node(Parser *parser)
{
    Node *node = parser->node;

    if (!node->name)
        return corrupt(parser, "a node without name");
    if (!parser->has_type)
        return corrupt(parser, "no type");
    node_set_mode(node, parser->type, parser->go_mode);
    if (S_ISREG(node->mode) && !node->content)
        return corrupt(parser, "a file without content");
    if (!S_ISREG(node->mode))
        g_clear_pointer(&node->content, g_array_unref);
    if (S_ISDIR(node->mode) && !parser->has_subtree)
        return corrupt(parser, "a directory without subtree");
    if (node->xattrs && node->xattrs->len == 0)
        g_clear_pointer(&node->xattrs, g_array_unref);
    g_ptr_array_add(parser->tree->nodes, g_steal_pointer(&parser->node));
    return true;
}

/* ---- tokens ---- */

/* A list may be null when it is empty; any other null leaves the field as it is. */
static bool read_null(JsonReader *reader)
{
    return reader->field != 0 || json_refuse(reader, "null where none belongs");
}

static bool read_number(JsonReader *reader, const char *text, size_t len)
{
    if (reader->place == IN_NODE)
        return node_number((Parser *)reader, text, len);
    return json_refuse(reader, "a number where none belongs");
}

static bool read_string(JsonReader *reader, const char *text, size_t len)
{
    Parser *parser = (Parser *)reader;

    switch (reader->place) {
    case IN_NODE:
        return node_string(parser, text, len);
    case IN_CONTENT:
        return add_content(parser, text, len);
    case IN_XATTR:
        return xattr_string(parser, text, len);
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
        parser->node = node_new();
        parser->go_mode = 0;
        parser->has_type = parser->has_subtree = parser->raw_target = false;
        return true;
    case IN_XATTRS:
        parser->base.place = IN_XATTR;
        return true;
    default:
        return corrupt(parser, "an object where none belongs");
    }
}

static bool begin_list(Parser *parser)
{
    Node *node = parser->node;

    if (parser->base.field == FIELD_NODES && !parser->seen_nodes) {
        parser->base.place = IN_NODES;
        parser->seen_nodes = true;
        return true;
    }
    if (parser->base.field == FIELD_CONTENT && !node->content) {
        parser->base.place = IN_CONTENT;
        node->content = g_array_new(FALSE, FALSE, sizeof(Id));
        return true;
    }
    if (parser->base.field == FIELD_XATTRS && !node->xattrs) {
        parser->base.place = IN_XATTRS;
        node->xattrs = node_xattrs_new();
        return true;
    }
    return corrupt(parser, "a list where none belongs");
}

static bool read_begin(JsonReader *reader, bool list)
{
    return list ? begin_list((Parser *)reader) : begin_object((Parser *)reader);
}

static bool read_end(JsonReader *reader)
{
    static const Place outside[] = {
        [IN_TREE] = IN_NOTHING, [IN_NODES] = IN_TREE,  [IN_NODE] = IN_NODES,
        [IN_CONTENT] = IN_NODE, [IN_XATTRS] = IN_NODE, [IN_XATTR] = IN_XATTRS,
    };
    Place place = (Place)reader->place;

    reader->place = outside[place];
    if (place == IN_NODE)
        return end_node((Parser *)reader);
    if (place == IN_XATTR)
        return end_xattr((Parser *)reader);
    return true;
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
    const char *name = parser->node ? parser->node->name : NULL;
    g_autofree char *shown = name ? g_strescape(name, NULL) : NULL;

    if (shown)
        g_prefix_error(error, "tree: node \"%s\": ", shown);
    else
        g_prefix_error(error, "tree: ");
}

bool tree_decode(const char *text, size_t len, Tree **ret_tree, GError **error)
{
    g_autoptr(Tree) tree = tree_new();
    Parser parser = { .base.ops = &reader_ops, .tree = tree };
    bool ok = json_read(&parser.base, text, len, error);

    if (!ok)
        name_place(&parser, error);
    node_free(parser.node);
    g_free(parser.xattr_name);
    g_clear_pointer(&parser.xattr_value, g_bytes_unref);
    if (!ok || !sort_nodes(tree->nodes, error))
        return false;
    *ret_tree = g_steal_pointer(&tree);
    return true;
}
