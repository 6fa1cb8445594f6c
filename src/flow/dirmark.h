/* SPDX-License-Identifier: Apache-2.0 */
/* The file DIR_SINK_MARK in the target of a restore that is not complete. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>

/* Makes it, or takes the one that an earlier restore left. durable: it is on the disk before this
 * returns. */
bool dir_mark_set(int root_fd, bool durable, struct stat *ret_mark, GError **error);
/* Removes that one, and no other that has its name by now. */
bool dir_mark_clear(int root_fd, const struct stat *mark, GError **error);
