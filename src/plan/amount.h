/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts of bytes as people write and read them, in restic's notation. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* "532", "532B", "16K", "16M", "2G", "1T", small letters, too: powers of 1024, at most INT64_MAX.
 * BS_ERROR_USAGE for anything else. */
bool size_parse(const char *text, uint64_t *ret_bytes, GError **error);
char *size_format(uint64_t bytes); /* "532 B", "1.234 GiB" */
/* "5%", "0.5%": above 0 and at most 100. BS_ERROR_USAGE for anything else. */
bool percent_parse(const char *text, double *ret_percent, GError **error);
