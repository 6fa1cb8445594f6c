/* SPDX-License-Identifier: Apache-2.0 */
/* Columns as wide as their widest cell. A cell may have several lines; control characters of any
 * other kind, and bytes that are not UTF-8, come out as '?'. */
#pragma once
#include <glib.h>
#include <stdio.h>

typedef struct Table Table;

/* headers: NULL-terminated. */
Table *table_new(const char *const *headers);
void table_free(Table *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Table, table_free)
/* As many cells as headers. */
void table_add(Table *table, const char *const *cells);
void table_print(const Table *table, FILE *out);
