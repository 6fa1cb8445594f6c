/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One node from the members of its JSON object, in whatever order they come (repository format,
 * "Trees"). It knows what they mean; where they stand in the document is codec/treeparse.c's. One
 * thread. What cannot be is refused through the reader, BS_ERROR_CORRUPT.
 */
#pragma once
#include "codec/jsonreader.h"
#include "codec/tree.h"

/* Members of a node, and of an extended attribute in it. */
typedef enum {
    NODE_NAME = 1,
    NODE_TYPE,
    NODE_MODE,
    NODE_MTIME,
    NODE_ATIME,
    NODE_CTIME,
    NODE_UID,
    NODE_GID,
    NODE_USER,
    NODE_GROUP,
    NODE_INODE,
    NODE_DEVICE_ID,
    NODE_SIZE,
    NODE_LINKS,
    NODE_LINKTARGET,
    NODE_LINKTARGET_RAW,
    NODE_XATTRS,
    NODE_DEVICE,
    NODE_CONTENT,
    NODE_SUBTREE,
    NODE_XATTR_NAME,
    NODE_XATTR_VALUE,
} NodeField;

typedef struct {
    JsonReader *reader; /* borrowed; its field says which member comes */
    Node *node;         /* NULL between two; what it is known by only at its end: */
    char type[16];
    uint32_t go_mode;
    bool has_type, has_subtree, raw_target;
    char *xattr_name;
    GBytes *xattr_value;
} NodeParser;

void node_parser_begin(NodeParser *parser);
bool node_parser_string(NodeParser *parser, const char *text, size_t len);
bool node_parser_number(NodeParser *parser, const char *text, size_t len);
/* NODE_CONTENT or NODE_XATTRS, and their items. */
bool node_parser_begin_list(NodeParser *parser);
bool node_parser_content(NodeParser *parser, const char *text, size_t len);
bool node_parser_xattr_string(NodeParser *parser, const char *text, size_t len);
bool node_parser_end_xattr(NodeParser *parser);
/* The node is the caller's. */
bool node_parser_end(NodeParser *parser, Node **ret_node);
/* Frees what was begun and did not end. */
void node_parser_clear(NodeParser *parser);
