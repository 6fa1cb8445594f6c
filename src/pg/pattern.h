/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of names as psql, pg_dump and pg_dumpall take them (PostgreSQL documentation, "psql",
 * "Patterns"). Pure.
 */
#pragma once
#include <glib.h>

/* The regular expression of PostgreSQL that the pattern of one name stands for: "*" and "?" as in a
 * shell, letters outside of double quotes in lower case, nothing special within them. To be freed.
 * BS_ERROR_USAGE: empty, a quote that is left open, or a dot, which would be of a longer name. */
char *pg_pattern_regex(const char *pattern, GError **error);
