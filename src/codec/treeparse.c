/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of repo/tree.h: a tree's text as a stream of tokens, straight into nodes. */
#include "base/error.h"
#include "codec/quote.h"
#include "codec/rfc3339.h"
#include "codec/tree.h"
#include <string.h>
#include <yajl/yajl_parse.h>

/* Ignored values may nest; far beyond what any writer has a use for. */
#define DEPTH_MAX 64

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
    FIELD_OTHER, /* one we do not know: its value is ignored, however deep */
    FIELD_NODES,
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

#define KEY(name) name, sizeof name - 1

static const struct {
    Place place;
    Field field;
    const char *name;
    size_t len;
} fields[] = {
    { IN_TREE, FIELD_NODES, KEY("nodes") },
    { IN_NODE, FIELD_NAME, KEY("name") },
    { IN_NODE, FIELD_TYPE, KEY("type") },
    { IN_NODE, FIELD_MODE, KEY("mode") },
    { IN_NODE, FIELD_MTIME, KEY("mtime") },
    { IN_NODE, FIELD_ATIME, KEY("atime") },
    { IN_NODE, FIELD_CTIME, KEY("ctime") },
    { IN_NODE, FIELD_UID, KEY("uid") },
    { IN_NODE, FIELD_GID, KEY("gid") },
    { IN_NODE, FIELD_USER, KEY("user") },
    { IN_NODE, FIELD_GROUP, KEY("group") },
    { IN_NODE, FIELD_INODE, KEY("inode") },
    { IN_NODE, FIELD_DEVICE_ID, KEY("device_id") },
    { IN_NODE, FIELD_SIZE, KEY("size") },
    { IN_NODE, FIELD_LINKS, KEY("links") },
    { IN_NODE, FIELD_LINKTARGET, KEY("linktarget") },
    { IN_NODE, FIELD_LINKTARGET_RAW, KEY("linktarget_raw") },
    { IN_NODE, FIELD_XATTRS, KEY("extended_attributes") },
    { IN_NODE, FIELD_DEVICE, KEY("device") },
    { IN_NODE, FIELD_CONTENT, KEY("content") },
    { IN_NODE, FIELD_SUBTREE, KEY("subtree") },
    { IN_XATTR, FIELD_XATTR_NAME, KEY("name") },
    { IN_XATTR, FIELD_XATTR_VALUE, KEY("value") },
};

typedef struct {
    Tree *tree;
    Place place;
    Field field;
    unsigned ignored; /* open maps and arrays of a value that is ignored */
    bool seen_nodes;

    Node *node; /* the one being read, and what it is known by only at its end: */
    char type[16];
    uint32_t go_mode;
    bool has_type, has_subtree, raw_target;
    char *xattr_name;
    GBytes *xattr_value;

    GError *error;
} Parser;

static int corrupt(Parser *parser, const char *problem)
{
    const char *name = parser->node ? parser->node->name : NULL;
    g_autofree char *shown = name ? g_strescape(name, NULL) : NULL;

    g_clear_error(&parser->error);
    if (shown)
        g_set_error(&parser->error, BS_ERROR, BS_ERROR_CORRUPT, "node \"%s\": %s", shown, problem);
    else
        g_set_error_literal(&parser->error, BS_ERROR, BS_ERROR_CORRUPT, problem);
    return 0;
}

/* ---- values ---- */

static bool parse_uint(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';

        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return len > 0;
}

/* Strict, unlike g_base64_decode(), which passes over what it does not know. */
static GBytes *parse_base64(const char *text, size_t len)
{
    size_t padding = 0;
    g_autofree guchar *out = NULL;
    gint state = 0;
    guint save = 0;

    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    if (len % 4 != 0)
        return NULL;
    for (size_t i = 0; i < len - padding; i++)
        if (!g_ascii_isalnum(text[i]) && text[i] != '+' && text[i] != '/')
            return NULL;
    out = g_malloc(len / 4 * 3 + 1);
    len = g_base64_decode_step(text, len, out, &state, &save);
    return g_bytes_new_take(g_steal_pointer(&out), len);
}

static bool take_string(char **place, const char *text, size_t len)
{
    if (memchr(text, '\0', len))
        return false;
    g_free(*place);
    *place = g_strndup(text, len);
    return true;
}

static int set_name(Parser *parser, const char *quoted, size_t len)
{
    g_autofree char *name = NULL;
    size_t name_len = 0;

    if (!unquote(quoted, len, &name, &name_len, &parser->error))
        return 0;
    if (name_len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        memchr(name, '/', name_len) || memchr(name, '\0', name_len))
        return corrupt(parser, "a name that cannot be a file's");
    g_free(parser->node->name);
    parser->node->name = g_steal_pointer(&name);
    return 1;
}

