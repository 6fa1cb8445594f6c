/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The channels of a configuration, each with its courier, and which of them hear of what. An event
 * that cannot be kept for a channel is told in the log and concerns no other. Any thread.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/courier.h"
#include "daemon/event.h"
#include "daemon/metrics.h"

typedef struct Lines Lines;

/* Opens those that are enabled. configuration: lives longer; queue: a folder for each lies in it.
 * BS_ERROR_USAGE: a channel of a type that nobody knows; errors of the disk. */
Lines *lines_new(const Configuration *configuration, const char *queue, GError **error);
/* Within about a second; what is not delivered stays for the next start. */
void lines_free(Lines *lines);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Lines, lines_free)

/* schedule: whose it is, for the channels that it chose; NULL: all hear of it. False: a queue could
 * not keep it, which is in the log. */
bool lines_post_incident(const Lines *lines, const Schedule *schedule, const json_t *event);
/* A run; of a success only where that is wanted. */
void lines_post_run(const Lines *lines, const Schedule *schedule, const json_t *event);
/* report: "daily", "weekly". */
void lines_post_report(const Lines *lines, const char *report, const json_t *event);

/* How often the most impatient channel wants to be reminded, s; INT64_MAX: none does. */
int64_t lines_reminder_step(const Lines *lines);
/* One of the reminders that are made that often; the others take each so many of them. age_s: of
 * the incident. */
void lines_post_reminder(const Lines *lines, const Schedule *schedule, const json_t *event,
                         int64_t age_s, int64_t step_s);

/* A test goes to one channel's queue. BS_ERROR_NOT_FOUND: there is none of that name, or it is not
 * enabled. */
bool lines_test(const Lines *lines, const char *channel, const json_t *event, GError **error);
/* courier_tested(). */
bool lines_tested(const Lines *lines, const char *channel, const char *id, CourierTest *ret_result,
                  char **ret_said, GError **error);

/* Of all channels, owned by the lines until the next call. One thread. */
const MetricsChannel *lines_counts(Lines *lines, size_t *ret_n);
/* Waits until all that can be delivered now was tried; for tests. */
bool lines_settle(const Lines *lines, int64_t timeout_ms);
