/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue: schedules made by the API, runs, incidents, users, tokens, audit. SQLite or
 * PostgreSQL behind the same queries. The repository stays the truth; this is what the daemon
 * remembers. One Catalog is one connection and is used by one thread at a time; catalog_reopen()
 * gives another for another thread.
 *
 * Every function may fail with BS_ERROR_TRANSIENT (busy, connection gone: try again; the next call
 * connects anew), _CORRUPT, _NO_SPACE, _DENIED. What a function has written is durable when it
 * returns. Whatever may be repeated after an answer that was lost says the same the second time.
 * Times are Unix milliseconds, 0: never, not yet.
 */
#pragma once
#include "base/secret.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Catalog Catalog;

/*
 * url: "sqlite:/path" or an absolute path, or "postgresql://..." without a password. Makes what is
 * not there, brings an older one up to this program's version, and reads every page of a file
 * first. BS_ERROR_CORRUPT: damaged, the message says what to do; _VERSION: of a newer program;
 * _USAGE; _UNREACHABLE and _AUTH of a server. password may be NULL; it is copied.
 */
bool catalog_open(const char *url, const Secret *password, Catalog **ret_catalog, GError **error);
/* Opens what is there: makes nothing, changes nothing, checks no page. BS_ERROR_NOT_FOUND: there is
 * no such file; BS_ERROR_VERSION: it is of another version. */
bool catalog_open_existing(const char *url, const Secret *password, Catalog **ret_catalog,
                           GError **error);
/* Another connection to the same, which was checked already; a file that is gone is not made anew.
 */
bool catalog_reopen(const Catalog *catalog, Catalog **ret_catalog, GError **error);
void catalog_free(Catalog *catalog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Catalog, catalog_free)

const char *catalog_name(const Catalog *catalog);    /* the file, or the URL without secrets */
const char *catalog_url(const Catalog *catalog);     /* as it was given */
bool catalog_ping(Catalog *catalog, GError **error); /* answers, and is still what was opened */
void catalog_rest(Catalog *catalog);                 /* db_rest(): who waits needs no cache */
unsigned catalog_version(void);                      /* of what this program makes */

#include "state/runs.h"
#include "state/schedules.h"
