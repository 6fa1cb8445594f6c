/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/s3_server.h"
#include "lib/shell.h"
#include <string.h>
#include <unistd.h>

#define TOOL "\"$FIXTURES\"/../../scripts/throwaway-s3"

/* The value that a line "NAME=value" gives it. */
static char *setting(char *const *lines, const char *name)
{
    for (; *lines; lines++) {
        if (g_str_has_prefix(*lines, name) && (*lines)[strlen(name)] == '=')
            return g_strdup(*lines + strlen(name) + 1);
    }
    g_error("throwaway-s3 printed no %s", name);
}

static GStrv printed_by(const char *command)
{
    g_autofree char *text = shell_text(shell_run(g_get_environ(), command));

    return g_strsplit(text, "\n", -1);
}

S3Server *s3_server_start(void)
{
    S3Server *server = g_new0(S3Server, 1);
    g_autofree char *command = NULL;
    g_auto(GStrv) printed = NULL;

    server->directory = g_dir_make_tmp("backstay-s3-XXXXXX", NULL);
    g_assert_nonnull(server->directory);
    command = g_strdup_printf(TOOL " start '%s' --until %d", server->directory, (int)getpid());
    printed = printed_by(command);
    server->endpoint = setting(printed, "S3_ENDPOINT");
    server->tls_endpoint = setting(printed, "S3_TLS_ENDPOINT");
    server->ca = setting(printed, "S3_CA");
    server->region = setting(printed, "S3_REGION");
    server->user.access_key = setting(printed, "S3_ACCESS_KEY");
    server->user.secret_key = setting(printed, "S3_SECRET_KEY");
    return server;
}

void s3_server_stop(S3Server *server)
{
    g_autofree char *command = g_strdup_printf(TOOL " stop '%s'", server->directory);

    g_bytes_unref(shell_run(g_get_environ(), command));
    g_free(server->directory);
    g_free(server->endpoint);
    g_free(server->tls_endpoint);
    g_free(server->ca);
    g_free(server->region);
    g_free(server->user.access_key);
    g_free(server->user.secret_key);
    g_free(server);
}

S3User *s3_server_user(const S3Server *server, const char *name)
{
    S3User *user = g_new0(S3User, 1);
    g_autofree char *command = g_strdup_printf(TOOL " user '%s' '%s'", server->directory, name);
    g_auto(GStrv) printed = printed_by(command);

    user->access_key = setting(printed, "S3_ACCESS_KEY");
    user->secret_key = setting(printed, "S3_SECRET_KEY");
    return user;
}

void s3_user_free(S3User *user)
{
    g_free(user->access_key);
    g_free(user->secret_key);
    g_free(user);
}

GBytes *s3_server_shell(const S3Server *server, const char *command)
{
    g_autofree char *script = g_strdup_printf(
        "s3() { /usr/bin/python3 \"$FIXTURES\"/../lib/s3.py \"$@\"; }\n%s", command);
    const char *const settings[][2] = {
        { "S3_ENDPOINT", server->endpoint },
        { "S3_TLS_ENDPOINT", server->tls_endpoint },
        { "S3_CA", server->ca },
        { "S3_REGION", server->region },
        { "S3_ACCESS_KEY", server->user.access_key },
        { "S3_SECRET_KEY", server->user.secret_key },
    };
    char **environment = g_get_environ();

    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++)
        environment = g_environ_setenv(environment, settings[i][0], settings[i][1], TRUE);
    return shell_run(environment, script);
}
