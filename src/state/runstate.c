/* SPDX-License-Identifier: Apache-2.0 */
#include "state/runstate.h"

#include "base/error.h"
#include <string.h>

static const char *const states[] = {
    [RUN_QUEUED] = "queued",   [RUN_RUNNING] = "running", [RUN_SUCCEEDED] = "succeeded",
    [RUN_PARTIAL] = "partial", [RUN_FAILED] = "failed",   [RUN_CANCELLED] = "cancelled",
    [RUN_SKIPPED] = "skipped", [RUN_DELETED] = "deleted",
};

static const char *const triggers[] = {
    [TRIGGER_SCHEDULE] = "schedule",
    [TRIGGER_CATCH_UP] = "catch-up",
    [TRIGGER_MANUAL] = "manual",
    [TRIGGER_RETRY] = "retry",
};

const char *run_state_name(RunState state)
{
    g_return_val_if_fail((unsigned)state < G_N_ELEMENTS(states), NULL);
    return states[state];
}

bool run_state_ended(RunState state)
{
    return state != RUN_QUEUED && state != RUN_RUNNING;
}

const char *run_trigger_name(RunTrigger trigger)
{
    g_return_val_if_fail((unsigned)trigger < G_N_ELEMENTS(triggers), NULL);
    return triggers[trigger];
}

static bool find(const char *const *words, size_t n, const char *what, const char *name,
                 unsigned *ret_index, GError **error)
{
    for (unsigned i = 0; i < n; i++) {
        if (strcmp(words[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    }
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "'%s' is no %s of a run", name, what);
    return false;
}

bool run_state_parse(const char *name, RunState *ret_state, GError **error)
{
    unsigned i;

    if (!find(states, G_N_ELEMENTS(states), "state", name, &i, error))
        return false;
    *ret_state = (RunState)i;
    return true;
}

bool run_trigger_parse(const char *name, RunTrigger *ret_trigger, GError **error)
{
    unsigned i;

    if (!find(triggers, G_N_ELEMENTS(triggers), "trigger", name, &i, error))
        return false;
    *ret_trigger = (RunTrigger)i;
    return true;
}
