/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns from options and from files, made ready: --exclude and --exclude-file, --include and so
 * on. */
#pragma once
#include "codec/pattern.h"

/* texts, files: NULL-terminated, may be NULL. *ret_list is NULL when there is no pattern at all. */
bool patterns_compile(char *const *texts, char *const *files, bool ignore_case,
                      PatternList **ret_list, GError **error);
