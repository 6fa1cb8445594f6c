/* SPDX-License-Identifier: Apache-2.0 */
/*
 * People and what lets them in. A password is a text made elsewhere (a memory-hard hash) and never
 * looked into; sessions and tokens are known by the hash of their value alone. Times in Unix ms.
 */
#pragma once
#include "state/catalog.h"
#include "state/sessions.h"

/* "viewer"; "operator" (BACKUP_MANAGE: runs, restores, schedules); "admin" (SUPER_ADMIN: also
 * users, settings, the tokens of others). */
bool user_role_is_valid(const char *role);

typedef struct {
    char *name;
    char *role;
    char *password; /* the hash's text; NULL: cannot log in with one */
    bool enabled;
    int64_t created_at, updated_at, seen_at;
    unsigned version; /* counts changes, from 1 */
} UserRow;

void user_row_clear(UserRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UserRow, user_row_clear)

bool catalog_user_get(Catalog *catalog, const char *name, UserRow *ret_row,
                      GError **error);                                   /* _NOT_FOUND */
bool catalog_users(Catalog *catalog, GArray **ret_rows, GError **error); /* UserRow, by name */
/*
 * expected_version 0: a new one, BS_ERROR_EXISTS; else a change: BS_ERROR_STALE, _NOT_FOUND.
 * BS_ERROR_DENIED: it would leave no admin who can log in. A changed password, role or state ends
 * the user's sessions; a lost state also his tokens.
 */
bool catalog_user_put(Catalog *catalog, UserRow *row, unsigned expected_version, GError **error);
/* With sessions and tokens. BS_ERROR_NOT_FOUND, _STALE; _DENIED: the last admin. */
bool catalog_user_delete(Catalog *catalog, const char *name, unsigned expected_version,
                         GError **error);
