/* SPDX-License-Identifier: Apache-2.0 */
#include "base/detach.h"

#include "lib/tempdir.h"
#include <errno.h>
#include <poll.h>

typedef struct {
    const char *dir;
    int open; /* a descriptor that must not be there any more */
} Job;

/* The process that was forked tells what it is. */
static void work(void *user)
{
    const Job *job = user;
    int flags = fcntl(job->open, F_GETFD);
    g_autofree char *text = g_strdup_printf("%d %d %d", getsid(0) == getpid(), flags, errno);

    tempdir_write(job->dir, "told", text, strlen(text));
}

static bool wait_for(const char *path)
{
    for (unsigned i = 0; i < 6000; i++) {
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return true;
        (void)poll(NULL, 0, 10);
    }
    return false;
}

static void it_works_in_a_session_of_its_own_once_it_may(void)
{
    char *dir = tempdir_new();
    int kept = open("/dev/null", O_RDONLY);
    Job job = { .dir = dir, .open = dup2(kept, 100) };
    g_autofree char *path = g_build_filename(dir, "told", NULL);
    g_autofree char *want = g_strdup_printf("0 -1 %d", EBADF);
    g_autofree char *told = NULL;
    int go = -1;

    g_assert_true(detach_fork(work, &job, &go));
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    detach_go(&go);
    g_assert_cmpint(go, ==, -1);
    g_assert_true(wait_for(path));
    g_assert_true(g_file_get_contents(path, &told, NULL, NULL));
    g_assert_cmpstr(told, ==, want);
    close(100);
    close(kept);
    tempdir_remove(dir);
}

static void it_ends_when_nobody_lets_it_go(void)
{
    char *dir = tempdir_new();
    Job job = { .dir = dir, .open = 100 };
    int alive[2], go = -1;
    char byte;

    // its end of the pipe is closed as soon as it has left everything behind, or has ended
    g_assert_cmpint(pipe(alive), ==, 0);
    g_assert_true(detach_fork(work, &job, &go));
    close(alive[1]);
    close(go);
    g_assert_cmpint(read(alive[0], &byte, 1), ==, 0);
    close(alive[0]);
    (void)poll(NULL, 0, 100);
    g_assert_cmpuint(tempdir_n_files(dir), ==, 0);
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/detach/works", it_works_in_a_session_of_its_own_once_it_may);
    g_test_add_func("/detach/ends", it_ends_when_nobody_lets_it_go);
    return g_test_run();
}
