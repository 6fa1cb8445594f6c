/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the schedules share: one of them, and what is remembered of it. */
#pragma once
#include "daemon/schedules.h"
#include "plan/due.h"

typedef struct {
    const Schedule *schedule; /* the configuration's, or own */
    Schedule *own;
    GTimeZone *zone;
    int64_t paused_until;  /* of the schedule or of the catalogue, the later one */
    int64_t decided, kept; /* kept: as the catalogue has it */
    int64_t look_at;
    // of a failed run
    int64_t retry_at, retry_due; /* Unix s; ms. 0: none */
    int retry_attempt;
} Entry;

struct Schedules {
    Catalog *catalog;
    SchedulesOrder order;
    void *user;
    GPtrArray *entries; /* of Entry */
    Cron sweep;
    int64_t sweep_decided, sweep_kept, sweep_at;
};

DueRule schedule_rule(const Entry *entry);
