/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/pitr.h"

static bool is_over(const PitrBase *base, int64_t by)
{
    return base->ended != 0 && base->ended <= by;
}

int64_t pitr_until(const PitrCluster *cluster, int64_t now)
{
    int64_t newest = INT64_MIN;

    for (size_t i = 0; i < cluster->n_bases; i++)
        if (is_over(&cluster->bases[i], now))
            newest = MAX(newest, cluster->bases[i].ended);
    for (size_t i = 0; i < cluster->n_timelines; i++)
        if (cluster->timelines[i].newest_at != 0)
            newest = MAX(newest, MIN(cluster->timelines[i].newest_at, now));
    return newest == INT64_MIN ? now : newest;
}

/* ---- bases ---- */

bool pitr_lived(const PitrCluster *cluster, uint32_t timeline, int64_t since)
{
    bool latest = true;

    for (size_t i = 0; i < cluster->n_bases; i++)
        if (cluster->bases[i].timeline == timeline && !is_over(&cluster->bases[i], since))
            return true;
    for (size_t i = 0; i < cluster->n_timelines; i++) {
        const PitrTimeline *other = &cluster->timelines[i];

        if (other->timeline == timeline && other->newest_at > since)
            return true;
        latest = latest && other->timeline <= timeline;
    }
    return latest;
}

static bool lies_on_way(const PitrBase *base, const PitrTimeline *timeline)
{
    for (size_t i = 0; i < timeline->n; i++)
        if (timeline->stretches[i].timeline == base->timeline)
            return base->stop <= timeline->stretches[i].end;
    return false;
}

static bool is_newer(const PitrBase *base, const PitrBase *than)
{
    if (!than || base->ended != than->ended)
        return !than || base->ended > than->ended;
    return base->start > than->start;
}

/* Of those on the way to a timeline (NULL: of all) that ended by a time. */
static PitrBase *newest_by(const PitrCluster *cluster, const PitrTimeline *timeline, int64_t by)
{
    PitrBase *newest = NULL;

    for (size_t i = 0; i < cluster->n_bases; i++) {
        PitrBase *base = &cluster->bases[i];

        if (is_over(base, by) && (!timeline || lies_on_way(base, timeline)) &&
            is_newer(base, newest))
            newest = base;
    }
    return newest;
}

static void set_reason(PitrBase *base, const char *reason)
{
    if (base && !base->reason)
        base->reason = reason;
}

bool pitr_keep_bases(const PitrCluster *cluster, int64_t since, int64_t now, uint32_t *ret_timeline)
{
    for (size_t i = 0; i < cluster->n_bases; i++) {
        PitrBase *base = &cluster->bases[i];

        base->reason = is_over(base, since) ? NULL : "in the point-in-time window";
    }
    for (size_t i = 0; i < cluster->n_timelines; i++) {
        const PitrTimeline *timeline = &cluster->timelines[i];

        if (!pitr_lived(cluster, timeline->timeline, since))
            continue;
        if (timeline->n == 0) {
            *ret_timeline = timeline->timeline;
            return false;
        }
        set_reason(newest_by(cluster, timeline, since), "base of the point-in-time window");
    }
    set_reason(newest_by(cluster, NULL, now), "newest base");
    return true;
}

/* ---- WAL ---- */

uint64_t pitr_floor(const PitrCluster *cluster, bool window)
{
    uint64_t lowest = UINT64_MAX;

    for (size_t i = 0; i < cluster->n_bases; i++)
        if (!window || cluster->bases[i].reason)
            lowest = MIN(lowest, cluster->bases[i].start);
    return lowest;
}

static bool needs(const PitrBase *base, uint64_t begin, uint64_t end)
{
    return begin < base->stop && end > base->start;
}

bool pitr_keeps(const PitrBase *bases, size_t n, uint64_t lowest, uint64_t begin, uint64_t end,
                int64_t stored_at, int64_t since)
{
    if (n == 0 || end > lowest || stored_at > since)
        return true;
    for (size_t i = 0; i < n; i++)
        if (needs(&bases[i], begin, end))
            return true;
    return false;
}
