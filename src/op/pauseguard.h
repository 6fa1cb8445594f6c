/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that pauses an application and resumes it (op/runpause.h), in a session of its own.
 * Whatever becomes of the run, it resumes: when the run asks, or has ended in whatever way, when
 * the time is over, when a pause hook fails, and when it is told to end. What a pause hook has
 * started is ended before.
 */
#pragma once
#include <glib.h>
#include <stdint.h>

typedef enum {
    GUARD_PAUSED = 1, /* all pause hooks have ended with 0; another report follows */
    /* Resumed, and why: */
    GUARD_ASKED,     /* the run has closed its end of control */
    GUARD_TIME_OVER, /* of the pause, after all of its hooks */
    GUARD_HOOK_SLOW, /* likewise, in one of them */
    GUARD_HOOK_FAILED,
    GUARD_TOLD_TO_END, /* by a signal */
} GuardWhat;

#define GUARD_NOT_STARTED (-1) /* instead of a status */

typedef struct {
    GuardWhat what;
    unsigned pause_hook;  /* GUARD_HOOK_SLOW, GUARD_HOOK_FAILED: which one, from 1 */
    int pause_status;     /* GUARD_HOOK_FAILED: as a shell tells it */
    unsigned resume_hook; /* the first resume hook that failed, from 1; 0: all have ended with 0 */
    int resume_status;
} GuardReport;

/* Everything is made before the fork; the guard allocates nothing. */
typedef struct {
    int control; /* its other end is closed when it is time to resume */
    int reports; /* takes GuardReport */
    int said;    /* takes what hooks print, as long as there is room; does not block */
    char *const *pause, *const *resume; /* lines for the shell */
    char *const *environment;
    const char *oom_score_adj; /* of hooks, NULL: as the guard's */
    int64_t limit_ms;          /* of the pause, from its begin */
    int64_t resume_limit_ms;   /* of each resume hook */
} PauseGuard;

/* After fork() in a process with threads: only what is async-signal-safe. Signals are blocked. */
G_NORETURN void pause_guard_main(const PauseGuard *guard);
