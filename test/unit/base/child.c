/* SPDX-License-Identifier: Apache-2.0 */
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

#define SHELL(script) ((const char *const[]){ "sh", "-c", (script), NULL })

static char *output_of(const char *const *argv, const char *const *envp)
{
    g_autoptr(GBytes) output = NULL;
    g_autoptr(GError) error = NULL;
    size_t len;
    const char *text = NULL;

    g_assert_true(child_output(argv, envp, 1 << 20, &output, &error));
    g_assert_no_error(error);
    text = g_bytes_get_data(output, &len);
    return g_strndup(text ? text : "", len);
}

/* One line from its output, as a process id. */
static pid_t read_pid(Child *child)
{
    char text[32] = { 0 };

    for (size_t i = 0; i < sizeof text - 1; i++)
        if (read(child_stdout(child), &text[i], 1) != 1 || text[i] == '\n')
            break;
    return (pid_t)atoi(text);
}

static void output_is_whole(void)
{
    g_autofree char *small = output_of(SHELL("echo one; echo two"), NULL);
    g_autofree char *large = output_of(SHELL("head -c 1000000 /dev/zero | tr '\\0' x"), NULL);
    g_autofree char *none = output_of(SHELL(":"), NULL);

    g_assert_cmpstr(small, ==, "one\ntwo\n");
    g_assert_cmpuint(strlen(large), ==, 1000000);
    g_assert_cmpstr(none, ==, "");
}

