/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/tablespaceuse.h"

#include "lib/tempdir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *top, *data, *space, *other;
} Place;

static Place place_new(void)
{
    Place place = { .top = tempdir_new() };
    g_autofree char *links = g_build_filename(place.top, "data", "pg_tblspc", NULL);
    g_autofree char *link = g_build_filename(links, "16384", NULL);

    place.data = g_build_filename(place.top, "data", NULL);
    place.space = g_build_filename(place.top, "space", NULL);
    place.other = g_build_filename(place.top, "other", NULL);
    g_assert_cmpint(g_mkdir_with_parents(links, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(place.space, 0700), ==, 0);
    g_assert_cmpint(g_mkdir_with_parents(place.other, 0700), ==, 0);
    g_assert_cmpint(symlink(place.space, link), ==, 0);
    return place;
}

static void place_done(Place *place)
{
    tempdir_remove(place->top);
    g_free(place->data);
    g_free(place->space);
    g_free(place->other);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Place, place_done)

static pid_t user_of(const char *dir)
{
    g_autoptr(GError) error = NULL;
    pid_t pid = -1;

    pg_tablespace_find_user(dir, &pid, &error);
    g_assert_no_error(error);
    return pid;
}

/* A process that works in the data directory, as a server does. program: another one than this. */
static pid_t work_in(const char *dir, const char *program)
{
    int ready[2];
    char byte;
    pid_t pid;

    g_assert_cmpint(pipe(ready), ==, 0);
    pid = fork();
    if (pid == 0) {
        // what is executed closes it, and only then works there as what it is
        if (chdir(dir) != 0 || fcntl(ready[1], F_SETFD, FD_CLOEXEC) != 0 || close(ready[0]) != 0)
            _exit(1);
        if (program)
            execlp(program, program, "600", NULL);
        close(ready[1]);
        for (;;)
            pause();
    }
    close(ready[1]);
    g_assert_cmpint(read(ready[0], &byte, 1), ==, 0);
    close(ready[0]);
    return pid;
}

static void finds_who_works_with_it(void)
{
    g_auto(Place) place = place_new();
    g_autofree char *absent = g_build_filename(place.top, "absent", NULL);
    pid_t pid;

    g_assert_cmpint(user_of(place.space), ==, 0);
    pid = work_in(place.data, "sleep");
    g_assert_cmpint(user_of(place.space), ==, pid);
    g_assert_cmpint(user_of(place.other), ==, 0);
    g_assert_cmpint(user_of(absent), ==, 0);
    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
    g_assert_cmpint(user_of(place.space), ==, 0);
}

static void what_we_fetch_ahead_is_no_server(void)
{
    g_auto(Place) place = place_new();
    pid_t pid = work_in(place.data, NULL);

    g_assert_cmpint(user_of(place.space), ==, 0);
    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pg/tablespaceuse/finds", finds_who_works_with_it);
    g_test_add_func("/pg/tablespaceuse/ours", what_we_fetch_ahead_is_no_server);
    return g_test_run();
}
