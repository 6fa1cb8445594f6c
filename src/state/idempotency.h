/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that must not be done twice when they are sent twice: the key that the client chose, the
 * hash of what was asked, and the answer once there is one. Times in Unix ms. */
#pragma once
#include "state/catalog.h"

typedef struct {
    char *request_hash;
    int status;   /* of HTTP; 0: it is still being done */
    char *answer; /* NULL: none yet */
} OnceRow;

void once_row_clear(OnceRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OnceRow, once_row_clear)

/* Exactly one caller wins: he does it, then gives the answer. The others get what stands; ret_row
 * is set for them alone. key: with the user in it, so that nobody gets another's answer. One that
 * has expired is as none. */
bool catalog_once_begin(Catalog *catalog, const char *key, const char *request_hash, int64_t now,
                        int64_t expires_at, bool *ret_won, OnceRow *ret_row, GError **error);
/* What stands, of a key that has not expired; request_hash NULL: nothing does. */
bool catalog_once_find(Catalog *catalog, const char *key, int64_t now, OnceRow *ret_row,
                       GError **error);
bool catalog_once_end(Catalog *catalog, const char *key, int status, const char *answer,
                      GError **error);
/* It came to nothing: may be tried again under this key. */
bool catalog_once_forget(Catalog *catalog, const char *key, GError **error);
bool catalog_once_sweep(Catalog *catalog, int64_t now, GError **error); /* what has expired */
