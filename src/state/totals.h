/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all runs that ended amount to, counted as they end, so that metrics neither read the history
 * nor shrink when it is cut. By schedule ("": none), kind and state.
 */
#pragma once
#include "state/catalog.h"

typedef struct {
    char *schedule, *kind;
    RunState state;
    uint64_t n, duration_ms; /* sums */
    uint64_t source_bytes, added_bytes, stored_bytes;
} RunTotal;

/* Upper bounds of the histogram in ms, ascending; the last one is INT64_MAX. */
#define RUN_DURATIONS 15
extern const int64_t run_duration_bounds[RUN_DURATIONS];

typedef struct {
    char *schedule, *kind;
    uint64_t n[RUN_DURATIONS]; /* with this bound and not the one before: not cumulative */
} RunDurations;

/* Arrays of RunTotal and RunDurations, which own their strings. Durations are those of runs that
 * were begun. */
bool catalog_totals(Catalog *catalog, GArray **ret_totals, GError **error);
bool catalog_durations(Catalog *catalog, GArray **ret_durations, GError **error);

/* Within the transaction that ends the run. */
bool totals_add(Catalog *catalog, const RunRow *row, GError **error);
