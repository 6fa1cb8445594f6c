/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application paused by hooks of a schedule, for a moment, and resumed by others. A guard, a
 * process of its own, runs both: it resumes when asked, when we have ended in whatever way, when
 * the time is over, when a pause hook fails, and when it is told to end. When the guard itself has
 * died we resume. So the resume hooks run once, and more than once only when the guard was killed,
 * or one of them was. One thread.
 */
#pragma once
#include "op/runhooks.h"

typedef struct RunPause RunPause;

typedef struct {
    char *const *pause, *const *resume; /* lines for the shell; borrowed until the end */
    int64_t limit_ms;                   /* from the begin of the pause */
    /* Their environment, and who is told what they print; timeout_ms: of each resume hook. cancel
     * ends the pause, but no resume hook. */
    HookRun hook;
} RunPauseRequest;

/* False: not all pause hooks ended well in time; what they paused is resumed, unless the error says
 * that this failed. BS_ERROR_CANCELLED. ret_pause is set in the first case only. */
bool run_pause_begin(const RunPauseRequest *request, RunPause **ret_pause, GError **error);
/* False: it is resumed already, and why. */
bool run_pause_holds(RunPause *pause, GError **error);
/* Resumes. False: a resume hook failed, or the pause did not hold until now, so that what was
 * opened meanwhile is of no certain moment. ret_ms: how long it took from the first pause hook to
 * the end of the last resume hook; set in either case. */
bool run_pause_end(RunPause *pause, int64_t *ret_ms, GError **error);
void run_pause_free(RunPause *pause); /* resumes; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RunPause, run_pause_free)
