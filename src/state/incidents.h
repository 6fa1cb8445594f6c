/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong and was told: one open incident for a schedule and a condition, opened once however
 * often it happens and by however many daemons, reminded of, resolved. Times in Unix ms.
 */
#pragma once
#include "state/catalog.h"

typedef struct {
    char *id;        /* as of runs: in order of time; part of the dedup key */
    char *schedule;  /* id; "": of none */
    char *condition; /* "failed", "missed", ... */
    char *severity, *summary;
    char *run;                               /* the last one it happened to; may be NULL */
    json_t *detail;                          /* may be NULL */
    uint64_t n;                              /* how often it happened */
    int64_t opened_at, last_at, resolved_at; /* 0: not */
    int64_t reminded_at; /* when people were last told of it; 0: they were not yet */
} IncidentRow;

void incident_row_clear(IncidentRow *row);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IncidentRow, incident_row_clear)

/* row: schedule, condition, severity, summary, run and detail are read; the rest is filled in with
 * what stands then. *ret_opened: exactly one caller gets true and tells people. */
bool catalog_incident_open(Catalog *catalog, IncidentRow *row, int64_t now, bool *ret_opened,
                           GError **error);
/* People were told that it is open: durably, or it would be told to nobody. id: of the row. */
bool catalog_incident_told(Catalog *catalog, const char *id, int64_t now, GError **error);
/* *ret_resolved: exactly one caller gets true, and the row; false: none was open. */
bool catalog_incident_resolve(Catalog *catalog, const char *schedule, const char *condition,
                              int64_t now, IncidentRow *ret_row, bool *ret_resolved,
                              GError **error);
/* Exactly one caller gets each that was told and reminded of before. Array of IncidentRow. */
bool catalog_incidents_remind(Catalog *catalog, int64_t before, int64_t now, GArray **ret_rows,
                              GError **error);
bool catalog_incidents_open(Catalog *catalog, GArray **ret_rows, GError **error); /* by schedule */
/* Newest first; schedule NULL: all; before: an id or NULL. */
bool catalog_incidents(Catalog *catalog, const char *schedule, const char *before, unsigned limit,
                       GArray **ret_rows, GError **error);
