/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runhooks.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS     100 /* that the clock, cancel and the child's end are looked at after */
#define REST_READS 17  /* of 4 KiB: what a pipe holds, once the hook has ended */

/* ---- environment ---- */

static bool has_any(const char *name, const char *const *parts)
{
    for (; *parts; parts++)
        if (strstr(name, *parts))
            return true;
    return false;
}

static bool begins_with_any(const char *name, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (g_str_has_prefix(name, *prefixes))
            return true;
    return false;
}

/*
 * Whole families, for their names grow with every release; the words for what others call theirs;
 * and addresses that may hold a password.
 */
static bool is_ours(const char *name)
{
    static const char *const families[] = { "BACKSTAY_",    "BACKUP_", "RESTIC_", "AWS_",
                                            "B2_",          "AZURE_",  "GOOGLE_", "BORG_",
                                            "DATA_SOURCE_", "LISTEN_", NULL };
    static const char *const words[] = { "PASSWORD", "PASSPHRASE",  "PASSCOMMAND",    "SECRET",
                                         "TOKEN",    "PRIVATE_KEY", "ACCESS_KEY",     "API_KEY",
                                         "_PASS",    "CREDENTIAL",  "ENCRYPTION_KEY", NULL };
    static const char *const names[] = { "REDIS_URL",    "DATABASE_URL",  "NOTIFY_SOCKET",
                                         "WATCHDOG_PID", "WATCHDOG_USEC", NULL };
    g_autofree char *upper = g_ascii_strup(name, -1);

    return begins_with_any(upper, families) || has_any(upper, words) ||
           g_strv_contains(names, upper);
}

static char *variable(const char *name, const char *value)
{
    return g_strconcat(name, "=", value, NULL);
}

GStrv hook_environment(char *const *environment, const HookRun *run)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    g_autofree char *sources = g_strjoinv(" ", (char **)run->sources);

    for (environment = environment ? environment : environ; *environment; environment++) {
        g_autofree char *name = g_strndup(*environment, strcspn(*environment, "="));

        if (!is_ours(name) &&
            !(run->hidden && g_strv_contains((const char *const *)run->hidden, name)))
            g_ptr_array_add(list, g_strdup(*environment));
    }
    g_ptr_array_add(list, variable("BACKSTAY_RUN", run->run));
    g_ptr_array_add(list, variable("BACKSTAY_SCHEDULE", run->schedule));
    g_ptr_array_add(list, variable("BACKSTAY_STATE", run->state));
    g_ptr_array_add(list, variable("BACKSTAY_SOURCES", sources));
    g_ptr_array_add(list, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&list), FALSE);
}

/* ---- output ---- */

typedef struct {
    const HookRun *run;
    GString *line;
    size_t told; /* bytes */
    bool open;   /* more may come */
    bool full;   /* the rest is thrown away */
} Output;

static void tell_line(Output *output)
{
    if (output->line->len > 0 && output->run->line)
        output->run->line(output->line->str, output->run->user);
    g_string_truncate(output->line, 0);
}

static void take(Output *output, const char *data, size_t len)
{
    for (size_t i = 0; i < len && !output->full; i++) {
        output->full = ++output->told > HOOK_OUTPUT_MAX;
        if (data[i] == '\n' || output->line->len == HOOK_LINE_MAX || output->full)
            tell_line(output);
        if (data[i] != '\n' && !output->full)
            g_string_append_c(output->line, data[i] ? data[i] : ' ');
    }
    if (output->full && output->told != G_MAXSIZE) {
        output->told = G_MAXSIZE;
        g_string_assign(output->line, "(it prints more, which is left out)");
        tell_line(output);
    }
}

/* Waits a moment for more. */
static bool read_some(Output *output, int fd, GError **error)
{
    struct pollfd wait = { .fd = output->open ? fd : -1, .events = POLLIN };
    char buf[4096];
    ssize_t n;

    if (poll(&wait, 1, ASK_MS) <= 0)
        return true; // silent, or a signal
    n = read(fd, buf, sizeof buf);
    if (n > 0)
        take(output, buf, (size_t)n);
    else if (n == 0)
        output->open = false;
    else if (errno != EINTR && errno != EAGAIN) {
        bs_error_errno(error, errno, "read what a hook prints");
        return false;
    }
    return true;
}

static bool is_readable(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };

    return poll(&wait, 1, 0) > 0;
}

/* ---- running ---- */

/* Without waiting. A status is set when it has ended. */
static bool ended(Child *child, int *ret_status)
{
    g_autoptr(Cancel) at_once = cancel_new();
    g_autoptr(GError) failure = NULL;

    cancel_set(at_once);
    return child_wait(child, at_once, ret_status, &failure) ||
           !g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED);
}

/* Until it has ended; what it left in the background may go on, and keep the pipe. */
static bool follow(Child *child, const HookRun *run, Output *output, int *ret_status,
                   GError **error)
{
    int64_t until = clock_monotonic_ms() + run->timeout_ms;
    int fd = child_stdout(child);
    bool over = false;

    for (unsigned rest = REST_READS; !over || (output->open && rest > 0 && is_readable(fd));
         rest -= over) {
        if (!read_some(output, fd, error) || !cancel_check(run->cancel, error))
            return false;
        over = over || ended(child, ret_status);
        if (clock_monotonic_ms() < until)
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "it was ended after %" G_GINT64_FORMAT " seconds", run->timeout_ms / 1000);
        return false;
    }
    return true;
}

bool hook_judge(int status, GError **error)
{
    if (status == HOOK_SOFT_SKIP)
        g_set_error(error, BS_ERROR, BS_ERROR_SOFT_SKIP, "exit status %d, which skips a run",
                    status);
    else if (status > 128)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "exit status %d (signal %d)", status,
                    status - 128);
    else if (status != 0)
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "exit status %d", status);
    return status == 0;
}

bool hook_run(const char *what, const char *command, const HookRun *run, GError **error)
{
    g_auto(GStrv) environment = hook_environment(NULL, run);
    const char *const argv[] = { "/bin/sh", "-c", command, NULL };
    g_autoptr(Child) child =
        child_spawn(argv, (const char *const *)environment,
                    CHILD_STDOUT_PIPE | CHILD_STDERR_TO_STDOUT | CHILD_OWN_GROUP, error);
    Output output = { .run = run, .open = true };
    int status = -1;
    bool ok;

    if (!child) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    output.line = g_string_new(NULL);
    ok = follow(child, run, &output, &status, error) && hook_judge(status, error);
    tell_line(&output);
    g_string_free(output.line, TRUE);
    if (!ok)
        g_prefix_error(error, "%s: ", what);
    return ok;
}
