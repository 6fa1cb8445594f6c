/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When reports are due: the daily one once a day after a minute of the day, the weekly one on
 * Mondays, in UTC. What was reported last is kept in a file, so that a restart repeats nothing; the
 * first start reports nothing of the past. One thread at a time.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Reporting Reporting;

typedef struct {
    const char *name;  /* "daily", "weekly", as the configuration has it */
    const char *title; /* "Daily report" */
    /* What it is about, Unix seconds: from the last one on, so that nothing falls between two. */
    int64_t since, until;
} ReportDue;

/* dir: where the file "reports.json" lies. */
bool reporting_new(const char *dir, Reporting **ret_reporting, GError **error);
void reporting_free(Reporting *reporting);
/* One that is due and was not given before; kept durable first, so that it is never given twice. */
bool reporting_next(Reporting *reporting, int64_t minute, int64_t now, ReportDue *ret_due);
