/* SPDX-License-Identifier: Apache-2.0 */
/* What a walk leaves out, by the rules of restic's --exclude options. Immutable; any thread. */
#pragma once
#include "source/files.h"
#include <sys/stat.h>

/* By name alone: asked before the entry is looked at. */
bool exclude_path(const FilesOptions *options, const char *path);
/* By what stat says: files that are too large. */
bool exclude_stat(const FilesOptions *options, const struct stat *st);
/* The directory carries a mark (CACHEDIR.TAG, --exclude-if-present): the name of the mark, and only
 * that entry stays; or NULL. The same in *ret_own, to be freed. */
const char *exclude_mark(const FilesOptions *options, int dirfd, char **ret_own);
