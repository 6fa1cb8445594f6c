/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells people. Whoever runs schedules says what happened; the notifier keeps incidents in the
 * catalogue, one for a schedule and a condition, and posts what opens, reminds of and resolves them
 * to the channels, each of which delivers in a thread of its own (daemon/courier.h). Nothing here
 * fails a run: what goes wrong is told in the log. Any thread; calls wait for the catalogue and the
 * disk, never for a channel.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/courier.h"
#include "daemon/incident.h"
#include "daemon/metrics.h"
#include "state/catalog.h"

typedef struct Notifier Notifier;

typedef struct {
    const Configuration *configuration; /* lives longer than the notifier */
    const Catalog *catalog;             /* another connection to it is made */
    const char *queue;                  /* Places.queue */
    const char *instance;               /* the node's name */
} NotifierOptions;

/* BS_ERROR_USAGE: a channel of a type that nobody knows; errors of catalogue and disk. */
bool notifier_new(const NotifierOptions *options, Notifier **ret_notifier, GError **error);
/* Within about a second; what is not delivered stays for the next start. */
void notifier_free(Notifier *notifier);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Notifier, notifier_free)

/* Of a schedule's run, once each. Durable when they return. */
void notifier_run_started(Notifier *notifier, const Schedule *schedule, const RunRow *run);
void notifier_run_ended(Notifier *notifier, const Schedule *schedule, const RunRow *run);

/* What nobody says: runs whose end was not told because the daemon died, silences, what was
 * measured (daemon/verdict.h), incidents of what is configured no more, reminders, reports.
 * schedules: all of them. At the start and every few minutes. Unix seconds. */
void notifier_check(Notifier *notifier, const Schedule *const *schedules, size_t n, int64_t now);

/* Sends one at once, and waits for what comes of it: BS_ERROR_NOT_FOUND: no such channel;
 * BS_ERROR_FAILED: why it did not arrive. */
bool notifier_test(Notifier *notifier, const char *channel, GError **error);

/* The same by its queue and courier, as everything else goes. *ret_id: for notifier_tested().
 * BS_ERROR_NOT_FOUND: no such channel; errors of the disk. */
bool notifier_queue_test(Notifier *notifier, const char *channel, char **ret_id, GError **error);
/* courier_tested(). */
bool notifier_tested(Notifier *notifier, const char *channel, const char *id,
                     CourierTest *ret_result, char **ret_said, GError **error);

/* Of all channels, owned by the notifier until the next call. One thread. */
const MetricsChannel *notifier_counts(Notifier *notifier, size_t *ret_n);
/* Waits until all that can be delivered now was tried; for tests. */
bool notifier_settle(Notifier *notifier, int64_t timeout_ms);
