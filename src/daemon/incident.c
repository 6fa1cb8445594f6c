/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/incident.h"

#include "base/zone.h"
#include "plan/cron.h"

#include <string.h>

#define EXIT_LOCKED 11 /* somebody had the repository for himself: the next one does it */
#define GAPS        16 /* due times looked at: two weeks of a daily schedule, weekends included */

static const struct {
    const char *name, *severity, *words;
} conditions[] = {
    [CONDITION_FAILED] = { "failed", "error", "has failed" },
    [CONDITION_PARTIAL] = { "partial", "warning", "is incomplete" },
    [CONDITION_MISSED] = { "missed", "error", "has had no success for too long" },
    [CONDITION_CONCURRENT] = { "concurrent", "warning", "was due while it was still running" },
    [CONDITION_SHRUNK] = { "shrunk", "warning", "is much smaller than before" },
    [CONDITION_RETENTION] = { "retention", "error", "keeps what its retention should remove" },
    [CONDITION_REPOSITORY_FULL] = { "repository-full", "error", "has little room left" },
    [CONDITION_WAL_LAG] = { "wal-lag", "error", "archives its WAL too late" },
    [CONDITION_DRILL_STALE] = { "drill-stale", "warning", "was not proved for too long" },
    [CONDITION_DRILL_FAILED] = { "drill-failed", "error", "could not be restored in a drill" },
};
G_STATIC_ASSERT(G_N_ELEMENTS(conditions) == CONDITIONS);

const char *condition_name(Condition condition)
{
    return conditions[condition].name;
}

const char *condition_severity(Condition condition)
{
    return conditions[condition].severity;
}

const char *condition_words(Condition condition)
{
    return conditions[condition].words;
}

#define BIT(condition) (1u << CONDITION_##condition)

/* "detail" holds what the run said, warnings with the condition that they tell of. */
static bool has_warning(const RunRow *run, const char *condition)
{
    const json_t *warning;
    size_t i;

    json_array_foreach(json_object_get(run->detail, "warnings"), i, warning)
    {
        const char *text = json_string_value(json_object_get(warning, "condition"));

        if (text && strcmp(text, condition) == 0)
            return true;
    }
    return false;
}

/* One that waits for who has the repository for himself, or for a backup that is as large as usual,
 * is put off. */
static Judgement judge_retention(const RunRow *run)
{
    if (has_warning(run, "retention"))
        return (Judgement){ .wrong = BIT(RETENTION) };
    if (json_is_true(json_object_get(run->detail, "retention_applied")))
        return (Judgement){ .right = BIT(RETENTION) };
    return (Judgement){ 0 };
}

static Judgement judge_sweep(const RunRow *run)
{
    if ((run->state == RUN_FAILED && run->exit_code != EXIT_LOCKED) || run->state == RUN_PARTIAL)
        return (Judgement){ .wrong = BIT(RETENTION) };
    return run->state == RUN_SUCCEEDED ? judge_retention(run) : (Judgement){ 0 };
}

static Judgement judge_backup(const RunRow *run)
{
    const Judgement retention = judge_retention(run);
    unsigned shrunk = has_warning(run, "shrunk") ? BIT(SHRUNK) : 0;

    switch (run->state) {
    case RUN_SUCCEEDED:
        return (Judgement){ .wrong = shrunk | retention.wrong,
                            .right = BIT(FAILED) | BIT(PARTIAL) | BIT(MISSED) | BIT(CONCURRENT) |
                                     (shrunk ? 0 : BIT(SHRUNK)) | retention.right };
    case RUN_PARTIAL: // it ran, so it has not failed; but it is no success either
        return (Judgement){ .wrong = BIT(PARTIAL) | shrunk | retention.wrong,
                            .right = BIT(FAILED) | BIT(CONCURRENT) | retention.right };
    case RUN_FAILED:
        if (run->error && strcmp(run->error, "concurrent") == 0)
            return (Judgement){ .wrong = BIT(CONCURRENT) };
        return (Judgement){ .wrong = BIT(FAILED) };
    default: // skipped and cancelled ones were meant to be
        return (Judgement){ 0 };
    }
}

Judgement incident_judge(const RunRow *run)
{
    if (strcmp(run->kind, "backup") == 0)
        return judge_backup(run);
    if (strcmp(run->kind, "sweep") == 0)
        return judge_sweep(run);
    if (strcmp(run->kind, "drill") != 0)
        return (Judgement){ 0 };
    if (run->state == RUN_SUCCEEDED)
        return (Judgement){ .right = BIT(DRILL_FAILED) | BIT(DRILL_STALE) };
    return (Judgement){ .wrong = run->state == RUN_FAILED ? BIT(DRILL_FAILED) : 0 };
}

int64_t incident_interval(const Schedule *schedule, int64_t now)
{
    g_autoptr(GTimeZone) zone = zone_find(schedule->zone);
    int64_t longest = 0, before;

    if (!cron_next(&schedule->cron, zone, now, &before))
        return 0;
    for (unsigned i = 0; i < GAPS; i++) {
        int64_t next;

        if (!cron_next(&schedule->cron, zone, before, &next))
            break;
        longest = MAX(longest, next - before);
        before = next;
    }
    return longest;
}

bool incident_missed(const Schedule *schedule, int64_t since, int64_t now)
{
    int64_t interval = incident_interval(schedule, now);

    if (!schedule->enabled || schedule->paused_until > now || interval == 0)
        return false;
    return now - MAX(since, schedule->paused_until) > interval + interval / 2;
}

/* ---- telling ---- */

/* A clock that was set back makes nobody deaf. */
static bool is_quiet(const Telling *telling, int64_t now)
{
    return telling->told_at != 0 && now >= telling->told_at && now - telling->told_at < TELLING_S;
}

bool telling_open(Telling *telling, int64_t now)
{
    telling->pending = is_quiet(telling, now);
    if (telling->pending)
        return false;
    telling->told_at = now;
    return true;
}

bool telling_resolve(Telling *telling)
{
    bool tell = !telling->pending;

    telling->pending = false;
    return tell;
}

bool telling_look(Telling *telling, int64_t now)
{
    return telling->pending && telling_open(telling, now);
}
