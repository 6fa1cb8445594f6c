/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be done about a schedule now: run, catch up, or wait, and until when. Pure: no clock.
 *
 * Of the past one moment has to be kept, durable with the run: everything due up to it is decided.
 * And whoever starts a run must have claimed its due time, which nobody gets twice. Then a clock
 * that is set causes neither a skip nor a double run. Set forward, what it jumped over counts as
 * missed, as if nobody had been there. Set back, by a second or by years, everything is due again
 * when the clock comes to it: what has run has been claimed, so its run is refused, and what was
 * only jumped over has its run after all. What was decided while the clock was ahead silences
 * nothing.
 *
 * Of several due times that were missed the newest alone is caught up, if at all.
 */
#pragma once
#include "plan/cron.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define DUE_NEVER      INT64_MAX
#define DUE_ALWAYS     INT64_MAX
#define DUE_MISSED_MAX 1000u
/* Later than this a run is a missed one that is caught up, s. As long as a restart may take. */
#define DUE_GRACE 300

/* Times are Unix seconds. */
typedef struct {
    const Cron *cron;
    GTimeZone *zone; /* NULL: UTC */
    const char *key; /* of the schedule: jitter differs by it */
    int64_t jitter; /* a run starts up to that long after its due time, always before the next, s */
    int64_t late_max; /* how late what was missed is caught up, s; 0: never, DUE_ALWAYS */
    bool enabled;
    int64_t paused_until; /* what is due before is not missed; 0: not paused */
} DueRule;

typedef enum { DUE_NOTHING, DUE_RUN, DUE_CATCH_UP } DueAct;

typedef struct {
    DueAct act;
    int64_t due;     /* of the run */
    int64_t decided; /* to be kept, in place of what was given */
    int64_t look_at; /* when to look again, unless the clock is set or the schedule changed before;
                      * DUE_NEVER */
    unsigned missed; /* due times that get no run, at most DUE_MISSED_MAX are counted */
    int64_t missed_first, missed_last;
    bool clock_was_ahead; /* when the moment that was kept was written */
} DueLook;

/* decided: what was kept; of a new schedule the moment from which it counts. */
void due_look(const DueRule *rule, int64_t decided, int64_t now, DueLook *ret_look);

/* The next n due times, without jitter, that are not before the end of a pause; returns how many
 * there are. */
unsigned due_next(const DueRule *rule, int64_t now, unsigned n, int64_t *ret_times);

/* When the run of that due time starts. */
int64_t due_start(const DueRule *rule, int64_t due);
