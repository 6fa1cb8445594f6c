/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a run, and why there is one, in the words that the catalogue, the API and the
 * metrics share. A run is queued, then running, and ends in one of the others.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef enum {
    RUN_QUEUED,
    RUN_RUNNING,
    RUN_SUCCEEDED,
    RUN_PARTIAL, /* something was left out, or one of several sources failed */
    RUN_FAILED,
    RUN_CANCELLED,
    RUN_SKIPPED, /* on purpose: a hook said so, or nothing had changed */
    RUN_DELETED, /* it had left a backup, which somebody has had removed */
} RunState;
#define RUN_STATES (RUN_DELETED + 1)

typedef enum {
    TRIGGER_SCHEDULE,
    TRIGGER_CATCH_UP, /* due while nobody was there */
    TRIGGER_MANUAL,
    TRIGGER_RETRY, /* after one that failed */
} RunTrigger;

const char *run_state_name(RunState state); /* "succeeded"; constant */
bool run_state_ended(RunState state);
const char *run_trigger_name(RunTrigger trigger); /* "catch-up"; constant */
/* BS_ERROR_CORRUPT: no such word. */
bool run_state_parse(const char *name, RunState *ret_state, GError **error);
bool run_trigger_parse(const char *name, RunTrigger *ret_trigger, GError **error);
