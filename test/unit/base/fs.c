/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/error.h"

#define SKIPPED 77 /* exit status of a forked test that cannot be done here */

/* ---- a directory for each test ---- */

typedef struct {
    char *dir;
    char *path; /* dir/file */
} Place;

static void place_set_up(Place *place, gconstpointer data)
{
    (void)data;
    place->dir = g_dir_make_tmp("fs-XXXXXX", NULL);
    g_assert_nonnull(place->dir);
    place->path = g_build_filename(place->dir, "file", NULL);
}

static void place_tear_down(Place *place, gconstpointer data)
{
    const char *const remove[] = { "rm", "-rf", place->dir, NULL };
    g_autoptr(Child) child = child_spawn(remove, NULL, 0, NULL);

    (void)data;
    g_assert_true(child_wait(child, NULL, NULL, NULL));
    g_free(place->path);
    g_free(place->dir);
}

static void assert_holds(const char *path, const char *want)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, want);
}

static unsigned count_names(const char *dir)
{
    g_autoptr(GDir) opened = g_dir_open(dir, 0, NULL);
    unsigned n = 0;

    while (g_dir_read_name(opened))
        n++;
    return n;
}

static bool write_text(const char *path, const char *text, FsWrite how, GError **error)
{
    return fs_write_durable(path, text, strlen(text), 0640, how, error);
}

/* Runs test in a process of its own, where it may spoil limits, mounts and system calls. */
static void run_apart(void (*test)(Place *place, gconstpointer data), Place *place,
                      gconstpointer data)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        test(place, data);
        _exit(0);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED)
        g_test_fail_printf("not allowed here: it needs root, and a mount namespace of its own");
    else
        g_assert_cmpint(status, ==, 0);
}

/* ---- reading and writing ---- */

static void *write_in_pieces(void *fd)
{
    for (int i = 0; i < 5; i++) {
        (void)!write(GPOINTER_TO_INT(fd), "0123456789" + 2 * i, 2);
        (void)usleep(2000);
    }
    (void)close(GPOINTER_TO_INT(fd));
    return NULL;
}

static void a_read_is_full_or_at_the_end(Place *place, gconstpointer data)
{
    char buf[8] = { 0 };
    size_t len = 0;
    int fds[2];
    pthread_t thread;

    (void)place, (void)data;
    g_assert_cmpint(pipe(fds), ==, 0);
    g_assert_cmpint(pthread_create(&thread, NULL, write_in_pieces, GINT_TO_POINTER(fds[1])), ==, 0);
    g_assert_true(fs_read_full(fds[0], buf, 7, &len, "pipe", NULL));
    g_assert_cmpmem(buf, len, "0123456", 7);
    g_assert_true(fs_read_full(fds[0], buf, 7, &len, "pipe", NULL));
    g_assert_cmpmem(buf, len, "789", 3);
    g_assert_true(fs_read_full(fds[0], buf, 7, &len, "pipe", NULL));
    g_assert_cmpuint(len, ==, 0);
    pthread_join(thread, NULL);
    (void)close(fds[0]);
}

