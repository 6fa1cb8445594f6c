/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules that the API made, and what is remembered of all of them, those of the file included:
 * paused until when, and the last due time that was decided. Included by state/catalog.h.
 */
#pragma once
#include "state/catalog.h"

typedef struct {
    char *id, *name;
    json_t *definition; /* canonical JSON of config/ */
    bool enabled;
    int64_t paused_until, created_at, updated_at; /* Unix ms; 0: not paused */
    unsigned version;                             /* counts changes, from 1: the ETag */
} ScheduleRow;

void schedule_row_clear(ScheduleRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ScheduleRow, schedule_row_clear)

/* Those of the API, by name. The array owns its rows (ScheduleRow). */
bool catalog_schedules(Catalog *catalog, GArray **ret_rows, GError **error);
bool catalog_schedule_get(Catalog *catalog, const char *id, ScheduleRow *ret_row, GError **error);
/*
 * expected_version 0: a new one, and its id is made when the row has none; BS_ERROR_EXISTS: one of
 * the API has this name. Otherwise a change: BS_ERROR_STALE when that is not the version any more,
 * BS_ERROR_NOT_FOUND. Fills in created_at, updated_at and version.
 */
bool catalog_schedule_put(Catalog *catalog, ScheduleRow *row, unsigned expected_version,
                          GError **error);
/* History stays, totals go. expected_version 0: whatever it is. BS_ERROR_STALE, _NOT_FOUND. */
bool catalog_schedule_delete(Catalog *catalog, const char *id, unsigned expected_version,
                             GError **error);

/* Of any schedule, by its id; one of the file is known from the first call on. An API's that was
 * deleted is BS_ERROR_NOT_FOUND for put: from_file says which kind it is. */
bool catalog_pause_put(Catalog *catalog, const char *id, bool from_file, int64_t paused_until,
                       GError **error);
bool catalog_pause_get(Catalog *catalog, const char *id, int64_t *ret_paused_until,
                       GError **error); /* 0: not, or unknown */
/* The last due time that was decided, run or not, so that a restart neither skips nor doubles. */
bool catalog_due_put(Catalog *catalog, const char *id, bool from_file, int64_t due_at,
                     GError **error);
bool catalog_due_get(Catalog *catalog, const char *id, int64_t *ret_due_at,
                     GError **error); /* 0: none yet */

/* Counts n due times up to this one (Unix ms) that got no run, once whoever tells of them: several
 * daemons see the same. Of a schedule that is known; of others nothing is counted. */
bool catalog_missed_add(Catalog *catalog, const char *id, int64_t until, unsigned n,
                        GError **error);
bool catalog_missed_get(Catalog *catalog, const char *id, int64_t *ret_n, GError **error);
