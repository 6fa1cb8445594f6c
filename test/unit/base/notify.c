/* SPDX-License-Identifier: Apache-2.0 */
#include "base/notify.h"

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/tempdir.h"

static int listen_at(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, sizeof address), ==, 0);
    return fd;
}

static void what_is_told_arrives_whole(void)
{
    char *dir = tempdir_new();
    g_autofree char *path = g_build_filename(dir, "notify", NULL);
    int fd = listen_at(path);
    char got[64];
    ssize_t n;

    g_setenv("NOTIFY_SOCKET", path, TRUE);
    notify_send("READY=1\nSTATUS=x");
    n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    g_assert_cmpmem(got, n, "READY=1\nSTATUS=x", 16);
    close(fd);
    notify_send("READY=1"); // nobody listens any more
    g_setenv("NOTIFY_SOCKET", "relative", TRUE);
    notify_send("READY=1");
    g_unsetenv("NOTIFY_SOCKET");
    notify_send("READY=1");
    tempdir_remove(dir);
}

static void the_watchdog_is_ours_or_none(void)
{
    g_autofree char *mine = g_strdup_printf("%d", (int)getpid());
    static const struct {
        const char *usec, *pid;
        int64_t want;
    } cases[] = {
        { NULL, NULL, 0 },      { "30000000", NULL, 15000 }, { "30000000", "mine", 15000 },
        { "30000000", "1", 0 }, { "30000000", "x", 0 },      { "x", NULL, 0 },
        { "0", NULL, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_unsetenv("WATCHDOG_USEC");
        g_unsetenv("WATCHDOG_PID");
        if (cases[i].usec)
            g_setenv("WATCHDOG_USEC", cases[i].usec, TRUE);
        if (cases[i].pid)
            g_setenv("WATCHDOG_PID", strcmp(cases[i].pid, "mine") == 0 ? mine : cases[i].pid, TRUE);
        g_assert_cmpint(notify_watchdog_ms(), ==, cases[i].want);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/notify/what-is-told-arrives-whole", what_is_told_arrives_whole);
    g_test_add_func("/notify/the-watchdog-is-ours-or-none", the_watchdog_is_ours_or_none);
    return g_test_run();
}
