/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pg_server.h"
#include "lib/shell.h"
#include <string.h>
#include <unistd.h>

GBytes *pg_server_shell(const PgServer *server, const char *command)
{
    char **environment = g_get_environ();

    if (server) {
        environment = g_environ_setenv(environment, "PGHOST", server->directory, TRUE);
        environment = g_environ_setenv(environment, "PGPORT", server->port, TRUE);
        environment = g_environ_setenv(environment, "PGUSER", "postgres", TRUE);
    }
    return shell_run(environment, command);
}

/* A test that aborts leaves no server behind: this waits for the end of the test and cleans up. */
static void watch_over(const PgServer *server)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *script =
        g_strdup_printf("tail --pid=%d -f /dev/null; \"$FIXTURES\"/../../scripts/throwaway-postgres"
                        " stop '%s'",
                        (int)getpid(), server->directory);
    char *argv[] = { "setsid", "bash", "-c", script, NULL };

    g_spawn_async(NULL, argv, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                  NULL, NULL, NULL, &error);
    g_assert_no_error(error);
}

PgServer *pg_server_start(void)
{
    PgServer *server = g_new0(PgServer, 1);
    g_autofree char *command = NULL;
    g_autofree char *printed = NULL;

    server->directory = g_dir_make_tmp("backstay-pg-XXXXXX", NULL);
    g_assert_nonnull(server->directory);
    command = g_strdup_printf("\"$FIXTURES\"/../../scripts/throwaway-postgres start '%s'",
                              server->directory);
    printed = shell_text(pg_server_shell(NULL, command));
    server->port = g_strdup(strstr(printed, "PGPORT=") + strlen("PGPORT="));
    server->port[strcspn(server->port, "\n")] = '\0';
    server->url = pg_server_url(server, "");
    watch_over(server);
    return server;
}

void pg_server_stop(PgServer *server)
{
    g_autofree char *command = g_strdup_printf(
        "\"$FIXTURES\"/../../scripts/throwaway-postgres stop '%s'", server->directory);

    g_bytes_unref(pg_server_shell(NULL, command));
    g_free(server->directory);
    g_free(server->port);
    g_free(server->url);
    g_free(server);
}

char *pg_server_url(const PgServer *server, const char *database)
{
    g_autofree char *host = g_uri_escape_string(server->directory, NULL, FALSE);
    g_autofree char *name = g_uri_escape_string(database, NULL, FALSE);

    return g_strdup_printf("postgresql://postgres@/%s?host=%s&port=%s", name, host, server->port);
}

char *pg_server_tcp_url(const PgServer *server, const char *login, const char *database)
{
    return g_strdup_printf("postgresql://%s@127.0.0.1:%s/%s", login, server->port, database);
}

char *pg_server_sql(const PgServer *server, const char *database, const char *sql)
{
    g_autofree char *quoted_sql = g_shell_quote(sql);
    g_autofree char *quoted_database = g_shell_quote(database);
    g_autofree char *command = g_strdup_printf(
        "printf %%s %s | psql -XqAt -v ON_ERROR_STOP=1 -d %s -f -", quoted_sql, quoted_database);

    return shell_text(pg_server_shell(server, command));
}
