/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which backups of one group stay. Pure: no clock, no store. Rules as in restic's forget (0.18):
 * newest first, the last one of each hour, day, week (Monday to Sunday), month, year; a rule whose
 * count is not used up keeps the oldest one, too; a snapshot stays when any rule keeps it, and
 * every rule that does is told in restic's words. Three laws of our own come on top: dates after
 * now are never counted for a rule and never removed; the newest one that is not in the future
 * stays, and so does the newest proven one, whatever the policy. An empty policy keeps everything.
 */
#pragma once
#include "plan/duration.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int last, hourly, daily, weekly, monthly, yearly; /* 0: rule absent; -1: all */
    Duration within, within_hourly, within_daily, within_weekly, within_monthly, within_yearly;
    GPtrArray
        *tags; /* of GStrv: keep what has all tags of one list ("": has no tag); may be NULL */
} RetentionPolicy;

typedef struct {
    int64_t time;            /* Unix seconds */
    uint32_t nanoseconds;    /* after time: several backups may begin in one second */
    const char *const *tags; /* NULL-terminated or NULL */
    bool proven;             /* a drill succeeded; the newest proven one stays, too */
    /* filled in: */
    bool keep;
    /* Of const char *, empty when it goes: "last snapshot", "daily within 7d", "has tags [a, b]",
     * ... "newest snapshot" and "newest proven snapshot" only when no rule keeps it. See done. */
    GPtrArray *reasons;
} RetentionItem;

bool retention_is_empty(const RetentionPolicy *policy);
/* items in any order, decided in place; equal times keep theirs. zone: NULL for UTC. now in Unix
 * seconds. within-rules count from the newest item that is not in the future, as in restic. */
void retention_apply(const RetentionPolicy *policy, RetentionItem *items, size_t n, int64_t now,
                     GTimeZone *zone);
/* Frees what apply filled in. */
void retention_items_done(RetentionItem *items, size_t n);
