/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walfacts.h"

#include "base/error.h"
#include "pg/history.h"
#include "pg/walname.h"

static void facts_free(gpointer data)
{
    WalFacts *facts = data;

    g_ptr_array_unref(facts->snapshots);
    g_array_unref(facts->bases);
    g_array_unref(facts->timelines);
    g_ptr_array_unref(facts->ways);
    g_free(facts->problem);
    g_free(facts);
}

static WalFacts *claim(GPtrArray *all, uint64_t system_id)
{
    WalFacts *facts;

    for (guint i = 0; i < all->len; i++) {
        facts = g_ptr_array_index(all, i);
        if (facts->system_id == system_id)
            return facts;
    }
    facts = g_new0(WalFacts, 1);
    facts->system_id = system_id;
    facts->since = INT64_MAX;
    facts->snapshots = g_ptr_array_new();
    facts->bases = g_array_new(FALSE, FALSE, sizeof(PitrBase));
    facts->timelines = g_array_new(FALSE, FALSE, sizeof(PitrTimeline));
    facts->ways = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    g_ptr_array_add(all, facts);
    return facts;
}

G_GNUC_PRINTF(2, 3) static void set_problem(WalFacts *facts, const char *format, ...)
{
    va_list args;

    if (facts->problem)
        return;
    va_start(args, format);
    facts->problem = g_strdup_vprintf(format, args);
    va_end(args);
}

/* ---- bases ---- */

static void add_base(WalFacts *facts, const WalBase *base)
{
    PitrBase entry = { .timeline = base->timeline,
                       .start = base->start,
                       .stop = base->stop,
                       .ended = wal_base_ended(base) };

    g_array_append_val(facts->bases, entry);
    g_ptr_array_add(facts->snapshots, (gpointer)base->snapshot);
}

static void add_bases(GPtrArray *all, const GPtrArray *snapshots)
{
    const Snapshot *unknown = NULL;

    for (guint i = 0; i < snapshots->len; i++) {
        WalBase base;
        WalBaseKind kind = wal_base_of(g_ptr_array_index(snapshots, i), &base);

        if (kind == WAL_BASE_GOOD)
            add_base(claim(all, base.system_id), &base);
        else if (kind == WAL_BASE_BAD && base.system_id != 0)
            set_problem(claim(all, base.system_id),
                        "the tags of snapshot %s do not say which WAL it needs",
                        id_short(&base.snapshot->id).text);
        else if (kind == WAL_BASE_BAD)
            unknown = base.snapshot;
    }
    for (guint i = 0; unknown && i < all->len; i++)
        set_problem(g_ptr_array_index(all, i),
                    "the tags of snapshot %s do not say which cluster it is of",
                    id_short(&unknown->id).text);
}

/* ---- timelines ---- */

static PitrTimeline *claim_timeline(WalFacts *facts, uint32_t number)
{
    PitrTimeline fresh = { .timeline = number };

    for (guint i = 0; i < facts->timelines->len; i++) {
        PitrTimeline *timeline = &g_array_index(facts->timelines, PitrTimeline, i);

        if (timeline->timeline == number)
            return timeline;
    }
    g_array_append_val(facts->timelines, fresh);
    return &g_array_index(facts->timelines, PitrTimeline, facts->timelines->len - 1);
}

/* A segment's name only tells its place when it is known how long segments are. */
static void learn_size(WalFacts *facts, const WalTimeline *timeline)
{
    if (timeline->problem)
        set_problem(facts, "timeline %u: %s", timeline->timeline, timeline->problem);
    else if (timeline->n_segments == 0)
        return;
    else if (facts->segment_size == 0)
        facts->segment_size = timeline->segment_size;
    else if (facts->segment_size != timeline->segment_size)
        set_problem(facts, "its segments are of different lengths");
}

static void add_timelines(WalFacts *facts)
{
    for (guint i = 0; facts->held && i < facts->held->timelines->len; i++) {
        const WalTimeline *timeline = g_ptr_array_index(facts->held->timelines, i);

        claim_timeline(facts, timeline->timeline)->newest_at = timeline->newest_at;
        if (facts->bases->len > 0) // without one nothing goes, so nothing needs to be understood
            learn_size(facts, timeline);
    }
    for (guint i = 0; i < facts->bases->len; i++)
        (void)claim_timeline(facts, g_array_index(facts->bases, PitrBase, i).timeline);
    facts->pitr =
        (PitrCluster){ (PitrBase *)(void *)facts->bases->data, facts->bases->len,
                       (PitrTimeline *)(void *)facts->timelines->data, facts->timelines->len };
}

