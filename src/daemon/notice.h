/* SPDX-License-Identifier: Apache-2.0 */
/* The words: what an event says of a run, an incident, a day. Pure. */
#pragma once
#include "daemon/event.h"
#include "daemon/incident.h"
#include "state/incidents.h"

/* schedule: may be NULL where the row has a name. base_url: of the daemon's page; NULL: no links.
 */
json_t *notice_of_run(EventKind kind, const char *instance, const char *base_url,
                      const Schedule *schedule, const RunRow *run, int64_t now);
/* The opening event's id is the incident's, so that what follows can name it. */
json_t *notice_of_incident(EventKind kind, const char *instance, const char *base_url,
                           const Schedule *schedule, const IncidentRow *incident, int64_t now);
/* name: "backup of nightly". "backup of nightly has failed" */
char *notice_title(const char *name, Condition condition);

/* What happened in a time. runs: of RunRow, in it; incidents: of IncidentRow, open ones. period:
 * "Daily report", "Weekly digest". */
json_t *notice_report(const char *instance, const char *period, const GArray *runs,
                      const GArray *incidents, int64_t now);

/* What came all at once: its titles, and whatever is worst. events: const json_t *, of at least one
 * and to the same people. */
json_t *notice_group(const GPtrArray *events, int64_t now);
