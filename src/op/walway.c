/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walway.h"

#include "base/error.h"
#include "base/plural.h"
#include "op/walorigin.h"
#include "op/walpath.h"
#include "op/walsegment.h"

#include <string.h>

/* ---- telling ---- */

static void tell(const WalWayCheck *check, const char *code, uint32_t timeline,
                 const WalName *first, const WalName *last, const char *message)
{
    WalNameText first_text = { "" }, last_text = { "" };
    WalProblem problem = { .code = code,
                           .system_id = check->cluster->system_id,
                           .timeline = timeline,
                           .message = message };

    if (first) {
        first_text = wal_name_text(first);
        last_text = wal_name_text(last);
        problem.first = first_text.text;
        problem.last = last_text.text;
    }
    check->problem(&problem, check->user);
}

/* ---- each timeline for itself ---- */

static void tell_holes(const WalWayCheck *check, const WalTimeline *timeline, uint64_t from)
{
    const uint32_t size = timeline->segment_size;

    for (guint i = 0; i < timeline->holes->len; i++) {
        const WalHole *hole = &g_array_index(timeline->holes, WalHole, i);
        WalName first = wal_name_of(timeline->timeline, hole->begin, size);
        WalName last = wal_name_of(timeline->timeline, hole->end - size, size);

        if (hole->end > from)
            tell(check, "wal-gap", timeline->timeline, &first, &last,
                 "missing between others; no recovery goes past it");
    }
}

static void tell_all_holes(const WalWayCheck *check, uint64_t from)
{
    for (guint i = 0; i < check->cluster->timelines->len; i++)
        tell_holes(check, g_ptr_array_index(check->cluster->timelines, i), from);
}

/* 0: not known. What keeps a timeline's from being known is damage. */
static uint32_t segment_size(const WalWayCheck *check)
{
    uint32_t size = 0;

    for (guint i = 0; i < check->cluster->timelines->len; i++) {
        const WalTimeline *timeline = g_ptr_array_index(check->cluster->timelines, i);

        if (timeline->problem)
            tell(check, "wal-damaged", timeline->timeline, NULL, NULL, timeline->problem);
        size = MAX(size, timeline->segment_size);
    }
    return size;
}

/* ---- the way ---- */

/* The oldest whose WAL retention has left to the end; with path, that lies on it. */
static const WalBase *oldest_base(const WalWayCheck *check, const WalPath *path)
{
    const WalBase *oldest = NULL;

    for (guint i = 0; i < check->bases->len; i++) {
        const WalBase *base = &g_array_index(check->bases, WalBase, i);

        if (base->system_id == check->cluster->system_id && base->start >= check->floor &&
            (!oldest || base->start < oldest->start) &&
            (!path || wal_path_passes(path, base->timeline, base->stop, NULL)))
            oldest = base;
    }
    return oldest;
}

/* Where the newest part ends that is held of a segment; 0: none is. */
static uint64_t part_end(const WalWayCheck *check, const WalName *name)
{
    uint64_t end = 0, lsn;
    WalName segment;

    for (guint i = 0; i < check->cluster->timelines->len; i++) {
        const WalTimeline *timeline = g_ptr_array_index(check->cluster->timelines, i);

        for (guint k = 0; timeline->timeline == name->timeline && k < timeline->parts->len; k++)
            if (wal_part_parse(g_array_index(timeline->parts, WalObject, k).name, &segment, &lsn) &&
                wal_name_compare(&segment, name) == 0)
                end = MAX(end, lsn);
    }
    return end;
}

/* How far what `wal receive` has of a segment leads on from lsn, by the timeline that the byte is
 * of or by the younger one that has a copy; lsn itself where it does not. */
static uint64_t part_leads_to(const WalWayCheck *check, const WalPath *path, uint64_t lsn)
{
    const PgHistory *history = wal_path_history(path);
    const PgStretch *own = pg_history_find(history, pg_history_timeline_at(history, lsn));
    WalName name = wal_name_of(own->timeline, lsn, wal_path_segment_size(path));
    WalPathSegment youngest;

    wal_path_segment(path, lsn, &youngest);
    return MAX(MAX(lsn, MIN(part_end(check, &name), own->end)), part_end(check, &youngest.name));
}

/* Whether a part is as good as the segment: it is all of it, or all there ever was of a timeline
 * that was left there. Moves lsn on. */
static bool part_serves(const WalWayCheck *check, const WalPath *path, uint64_t *lsn)
{
    const PgHistory *history = wal_path_history(path);
    uint64_t end = part_leads_to(check, path, *lsn);
    WalPathSegment segment;

    wal_path_segment(path, *lsn, &segment);
    if (end == *lsn || (end < segment.end && pg_history_timeline_at(history, end) ==
                                                 pg_history_timeline_at(history, *lsn)))
        return false;
    *lsn = end;
    return true;
}

