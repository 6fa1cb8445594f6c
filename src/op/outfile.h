/* SPDX-License-Identifier: Apache-2.0 */
/* Where the output of an operation goes: standard output, or a file that appears when it is whole.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef bool (*OutfileFill)(int fd, const char *name, void *user, GError **error);

/*
 * target NULL: standard output. A file gets its name when it is whole and on the disk, until then
 * the old one stays; devices and pipes are written as they are. A new file is 0600. BS_ERROR_USAGE:
 * target is a directory.
 */
bool outfile_write(const char *target, OutfileFill fill, void *user, GError **error);
