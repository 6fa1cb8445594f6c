/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wildcards in one component of a path, by the rules of Go's path/filepath "Match", which restic's
 * users know: "*", "?", "[a-z]", "[^a-z]" and "\" before a plain character. Unlike in fnmatch(3)
 * only
 * "^" negates a class, and "]" or "-" in it needs the backslash. Unlike in Go "*" takes whole
 * characters. Never allocates.
 */
#pragma once
#include <stdbool.h>

/* False when a class or a backslash is left open. */
bool glob_is_valid(const char *pattern, const char *pattern_end);
/* The pattern is valid, and for ignore_case went through glob_lower(). */
bool glob_matches(const char *pattern, const char *pattern_end, const char *name,
                  const char *name_end, bool ignore_case);
/* In lower case character by character, whatever the locale. Free with g_free(). */
char *glob_lower(const char *text);