static void output_has_a_bound(void)
{
    g_autoptr(GBytes) output = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(child_output(SHELL("printf 12345"), NULL, 5, &output, NULL));
    g_clear_pointer(&output, g_bytes_unref);
    g_assert_false(child_output(SHELL("printf 123456"), NULL, 5, &output, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_null(output);
}

static void arguments_and_environment_arrive_untouched(void)
{
    static const char *const argv[] = { "printf", "[%s]", "$HOME; *", "", "-n", "a'b\"c\n", NULL };
    static const char *const env[] = { "env", NULL };
    static const char *const envp[] = { "ONLY=this one", NULL };
    g_autofree char *arguments = output_of(argv, NULL);
    g_autofree char *environment = output_of(env, envp);

    g_assert_cmpstr(arguments, ==, "[$HOME; *][][-n][a'b\"c\n]");
    g_assert_cmpstr(environment, ==, "ONLY=this one\n");
}

static void input_flows_until_closed(void)
{
    static const char *const cat[] = { "cat", NULL };
    g_autoptr(GError) error = NULL;
    bool deaf = true;
    g_autoptr(Child) child = child_spawn(cat, NULL, CHILD_STDIN_PIPE | CHILD_STDOUT_PIPE, &error);
    char buf[16];
    size_t len;

    g_assert_no_error(error);
    g_assert_true(child_write(child, NULL, "hello", 5, &deaf, &error));
    g_assert_false(deaf);
    child_close_stdin(child);
    g_assert_cmpint(child_stdin(child), ==, -1);
    g_assert_true(fs_read_full(child_stdout(child), buf, sizeof buf, &len, "cat", &error));
    g_assert_cmpmem(buf, len, "hello", 5);
    g_assert_true(child_wait(child, NULL, NULL, &error));
}

static void waiting_ends_the_input(void)
{
    static const char *const cat[] = { "cat", NULL };
    g_autoptr(Child) child = child_spawn(cat, NULL, CHILD_STDIN_PIPE, NULL);

    g_assert_true(child_wait(child, NULL, NULL, NULL));
}

static void much_input_arrives_whole(void)
{
    g_autofree char *megabytes = g_strnfill(3 << 20, 'x');
    g_autoptr(GError) error = NULL;
    g_autoptr(Child) child =
        child_spawn(SHELL("sleep 0.2; wc -c"), NULL, CHILD_STDIN_PIPE | CHILD_STDOUT_PIPE, NULL);
    bool deaf = true;
    char buf[16];
    size_t len;

    g_assert_true(child_write(child, NULL, megabytes, 3 << 20, &deaf, &error));
    g_assert_false(deaf);
    child_close_stdin(child);
    g_assert_true(fs_read_full(child_stdout(child), buf, sizeof buf, &len, "wc", NULL));
    g_assert_cmpmem(buf, len, "3145728\n", 8);
    g_assert_true(child_wait(child, NULL, NULL, &error));
}

static void who_takes_no_more_is_deaf(void)
{
    g_autofree char *megabyte = g_strnfill(1 << 20, 'x');
    g_autoptr(GError) error = NULL;
    g_autoptr(Child) child =
        child_spawn(SHELL("exec <&-; sleep 0.1"), NULL, CHILD_STDIN_PIPE, NULL);
    bool deaf = false;

    g_assert_true(child_write(child, NULL, megabyte, 1 << 20, &deaf, &error));
    g_assert_true(deaf);
    g_assert_true(child_wait(child, NULL, NULL, &error));
    g_assert_true(child_write(child, NULL, "x", 1, &deaf, &error));
    g_assert_true(deaf); // closed by us
}

static void *cancel_soon(void *cancel)
{
    g_usleep(200 * 1000);
    cancel_set(cancel);
    return NULL;
}

static void cancel_ends_the_waiting_not_the_child(void)
{
    g_autofree char *megabyte = g_strnfill(1 << 20, 'x');

    for (int writes = 0; writes < 2; writes++) {
        gint64 start_us = g_get_monotonic_time();
        g_autoptr(Cancel) cancel = cancel_new();
        g_autoptr(GError) error = NULL;
        g_autoptr(Child) child = child_spawn(SHELL("exec sleep 60"), NULL, CHILD_STDIN_PIPE, NULL);
        int status = -1;
        pthread_t thread;
        bool deaf;

        g_assert_cmpint(pthread_create(&thread, NULL, cancel_soon, cancel), ==, 0);
        if (writes)
            g_assert_false(child_write(child, cancel, megabyte, 1 << 20, &deaf, &error));
        else
            g_assert_false(child_wait(child, cancel, &status, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
        g_assert_cmpint(status, ==, -1);
        g_assert_cmpint(pthread_join(thread, NULL), ==, 0);
        child_free(g_steal_pointer(&child));
        g_assert_cmpint(g_get_monotonic_time() - start_us, <, 30 * G_USEC_PER_SEC);
    }
}

static void without_a_pipe_there_is_dev_null(void)
{
    g_autofree char *text = output_of(SHELL("cat; readlink /proc/self/fd/0"), NULL);

    g_assert_cmpstr(text, ==, "/dev/null\n");
}

static void a_missing_program_is_named(void)
{
    static const char *const argv[] = { "pg_dump-of-nowhere", NULL };
    g_autoptr(GError) error = NULL;

    g_assert_null(child_spawn(argv, NULL, 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_true(g_str_has_prefix(error->message, "pg_dump-of-nowhere: not found in PATH; "));
}

static void a_program_that_cannot_run_is_an_error_of_spawn(void)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("child-XXXXXX", &path, NULL);
    const char *argv[] = { path, NULL };
    g_autoptr(GError) error = NULL;

    g_assert_true(fs_write_all(fd, "#!/nowhere/interpreter\n", 23, path, NULL));
    g_assert_cmpint(fchmod(fd, 0700), ==, 0);
    (void)close(fd);
    g_assert_null(child_spawn(argv, NULL, 0, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, path));
    (void)unlink(path);
}

static void the_end_is_told_as_it_was(void)
{
    static const struct {
        const char *script;
        int status;
        const char *message;
    } cases[] = {
        { "exit 0", 0, NULL },
        { "exit 3", 3, "sh: exit status 3" },
        { "echo first >&2; echo 'no such table' >&2; exit 1", 1,
          "sh: exit status 1: first\nno such table" },
        { "printf 'caf\\351' >&2; exit 1", 1, "sh: exit status 1: caf\xef\xbf\xbd" },
        { "kill -9 $$", 128 + SIGKILL, "sh: killed by signal 9 (Killed)" },
        { "echo careful >&2; kill -TERM $$", 128 + SIGTERM,
          "sh: killed by signal 15 (Terminated): careful" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Child) child = child_spawn(SHELL(cases[i].script), NULL, 0, NULL);

        g_test_message("%s", cases[i].script);
        for (int again = 0; again < 2; again++) { // asking twice gives the same answer
            g_autoptr(GError) error = NULL;
            int status = -1;

            g_assert_cmpint(child_wait(child, NULL, &status, &error), ==, cases[i].status == 0);
            g_assert_cmpint(status, ==, cases[i].status);
            g_assert_cmpstr(error ? error->message : NULL, ==, cases[i].message);
        }
    }
}

static void of_much_standard_error_the_end_is_kept(void)
{
    g_autofree char *line = g_strnfill(63, '.');
    g_autofree char *script =
        g_strdup_printf("yes %s | head -n 16384 >&2; echo last >&2; exit 1", line); // 1 MiB
    g_autoptr(GError) error = NULL;
    g_autoptr(Child) child = child_spawn(SHELL(script), NULL, 0, NULL);
    const char *text = NULL;

    g_assert_false(child_wait(child, NULL, NULL, &error));
    text = child_stderr(child);
    g_assert_true(g_str_has_suffix(text, ".\nlast"));
    g_assert_cmpuint(strlen(text), <=, 8192);
    g_assert_cmpuint(strlen(text), >, 8000);
    g_assert_cmpint(strchr(text, '\n') - text, ==, 63); // begins with a whole line
    g_assert_true(g_str_has_suffix(error->message, text));
}

static void a_grandchild_on_the_pipe_holds_up_nothing(void)
{
    gint64 start_us = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    g_autoptr(Child) child = child_spawn(SHELL("sleep 60 & echo $!; echo gone >&2; exit 2"), NULL,
                                         CHILD_STDOUT_PIPE, NULL);
    pid_t grandchild = read_pid(child);

    g_assert_false(child_wait(child, NULL, NULL, &error));
    g_assert_cmpstr(error->message, ==, "sh: exit status 2: gone");
    g_assert_cmpint(g_get_monotonic_time() - start_us, <, 30 * G_USEC_PER_SEC);
    g_assert_cmpint(kill(grandchild, SIGKILL), ==, 0);
}

static void only_three_descriptors_are_passed_on(void)
{
    int leak = fcntl(STDIN_FILENO, F_DUPFD, 200);
    g_autofree char *script = g_strdup_printf("test ! -e /proc/self/fd/%d", leak);
    g_autoptr(Child) child = child_spawn(SHELL(script), NULL, 0, NULL);

    g_assert_cmpint(leak, >=, 200);
    g_assert_true(child_wait(child, NULL, NULL, NULL));
    (void)close(leak);
}

static void signals_are_as_new(void)
{
    sigset_t blocked, before;
    g_autofree char *text = NULL;
    guint64 ignored;

    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &blocked, &before);
    text = output_of(SHELL("grep -E '^Sig(Blk|Ign)' /proc/self/status"), NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)signal(SIGHUP, SIG_DFL);
    (void)signal(SIGPIPE, SIG_DFL);

    g_assert_true(g_str_has_prefix(text, "SigBlk:\t0000000000000000\nSigIgn:\t"));
    ignored = g_ascii_strtoull(strrchr(text, '\t') + 1, NULL, 16);
    g_assert_cmphex(ignored & (1U << (SIGHUP - 1) | 1U << (SIGPIPE - 1)), ==, 0);
}

static void freeing_ends_what_still_runs(void)
{
    static const struct {
        const char *script;
        int least_ms;
    } cases[] = {
        { "echo $$; exec sleep 1000", 0 },
        { "trap '' TERM; echo $$; exec sleep 1000", 1900 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Child *child = child_spawn(SHELL(cases[i].script), NULL, CHILD_STDOUT_PIPE, NULL);
        pid_t pid = read_pid(child);
        gint64 start_us = g_get_monotonic_time();

        g_test_message("%s", cases[i].script);
        g_assert_cmpint(kill(pid, 0), ==, 0);
        child_free(child);
        g_assert_cmpint(kill(pid, 0), ==, -1);
        g_assert_cmpint(errno, ==, ESRCH);
        g_assert_cmpint((g_get_monotonic_time() - start_us) / 1000, >=, cases[i].least_ms);
    }
}

static void it_dies_with_us(void)
{
    int fds[2], status;
    pid_t pid;
    char c;

    g_assert_cmpint(pipe(fds), ==, 0);
    pid = fork();
    if (pid == 0) {
        // the pipe is its standard error; it ends when nobody holds it any more
        (void)dup2(fds[1], STDERR_FILENO);
        (void)close(fds[1]);
        _exit(child_spawn(SHELL("exec sleep 1000"), NULL, CHILD_STDERR_INHERIT, NULL) ? 0 : 1);
    }
    (void)close(fds[1]);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpint(read(fds[0], &c, 1), ==, 0);
    (void)close(fds[0]);
}

static void our_own_closed_stdio_does_not_mix_the_pipes_up(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        g_autoptr(GBytes) output = NULL;
        g_autoptr(GError) error = NULL;
        bool same;

        for (int fd = 0; fd < 3; fd++)
            (void)close(fd);
        same = child_output(SHELL("echo out; echo err >&2"), NULL, 100, &output, &error) &&
               g_bytes_get_size(output) == 4 &&
               memcmp(g_bytes_get_data(output, NULL), "out\n", 4) == 0;
        _exit(same ? 0 : 1);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_cmpint(status, ==, 0);
}

static void both_outputs_may_come_in_one(void)
{
    g_autoptr(Child) child = child_spawn(SHELL("echo one; echo two >&2; echo three"), NULL,
                                         CHILD_STDOUT_PIPE | CHILD_STDERR_TO_STDOUT, NULL);
    char text[64] = { 0 };
    size_t len;

    g_assert_nonnull(child);
    g_assert_true(fs_read_full(child_stdout(child), text, sizeof text, &len, "both", NULL));
    g_assert_cmpstr(text, ==, "one\ntwo\nthree\n");
    g_assert_true(child_wait(child, NULL, NULL, NULL));
}

/* The shell ends at once when it is asked to, its child does not care. */
static void a_group_is_ended_whole(void)
{
    Child *child =
        child_spawn(SHELL("sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' & wait"),
                    NULL, CHILD_STDOUT_PIPE | CHILD_OWN_GROUP, NULL);
    pid_t pid;

    g_assert_nonnull(child);
    pid = read_pid(child);
    g_assert_cmpint(pid, >, 1);
    g_assert_cmpint(kill(pid, 0), ==, 0);
    child_free(child);
    // nobody here may reap it: it is gone, or a zombie that its new parent will see to
    for (unsigned i = 0; kill(pid, 0) == 0 && i < 6000; i++) {
        g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid), *stat = NULL;

        if (g_file_get_contents(path, &stat, NULL, NULL) && strstr(stat, ") Z"))
            return;
        g_usleep(10000);
    }
    g_assert_cmpint(kill(pid, 0), !=, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/child/output", output_is_whole);
    g_test_add_func("/child/bound", output_has_a_bound);
    g_test_add_func("/child/argv", arguments_and_environment_arrive_untouched);
    g_test_add_func("/child/input", input_flows_until_closed);
    g_test_add_func("/child/much-input", much_input_arrives_whole);
    g_test_add_func("/child/deaf", who_takes_no_more_is_deaf);
    g_test_add_func("/child/cancel", cancel_ends_the_waiting_not_the_child);
    g_test_add_func("/child/wait-ends-input", waiting_ends_the_input);
    g_test_add_func("/child/null", without_a_pipe_there_is_dev_null);
    g_test_add_func("/child/missing", a_missing_program_is_named);
    g_test_add_func("/child/cannot-run", a_program_that_cannot_run_is_an_error_of_spawn);
    g_test_add_func("/child/end", the_end_is_told_as_it_was);
    g_test_add_func("/child/stderr", of_much_standard_error_the_end_is_kept);
    g_test_add_func("/child/grandchild", a_grandchild_on_the_pipe_holds_up_nothing);
    g_test_add_func("/child/descriptors", only_three_descriptors_are_passed_on);
    g_test_add_func("/child/signals", signals_are_as_new);
    g_test_add_func("/child/free", freeing_ends_what_still_runs);
    g_test_add_func("/child/joined", both_outputs_may_come_in_one);
    g_test_add_func("/child/group", a_group_is_ended_whole);
    g_test_add_func("/child/orphan", it_dies_with_us);
    g_test_add_func("/child/closed-stdio", our_own_closed_stdio_does_not_mix_the_pipes_up);
    return g_test_run();
}
