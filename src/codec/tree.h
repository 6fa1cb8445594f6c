/* SPDX-License-Identifier: Apache-2.0 */
/* Trees: one directory each, in canonical JSON (repository format, "Trees"). */
#pragma once
#include "base/clock.h"
#include "base/id.h"
#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

typedef struct {
    char *name; /* raw bytes, zero-terminated */
    GBytes *value;
} NodeXattr;

/*
 * What is known of one entry. Strings are raw bytes (names need not be UTF-8). mode is st_mode of
 * Linux, type included; the codec turns it into Go's bits and back.
 */
typedef struct {
    char *name; /* one component; never empty, ".", "..", nor with '/' (the decoder refuses them) */
    mode_t mode;
    Timestamp mtime, atime, ctime;
    uint32_t uid, gid;
    char *user, *group; /* NULL: unknown */
    uint64_t inode, device_id, links, size, device;
    char *linktarget; /* symlinks */
    GArray *xattrs;   /* of NodeXattr, or NULL */
    GArray *content;  /* of Id; files only, never NULL for them */
    Id subtree;       /* directories only */
    bool irregular;   /* a type we do not know: carried, never restored */
} Node;

Node *node_new(void);
void node_free(Node *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Node, node_free)
Node *node_copy(const Node *node);
/* Everything the same: their text would be, too. */
bool node_equal(const Node *a, const Node *b);
/* "file", "dir", "symlink", "dev", "chardev", "fifo", "socket"; "irregular" for any other */
const char *node_type_name(const Node *node);
/* Go's mode bits, as stored and as in restic's JSON output. */
uint32_t node_go_mode(const Node *node);
/* Sets mode and irregular. Where type and bits disagree (foreign writers) the type decides. */
void node_set_mode(Node *node, const char *type, uint32_t go_mode);
GArray *node_xattrs_new(void); /* of NodeXattr, which it frees */

typedef struct {
    GPtrArray *nodes; /* of Node, sorted by raw name bytes */
} Tree;
Tree *tree_new(void);
void tree_free(Tree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Tree, tree_free)
/* By binary search; NULL. */
const Node *tree_find(const Tree *tree, const char *name);

/* The canonical text, newline included. The nodes are sorted and without duplicates (asserted). */
void tree_encode(Node *const *nodes, size_t n, GString *out);
/* Any legal form. BS_ERROR_CORRUPT: not this format, an illegal or duplicate name, a file without
 * content. Unsorted trees (old writers) are sorted. */
bool tree_decode(const char *text, size_t len, Tree **ret_tree, GError **error);
