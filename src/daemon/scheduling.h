/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the scheduler share. */
#pragma once
#include "config/configuration.h"
#include "daemon/control.h"
#include "daemon/places.h"
#include "daemon/runs.h"
#include "daemon/scheduler.h"
#include "daemon/schedules.h"
#include "daemon/teller.h"
#include "daemon/webchild.h"
#include "state/catalog.h"

typedef struct {
    const SchedulerOptions *options;
    Places places;
    int lock; /* on the state directory */
    int signals, timer;
    Configuration *configuration;
    Catalog *catalog;
    char *node;
    Control *control;
    Runs *runs;
    Schedules *schedules;
    Teller *teller;
    WebChild web;
    int64_t started_at;               /* Unix s */
    int64_t watched_ms, take_over_at; /* of clock_monotonic_ms() */
    char *problem;                    /* why the last configuration was not taken over; NULL */
    bool look;                        /* at the schedules */
    bool clock_was_set;
    bool stop;
    bool rested; /* since something has happened */
} Scheduler;

/* One scheduler for each state directory. BS_ERROR_LOCKED. */
bool scheduler_lock_state(Scheduler *scheduler, GError **error);
bool scheduler_take_signals(Scheduler *scheduler, GError **error);
/* The configuration, or the file of the state directory; and the name of this node. */
bool scheduler_open_catalog(Scheduler *scheduler, GError **error);
/* On failure the old configuration stays. */
bool scheduler_reload(Scheduler *scheduler, GError **error);
/* Of a request that orders a task. */
bool scheduler_task(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error);
/* A channel is tried by its queue; and what came of it, by the id of the first answer. */
bool scheduler_test(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error);
bool scheduler_tested(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error);
/* To a request on the control socket. */
json_t *scheduler_answer(const json_t *request, void *user);