/* ---- ways ---- */

static PgHistory *load_history(Repo *repo, uint64_t system_id, uint32_t timeline, GError **error)
{
    WalName name = { .kind = WAL_HISTORY, .timeline = timeline };
    g_autoptr(GBytes) content = NULL;
    WalObject object;

    if (timeline == 1)
        return pg_history_first();
    if (!wal_object_init(&object, system_id, wal_name_text(&name).text, error) ||
        !wal_object_get(repo, &object, &content, error))
        return NULL;
    return pg_history_parse(timeline, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                            error);
}

static void set_way(WalFacts *facts, PitrTimeline *timeline, const PgHistory *history)
{
    GArray *way = g_array_new(FALSE, FALSE, sizeof(PitrStretch));
    size_t n;
    const PgStretch *stretches = pg_history_stretches(history, &n);

    for (size_t i = 0; i < n; i++) {
        PitrStretch stretch = { stretches[i].timeline, stretches[i].begin, stretches[i].end };

        g_array_append_val(way, stretch);
    }
    g_ptr_array_add(facts->ways, way);
    timeline->stretches = (const PitrStretch *)(void *)way->data;
    timeline->n = way->len;
}

static bool is_lowest(const WalFacts *facts, uint32_t number)
{
    for (guint i = 0; i < facts->timelines->len; i++)
        if (g_array_index(facts->timelines, PitrTimeline, i).timeline < number)
            return false;
    return true;
}

/* A cluster that was promoted before its first WAL was archived: what lies before is held nowhere,
 * so its way begins here. */
static void begin_here(WalFacts *facts, PitrTimeline *timeline)
{
    GArray *way = g_array_new(FALSE, FALSE, sizeof(PitrStretch));
    PitrStretch only = { timeline->timeline, 0, UINT64_MAX };

    g_array_append_val(way, only);
    g_ptr_array_add(facts->ways, way);
    timeline->stretches = (const PitrStretch *)(void *)way->data;
    timeline->n = 1;
}

static bool find_way(Repo *repo, WalFacts *facts, PitrTimeline *timeline, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(PgHistory) history =
        load_history(repo, facts->system_id, timeline->timeline, &failure);

    if (history)
        set_way(facts, timeline, history);
    else if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        if (is_lowest(facts, timeline->timeline))
            begin_here(facts, timeline);
        else
            set_problem(facts,
                        "%08X.history is not held, so nobody knows where timeline %u comes from",
                        timeline->timeline, timeline->timeline);
    } else if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
               g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH)) {
        set_problem(facts, "%s", failure->message);
    } else {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return true;
}

static bool apply_window(const WalFactsFrom *from, WalFacts *facts, int64_t now, GError **error)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_local(); // days as the operator counts them
    uint32_t unknown;

    facts->since = duration_before(from->window, pitr_until(&facts->pitr, now), zone);
    for (guint i = 0; i < facts->timelines->len; i++) {
        PitrTimeline *timeline = &g_array_index(facts->timelines, PitrTimeline, i);

        if (pitr_lived(&facts->pitr, timeline->timeline, facts->since) &&
            !find_way(from->open->repo, facts, timeline, error))
            return false;
    }
    if (!pitr_keep_bases(&facts->pitr, facts->since, now, &unknown))
        set_problem(facts, "nobody knows where timeline %u comes from", unknown);
    return true;
}

bool wal_facts_gather(const WalFactsFrom *from, GPtrArray **ret_facts, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(facts_free);
    int64_t now = clock_now().sec;

    for (guint i = 0; i < from->clusters->len; i++) {
        const WalCluster *cluster = g_ptr_array_index(from->clusters, i);

        claim(all, cluster->system_id)->held = cluster;
    }
    add_bases(all, from->snapshots);
    for (guint i = 0; i < all->len; i++) {
        WalFacts *facts = g_ptr_array_index(all, i);

        add_timelines(facts);
        if (from->window && !apply_window(from, facts, now, error))
            return false;
    }
    *ret_facts = g_steal_pointer(&all);
    return true;
}
