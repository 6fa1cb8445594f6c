/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/postmaster.h"

#include "base/error.h"
#include "lib/tempdir.h"
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* A process that works in dir and does nothing. */
static pid_t worker_in(const char *dir)
{
    int ready[2];
    char byte;
    pid_t pid;

    g_assert_cmpint(pipe(ready), ==, 0);
    pid = fork();
    if (pid == 0) {
        if (chdir(dir) == 0 && write(ready[1], "x", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static pid_t find(const char *dir, const char *content)
{
    g_autoptr(GError) error = NULL;
    pid_t pid = -1;

    tempdir_write(dir, "postmaster.pid", content, strlen(content));
    if (pg_postmaster_find(dir, &pid, &error))
        return pid;
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    return -1;
}

static void a_server_is_a_process_that_works_in_its_directory(void)
{
    char *dir = tempdir_new(), *other = tempdir_new();
    pid_t server = worker_in(dir), elsewhere = worker_in(other);
    g_autofree char *live = g_strdup_printf("%d\n%s\n1700000000\n", server, dir);
    g_autofree char *single = g_strdup_printf("-%d\n%s\n", server, dir);
    g_autofree char *reused = g_strdup_printf("%d\n%s\n", elsewhere, dir);
    g_autofree char *nowhere = g_build_filename(dir, "none", NULL);
    g_autofree char *file = g_build_filename(dir, "postmaster.pid", NULL);
    g_autoptr(GError) error = NULL;
    pid_t pid = -1;

    g_assert_true(pg_postmaster_find(dir, &pid, &error));
    g_assert_cmpint(pid, ==, 0);
    g_assert_cmpint(find(dir, live), ==, server);
    g_assert_cmpint(find(dir, single), ==, server);
    g_assert_cmpint(find(dir, reused), ==, 0);
    g_assert_cmpint(find(dir, "2147483646\n"), ==, 0);
    g_assert_cmpint(find(dir, ""), ==, -1);
    g_assert_cmpint(find(dir, "0\n"), ==, -1);
    g_assert_cmpint(find(dir, "12x\n"), ==, -1);
    g_assert_cmpint(find(dir, "99999999999999999999\n"), ==, -1);
    g_assert_true(pg_postmaster_find(nowhere, &pid, &error));
    g_assert_cmpint(pid, ==, 0);
    g_assert_true(pg_postmaster_find(file, &pid, &error));
    g_assert_cmpint(pid, ==, 0);
    // ended, and not waited for yet
    kill(server, SIGKILL);
    g_assert_cmpint(waitid(P_PID, (id_t)server, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), ==, 0);
    g_assert_cmpint(find(dir, live), ==, 0);
    kill(elsewhere, SIGKILL);
    waitpid(server, NULL, 0);
    waitpid(elsewhere, NULL, 0);
    tempdir_remove(dir);
    tempdir_remove(other);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/postmaster/find", a_server_is_a_process_that_works_in_its_directory);
    return g_test_run();
}
