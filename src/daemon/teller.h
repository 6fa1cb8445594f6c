/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scheduler tells others: people, through a notifier over the configuration that counts,
 * and who gathers metrics, through a text file. Nothing here fails a run or the daemon: what cannot
 * be told is in the log, and is tried again. The scheduler's thread.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/schedules.h"
#include "state/catalog.h"

typedef struct Teller Teller;

/* All borrowed for its life. catalog: the scheduler's own, in its thread. */
Teller *teller_new(Catalog *catalog, const char *queue, const char *node);
void teller_free(Teller *teller);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Teller, teller_free)

/* From now on this configuration, borrowed until the next call, and its channels. On failure nobody
 * is told anything until a turn succeeds where this has failed. */
bool teller_configure(Teller *teller, const Configuration *configuration, GError **error);
/* The configuration is about to go. */
void teller_let_go(Teller *teller);

/* Of a schedule's backup; other kinds of runs are nobody's business. schedule: NULL: it is gone. */
void teller_run_started(Teller *teller, const Schedule *schedule, const RunRow *run);
void teller_run_ended(Teller *teller, const Schedule *schedule, const RunRow *run);

/* Looks for silences and the like when it is time to, and writes the text file; returns when to be
 * called again, in ms from now, at most. */
int64_t teller_turn(Teller *teller, const Schedules *schedules);
