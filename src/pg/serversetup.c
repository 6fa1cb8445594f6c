/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/serversetup.h"

#include "base/error.h"
#include "pg/conn.h"

#define OLDEST 130000
#define V15    150000

void pg_server_setup_clear(PgServerSetup *setup)
{
    g_clear_pointer(&setup->version_text, g_free);
    g_clear_pointer(&setup->database, g_free);
    g_clear_pointer(&setup->settings, g_hash_table_unref);
    g_clear_pointer(&setup->written, g_hash_table_unref);
    g_clear_pointer(&setup->client, g_free);
}

/* ---- settings ---- */

#define NAMES                                                                                      \
    "('wal_level','archive_mode','archive_command','archive_library','archive_timeout',"           \
    "'max_wal_senders','max_replication_slots','max_slot_wal_keep_size','data_checksums')"

/* *ret_table stays NULL when this role may not ask. */
static bool read_table(PgConn *conn, const char *sql, GHashTable **ret_table, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(PgRows) rows = pg_query(conn, sql, NULL, &failure);
    GHashTable *table;

    if (!rows && g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED))
        return true;
    if (!rows) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (int i = 0; i < pg_rows_count(rows); i++)
        g_hash_table_insert(table, g_strdup(pg_rows_get(rows, i, 0)),
                            g_strdup(pg_rows_get(rows, i, 1)));
    *ret_table = table;
    return true;
}

static bool read_settings(PgConn *conn, PgServerSetup *setup, GError **error)
{
    return read_table(conn, "select name, setting from pg_catalog.pg_settings where name in " NAMES,
                      &setup->settings, error) &&
           // the last line of a name counts
           read_table(conn,
                      "select name, setting from pg_catalog.pg_file_settings where name in " NAMES
                      " order by seqno",
                      &setup->written, error);
}

static bool read_places(PgConn *conn, PgServerSetup *setup, GError **error)
{
    return pg_query_number(conn, "select count(*) from pg_catalog.pg_stat_replication", NULL,
                           &setup->senders_used, error) &&
           pg_query_number(conn, "select count(*) from pg_catalog.pg_replication_slots", NULL,
                           &setup->slots_used, error);
}

/* ---- the role ---- */

#define MAY(function)                                                                              \
    "pg_catalog.has_function_privilege(rolname, 'pg_catalog." function "', 'execute')"

static const char role_query[] =
    "select rolcanlogin, rolreplication, rolsuper,"
    " pg_catalog.pg_has_role(rolname, 'pg_read_all_settings', 'usage')," //
    MAY("pg_ls_waldir()") " and " MAY("pg_ls_archive_statusdir()") ",";

static bool read_role(PgConn *conn, const char *role, PgServerSetup *setup, GError **error)
{
    const char *const params[] = { role, NULL };
    g_autofree char *sql = g_strconcat(
        role_query,
        setup->version >= V15
            ? MAY("pg_backup_start(text, boolean)") " and " MAY("pg_backup_stop(boolean)")
            : MAY("pg_start_backup(text, boolean, boolean)") " and " MAY(
                  "pg_stop_backup(boolean, boolean)"),
        " from pg_catalog.pg_roles where rolname = $1", NULL);
    g_autoptr(PgRows) rows = pg_query(conn, sql, params, error);

    if (!rows)
        return false;
    setup->role_exists = pg_rows_count(rows) == 1;
    if (!setup->role_exists)
        return true;
    setup->role_login = pg_rows_bool(rows, 0, 0);
    setup->role_replication = pg_rows_bool(rows, 0, 1);
    setup->role_superuser = pg_rows_bool(rows, 0, 2);
    setup->role_reads_settings = pg_rows_bool(rows, 0, 3);
    setup->role_watch = pg_rows_bool(rows, 0, 4);
    setup->role_backup = pg_rows_bool(rows, 0, 5);
    return true;
}

/* ---- pg_hba.conf ---- */

/* The first rule that fits decides. Of those that name hosts or groups of roles nobody can tell, so
 * they fit nobody here. */
static const char hba_query[] =
    "select auth_method from pg_catalog.pg_hba_file_rules"
    " where error is null and 'replication' = any(database)"
    " and ('all' = any(user_name) or $1 = any(user_name))"
    " and case when pg_catalog.inet_client_addr() is null then type = 'local'"
    " else type <> 'local' and (address = 'all' or (address ~ '^[0-9a-fA-F.:]+$'"
    " and case when address ~ '^[0-9a-fA-F.:]+$' and netmask is not null"
    " and pg_catalog.family(address::inet) = pg_catalog.family(pg_catalog.inet_client_addr())"
    " then (pg_catalog.inet_client_addr() & netmask::inet) = (address::inet & netmask::inet)"
    " else false end)) end"
    " order by line_number limit 1";

static bool read_hba(PgConn *conn, const char *role, PgServerSetup *setup, GError **error)
{
    const char *const params[] = { role, NULL };
    g_autoptr(GError) failure = NULL;
    g_autoptr(PgRows) rows = pg_query(conn, hba_query, params, &failure);

    if (!rows && !g_error_matches(failure, BS_ERROR, BS_ERROR_DENIED)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!rows)
        setup->hba = PG_HBA_UNKNOWN;
    else if (pg_rows_count(rows) == 0 || g_strcmp0(pg_rows_get(rows, 0, 0), "reject") == 0)
        setup->hba = PG_HBA_MISSING;
    else
        setup->hba = PG_HBA_FITS;
    return true;
}

static bool read_client(PgConn *conn, PgServerSetup *setup, GError **error)
{
    g_autoptr(PgRows) rows =
        pg_query(conn, "select pg_catalog.host(pg_catalog.inet_client_addr())", NULL, error);

    if (!rows)
        return false;
    setup->client = g_strdup(pg_rows_get(rows, 0, 0));
    return true;
}

bool pg_server_setup_read(PgConn *conn, const char *role, PgServerSetup *ret_setup, GError **error)
{
    g_auto(PgServerSetup) setup = { .version = pg_conn_version(conn),
                                    .version_text = g_strdup(pg_conn_version_text(conn)),
                                    .database = g_strdup(pg_conn_database(conn)) };

    if (setup.version < OLDEST) {
        g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                    "the server is PostgreSQL %s; 13 or later is needed", setup.version_text);
        return false;
    }
    if (!read_settings(conn, &setup, error) || !read_places(conn, &setup, error) ||
        !read_role(conn, role, &setup, error) || !read_hba(conn, role, &setup, error) ||
        !read_client(conn, &setup, error))
        return false;
    *ret_setup = setup;
    setup = (PgServerSetup){ 0 };
    return true;
}