/* The missing ones from lsn on, as far as they are of one timeline; returns where they end. */
static uint64_t tell_gap(const WalWayCheck *check, const WalPath *path, uint64_t lsn)
{
    WalPathSegment segment;
    WalName first, last;

    wal_path_segment(path, lsn, &segment);
    first = last = segment.name;
    while (!segment.held && segment.name.timeline == first.timeline &&
           !part_serves(check, path, &(uint64_t){ lsn })) {
        last = segment.name;
        lsn = segment.end;
        wal_path_segment(path, lsn, &segment);
    }
    tell(check, "wal-gap", first.timeline, &first, &last,
         "missing between others; no recovery goes past it");
    return lsn;
}

static bool follow(const WalWayCheck *check, const WalPath *path, const WalBase *base,
                   const Cancel *cancel, GError **error)
{
    WalWay way = { .system_id = base->system_id,
                   .snapshot = &base->snapshot->id,
                   .since = wal_base_ended(base),
                   .from_timeline = base->timeline,
                   .from = base->start,
                   .timeline = wal_path_timeline(path) };
    WalPathEnd end;

    for (wal_path_end(path, base->start, &end); end.gap; wal_path_end(path, end.end, &end)) {
        if (!cancel_check(cancel, error))
            return false;
        if (part_serves(check, path, &end.end))
            continue;
        if (way.gaps++ == 0)
            way.end = part_leads_to(check, path, end.end);
        end.end = tell_gap(check, path, end.end);
    }
    if (way.gaps == 0) // behind the last segment there may be a part of the next
        way.end = part_leads_to(check, path, end.end);
    check->way(&way, check->user);
    return true;
}

/* ---- what is on no way ---- */

#define LATE_S 60 /* clocks of several machines may differ */

/* When the history came of the timeline that goes on where this one was left; INT64_MAX: nobody
 * knows. */
static int64_t left_at(const WalWayCheck *check, const WalPath *path, const PgStretch *stretch)
{
    WalName name = {
        .kind = WAL_HISTORY,
        .timeline = pg_history_timeline_at(wal_path_history(path), stretch->end),
    };
    WalNameText text = wal_name_text(&name);

    for (guint i = 0; i < check->cluster->timelines->len; i++) {
        const GArray *objects =
            ((const WalTimeline *)g_ptr_array_index(check->cluster->timelines, i))->objects;

        for (guint k = 0; k < objects->len; k++)
            if (strcmp(g_array_index(objects, WalInfo, k).object.name, text.text) == 0)
                return g_array_index(objects, WalInfo, k).modified_at;
    }
    return INT64_MAX - LATE_S;
}

typedef struct {
    WalName first, last;
    guint n, n_late; /* that came after another timeline had begun */
} Abandoned;

static void find_abandoned(const WalTimeline *timeline, uint32_t size, uint64_t left, int64_t at,
                           Abandoned *found)
{
    for (guint i = 0; i < timeline->objects->len; i++) {
        const WalInfo *info = &g_array_index(timeline->objects, WalInfo, i);
        WalName name;
        uint64_t lsn;

        if (!wal_name_parse(info->object.name, &name, NULL) || name.kind != WAL_SEGMENT ||
            !wal_name_lsn(&name, size, &lsn, NULL) || lsn < left)
            continue;
        if (found->n++ == 0)
            found->first = name;
        found->last = name;
        found->n_late += info->modified_at > at + LATE_S;
    }
}

/* A server that was promoted, or recovered to an earlier moment, has left it behind. */
static void tell_abandoned(const WalWayCheck *check, const WalPath *path,
                           const WalTimeline *timeline)
{
    const PgStretch *stretch = pg_history_find(wal_path_history(path), timeline->timeline);
    const uint32_t to = wal_path_timeline(path);
    uint64_t left = stretch ? stretch->end : 0;
    g_autoptr(GString) message = g_string_new(NULL);
    Abandoned found = { 0 };

    find_abandoned(timeline, wal_path_segment_size(path), left,
                   stretch ? left_at(check, path, stretch) : INT64_MAX - LATE_S, &found);
    if (found.n == 0)
        return;
    g_string_append_printf(message, "%u %s ", found.n, plural(found.n, "segment", "segments"));
    if (stretch)
        g_string_append_printf(message,
                               "behind %s, where timeline %u was left; the way to timeline %u "
                               "does not pass them",
                               lsn_text(left).text, timeline->timeline, to);
    else
        g_string_append_printf(message, "of a timeline that the way to timeline %u does not pass",
                               to);
    if (found.n_late > 0)
        g_string_append_printf(message,
                               "; %u of them came when the next timeline had begun already: two "
                               "servers archive here, and the latest timeline is that of one",
                               found.n_late);
    tell(check, "wal-abandoned", timeline->timeline, &found.first, &found.last, message->str);
}

