/* SPDX-License-Identifier: Apache-2.0 */
/* From the file system to a node: stat, owner's names, extended attributes, link targets. */
#pragma once
#include "codec/tree.h"
#include <sys/stat.h>

/* Names of users and groups, looked up once each. One thread. */
typedef struct OwnerNames OwnerNames;
OwnerNames *owner_names_new(void);
void owner_names_free(OwnerNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(OwnerNames, owner_names_free)

/* Everything stat knows. atime is set to mtime unless wanted, or every read would make a new tree.
 */
Node *node_from_stat(const char *name, const struct stat *st, OwnerNames *names, bool with_atime);
/* Refreshes what may have changed since: sizes, times, owner, mode. */
void node_update_from_stat(Node *node, const struct stat *st, bool with_atime);

/* True without attributes where the file system has none. */
bool node_read_xattrs_fd(Node *node, int fd, GError **error);
/* Of an entry that must not be opened (link, FIFO, device). */
bool node_read_xattrs_at(Node *node, int dirfd, const char *name, GError **error);
bool node_read_link(Node *node, int dirfd, const char *name, GError **error);
