/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/due.h"

#include <string.h>

/* ---- the cron's times ---- */

static int64_t next_after(const DueRule *rule, int64_t after)
{
    int64_t at;

    return cron_next(rule->cron, rule->zone, after, &at) ? at : DUE_NEVER;
}

/* The newest due time in first <= time <= until, where first is one. */
static int64_t newest(const DueRule *rule, int64_t first, int64_t until)
{
    int64_t lo = first, hi = until; // nothing is due in hi < time <= until

    if (next_after(rule, first) > until)
        return first;
    while (lo < hi) {
        const int64_t middle = lo + (hi - lo) / 2;
        const int64_t next = next_after(rule, middle);

        if (next <= hi)
            lo = next;
        else
            hi = middle;
    }
    return lo;
}

/* ---- jitter ---- */

static uint64_t hash_of(const char *key, int64_t due)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    const int64_t stable = GINT64_TO_LE(due);
    uint8_t digest[32];
    gsize len = sizeof digest;
    uint64_t hash;

    g_checksum_update(sum, (const guchar *)key, (gssize)strlen(key) + 1);
    g_checksum_update(sum, (const guchar *)&stable, sizeof stable);
    g_checksum_get_digest(sum, digest, &len);
    memcpy(&hash, digest, sizeof hash);
    return GUINT64_FROM_LE(hash);
}

int64_t due_start(const DueRule *rule, int64_t due)
{
    int64_t room;

    if (rule->jitter <= 0 || due == DUE_NEVER)
        return due;
    room = MIN(rule->jitter, next_after(rule, due) - due - 1);
    return due + (int64_t)(hash_of(rule->key, due) % (uint64_t)(room + 1));
}

/* ---- looking ---- */

/* The newest one that has started by now, of which first is the oldest; false: none has. */
static bool newest_started(const DueRule *rule, int64_t first, int64_t now, int64_t *ret_due)
{
    int64_t due = newest(rule, first, now);

    if (due_start(rule, due) > now) {
        // it waits for its jitter, and those before do not
        if (due == first)
            return false;
        due = newest(rule, first, due - 1);
    }
    *ret_due = due;
    return true;
}

/* Those in first <= time <= last, which are due times themselves. */
static void count_missed(const DueRule *rule, int64_t first, int64_t last, DueLook *look)
{
    look->missed_first = first;
    look->missed_last = last;
    for (int64_t at = first; at <= last && look->missed < DUE_MISSED_MAX; at = next_after(rule, at))
        look->missed++;
}

static DueAct act_of(const DueRule *rule, int64_t due, int64_t now)
{
    if (now - due_start(rule, due) <= DUE_GRACE)
        return DUE_RUN;
    return rule->late_max > 0 && now - due <= rule->late_max ? DUE_CATCH_UP : DUE_NOTHING;
}

static void decide(const DueRule *rule, int64_t first, int64_t due, int64_t now, DueLook *look)
{
    look->act = act_of(rule, due, now);
    look->due = due;
    look->decided = due;
    if (look->act == DUE_NOTHING)
        count_missed(rule, first, due, look);
    else if (due > first)
        count_missed(rule, first, newest(rule, first, due - 1), look);
}

static bool is_paused(const DueRule *rule, int64_t now)
{
    return !rule->enabled || now < rule->paused_until;
}

void due_look(const DueRule *rule, int64_t decided, int64_t now, DueLook *ret_look)
{
    DueLook look = { .decided = MIN(decided, now), .clock_was_ahead = decided > now };
    int64_t first, due;

    if (is_paused(rule, now)) {
        look.decided = now;
        look.look_at = rule->enabled ? rule->paused_until : DUE_NEVER;
    } else {
        first = next_after(rule, MAX(look.decided, rule->paused_until - 1));
        if (first <= now && newest_started(rule, first, now, &due)) {
            decide(rule, first, due, now, &look);
            first = next_after(rule, due);
        }
        look.look_at = due_start(rule, first);
    }
    *ret_look = look;
}

unsigned due_next(const DueRule *rule, int64_t now, unsigned n, int64_t *ret_times)
{
    int64_t at = MAX(now, rule->paused_until - 1);
    unsigned found = 0;

    if (!rule->enabled)
        return 0;
    while (found < n && cron_next(rule->cron, rule->zone, at, &at))
        ret_times[found++] = at;
    return found;
}
