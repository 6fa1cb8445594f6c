/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a backup is suspiciously small: a dump of an emptied database, or a directory whose disk
 * is not mounted, succeeds. Pure. */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Of the sizes of earlier backups in bytes; 0 when there are none. */
uint64_t run_history_median(const uint64_t *sizes, size_t n);

/* sizes: an array of integers, newest first, of which those before from are left out; of uint64_t.
 */
GArray *run_history_of(const json_t *sizes, size_t from);
/* The newest is less than half of what those before it usually were. */
bool run_history_shrank(const json_t *sizes);

/* A "warning" event for a backup of zero bytes, or of less than half of the median; NULL: it looks
 * as ever. history: of uint64_t. */
json_t *run_history_warning(const char *source, uint64_t bytes, const GArray *history);
