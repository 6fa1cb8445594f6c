/* SPDX-License-Identifier: Apache-2.0 */
/* Writing runs of zeros as holes. Any thread. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* As fs_pwrite_all() into a part of a file that nothing was written to. Zeros at the end of a file
 * do not make it longer. */
bool sparse_write(int fd, const void *buf, size_t len, uint64_t offset, const char *name,
                  GError **error);
