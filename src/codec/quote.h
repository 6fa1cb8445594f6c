/* SPDX-License-Identifier: Apache-2.0 */
/* Names in trees: Go's quoted form (repository format, "Trees"), before JSON escaping. One fixed
 * table of printable characters, so that our tree ids do not depend on a library's Unicode version.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Appends the quoted form of any bytes. */
void quote_append(GString *out, const char *name, size_t len);

/* The raw bytes, with a zero after them. BS_ERROR_CORRUPT for a lone backslash, an unknown escape,
 * a raw
 * '"' or newline, or escapes beyond U+10FFFF. NUL bytes can come out: ret_len tells. */
bool unquote(const char *quoted, size_t len, char **ret_name, size_t *ret_len, GError **error);
