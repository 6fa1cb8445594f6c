/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runlimits.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ioprio_set(2); no library has names for them, <linux/ioprio.h> not in every kernel's headers */
#define WHO_PROCESS       1
#define CLASS_SHIFT       13
#define CLASS_BEST_EFFORT 2
#define CLASS_IDLE        3
#define LEVEL_DEFAULT     4
#define LEVEL_MAX         7

static bool parse_ionice(const char *text, int *ret_priority)
{
    const char *colon = strchr(text, ':');
    gint64 level = LEVEL_DEFAULT;

    if (strcmp(text, "idle") == 0) {
        *ret_priority = CLASS_IDLE << CLASS_SHIFT;
        return true;
    }
    if (!g_str_has_prefix(text, "best-effort") ||
        (colon ? colon != text + strlen("best-effort") ||
                     !g_ascii_string_to_signed(colon + 1, 10, 0, LEVEL_MAX, &level, NULL)
               : strcmp(text, "best-effort") != 0))
        return false;
    *ret_priority = CLASS_BEST_EFFORT << CLASS_SHIFT | (int)level;
    return true;
}

static bool apply_ionice(const char *text)
{
    int priority;

    if (!parse_ionice(text, &priority)) {
        errno = EINVAL;
        return false;
    }
    return syscall(SYS_ioprio_set, WHO_PROCESS, 0, priority) == 0;
}

static bool apply_nice(int by)
{
    int now;

    errno = 0;
    now = getpriority(PRIO_PROCESS, 0); // -1 is a value, too
    return errno == 0 && setpriority(PRIO_PROCESS, 0, now + by) == 0;
}

static bool apply_memory(uint64_t bytes)
{
    struct rlimit limit = { .rlim_cur = bytes, .rlim_max = bytes };

    return setrlimit(RLIMIT_DATA, &limit) == 0;
}

static void note(GString *problems, const char *what)
{
    g_string_append_printf(problems, "%s%s: %s", problems->len ? "; " : "", what,
                           g_strerror(errno));
}

bool run_limits_apply(int nice_by, const char *ionice, uint64_t memory, char **ret_problem)
{
    g_autoptr(GString) problems = g_string_new(NULL);

    if (nice_by != 0 && !apply_nice(nice_by))
        note(problems, "nice");
    if (ionice && !apply_ionice(ionice))
        note(problems, "ionice");
    if (memory > 0 && !apply_memory(memory))
        note(problems, "memory");
    if (problems->len == 0)
        return true;
    *ret_problem = g_strdup(problems->str);
    return false;
}
