/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of a run share (op/run.c, runsource.c, runtake.c, runtell.c); nobody else includes
 * this. */
#pragma once
#include "op/run.h"
#include "op/runcontrol.h"
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
    unsigned n_failed, n_left_out, n_told; /* sources; items; of them as events */
    uint64_t bytes, added, stored, files;
    unsigned removed;
    const char *reading; /* name of the source */
} Run;

void run_stage(Run *run, const char *stage, const char *source);
/* Takes the reference. */
void run_warn(Run *run, json_t *warning);
void run_log(Run *run, const char *level, const char *format, ...) G_GNUC_PRINTF(3, 4);
void run_warn_text(Run *run, const char *what, const char *text);
void run_event_begin(Run *run);
/* False when the events are not on the disk. */
bool run_event_end(Run *run, GError **error);

/* BS_ERROR_LOCKED: another run of the schedule lives. To be given back in either case. */
bool run_take_locks(Run *run, GError **error);
void run_give_locks(Run *run);

/* Opens the repository unless it is open. */
bool run_open(Run *run, GError **error);

/* One source with its retries. It is counted and told; false: it failed. */
bool run_source(Run *run, const SourceConfig *config);