static void offsets_are_absolute_and_bounded(Place *place, gconstpointer data)
{
    fs_autoclose int fd = open(place->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char buf[8];
    size_t len;

    (void)data;
    g_assert_true(fs_pwrite_all(fd, "abc", 3, 5, "file", NULL));
    g_assert_true(fs_pread_full(fd, buf, 8, 4, &len, "file", NULL));
    g_assert_cmpmem(buf, len, "\0abc", 4);
    g_assert_true(fs_write_all(fd, "x", 1, "file", NULL)); // the position has not moved
    g_assert_true(fs_pread_full(fd, buf, 1, 0, &len, "file", NULL));
    g_assert_cmpint(buf[0], ==, 'x');
    for (int i = 0; i < 3; i++) {
        const uint64_t offset = (uint64_t[]){ UINT64_MAX, 1ULL << 63, INT64_MAX }[i];
        g_autoptr(GError) error = NULL;

        g_assert_false(fs_pwrite_all(fd, "abc", 3, offset, "file", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
        g_assert_false(fs_pread_full(fd, buf, 3, offset, &len, "file", NULL));
    }
}

static void a_full_device_is_no_space(Place *place, gconstpointer data)
{
    fs_autoclose int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;

    (void)place, (void)data;
    g_assert_false(fs_write_all(fd, "abc", 3, "/dev/full", &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
    g_assert_nonnull(strstr(error->message, "/dev/full"));
}

static void a_file_is_read_whole_up_to_its_bound(Place *place, gconstpointer data)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 100000 };

    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *text = g_strnfill(sizes[i], 'x');
        g_autoptr(GBytes) bytes = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_true(g_file_set_contents(place->path, text, (gssize)sizes[i], NULL));
        g_assert_true(fs_read_file(place->path, sizes[i], &bytes, &error));
        g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), text, sizes[i]);
        if (sizes[i] == 0)
            continue;
        g_clear_pointer(&bytes, g_bytes_unref);
        g_assert_false(fs_read_file(place->path, sizes[i] - 1, &bytes, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_null(bytes);
    }
}

static void *write_much(void *fd)
{
    g_autofree char *text = g_strnfill(50000, 'x');

    g_assert_true(fs_write_all(GPOINTER_TO_INT(fd), text, 50000, "pipe", NULL));
    (void)close(GPOINTER_TO_INT(fd));
    return NULL;
}

static void a_file_without_a_size_is_read_too(Place *place, gconstpointer data)
{
    g_autoptr(GBytes) proc = NULL, piped = NULL;
    g_autofree char *path = NULL;
    int fds[2];
    pthread_t thread;

    (void)place, (void)data;
    g_assert_true(fs_read_file("/proc/self/stat", 100000, &proc, NULL));
    g_assert_cmpuint(g_bytes_get_size(proc), >, 10);

    g_assert_cmpint(pipe(fds), ==, 0);
    path = g_strdup_printf("/dev/fd/%d", fds[0]);
    g_assert_cmpint(pthread_create(&thread, NULL, write_much, GINT_TO_POINTER(fds[1])), ==, 0);
    g_assert_true(fs_read_file(path, 50000, &piped, NULL));
    g_assert_cmpuint(g_bytes_get_size(piped), ==, 50000);
    pthread_join(thread, NULL);
    (void)close(fds[0]);
}

static void what_cannot_be_read_is_named(Place *place, gconstpointer data)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;

    (void)data;
    g_assert_false(fs_read_file(place->path, 10, &bytes, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, place->path));
    g_assert_false(fs_read_file(place->dir, 10, &bytes, NULL));
}

/* ---- durable writes ---- */

static void a_durable_write_has_content_and_mode(Place *place, gconstpointer data)
{
    mode_t umask_before = umask(0077);
    struct stat st;

    (void)data;
    g_assert_true(write_text(place->path, "one", FS_IF_ABSENT, NULL));
    g_assert_true(write_text(place->path, "two", FS_REPLACE, NULL));
    (void)umask(umask_before);
    assert_holds(place->path, "two");
    g_assert_true(write_text(place->path, "three", FS_UNSYNCED, NULL));
    assert_holds(place->path, "three");
    g_assert_cmpint(stat(place->path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0640);
    g_assert_cmpuint(count_names(place->dir), ==, 1);
}

static void what_exists_stays_as_it_is(Place *place, gconstpointer data)
{
    g_autofree char *link = g_build_filename(place->dir, "link", NULL);
    g_autoptr(GError) error = NULL;

    (void)data;
    g_assert_true(write_text(place->path, "old", FS_IF_ABSENT, NULL));
    g_assert_false(write_text(place->path, "new", FS_IF_ABSENT, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    assert_holds(place->path, "old");

    g_clear_error(&error);
    g_assert_cmpint(symlink("nowhere", link), ==, 0); // a link to nothing is something
    g_assert_false(write_text(link, "new", FS_IF_ABSENT, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    g_assert_cmpuint(count_names(place->dir), ==, 2);
}

static void a_link_is_replaced_and_not_followed(Place *place, gconstpointer data)
{
    g_autofree char *link = g_build_filename(place->dir, "link", NULL);

    (void)data;
    g_assert_true(write_text(place->path, "old", FS_IF_ABSENT, NULL));
    g_assert_cmpint(symlink("file", link), ==, 0);
    g_assert_true(write_text(link, "new", FS_REPLACE, NULL));
    assert_holds(place->path, "old");
    assert_holds(link, "new");
    g_assert_false(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
}

static void without_its_directory_nothing_is_written(Place *place, gconstpointer data)
{
    g_autofree char *path = g_build_filename(place->dir, "none", "file", NULL);
    g_autoptr(GError) error = NULL;

    (void)data;
    g_assert_false(write_text(path, "new", FS_REPLACE, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

/* A failed write leaves what was there, and nothing else. */
static void assert_write_fails(Place *place, FsWrite how, size_t len, int code)
{
    g_autofree char *large = g_strnfill(len, 'x');
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(place->path, "old", -1, NULL));
    g_assert_false(fs_write_durable(place->path, large, len, 0600, how, &error));
    g_assert_error(error, BS_ERROR, code);
    assert_holds(place->path, "old");
    g_assert_cmpuint(count_names(place->dir), ==, 1);
}

static void with_a_file_size_limit(Place *place, gconstpointer data)
{
    const struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };

    (void)data;
    (void)signal(SIGXFSZ, SIG_IGN);
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
    assert_write_fails(place, FS_REPLACE, 1 << 20, BS_ERROR_NO_SPACE);
}

static void with_a_full_disk(Place *place, gconstpointer data)
{
    (void)data;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("full", place->dir, "tmpfs", 0, "size=64k") != 0)
        _exit(SKIPPED);
    assert_write_fails(place, FS_REPLACE, 1 << 20, BS_ERROR_NO_SPACE);
    g_assert_true(write_text(place->path, "new", FS_REPLACE, NULL)); // the space is free again
}

static void no_space_leaves_the_old_file_and_no_other(Place *place, gconstpointer data)
{
    run_apart(with_a_file_size_limit, place, data);
    run_apart(with_a_full_disk, place, data);
}

/* From now on this system call fails in this process; seccomp(2). */
static void break_call(unsigned call, unsigned errnum)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { .len = G_N_ELEMENTS(code), .filter = code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(SKIPPED);
}

typedef struct {
    const char *label;
    unsigned call;
    unsigned errnum;
    FsWrite how;
    int code;
} Fault;

static const Fault faults[] = {
    { "fsync finds a bad disk", SYS_fsync, EIO, FS_REPLACE, BS_ERROR_FAILED },
    { "fsync finds the quota used up", SYS_fsync, EDQUOT, FS_REPLACE, BS_ERROR_NO_SPACE },
    { "fchmod is not allowed", SYS_fchmod, EPERM, FS_REPLACE, BS_ERROR_DENIED },
    { "rename is not allowed", SYS_renameat, EACCES, FS_REPLACE, BS_ERROR_DENIED },
    { "rename finds a bad disk", SYS_renameat2, EIO, FS_IF_ABSENT, BS_ERROR_FAILED },
    { "close tells of a lost write", SYS_close, EIO, FS_REPLACE, BS_ERROR_FAILED },
    { "there is only link, and the file", SYS_renameat2, EINVAL, FS_IF_ABSENT, BS_ERROR_EXISTS },
};

static void with_a_fault(Place *place, gconstpointer data)
{
    const Fault *fault = data;
    g_autoptr(GError) error = NULL;

    g_assert_true(g_file_set_contents(place->path, "old", -1, NULL));
    break_call(fault->call, fault->errnum);
    g_assert_false(write_text(place->path, "new", fault->how, &error));
    g_assert_error(error, BS_ERROR, fault->code);
    assert_holds(place->path, "old");
    g_assert_cmpuint(count_names(place->dir), ==, 1);
}

static void each_step_that_fails_leaves_the_old_file_and_no_other(Place *place, gconstpointer data)
{
    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
        g_test_message("%s", faults[i].label);
        run_apart(with_a_fault, place, &faults[i]);
    }
}

static void with_links_only(Place *place, gconstpointer data)
{
    (void)data;
    break_call(SYS_renameat2, EINVAL);
    g_assert_true(write_text(place->path, "new", FS_IF_ABSENT, NULL));
    assert_holds(place->path, "new");
    g_assert_cmpuint(count_names(place->dir), ==, 1);
}

static void with_neither_rename_nor_link(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;

    (void)data;
    g_assert_cmpint(unlink(place->path), ==, 0);
    break_call(SYS_renameat2, EINVAL);
    break_call(SYS_linkat, EPERM);
    g_assert_false(write_text(place->path, "new", FS_IF_ABSENT, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    g_assert_cmpuint(count_names(place->dir), ==, 0);
}

static void a_file_system_without_noreplace_has_links(Place *place, gconstpointer data)
{
    run_apart(with_links_only, place, data);
    if (count_names(place->dir) == 1)
        run_apart(with_neither_rename_nor_link, place, data);
}

#define RACERS 4

typedef struct {
    const char *path;
    pthread_barrier_t *start;
    char text[2];
    bool won;
} Racer;

static void *race(void *data)
{
    Racer *racer = data;
    g_autoptr(GError) error = NULL;

    pthread_barrier_wait(racer->start);
    racer->won = write_text(racer->path, racer->text, FS_IF_ABSENT, &error);
    if (!racer->won)
        g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    return NULL;
}

static void of_several_writers_exactly_one_wins(Place *place, gconstpointer data)
{
    (void)data;
    for (int round = 0; round < 50; round++) {
        Racer racers[RACERS];
        pthread_t threads[RACERS];
        pthread_barrier_t start;
        int winner = -1;

        pthread_barrier_init(&start, NULL, RACERS);
        for (int i = 0; i < RACERS; i++) {
            racers[i] =
                (Racer){ .path = place->path, .start = &start, .text = { (char)('a' + i) } };
            g_assert_cmpint(pthread_create(&threads[i], NULL, race, &racers[i]), ==, 0);
        }
        for (int i = 0; i < RACERS; i++) {
            pthread_join(threads[i], NULL);
            g_assert_false(racers[i].won && winner >= 0);
            if (racers[i].won)
                winner = i;
        }
        pthread_barrier_destroy(&start);
        g_assert_cmpint(winner, >=, 0);
        assert_holds(place->path, racers[winner].text);
        g_assert_cmpuint(count_names(place->dir), ==, 1);
        g_assert_cmpint(unlink(place->path), ==, 0);
    }
}

/* ---- directories ---- */

static void directories_are_made_as_needed(Place *place, gconstpointer data)
{
    g_autofree char *deep = g_build_filename(place->dir, "a", "b", "c", NULL);
    g_autofree char *below_file = g_build_filename(place->path, "x", NULL);
    struct stat st;

    (void)data;
    g_assert_cmpint(chmod(place->dir, 0750), ==, 0);
    g_assert_true(fs_make_dirs(deep, 0700, NULL));
    g_assert_true(fs_make_dirs(deep, 0755, NULL));
    g_assert_cmpint(stat(deep, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0700);
    g_assert_cmpint(stat(place->dir, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0750);

    g_assert_true(g_file_set_contents(place->path, "", 0, NULL));
    g_assert_false(fs_make_dirs(place->path, 0700, NULL));
    g_assert_false(fs_make_dirs(below_file, 0700, NULL));
    g_assert_true(fs_sync_dir(deep, NULL));
    g_assert_false(fs_sync_dir(place->path, NULL));
}

/* dir/in (directory) dir/in/file "inside", dir/file "outside", and links in dir/in that lead
 * everywhere */
static int open_inside(Place *place)
{
    g_autofree char *in = g_build_filename(place->dir, "in", NULL);
    int fd;

    g_assert_cmpint(mkdir(in, 0700), ==, 0);
    fd = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(g_file_set_contents(place->path, "outside", -1, NULL));
    g_assert_cmpint(mkdirat(fd, "sub", 0700), ==, 0);
    g_assert_cmpint(symlinkat("../file", fd, "out"), ==, 0);
    g_assert_cmpint(symlinkat("..", fd, "up"), ==, 0);
    g_assert_cmpint(symlinkat("/", fd, "root"), ==, 0);
    g_assert_cmpint(symlinkat("sub", fd, "home"), ==, 0);
    return fd;
}

static void what_is_empty_holds_nothing_of_anybody(Place *place, gconstpointer data)
{
    static const struct {
        const char *make;
        bool empty;
    } steps[] = { { "", true }, { "lost+found", true }, { ".hidden", false } };
    g_autofree char *dir = g_build_filename(place->dir, "empty", NULL);
    g_autofree char *file = g_build_filename(place->dir, "file", NULL);
    g_autoptr(GError) error = NULL;
    bool empty = false;

    (void)data;
    g_assert_true(fs_dir_is_empty(dir, &empty, &error));
    g_assert_true(empty); // it is not there
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *path = g_build_filename(dir, steps[i].make, NULL);

        g_assert_cmpint(g_mkdir_with_parents(path, 0700), ==, 0);
        g_assert_true(fs_dir_is_empty(dir, &empty, &error));
        g_assert_no_error(error);
        g_assert_true(empty == steps[i].empty);
    }
    g_assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_assert_false(fs_dir_is_empty(file, &empty, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
}

static void no_path_leads_outside(Place *place, gconstpointer data)
{
    static const struct {
        const char *path;
        int code;
    } cases[] = {
        { "../file", BS_ERROR_DENIED },
        { "..", BS_ERROR_DENIED },
        { "sub/../../file", BS_ERROR_DENIED },
        { "/etc/passwd", BS_ERROR_DENIED },
        { "/", BS_ERROR_DENIED },
        { "out", BS_ERROR_DENIED },
        { "up/file", BS_ERROR_DENIED },
        { "root/etc/passwd", BS_ERROR_DENIED },
        { "home/new", BS_ERROR_DENIED },
        { "none/new", BS_ERROR_NOT_FOUND },
        { "", BS_ERROR_NOT_FOUND },
    };
    fs_autoclose int dirfd = open_inside(place);

    (void)data;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        static const int flags[] = { O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_PATH };

        for (size_t k = 0; k < G_N_ELEMENTS(flags); k++) {
            g_autoptr(GError) error = NULL;

            g_test_message("\"%s\" with flags %#o", cases[i].path, flags[k]);
            g_assert_cmpint(fs_open_beneath(dirfd, cases[i].path, flags[k], 0600, &error), ==, -1);
            g_assert_true(error->code == cases[i].code ||
                          (flags[k] & O_CREAT && error->code == BS_ERROR_FAILED)); // EISDIR first
        }
    }
    assert_holds(place->path, "outside");
}

static void a_path_beneath_is_opened(Place *place, gconstpointer data)
{
    fs_autoclose int dirfd = open_inside(place);
    fs_autoclose int made =
        fs_open_beneath(dirfd, "sub/new", O_WRONLY | O_CREAT | O_EXCL, 0600, NULL);
    fs_autoclose int found = fs_open_beneath(dirfd, "sub/../sub/new", O_RDONLY, 0777, NULL);
    fs_autoclose int again = -1;
    g_autoptr(GError) error = NULL;
    struct stat st;

    (void)data;
    g_assert_cmpint(made, >=, 0);
    g_assert_cmpint(found, >=, 0);
    g_assert_cmpint(fcntl(made, F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    g_assert_cmpint(fstat(made, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    again = fs_open_beneath(dirfd, "sub/new", O_WRONLY | O_CREAT | O_EXCL, 0600, &error);
    g_assert_cmpint(again, ==, -1);
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
}

typedef struct {
    int dirfd;
    atomic_bool stop;
} Flipper;

static void *flip(void *data)
{
    Flipper *flipper = data;

    while (!atomic_load(&flipper->stop)) {
        g_assert_cmpint(renameat2(flipper->dirfd, "sub", flipper->dirfd, "up", RENAME_EXCHANGE), ==,
                        0);
    }
    return NULL;
}

static void a_link_that_appears_meanwhile_is_not_followed(Place *place, gconstpointer data)
{
    fs_autoclose int dirfd = open_inside(place);
    fs_autoclose int made = fs_open_beneath(dirfd, "sub/file", O_WRONLY | O_CREAT, 0600, NULL);
    Flipper flipper = { .dirfd = dirfd };
    const gint64 until_us = g_get_monotonic_time() + 120 * G_USEC_PER_SEC;
    struct stat inside;
    pthread_t thread;
    unsigned opened = 0;

    (void)data;
    g_assert_cmpint(fstat(made, &inside), ==, 0);
    g_assert_cmpint(pthread_create(&thread, NULL, flip, &flipper), ==, 0);
    // on a busy machine the other thread may not have its turn for long, and leave the link there
    for (int i = 0; i < 20000 || (opened == 0 && g_get_monotonic_time() < until_us); i++) {
        fs_autoclose int fd = fs_open_beneath(dirfd, "sub/file", O_RDONLY, 0, NULL);
        struct stat st;

        if (fd < 0)
            continue;
        opened++;
        g_assert_cmpint(fstat(fd, &st), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, inside.st_ino);
    }
    atomic_store(&flipper.stop, true);
    pthread_join(thread, NULL);
    g_test_message("opened %u times", opened);
    g_assert_cmpuint(opened, >, 0);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *path;
        void (*test)(Place *place, gconstpointer data);
    } tests[] = {
        { "/fs/read-full", a_read_is_full_or_at_the_end },
        { "/fs/offsets", offsets_are_absolute_and_bounded },
        { "/fs/write/full", a_full_device_is_no_space },
        { "/fs/read-file/bound", a_file_is_read_whole_up_to_its_bound },
        { "/fs/read-file/no-size", a_file_without_a_size_is_read_too },
        { "/fs/read-file/errors", what_cannot_be_read_is_named },
        { "/fs/durable/content", a_durable_write_has_content_and_mode },
        { "/fs/durable/exists", what_exists_stays_as_it_is },
        { "/fs/durable/link", a_link_is_replaced_and_not_followed },
        { "/fs/durable/no-directory", without_its_directory_nothing_is_written },
        { "/fs/durable/no-space", no_space_leaves_the_old_file_and_no_other },
        { "/fs/durable/faults", each_step_that_fails_leaves_the_old_file_and_no_other },
        { "/fs/durable/no-noreplace", a_file_system_without_noreplace_has_links },
        { "/fs/durable/race", of_several_writers_exactly_one_wins },
        { "/fs/dirs", directories_are_made_as_needed },
        { "/fs/dirs/empty", what_is_empty_holds_nothing_of_anybody },
        { "/fs/beneath/outside", no_path_leads_outside },
        { "/fs/beneath/inside", a_path_beneath_is_opened },
        { "/fs/beneath/race", a_link_that_appears_meanwhile_is_not_followed },
    };

    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, Place, NULL, place_set_up, tests[i].test, place_tear_down);
    return g_test_run();
}
