/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measurements and drills mean: whether a repository is nearly full, WAL is behind, a proof is
 * stale. Judged from the catalogue; what is not known is neither right nor wrong. One thread.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/incident.h"
#include "daemon/measured.h"

typedef struct {
    char *subject;            /* the incident's: a schedule's id, or "repository/NAME" */
    char *name;               /* for people: "repository main", "backup of nightly" */
    const Schedule *schedule; /* NULL: of none */
    Condition condition;
    bool wrong, right;
    char *text; /* the numbers */
} Verdict;

/* Of Verdict, owned by the array; schedules are borrowed. now: Unix seconds. NULL: errors of the
 * catalogue. */
GPtrArray *verdicts_of(Catalog *catalog, const Configuration *configuration,
                       const Schedule *const *schedules, size_t n, int64_t now, GError **error);

/* The same of one measurement, without a subject; for tests. row: may be NULL. */
Verdict *verdict_of_room(const json_t *row, uint64_t quota);
Verdict *verdict_of_lag(const json_t *row, const Schedule *schedule, int64_t every_s, int64_t now);
void verdict_free(Verdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Verdict, verdict_free)

/* Of a schedule, in one of the states (bits, 1 << RunState); id NULL: there is none. */
bool verdict_newest_drill(Catalog *catalog, const char *schedule, unsigned states, RunRow *ret_row,
                          GError **error);

/* Whether an incident is about a repository that is there. */
bool verdict_is_of_repository(const Configuration *configuration, const char *subject);
