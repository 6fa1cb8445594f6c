/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/nodeparser.h"
#include "codec/quote.h"
#include "codec/rfc3339.h"
#include <string.h>

void node_parser_begin(NodeParser *parser)
{
    parser->node = node_new();
    parser->go_mode = 0;
    parser->has_type = parser->has_subtree = parser->raw_target = false;
}

void node_parser_clear(NodeParser *parser)
{
    g_clear_pointer(&parser->node, node_free);
    g_clear_pointer(&parser->xattr_name, g_free);
    g_clear_pointer(&parser->xattr_value, g_bytes_unref);
}

static bool take_string(char **place, const char *text, size_t len)
{
    if (memchr(text, '\0', len))
        return false;
    g_free(*place);
    *place = g_strndup(text, len);
    return true;
}

static bool set_name(NodeParser *parser, const char *quoted, size_t len)
{
    g_autofree char *name = NULL;
    size_t name_len = 0;

    if (!unquote(quoted, len, &name, &name_len, &parser->reader->error))
        return false;
    if (name_len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        memchr(name, '/', name_len) || memchr(name, '\0', name_len))
        return json_refuse(parser->reader, "a name that cannot be a file's");
    g_free(parser->node->name);
    parser->node->name = g_steal_pointer(&name);
    return true;
}

static bool set_type(NodeParser *parser, const char *text, size_t len)
{
    parser->has_type = true;
    // longer than any known type: one we do not know
    if (len >= sizeof parser->type)
        len = 0;
    memcpy(parser->type, text, len);
    parser->type[len] = '\0';
    return true;
}

static bool set_time(NodeParser *parser, Timestamp *time, const char *text, size_t len)
{
    return rfc3339_parse(text, len, time, &parser->reader->error);
}

static bool set_raw_target(NodeParser *parser, const char *text, size_t len)
{
    g_autoptr(GBytes) raw = json_parse_base64(text, len);
    size_t raw_len = 0;
    const char *target = raw ? g_bytes_get_data(raw, &raw_len) : NULL;

    if (!raw || memchr(target, '\0', raw_len))
        return json_refuse(parser->reader, "bad linktarget_raw");
    if (raw_len > 0) {
        (void)take_string(&parser->node->linktarget, target, raw_len);
        parser->raw_target = true;
    }
    return true;
}

bool node_parser_string(NodeParser *parser, const char *text, size_t len)
{
    Node *node = parser->node;

    switch (parser->reader->field) {
    case NODE_NAME:
        return set_name(parser, text, len);
    case NODE_TYPE:
        return set_type(parser, text, len);
    case NODE_MTIME:
        return set_time(parser, &node->mtime, text, len);
    case NODE_ATIME:
        return set_time(parser, &node->atime, text, len);
    case NODE_CTIME:
        return set_time(parser, &node->ctime, text, len);
    case NODE_USER:
        return take_string(&node->user, text, len) ||
               json_refuse(parser->reader, "zero byte in user");
    case NODE_GROUP:
        return take_string(&node->group, text, len) ||
               json_refuse(parser->reader, "zero byte in group");
    case NODE_LINKTARGET:
        return parser->raw_target || take_string(&node->linktarget, text, len) ||
               json_refuse(parser->reader, "zero byte in linktarget");
    case NODE_LINKTARGET_RAW:
        return set_raw_target(parser, text, len);
    case NODE_SUBTREE:
        parser->has_subtree = id_parse_len(text, len, &node->subtree);
        return parser->has_subtree || json_refuse(parser->reader, "bad subtree id");
    default:
        return json_refuse(parser->reader, "a string where none belongs");
    }
}

bool node_parser_number(NodeParser *parser, const char *text, size_t len)
{
    static const char problem[] = "a number out of its range";
    Node *node = parser->node;
    uint64_t small = 0;
    uint64_t *wide = NULL;

    switch (parser->reader->field) {
    case NODE_INODE:
        wide = &node->inode;
        break;
    case NODE_DEVICE_ID:
        wide = &node->device_id;
        break;
    case NODE_SIZE:
        wide = &node->size;
        break;
    case NODE_LINKS:
        wide = &node->links;
        break;
    case NODE_DEVICE:
        wide = &node->device;
        break;
    case NODE_MODE:
    case NODE_UID:
    case NODE_GID:
        break;
    default:
        return json_refuse(parser->reader, "a number where none belongs");
    }
    if (wide)
        return json_parse_uint(text, len, UINT64_MAX, wide) || json_refuse(parser->reader, problem);
    if (!json_parse_uint(text, len, UINT32_MAX, &small))
        return json_refuse(parser->reader, problem);
    if (parser->reader->field == NODE_MODE)
        parser->go_mode = (uint32_t)small;
    else if (parser->reader->field == NODE_UID)
        node->uid = (uint32_t)small;
    else
        node->gid = (uint32_t)small;
    return true;
}

bool node_parser_begin_list(NodeParser *parser)
{
    Node *node = parser->node;

    if (parser->reader->field == NODE_CONTENT && !node->content)
        node->content = g_array_new(FALSE, FALSE, sizeof(Id));
    else if (parser->reader->field == NODE_XATTRS && !node->xattrs)
        node->xattrs = node_xattrs_new();
    else
        return json_refuse(parser->reader, "a list where none belongs");
    return true;
}

bool node_parser_content(NodeParser *parser, const char *text, size_t len)
{
    Id id;

    if (!id_parse_len(text, len, &id))
        return json_refuse(parser->reader, "bad content id");
    g_array_append_val(parser->node->content, id);
    return true;
}

bool node_parser_xattr_string(NodeParser *parser, const char *text, size_t len)
{
    switch (parser->reader->field) {
    case NODE_XATTR_NAME:
        return take_string(&parser->xattr_name, text, len) ||
               json_refuse(parser->reader, "zero byte in the name of an extended attribute");
    case NODE_XATTR_VALUE:
        g_clear_pointer(&parser->xattr_value, g_bytes_unref);
        parser->xattr_value = json_parse_base64(text, len);
        return parser->xattr_value ||
               json_refuse(parser->reader, "bad value of an extended attribute");
    default:
        return json_refuse(parser->reader, "a string where none belongs");
    }
}

bool node_parser_end_xattr(NodeParser *parser)
{
    NodeXattr xattr;

    if (!parser->xattr_name)
        return json_refuse(parser->reader, "an extended attribute without name");
    xattr.name = g_steal_pointer(&parser->xattr_name);
    xattr.value =
        parser->xattr_value ? g_steal_pointer(&parser->xattr_value) : g_bytes_new(NULL, 0);
    g_array_append_val(parser->node->xattrs, xattr);
    return true;
}

bool node_parser_end(NodeParser *parser, Node **ret_node)
{
    Node *node = parser->node;

    if (!node->name)
        return json_refuse(parser->reader, "a node without name");
    if (!parser->has_type)
        return json_refuse(parser->reader, "no type");
    node_set_mode(node, parser->type, parser->go_mode);
    if (S_ISREG(node->mode) && !node->content)
        return json_refuse(parser->reader, "a file without content");
    if (!S_ISREG(node->mode))
        g_clear_pointer(&node->content, g_array_unref);
    if (S_ISDIR(node->mode) && !parser->has_subtree)
        return json_refuse(parser->reader, "a directory without subtree");
    if (node->xattrs && node->xattrs->len == 0)
        g_clear_pointer(&node->xattrs, g_array_unref);
    *ret_node = g_steal_pointer(&parser->node);
    return true;
}
