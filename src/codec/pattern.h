/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns on paths, as in restic's --exclude, --include and find: components as Go's
 * filepath.Match reads them, one by one; "**" as a whole component stands for any number of
 * components; a leading "/" anchors at the root, any other pattern matches at every depth. A
 * pattern that matches a directory covers all that lies below. In a list a leading "!" takes back
 * what earlier patterns matched ("\!" is a plain exclamation mark); the last matching pattern
 * decides.
 *
 * In a component: "*" any bytes, "?" one character, "[a-z]" and "[^a-z]" one character of a class,
 * "\" takes the next character literally. A character is UTF-8 where that is valid, else one byte.
 * "x//y", "./x", "x/" and "x/../y" are tidied up first. With several "**" in one pattern each may
 * stand for nothing; restic overlooks that when the path is short.
 *
 * A list is immutable after the last add and may then be used by several threads.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct PatternList PatternList;

PatternList *pattern_list_new(bool ignore_case);
void pattern_list_free(PatternList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PatternList, pattern_list_free)

/* BS_ERROR_USAGE names a malformed pattern. The empty one is ignored, as in restic. */
bool pattern_list_add(PatternList *list, const char *text, GError **error);
bool pattern_list_is_empty(const PatternList *list);

/*
 * path: clean, absolute or relative. The root has no components: of the patterns only a slash,
 * "**", or both together match it. *ret_child_may_match (may be NULL): something below path can
 * match, so an include has to descend; always true when path matches. Never allocates.
 */
bool pattern_list_match(const PatternList *list, const char *path, bool *ret_child_may_match);

/*
 * Appends the patterns in a file to patterns (of char *): one a line, white space trimmed, empty
 * lines and those that begin with "#" skipped; $NAME and ${NAME} come from the environment, $$ is a
 * dollar. A byte order mark (UTF-8, UTF-16) is understood. Unlike in restic a variable that is not
 * set is BS_ERROR_USAGE: as an empty word it would silently make another pattern, "$CACHE/" even
 * "/".
 */
bool pattern_file_read(const char *path, GPtrArray *patterns, GError **error);
