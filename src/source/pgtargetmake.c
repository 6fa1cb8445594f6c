/* SPDX-License-Identifier: Apache-2.0 */
/* The database itself: made when it is missing, dropped when it did not become whole. */
#include "base/error.h"
#include "source/pgtargeting.h"
#include <string.h>

static const char *recorded(const PgTarget *target, const char *key)
{
    return json_string_value(json_object_get(target->options->recorded, key));
}

/* *ret_tablespace: the recorded one; NULL: none, or the target has no such, or not for us. Its
 * directories are not ours to make. */
static bool find_tablespace(const PgTarget *target, PgConn *conn, const char **ret_tablespace,
                            GError **error)
{
    const char *name = recorded(target, "tablespace");
    const char *params[] = { name, NULL };
    int64_t n = 0;

    if (name && !pg_query_number(conn,
                                 "SELECT count(*) FROM pg_tablespace WHERE spcname = $1"
                                 " AND has_tablespace_privilege(oid, 'CREATE')",
                                 params, &n, error))
        return false;
    *ret_tablespace = n > 0 ? name : NULL;
    if (name && n == 0)
        pg_target_note(target,
                       "the database %s made in the target's default tablespace, for it has no "
                       "tablespace %s that this user may create in%s",
                       target->options->look_only ? "would be" : "is", name,
                       target->options->look_only ? " (unless --globals makes it first)" : "");
    return true;
}

bool pg_target_look_at_tablespace(const PgTarget *target, PgConn *conn, GError **error)
{
    const char *ignored;

    return find_tablespace(target, conn, &ignored, error);
}

/* With the locale that was recorded, or, with_locale false, the server's own. */
static char *create_statement(const PgTarget *target, PgConn *conn, const char *tablespace,
                              bool with_locale)
{
    g_autofree char *dumped = pg_target_dumped_encoding(target);
    const char *encoding = recorded(target, "encoding") ? recorded(target, "encoding") : dumped;
    g_autofree char *name = pg_quote_name(NULL, pg_url_database(target->url));
    GString *sql = g_string_new(NULL);

    g_string_printf(sql, "CREATE DATABASE %s TEMPLATE template0", name);
    if (encoding) {
        g_autofree char *text = pg_quote_text(encoding);

        g_string_append_printf(sql, " ENCODING %s", text);
    }
    if (with_locale && recorded(target, "collate") && recorded(target, "ctype")) {
        g_autofree char *collate = pg_quote_text(recorded(target, "collate"));
        g_autofree char *ctype = pg_quote_text(recorded(target, "ctype"));

        g_string_append_printf(sql, " LC_COLLATE %s LC_CTYPE %s", collate, ctype);
    }
    if (with_locale && pg_conn_version(conn) >= 150000 && recorded(target, "locale") &&
        g_strcmp0(recorded(target, "locale_provider"), "i") == 0) {
        g_autofree char *locale = pg_quote_text(recorded(target, "locale"));

        g_string_append_printf(sql, " LOCALE_PROVIDER icu ICU_LOCALE %s", locale);
    }
    if (tablespace) {
        g_autofree char *quoted = pg_quote_name(NULL, tablespace);

        g_string_append_printf(sql, " TABLESPACE %s", quoted);
    }
    return g_string_free(sql, FALSE);
}

static bool set_owner(PgTarget *target, PgConn *conn, GError **error)
{
    const char *owner = recorded(target, "owner");
    const char *params[] = { owner, NULL };
    g_autofree char *sql = NULL, *name = NULL, *quoted = NULL;
    int64_t n;

    if (!owner || target->options->no_owner)
        return true;
    if (!pg_query_number(conn, "SELECT count(*) FROM pg_roles WHERE rolname = $1", params, &n,
                         error))
        return false;
    if (n == 0) {
        pg_target_note(target, "the owner of the database, %s, is no role of the target", owner);
        return true;
    }
    name = pg_quote_name(NULL, pg_url_database(target->url));
    quoted = pg_quote_name(NULL, owner);
    sql = g_strdup_printf("ALTER DATABASE %s OWNER TO %s", name, quoted);
    return pg_exec(conn, sql, error);
}

/* The server may lack the locale, for its system names it otherwise. */
bool pg_target_create_database(PgTarget *target, PgConn *conn, GError **error)
{
    g_autofree char *with_locale = NULL, *without = NULL;
    g_autoptr(GError) failure = NULL;
    const char *tablespace;

    if (!find_tablespace(target, conn, &tablespace, error))
        return false;
    with_locale = create_statement(target, conn, tablespace, true);
    without = create_statement(target, conn, tablespace, false);
    if (!pg_exec(conn, with_locale, &failure)) {
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_FAILED) ||
            strcmp(with_locale, without) == 0) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!pg_exec(conn, without, error))
            return false;
        pg_target_note(target, "the database has the server's own locale: %s", failure->message);
    }
    target->made = target->created = true;
    return set_owner(target, conn, error);
}

PgConn *pg_target_connect_beside(const PgTarget *target, const Cancel *cancel, GError **error)
{
    g_autoptr(GError) failure = NULL;
    PgConn *conn = pg_connect(target->url, "postgres", cancel, &failure);

    if (!conn && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return pg_connect(target->url, "template1", cancel, error);
    if (!conn)
        g_propagate_error(error, g_steal_pointer(&failure));
    return conn;
}

void pg_target_drop_database(const PgTarget *target)
{
    g_autoptr(PgConn) conn = pg_target_connect_beside(target, NULL, NULL);
    g_autofree char *name = pg_quote_name(NULL, pg_url_database(target->url));
    g_autofree char *sql = g_strdup_printf("DROP DATABASE %s", name);

    if (!conn || !pg_exec(conn, sql, NULL))
        pg_target_note(target, "database %s was made, but is not complete and could not be dropped",
                       pg_url_database(target->url));
}
