/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of archives, made by a pattern such as "{year}/{month}/{name}-{timestamp}.dump". Pure. What
 * stands for itself is of A-Za-z0-9._-/ . Placeholders: {name} (of the source), {schedule},
 * {database}, {run}; of the time of the backup {timestamp} (UTC, 2026-11-21T03-00-00Z) and, in the
 * zone of the schedule, {date}, {year}, {month}, {day}, {hour}, {minute}, {second}.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* BS_ERROR_CONFIG: no such name can be made, or each would be that of the one before: it holds
 * neither {timestamp} nor {run}, {date} or {day}. */
bool filename_check(const char *pattern, GError **error);

typedef struct {
    const char *name, *schedule, *database, *run; /* other bytes than of a name become "_" */
    int64_t time;                                 /* Unix seconds */
    GTimeZone *zone;
} FilenameParts;

/* Of a pattern that was checked. */
char *filename_make(const char *pattern, const FilenameParts *parts);
/* Whether the pattern can have made it. */
bool filename_fits(const char *pattern, const char *name);
/* The directories that all its names lie in: "" or "a/b/". */
char *filename_folder(const char *pattern);