static int set_type(Parser *parser, const char *text, size_t len)
{
    parser->has_type = true;
    // longer than any known type: one we do not know
    if (len >= sizeof parser->type)
        len = 0;
    memcpy(parser->type, text, len);
    parser->type[len] = '\0';
    return 1;
}

static int set_time(Parser *parser, Timestamp *time, const char *text, size_t len)
{
    return rfc3339_parse(text, len, time, &parser->error);
}

static int set_raw_target(Parser *parser, const char *text, size_t len)
{
    g_autoptr(GBytes) raw = parse_base64(text, len);
    size_t raw_len = 0;
    const char *target = raw ? g_bytes_get_data(raw, &raw_len) : NULL;

    if (!raw || memchr(target, '\0', raw_len))
        return corrupt(parser, "bad linktarget_raw");
    if (raw_len > 0) {
        (void)take_string(&parser->node->linktarget, target, raw_len);
        parser->raw_target = true;
    }
    return 1;
}

static int node_string(Parser *parser, const char *text, size_t len)
{
    Node *node = parser->node;

    switch (parser->field) {
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
    case FIELD_OTHER:
        return 1;
    default:
        return corrupt(parser, "a string where none belongs");
    }
}

static int node_number(Parser *parser, const char *text, size_t len)
{
    static const char problem[] = "a number out of its range";
    Node *node = parser->node;
    uint64_t small = 0;
    uint64_t *wide = NULL;

    switch (parser->field) {
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
    case FIELD_OTHER:
        return 1;
    case FIELD_MODE:
    case FIELD_UID:
    case FIELD_GID:
        break;
    default:
        return corrupt(parser, "a number where none belongs");
    }
    if (wide)
        return parse_uint(text, len, UINT64_MAX, wide) || corrupt(parser, problem);
    if (!parse_uint(text, len, UINT32_MAX, &small))
        return corrupt(parser, problem);
    if (parser->field == FIELD_MODE)
        parser->go_mode = (uint32_t)small;
    else if (parser->field == FIELD_UID)
        node->uid = (uint32_t)small;
    else
        node->gid = (uint32_t)small;
    return 1;
}

static int add_content(Parser *parser, const char *text, size_t len)
{
    Id id;

    if (!id_parse_len(text, len, &id))
        return corrupt(parser, "bad content id");
    g_array_append_val(parser->node->content, id);
    return 1;
}

static int xattr_string(Parser *parser, const char *text, size_t len)
{
    switch (parser->field) {
    case FIELD_XATTR_NAME:
        return take_string(&parser->xattr_name, text, len) ||
               corrupt(parser, "zero byte in the name of an extended attribute");
    case FIELD_XATTR_VALUE:
        g_clear_pointer(&parser->xattr_value, g_bytes_unref);
        parser->xattr_value = parse_base64(text, len);
        return parser->xattr_value || corrupt(parser, "bad value of an extended attribute");
    default:
        return 1;
    }
}

static int end_xattr(Parser *parser)
{
    NodeXattr xattr;

    if (!parser->xattr_name)
        return corrupt(parser, "an extended attribute without name");
    xattr.name = g_steal_pointer(&parser->xattr_name);
    xattr.value =
        parser->xattr_value ? g_steal_pointer(&parser->xattr_value) : g_bytes_new(NULL, 0);
    g_array_append_val(parser->node->xattrs, xattr);
    return 1;
}

static int end_node(Parser *parser)
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
    return 1;
}

/* ---- tokens ---- */

/* Whether the value that comes now is of no interest. */
static bool ignores(const Parser *parser)
{
    return parser->ignored > 0 ||
           ((parser->place == IN_TREE || parser->place == IN_NODE || parser->place == IN_XATTR) &&
            parser->field == FIELD_OTHER);
}

static int ignore_nested(Parser *parser)
{
    if (++parser->ignored > DEPTH_MAX)
        return corrupt(parser, "nested too deeply");
    return 1;
}

/* A list may be null when it is empty; any other null leaves the field as it is. */
static int on_null(void *user)
{
    Parser *parser = user;

    if (ignores(parser) || parser->place == IN_TREE || parser->place == IN_NODE ||
        parser->place == IN_XATTR)
        return 1;
    return corrupt(parser, "null where none belongs");
}

static int on_boolean(void *user, int value)
{
    Parser *parser = user;

    (void)value;
    return ignores(parser) || corrupt(parser, "a boolean where none belongs");
}

