/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/redis_server.h"

#include "lib/shell.h"
#include "lib/tempdir.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* Below the ports that the kernel gives to clients: nobody gets it between our look and the start,
 * nor while the server is away. */
static unsigned free_port(void)
{
    for (;;) {
        guint16 port = (guint16)g_random_int_range(10000, 32000);
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr = { htonl(INADDR_LOOPBACK) },
                                       .sin_port = htons(port) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

        g_assert_cmpint(close(fd), ==, 0);
        if (is_free)
            return port;
    }
}

static void die_with_parent(G_GNUC_UNUSED gpointer user)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static bool answers(const RedisServer *server)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    g_assert_cmpuint(strlen(server->socket), <, sizeof address.sun_path);
    strcpy(address.sun_path, server->socket);
    ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    (void)close(fd);
    return ok;
}

static void put_port(const RedisServer *server, GString *text)
{
    char number[16];

    g_snprintf(number, sizeof number, "%u", server->port);
    g_string_replace(text, "%u", number, 0);
}

/* False: it has ended instead. */
static bool launch(RedisServer *server, const char *configuration)
{
    g_autofree char *file = g_build_filename(server->directory, "redis.conf", NULL);
    g_autoptr(GString) text = g_string_new("bind 127.0.0.1\nport 0\nsave \"\"\n");
    g_autoptr(GError) error = NULL;
    char *argv[] = { "redis-server", file, NULL };

    g_string_append_printf(text, "dir %s\nunixsocket %s\nlogfile %s/log\n%s\n", server->directory,
                           server->socket, server->directory, configuration ? configuration : "");
    put_port(server, text);
    tempdir_write(server->directory, "redis.conf", text->str, text->len);
    (void)unlink(server->socket);
    g_spawn_async(NULL, argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                  die_with_parent, NULL, &server->pid, &error);
    g_assert_no_error(error);
    for (unsigned i = 0; !answers(server); i++) {
        g_assert_cmpuint(i, <, 6000);
        if (waitpid(server->pid, NULL, WNOHANG) != 0)
            return false;
        g_usleep(10 * 1000);
    }
    return true;
}

void redis_server_again(RedisServer *server, const char *configuration)
{
    g_assert_true(launch(server, configuration));
}

RedisServer *redis_server_start(const char *configuration)
{
    RedisServer *server = g_new0(RedisServer, 1);

    server->directory = tempdir_new();
    server->socket = g_build_filename(server->directory, "redis.sock", NULL);
    server->url = g_strconcat("redis://", server->socket, NULL);
    // another test may look for a port just now
    for (unsigned tries = 0; tries < 5; tries++) {
        server->port = free_port();
        if (launch(server, configuration))
            return server;
    }
    g_error("redis-server does not start in %s", server->directory);
}

void redis_server_kill(RedisServer *server)
{
    (void)kill(server->pid, SIGKILL);
    g_assert_cmpint(waitpid(server->pid, NULL, 0), ==, server->pid);
    server->pid = 0;
}

void redis_server_stop(RedisServer *server)
{
    if (server->pid)
        redis_server_kill(server);
    tempdir_remove(server->directory);
    g_free(server->socket);
    g_free(server->url);
    g_free(server);
}

char *redis_server_cli(const RedisServer *server, const char *arguments)
{
    g_autofree char *command =
        g_strdup_printf("redis-cli --no-auth-warning -s '%s' %s", server->socket, arguments);

    return shell_text(shell_run(NULL, command));
}
