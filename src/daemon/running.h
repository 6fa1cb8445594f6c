/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of runs.h share: a run that has not ended. */
#pragma once
#include "daemon/eventsfile.h"
#include "daemon/runs.h"
#include "daemon/runtell.h"

#define LEASE_MS      180000 /* a daemon may be restarted meanwhile */
#define RENEW_MS      60000
#define BEGIN_MS      120000 /* a run has to say that it has begun */
#define KILL_MS       60000  /* after it was asked to end */
#define SAVE_AGAIN_MS 5000
#define LOOK_AGAIN_MS 1000

#define RUNS_UNFINISHED (1u << RUN_QUEUED | 1u << RUN_RUNNING)
#define RUN_DIED        "the process died before it had ended"

typedef struct {
    Runs *runs;
    RunRow row;
    RunLife life;
    char *dir;
    EventsFile *events;
    int watch;   /* -1: none */
    pid_t child; /* to be waited for; 0: another's, or a unit */
    int unit;    /* the connection by which that was asked for, until it has begun; -1 */
    /* Moments of clock_monotonic_ms(); 0: none. */
    int64_t begin_by, end_by, kill_at, save_at, look_at;
    char *why;    /* it was asked to end: what is told when it has */
    bool requeue; /* it is to be begun again by who comes after us */
    bool unsaved;
    bool waits;   /* for another to end, beside which it cannot be */
    bool by_hand; /* somebody else's process: never started here, and not ended when we stop */
    bool over;    /* nothing is left to do: it is freed at the end of the turn */
} Running;

struct Runs {
    RunsWorld world;
    int inotify;
    GPtrArray *all; /* of Running */
    int64_t renew_at;
};

Running *runs_find(const Runs *runs, const char *id); /* NULL: it is not here, or over */
void runs_sweep(Runs *runs);                          /* frees those that are over */
void runs_clean(Runs *runs);                          /* old directories */

/* A new one for this node, queued. */
void runs_fill_row(const Runs *runs, const RunOrder *order, RunRow *row);
/* Another of the schedule that runs, on any node, or was queued before this one. */
bool runs_find_concurrent(const Runs *runs, const RunRow *row, bool *ret_found, GError **error);

/* Of which it is; NULL: it is gone. */
const Schedule *running_schedule(const Running *run);
/* No run of a schedule. */
bool running_is_task(const Running *run);
bool running_prepare_task(Running *run, GError **error);
/* Begins it, or it has failed. */
void running_begin_or_fail(Running *run);

/* In the table. Takes the row's contents. */
Running *running_add(Runs *runs, RunRow *row);
void running_free(gpointer running);
/* False with error: nothing was started; the row says nothing of it. */
bool running_start(Running *run, GError **error);
/* Makes the directory and what is in it; the catalogue has it as running then. */
bool running_prepare(Running *run, const Schedule *schedule, GError **error);
/* Of one whose directory is made: the rest of that. timeout: seconds; 0: none. */
bool running_prepare_made(Running *run, int64_t timeout, GError **error);
/* Opens and watches the file. */
bool running_watch(Running *run, GError **error);
/* What has come is taken up. */
void running_read(Running *run);
/* It is gone; what it has told by then is its end, and else this. */
void running_gone(Running *run, int code, const char *error);
/* Somebody who wrote its events has closed them: itself, if it is gone. */
void running_closed(Running *run);
void running_fail(Running *run, int code, const char *error);
void running_signal(Running *run, int sig);
bool running_may_signal(const Running *run);
/* It ends with us: no unit, and not made by hand. */
bool running_is_own(const Running *run);
/* Our child has ended: waitpid(2). */
void running_reaped(Running *run, int status);
/* Asks it to end. why: NULL for a cancelled one. */
void running_end(Running *run, const char *why);
/* Into the catalogue; when it has ended and is there, the run is over. */
void running_save(Running *run);
