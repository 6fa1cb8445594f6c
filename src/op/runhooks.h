/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hooks of a schedule: shell command lines before and after a run. They get the environment
 * without what is ours in it (conventions.md, section 1), and BACKSTAY_RUN, BACKSTAY_SCHEDULE,
 * BACKSTAY_STATE and BACKSTAY_SOURCES. What they print goes to the log of the run. A hook is a
 * process group of its own, which is ended whole.
 */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define HOOK_SOFT_SKIP 75 /* as in borgmatic: skip it quietly */

typedef struct {
    const char *run, *schedule; /* id and name */
    const char *state;          /* of the run so far, a word of state/runstate.h */
    char *const *sources;       /* names */
    char *const *hidden;        /* variables that hold secrets of ours, besides those known by name;
                                   may be NULL */
    int64_t timeout_ms;
    const Cancel *cancel;
    /* A line of what it prints, at most HOOK_LINE_MAX bytes, of all HOOK_OUTPUT_MAX. */
    void (*line)(const char *text, void *user);
    void *user;
} HookRun;

#define HOOK_LINE_MAX   4096
#define HOOK_OUTPUT_MAX (64u * 1024)

/* what: for messages, "before hook 1"; a command line may hold what is nobody's business.
 * BS_ERROR_SOFT_SKIP: it ended with 75. BS_ERROR_CANCELLED. BS_ERROR_FAILED: it ended with another
 * status than 0, or took too long. */
bool hook_run(const char *what, const char *command, const HookRun *run, GError **error);

/* Of an exit status as a shell tells it: the errors of hook_run(), without saying of which hook. */
bool hook_judge(int status, GError **error);
/* What of environment, NULL for our own, a hook gets; NULL-terminated, to be freed. */
GStrv hook_environment(char *const *environment, const HookRun *run);