/* ---- where timelines come from ---- */

/* Against the histories of those before it, and the WAL where it begins. */
static bool prove_origin(const WalWayCheck *check, const PgHistory *history, uint32_t size,
                         GError **error)
{
    Repo *repo = check->open->repo;
    const uint64_t system_id = check->cluster->system_id;
    size_t n;
    const PgStretch *stretches = pg_history_stretches(history, &n);

    return wal_origin_agrees(repo, system_id, history, error) &&
           wal_origin_joins(repo, system_id, size, history, stretches[n - 1].begin, error);
}

static bool check_origin(const WalWayCheck *check, const WalHeld *held, uint32_t timeline,
                         uint32_t size, GError **error)
{
    WalName name = { .kind = WAL_HISTORY, .timeline = timeline };
    g_autoptr(GError) failure = NULL;
    g_autoptr(PgHistory) history = wal_held_history(held, timeline, &failure);

    if (history && prove_origin(check, history, size, &failure))
        return true;
    if (history && g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH)) {
        tell(check, "wal-origin", timeline, &name, &name, failure->message);
        return true;
    }
    // of histories that cannot be read only that of the way counts, which is told there
    if (!history && (g_error_matches(failure, BS_ERROR, BS_ERROR_WAL_GAP) ||
                     g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
                     g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH)))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool check_origins(const WalWayCheck *check, const WalHeld *held, uint32_t size,
                          const Cancel *cancel, GError **error)
{
    for (guint i = 0; i < check->cluster->timelines->len; i++) {
        const WalTimeline *timeline = g_ptr_array_index(check->cluster->timelines, i);

        if (!timeline->has_history)
            continue;
        if (!cancel_check(cancel, error) ||
            !check_origin(check, held, timeline->timeline, size, error))
            return false;
    }
    return true;
}

/* ---- all together ---- */

static bool check_way_to(const WalWayCheck *check, const WalPath *path, const Cancel *cancel,
                         GError **error)
{
    const WalBase *base = oldest_base(check, path);
    g_autofree char *message = NULL;

    for (guint i = 0; i < check->cluster->timelines->len; i++)
        tell_abandoned(check, path, g_ptr_array_index(check->cluster->timelines, i));
    if (base)
        return follow(check, path, base, cancel, error);
    message = g_strdup_printf("no base backup leads to timeline %u, so nothing of it can be "
                              "recovered; take one",
                              wal_path_timeline(path));
    tell(check, "wal-gap", wal_path_timeline(path), NULL, NULL, message);
    return true;
}

static bool is_lowest(const WalWayCheck *check, uint32_t timeline)
{
    const WalTimeline *first = g_ptr_array_index(check->cluster->timelines, 0);

    for (guint i = 0; i < check->bases->len; i++) {
        const WalBase *base = &g_array_index(check->bases, WalBase, i);

        if (base->system_id == check->cluster->system_id && base->timeline < timeline)
            return false;
    }
    return first->timeline >= timeline;
}

static bool tell_no_way(const WalWayCheck *check, uint32_t timeline, const GError *failure,
                        GError **error)
{
    WalName history = { .kind = WAL_HISTORY, .timeline = timeline };

    if (g_error_matches(failure, BS_ERROR, BS_ERROR_WAL_GAP))
        tell(check, "wal-missing", timeline, &history, &history, failure->message);
    else if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
             g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH))
        tell(check, "wal-damaged", timeline, &history, &history, failure->message);
    else {
        g_propagate_error(error, g_error_copy(failure));
        return false;
    }
    return true;
}

bool wal_way_check(const WalWayCheck *check, const Cancel *cancel, GError **error)
{
    const uint32_t size = segment_size(check);
    const WalBase *oldest = oldest_base(check, NULL);
    g_autoptr(WalHeld) held = NULL;
    g_autoptr(WalPath) path = NULL;
    g_autoptr(GError) failure = NULL;

    if (size == 0)
        return true;
    held = wal_held_list(check->open->repo, check->cluster->system_id, error);
    if (!held || !check_origins(check, held, size, cancel, error))
        return false;
    if (!oldest) {
        tell_all_holes(check, check->floor);
        return true;
    }
    path = wal_path_new(held, wal_held_latest(held), size, &failure);
    if (path)
        return check_way_to(check, path, cancel, error);
    // archived from a later timeline on: what came before is held nowhere, and nobody needs it
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_WAL_GAP) &&
        is_lowest(check, wal_held_latest(held))) {
        tell_all_holes(check, oldest->start);
        return true;
    }
    return tell_no_way(check, wal_held_latest(held), failure, error);
}
