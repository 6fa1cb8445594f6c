/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a run share (op/run.c, rungroup.c, runretain.c, runsource.c, runtake.c,
 * runtell.c); nobody else includes this. */
#pragma once
#include "op/run.h"
#include "op/runcontrol.h"
#include "op/runhooks.h"
#include "op/runlocks.h"

typedef struct {
    const RunRequest *request;
    RunEvents *events;
    RunControl *control;
    RunLocks *locks;
    GPtrArray *databases; /* of PgUrl: what locks borrows */
    RedisUrl *redis;      /* likewise */
    OpenRepo open;
    bool opened;
    RunState state;
    GError *failure; /* the first one; its code is that of all, or BS_ERROR_FAILED */
    json_t *snapshots, *warnings;
    json_t *saved;                         /* source -> id of its snapshot */
    unsigned n_failed, n_left_out, n_told; /* sources; items; of them as events */
    uint64_t bytes, added, stored, files;
    unsigned removed;
    bool retained;       /* retention was applied, whether it removed any or none */
    bool shrank;         /* a source is far smaller than it usually was */
    int64_t spread_ms;   /* of a group; -1: none was held */
    int64_t pause_ms;    /* likewise; -1: nothing was paused */
    const char *reading; /* name of the source */
} Run;

/* Takes failure; the first one stays. */
void run_end_as(Run *run, RunState state, GError *failure);
/* It was cancelled, or its time is over; then that is how it ends, whatever broke on the way. */
bool run_ended(Run *run);

void run_stage(Run *run, const char *stage, const char *source);
/* Takes the reference. */
void run_warn(Run *run, json_t *warning);
void run_log(Run *run, const char *level, const char *format, ...) G_GNUC_PRINTF(3, 4);
void run_warn_text(Run *run, const char *what, const char *text);
/* One that people are told of as an incident: "retention". */
void run_warn_condition(Run *run, const char *condition, const char *what, const char *text);
void run_event_begin(Run *run);
/* False when the events are not on the disk. */
bool run_event_end(Run *run, GError **error);

#define RUN_LAST_HOOK_MS (10 * 60 * 1000) /* of what undoes: also of a run that was told to end */
/* What a hook gets now; what it prints is told as events. cancel may be NULL. */
HookRun run_hook_for(Run *run, int64_t timeout_ms, const Cancel *cancel);

/* BS_ERROR_LOCKED: another run of the schedule lives. To be given back in either case. */
bool run_take_locks(Run *run, GError **error);
void run_give_locks(Run *run);

/* Opens the repository unless it is open. */
bool run_open(Run *run, GError **error);

/* Archives of what was saved, to every destination of the schedule. */
bool run_archive(Run *run, GError **error);
/* Only what they no longer keep is removed. */
bool run_archive_sweep(Run *run, GError **error);

/* After a backup that succeeded. */
void run_retain_after(Run *run);
/* Retention without a backup. */
void run_sweep(Run *run);

/* One source with its retries. It is counted and told; false: it failed. */
bool run_source(Run *run, const SourceConfig *config);
/* All of them, of one moment (doc/guide/groups.md); likewise. */
void run_group(Run *run);

/* The steps of one: it is made, with its facts; it is read and told; it has failed, and is counted
 * and told. failure is taken over. volumes: those of its group; NULL: it is in none. */
bool run_make_source(Run *run, const SourceConfig *config, VolumeGroup *volumes,
                     RunSource *ret_made, GError **error);
bool run_read_source(Run *run, const SourceConfig *config, RunSource *made, GError **error);
void run_fail_source(Run *run, const SourceConfig *config, int64_t started_ms, GError *failure);
/* After try n of what: true when there is another, and its time has come. */
bool run_wait_for_next(Run *run, const char *what, int n, const GError *failure);
/* What broke may be the store, or our lock in it. */
void run_close(Run *run);
