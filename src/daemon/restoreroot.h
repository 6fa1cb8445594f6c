/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the API may restore into a directory, or to a file: below one of server.restore_roots, by
 * a path that means one thing only, and without a link on the way. The restore itself looks again,
 * at what it opens (restore --beneath).
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* *ret_root: of roots. *ret_exists: there is something in it. BS_ERROR_USAGE: a path that could be
 * read in two ways. BS_ERROR_DENIED: it is below none of them, or behind a link. */
bool restore_root_check(char *const *roots, const char *path, const char **ret_root,
                        bool *ret_exists, GError **error);
/* The same of a file. *ret_exists: it is there. _DENIED also: what is there is no file. */
bool restore_root_check_file(char *const *roots, const char *path, const char **ret_root,
                             bool *ret_exists, GError **error);
