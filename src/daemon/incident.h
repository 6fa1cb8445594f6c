/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What counts as wrong, decided from facts alone: no clock, no catalogue. One incident is one
 * schedule and one of these conditions, however often it happens.
 */
#pragma once
#include "config/schedule.h"
#include "state/catalog.h"

typedef enum {
    CONDITION_FAILED,
    CONDITION_PARTIAL,
    CONDITION_MISSED, /* no success within one and a half intervals */
    CONDITION_CONCURRENT,
    CONDITION_SHRUNK,
    CONDITION_RETENTION,       /* refused to remove what it would, or the daily sweep has failed */
    CONDITION_REPOSITORY_FULL, /* nearly */
    CONDITION_WAL_LAG,
    CONDITION_DRILL_STALE,
    CONDITION_DRILL_FAILED,
} Condition;
#define CONDITIONS 10

const char *condition_name(Condition condition);     /* "wal-lag", as the configuration has it */
const char *condition_severity(Condition condition); /* "error" or "warning" */
const char *condition_words(Condition condition);    /* "has failed", after the schedule's name */

typedef struct {
    unsigned wrong, right; /* bits, 1 << Condition; what is in neither is not known of it */
} Judgement;

/* What a run that has ended says. */
Judgement incident_judge(const RunRow *run);

/* The longest time between two due times of the next ones, s; 0: it is not due twice any more. */
int64_t incident_interval(const Schedule *schedule, int64_t now);
/* since: of the last success, or of the moment from which the schedule counts; Unix seconds. False
 * for one that is disabled or paused, and until an interval after a pause. */
bool incident_missed(const Schedule *schedule, int64_t since, int64_t now);

/*
 * When people are told of an incident that comes and goes: an opening at most once an hour; one
 * that is not told at once is told later, if it lasts. What nobody was told of is not resolved
 * aloud. Unix seconds.
 */
typedef struct {
    int64_t told_at; /* the last opening that was; 0: none */
    bool pending;    /* open, and not told */
} Telling;
#define TELLING_S 3600

bool telling_open(Telling *telling, int64_t now); /* true: tell now */
bool telling_resolve(Telling *telling);           /* true: tell now */
bool telling_look(Telling *telling, int64_t now); /* true: tell now of what was not told */
