/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgmoment.h"

#include "pg/conn.h"
#include <string.h>

typedef struct {
    char *database, *snapshot;
    PgConn *conn;
} Held;

struct PgMoment {
    GPtrArray *held; /* of Held */
};

static void held_free(void *item)
{
    Held *held = item;

    pg_conn_free(held->conn);
    g_free(held->database);
    g_free(held->snapshot);
    g_free(held);
}

void pg_moment_free(PgMoment *moment)
{
    if (!moment)
        return;
    g_ptr_array_unref(moment->held);
    g_free(moment);
}

/* The transaction has no snapshot before its first question. */
static bool add(PgMoment *moment, const PgUrl *url, const char *database, const Cancel *cancel,
                GError **error)
{
    Held *held = g_new0(Held, 1);

    g_ptr_array_add(moment->held, held);
    held->database = g_strdup(database);
    held->conn = pg_connect(url, database, cancel, error);
    if (held->conn &&
        pg_exec(held->conn, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", error))
        return true;
    g_prefix_error(error, "database %s: ", database);
    return false;
}

static GStrv list(const PgUrl *url, GHashTable *excluded, const Cancel *cancel, GError **error)
{
    g_autoptr(PgConn) conn = pg_connect_server(url, cancel, error);
    g_autoptr(PgRows) rows =
        conn ? pg_query(conn,
                        "SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn"
                        " AND datconnlimit <> -2 ORDER BY 1",
                        NULL, error)
             : NULL;
    g_autoptr(GStrvBuilder) names = g_strv_builder_new();

    for (int i = 0; rows && i < pg_rows_count(rows); i++)
        if (!g_hash_table_contains(excluded, pg_rows_get(rows, i, 0)))
            g_strv_builder_add(names, pg_rows_get(rows, i, 0));
    return rows ? g_strv_builder_end(names) : NULL;
}

PgMoment *pg_moment_new(const PgUrl *url, char *const *databases, GHashTable *excluded,
                        const Cancel *cancel, GError **error)
{
    g_autoptr(PgMoment) moment = g_new0(PgMoment, 1);
    g_auto(GStrv) names = NULL;

    moment->held = g_ptr_array_new_with_free_func(held_free);
    names = databases ? g_strdupv((char **)databases) : list(url, excluded, cancel, error);
    if (!names)
        return NULL;
    for (char **name = names; *name; name++)
        if (!add(moment, url, *name, cancel, error))
            return NULL;
    return g_steal_pointer(&moment);
}

bool pg_moment_open(PgMoment *moment, GError **error)
{
    for (guint i = 0; i < moment->held->len; i++) {
        Held *held = moment->held->pdata[i];
        g_autoptr(PgRows) rows =
            pg_query(held->conn, "SELECT pg_catalog.pg_export_snapshot()", NULL, error);

        if (!rows) {
            g_prefix_error(error, "database %s: ", held->database);
            return false;
        }
        held->snapshot = g_strdup(pg_rows_get(rows, 0, 0));
    }
    return true;
}

const char *pg_moment_snapshot(const PgMoment *moment, const char *database)
{
    for (guint i = 0; i < moment->held->len; i++) {
        const Held *held = moment->held->pdata[i];

        if (strcmp(held->database, database) == 0)
            return held->snapshot;
    }
    return NULL;
}
