/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a whole directory without ever leaving it. Any thread. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* Removes name in the directory dirfd, with all that is below it: any depth, no link followed, no
 * other file system entered (BS_ERROR_DENIED). */
bool remove_tree_at(int dirfd, const char *name, GError **error);
