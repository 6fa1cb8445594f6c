/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which backups of one group stay. Pure: no clock, no store. Rules as in restic's forget: newest first,
 * the last one of each hour, day, ISO week, month, year; a snapshot stays when any rule keeps it, and
 * every rule that does is told. -1 for a count means unlimited. Design.md section 6: future dates
 * (after now) are never counted for a rule and never removed; the newest one that is not in the future
 * always stays, whatever the policy.
 */
#pragma once
#include "plan/duration.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int last, hourly, daily, weekly, monthly, yearly; /* 0: rule absent; -1: all */
    Duration within, within_hourly, within_daily, within_weekly, within_monthly, within_yearly;
    GPtrArray *tags; /* of GStrv: keep what has all tags of one list; may be NULL */
} RetentionPolicy;

typedef struct {
    int64_t time;            /* Unix seconds */
    const char *const *tags; /* NULL-terminated or NULL */
    bool proven;             /* a drill succeeded; the newest proven one stays, too */
    /* filled in: */
    bool keep;
    GPtrArray *reasons; /* of const char *: "last snapshot", "daily snapshot", ...; made by us, see done */
} RetentionItem;

bool retention_is_empty(const RetentionPolicy *policy);
/* items in any order, decided in place. zone: NULL for UTC. now in Unix seconds. within-rules count from
 * the newest item that is not in the future, as in restic. */
void retention_apply(const RetentionPolicy *policy, RetentionItem *items, size_t n, int64_t now,
                     GTimeZone *zone);
void retention_items_done(RetentionItem *items, size_t n);
