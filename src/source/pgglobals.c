/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgglobals.h"
#include "base/child.h"
#include "base/error.h"
#include "pg/conn.h"
#include "pg/passfile.h"
#include "pg/tools.h"

/* "psql:<stdin>:12: ERROR:  role "x" already exists" */
static unsigned note_errors(const char *output, void (*tell)(const char *text, void *user),
                            void *user)
{
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    unsigned failed = 0;

    for (char **line = lines; *line; line++) {
        if (!g_str_has_prefix(*line, "psql:"))
            continue;
        failed++;
        if (tell)
            tell(*line, user);
    }
    return failed;
}

bool pg_restore_globals(const char *url, const void *sql, size_t len,
                        void (*tell)(const char *text, void *user), void *user,
                        const Cancel *cancel, unsigned *ret_failed, GError **error)
{
    g_autoptr(PgUrl) parsed = pg_url_parse(url, error);
    g_autoptr(PgConn) conn = parsed ? pg_connect_server(parsed, cancel, error) : NULL;
    g_autoptr(PgUrl) server = conn ? pg_url_with_database(parsed, pg_conn_database(conn)) : NULL;
    g_autoptr(PgTool) tool = conn ? pg_tool_find("psql", pg_conn_version(conn), error) : NULL;
    g_autoptr(PgAccess) access = tool ? pg_access_new(server, error) : NULL;
    g_autofree char *dbname = NULL;
    g_autoptr(Child) child = NULL;
    bool deaf;

    if (!access)
        return false;
    dbname = g_strdup_printf("--dbname=%s", pg_access_conninfo(access));
    const char *argv[] = {
        tool->path, "--no-psqlrc", "--quiet", "--no-password", "--set=VERBOSITY=terse",
        dbname,     "--file=-",    NULL
    };

    child = child_spawn(argv, pg_access_environ(access), CHILD_STDIN_PIPE, error);
    if (!child || !child_write(child, cancel, sql, len, &deaf, error) ||
        !child_wait(child, cancel, NULL, error))
        return false;
    if (deaf) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED, "psql did not read all of it");
        return false;
    }
    *ret_failed = note_errors(child_stderr(child), tell, user);
    return true;
}
