/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who did what: lines that are only ever added. Each bears the SHA-256 of the hash before it (64
 * hex digits, none for the first), a newline and its own text {action, at, detail, seq, user}, so a
 * line that is changed, moved or taken out breaks the chain there. The text is canonical JSON:
 * sorted keys, no white space. Whoever can write to the database can also write a whole new chain:
 * note the head elsewhere now and then.
 */
#pragma once
#include "state/catalog.h"

typedef struct {
    int64_t seq, at; /* from 1; Unix ms */
    char *user, *action;
    json_t *detail; /* an object, or NULL */
    char *hash;
} AuditRow;

void audit_row_clear(AuditRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AuditRow, audit_row_clear)

/* action: "schedule.put"; detail: an object without secrets, or NULL. Of all daemons one writes at
 * a time. */
bool catalog_audit(Catalog *catalog, const char *user, const char *action, const json_t *detail,
                   GError **error);

typedef struct {
    const char *user, *action; /* NULL: any */
    uint64_t before;           /* seq: the cursor; 0: from the newest */
    unsigned limit;
} AuditQuery;
bool catalog_audit_list(Catalog *catalog, const AuditQuery *query, GArray **ret_rows,
                        GError **error);

/* BS_ERROR_CORRUPT names the first line that is not as it was written. ret_head: the hash of the
 * last one, "" when there is none. */
bool catalog_audit_verify(Catalog *catalog, int64_t *ret_n, char **ret_head, GError **error);
