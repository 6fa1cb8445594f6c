/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lets somebody in after the password: sessions of browsers and tokens of programs, and how
 * often it was tried. All by the hash (64 hex digits) of what only the other side has. Unix ms.
 */
#pragma once
#include "state/catalog.h"

typedef struct {
    char *hash;
    char *user;
    int64_t created_at, login_at; /* login_at: when a password was last given */
    int64_t seen_at, expires_at;
    char *csrf_hash, *address, *agent; /* may be NULL */
} SessionRow;

void session_row_clear(SessionRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SessionRow, session_row_clear)

bool catalog_session_put(Catalog *catalog, const SessionRow *row, GError **error);
/* Also one whose time is over. BS_ERROR_NOT_FOUND. */
bool catalog_session_get(Catalog *catalog, const char *hash, SessionRow *ret_row, GError **error);
bool catalog_session_touch(Catalog *catalog, const char *hash, int64_t seen_at, GError **error);
/* The same session under a new value: after a login nobody who knew the old one is in.
 * BS_ERROR_NOT_FOUND. */
bool catalog_session_rotate(Catalog *catalog, const char *old_hash, const char *new_hash,
                            const char *csrf_hash, int64_t login_at, GError **error);
bool catalog_sessions(Catalog *catalog, const char *user, GArray **ret_rows, GError **error);
bool catalog_session_delete(Catalog *catalog, const char *hash,
                            GError **error); /* none is no error */
bool catalog_sessions_delete(Catalog *catalog, const char *user, GError **error);
/* Sessions and counts of attempts that are over. */
bool catalog_sessions_sweep(Catalog *catalog, int64_t now, int64_t attempts_before, GError **error);

typedef struct {
    char *id, *hash, *name, *user;
    char *scope;                                         /* the API's words */
    int64_t created_at, expires_at, used_at, revoked_at; /* 0: never */
} TokenRow;

void token_row_clear(TokenRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TokenRow, token_row_clear)

/* Makes the id and created_at that the row leaves out. BS_ERROR_EXISTS: the hash is there. */
bool catalog_token_put(Catalog *catalog, TokenRow *row, GError **error);
/* One that lets in now: BS_ERROR_NOT_FOUND when there is none, it is over or revoked. */
bool catalog_token_find(Catalog *catalog, const char *hash, int64_t now, TokenRow *ret_row,
                        GError **error);
bool catalog_token_used(Catalog *catalog, const char *id, int64_t now, GError **error);
/* Those that were not revoked; user NULL: of all. */
bool catalog_tokens(Catalog *catalog, const char *user, GArray **ret_rows, GError **error);
/* user: whose it must be; NULL: anybody's. BS_ERROR_NOT_FOUND, also when it is revoked already. */
bool catalog_token_revoke(Catalog *catalog, const char *id, const char *user, int64_t now,
                          GError **error);

/* name: "user:eva", "address:192.0.2.1". Failures within the window count up, an older row begins
 * anew. */
bool catalog_login_failed(Catalog *catalog, const char *name, int64_t now, int64_t window_ms,
                          unsigned *ret_n, GError **error);
bool catalog_login_failures(Catalog *catalog, const char *name, int64_t now, int64_t window_ms,
                            unsigned *ret_n, int64_t *ret_last_at, GError **error);
bool catalog_login_succeeded(Catalog *catalog, const char *name, GError **error); /* forgets them */
