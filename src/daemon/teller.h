/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scheduler tells others: people, through a notifier over the configuration that counts,
 * and who gathers metrics, through a text file. Nothing here fails a run or the daemon: what cannot
 * be told is in the log, and is tried again. The scheduler's thread.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/courier.h"
#include "daemon/schedules.h"
#include "state/catalog.h"

typedef struct Teller Teller;

/* All borrowed for its life. */
typedef struct {
    Catalog *catalog; /* the scheduler's own, in its thread */
    const char *queue, *node;
    const char *program; /* our own, which measures */
    const char *config;  /* the file; NULL: the usual places */
} TellerWorld;
Teller *teller_new(const TellerWorld *world);
void teller_free(Teller *teller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Teller, teller_free)

/* From now on this configuration, borrowed until the next call, and its channels. On failure nobody
 * is told anything until a turn succeeds where this has failed. */
bool teller_configure(Teller *teller, const Configuration *configuration, GError **error);
/* The configuration is about to go. */
void teller_let_go(Teller *teller);

/* Of a schedule's backup or drill; other kinds of runs are nobody's business. schedule: NULL: it is
 * gone. */
void teller_run_started(Teller *teller, const Schedule *schedule, const RunRow *run);
void teller_run_ended(Teller *teller, const Schedule *schedule, const RunRow *run);

/* notifier_queue_test() and notifier_tested(). BS_ERROR_TRANSIENT: nobody can be told anything. */
bool teller_test(Teller *teller, const char *channel, char **ret_id, GError **error);
bool teller_tested(Teller *teller, const char *channel, const char *id, CourierTest *ret_result,
                   char **ret_said, GError **error);

/* Looks for silences and the like when it is time to, writes the text file, and starts what
 * measures (daemon/survey.h); returns when to be called again, in ms from now, at most. */
int64_t teller_turn(Teller *teller, const Schedules *schedules);
/* How the channels do: an array of {channel, failures, dropped, waiting}. A new reference. */
json_t *teller_channels(Teller *teller);
/* A child of the scheduler has ended; false: it has measured nothing. */
bool teller_reaped(Teller *teller, pid_t pid, int status);
