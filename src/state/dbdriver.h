/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of database have to give to state/db.c. A driver's structs begin with these.
 */
#pragma once
#include "state/db.h"
#include <sys/types.h>

typedef struct {
    bool (*begin)(Db *db, const char *lock, GError **error);
    bool (*commit)(Db *db, GError **error);
    void (*rollback)(Db *db);
    bool (*exec)(Db *db, const char *sql, GError **error);
    /* The base of what is returned is filled by the caller. */
    DbQuery *(*prepare)(Db *db, const char *sql, GError **error);
    void (*bind_text)(DbQuery *query, unsigned n, const char *text);
    void (*bind_int)(DbQuery *query, unsigned n, int64_t value);
    bool (*step)(DbQuery *query, bool *ret_row, GError **error);
    int64_t (*changed)(DbQuery *query);
    void (*rest)(Db *db); /* NULL: nothing is kept */
    const char *(*text)(DbQuery *query, unsigned column);
    int64_t (*integer)(DbQuery *query, unsigned column);
    void (*reset)(DbQuery *query); /* ready to be bound anew; holds neither rows nor a lock */
    void (*query_free)(DbQuery *query);
    void (*free)(Db *db); /* all queries are gone by then */
} DbOps;

struct Db {
    const DbOps *ops;
    char *name;
    char *file; /* NULL: none */
    dev_t dev;  /* with ino: the file that was opened under that name */
    ino_t ino;
    GHashTable *queries; /* by their SQL */
};

struct DbQuery {
    Db *db;
    char *sql;
    bool kept; /* owned by db->queries */
    bool used; /* between db_query() and db_query_free() */
};

bool sqlite_open(const char *path, DbFlags flags, DbSetup setup, Db **ret_db, GError **error);
bool postgres_open(const char *url, const Secret *password, Db **ret_db, GError **error);

/* ops and name stand already. */
void db_init(Db *db);