static int on_number(void *user, const char *text, size_t len)
{
    Parser *parser = user;

    if (ignores(parser))
        return 1;
    if (parser->place == IN_NODE)
        return node_number(parser, text, len);
    return corrupt(parser, "a number where none belongs");
}

static int on_string(void *user, const unsigned char *bytes, size_t len)
{
    Parser *parser = user;
    const char *text = (const char *)bytes;

    if (ignores(parser))
        return 1;
    switch (parser->place) {
    case IN_NODE:
        return node_string(parser, text, len);
    case IN_CONTENT:
        return add_content(parser, text, len);
    case IN_XATTR:
        return xattr_string(parser, text, len);
    default:
        return corrupt(parser, "a string where none belongs");
    }
}

static int on_key(void *user, const unsigned char *key, size_t len)
{
    Parser *parser = user;

    if (parser->ignored > 0)
        return 1;
    parser->field = FIELD_OTHER;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (fields[i].place == parser->place && fields[i].len == len &&
            memcmp(fields[i].name, key, len) == 0) {
            parser->field = fields[i].field;
            break;
        }
    return 1;
}

static int on_start_map(void *user)
{
    Parser *parser = user;

    if (ignores(parser))
        return ignore_nested(parser);
    switch (parser->place) {
    case IN_NOTHING:
        parser->place = IN_TREE;
        break;
    case IN_NODES:
        parser->place = IN_NODE;
        parser->node = node_new();
        parser->go_mode = 0;
        parser->has_type = parser->has_subtree = parser->raw_target = false;
        break;
    case IN_XATTRS:
        parser->place = IN_XATTR;
        break;
    default:
        return corrupt(parser, "an object where none belongs");
    }
    parser->field = FIELD_OTHER;
    return 1;
}

static int on_end_map(void *user)
{
    Parser *parser = user;

    if (parser->ignored > 0) {
        parser->ignored--;
        return 1;
    }
    switch (parser->place) {
    case IN_NODE:
        parser->place = IN_NODES;
        return end_node(parser);
    case IN_XATTR:
        parser->place = IN_XATTRS;
        return end_xattr(parser);
    default:
        parser->place = IN_NOTHING;
        return 1;
    }
}

static int on_start_array(void *user)
{
    Parser *parser = user;

    if (ignores(parser))
        return ignore_nested(parser);
    if (parser->place == IN_TREE && parser->field == FIELD_NODES && !parser->seen_nodes) {
        parser->place = IN_NODES;
        parser->seen_nodes = true;
        return 1;
    }
    if (parser->place == IN_NODE && parser->field == FIELD_CONTENT && !parser->node->content) {
        parser->place = IN_CONTENT;
        parser->node->content = g_array_new(FALSE, FALSE, sizeof(Id));
        return 1;
    }
    if (parser->place == IN_NODE && parser->field == FIELD_XATTRS && !parser->node->xattrs) {
        parser->place = IN_XATTRS;
        parser->node->xattrs = node_xattrs_new();
        return 1;
    }
    return corrupt(parser, "a list where none belongs");
}

static int on_end_array(void *user)
{
    Parser *parser = user;

    if (parser->ignored > 0)
        parser->ignored--;
    else
        parser->place = parser->place == IN_NODES ? IN_TREE : IN_NODE;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end_map,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end_array,
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

static bool run_parser(Parser *parser, const char *text, size_t len)
{
    yajl_handle json = yajl_alloc(&callbacks, NULL, parser);
    yajl_status status = yajl_parse(json, (const unsigned char *)text, len);

    if (status == yajl_status_ok)
        status = yajl_complete_parse(json);
    if (status == yajl_status_error) {
        unsigned char *problem = yajl_get_error(json, 0, NULL, 0);

        (void)corrupt(parser, g_strchomp((char *)problem));
        yajl_free_error(json, problem);
    }
    yajl_free(json);
    return status == yajl_status_ok;
}

bool tree_decode(const char *text, size_t len, Tree **ret_tree, GError **error)
{
    g_autoptr(Tree) tree = tree_new();
    Parser parser = { .tree = tree };
    bool ok = run_parser(&parser, text, len);

    node_free(parser.node);
    g_free(parser.xattr_name);
    g_clear_pointer(&parser.xattr_value, g_bytes_unref);
    if (!ok) {
        g_propagate_prefixed_error(error, parser.error, "tree: ");
        return false;
    }
    if (!sort_nodes(tree->nodes, error))
        return false;
    *ret_tree = g_steal_pointer(&tree);
    return true;
}
