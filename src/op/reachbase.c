/* SPDX-License-Identifier: Apache-2.0 */
#include "op/reachbase.h"

#include "base/error.h"
#include "op/walorigin.h"
#include "op/walscan.h"

/* A checkpoint says in which second it was begun, and where; only then it was decided that recovery
 * begins there. */
#define CHECKPOINT_SLACK_US (INT64_C(2) * G_USEC_PER_SEC)

typedef struct {
    WalSearch search;
    uint64_t start;     // of the base
    int64_t started_us; // what had ended before start ended before this; 0: not known
    int64_t time_us;    // of the last transaction that ended in what is replayed; 0: none did
    uint64_t minimal;   // the server went on with wal_level = minimal; 0: it did not
    GArray *made;       // of ReachTablespace
    uint32_t limits[PG_LIMITS];
} Looking;

static void looking_done(Looking *looking)
{
    g_clear_pointer(&looking->made, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Looking, looking_done)

static void clear_tablespace(void *tablespace)
{
    g_free(((ReachTablespace *)tablespace)->location);
}

static void note_limits(Looking *looking, const WalEvent *event)
{
    for (size_t i = 0; i < PG_LIMITS; i++)
        looking->limits[i] = MAX(looking->limits[i], event->limits[i]);
}

/* One in pg_tblspc/ itself is as much a part of the copy as the rest. */
static void note_tablespace(Looking *looking, const WalRecord *record, const WalEvent *event)
{
    ReachTablespace one = { .oid = event->oid, .lsn = record->lsn };

    if (!*event->location)
        return;
    one.location = g_strdup(event->location);
    g_array_append_val(looking->made, one);
}

static bool look_at(const WalRecord *record, const WalEvent *event, void *user)
{
    Looking *looking = user;
    bool stopped;

    if (event->kind == WAL_CHECKPOINT && event->lsn == looking->start && !looking->started_us)
        looking->started_us = event->time_us + CHECKPOINT_SLACK_US;
    // of a server that was stopped: what it had written is all there, and recovery begins behind
    if (event->kind == WAL_CHECKPOINT && record->lsn == looking->start) {
        wal_search_begin_behind(&looking->search, record);
        return false;
    }
    stopped = wal_search_offer(&looking->search, record, event);
    if (stopped && !looking->search.after)
        return true;
    if (event->kind == WAL_COMMIT || event->kind == WAL_ABORT)
        looking->time_us = event->time_us;
    if (event->kind == WAL_PARAMETERS)
        note_limits(looking, event);
    if (event->kind == WAL_TABLESPACE)
        note_tablespace(looking, record, event);
    if (event->kind == WAL_PARAMETERS && event->wal_level == 0)
        looking->minimal = record->lsn; // a recovery ends in failure there
    return stopped || looking->minimal;
}

/*
 * A server stops at the first transaction that ended later than the target time, also when what the
 * base holds did: nobody tells it. So one must have been seen that ended in time, or the base must
 * have been begun before.
 */
static bool begins_in_time(const Looking *looking)
{
    const WalTarget *target = &looking->search.target;

    return target->kind != WAL_TARGET_TIME || looking->time_us ||
           (looking->started_us && looking->started_us <= target->time_us);
}

/* What the base holds of WAL itself. */
static bool get_from_base(const char *name, void *user, GBytes **ret_content, GError **error)
{
    g_autofree char *path = g_build_filename("pgdata/pg_wal", name, NULL);

    return cluster_base_file(user, path, WAL_CONTENT_MAX, ret_content, error);
}

static WalPath *open_path(ClusterBase *base, const WalHeld *held, uint32_t timeline, GError **error)
{
    WalPath *path = wal_path_new(held, timeline, base->control.wal_segment_size, error);

    if (path)
        wal_path_add_parts(path);
    for (guint i = 0; path && i < base->wal->len; i++)
        wal_path_add(path, g_ptr_array_index(base->wal, i), get_from_base, base);
    return path;
}

static void say_not_reached(const Looking *looking, const WalScanResult *scan, GError **error)
{
    const WalSearch *search = &looking->search;
    g_autoptr(GError) text = NULL;
    g_autofree char *minimal = NULL, *hint = NULL, *whole = NULL;
    bool told = !wal_search_finish(search, &text);

    if (looking->minimal)
        minimal = g_strdup_printf("the server was run with wal_level = minimal from %s on",
                                  lsn_text(looking->minimal).text);
    if (search->replayed >= search->target.consistent && search->last != 0)
        hint = g_strdup_printf("; --target-lsn %s restores as far as it goes",
                               lsn_text(search->last).text);
    if (search->last == 0)
        whole = g_strdup("no WAL behind the start of the base backup is held");
    else if (!told) // all of it was asked for
        whole = g_strdup_printf("the WAL that is held breaks off behind the record at %s",
                                lsn_text(search->last).text);
    g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP, "%s; %s%s", whole ? whole : text->message,
                minimal        ? minimal
                : scan->reason ? scan->reason
                               : "nothing more was looked at",
                hint ? hint
                : search->replayed >= search->target.consistent
                    ? "; it starts as it is: restore it without a target"
                    : "; no recovery of this base backup is possible");
}

/* What the base holds may be later than the target, and nobody can tell; where the search did not
 * even come to it, that is told first: an operator mends the one by WAL, the other by a base. */
static void say_too_early(const Looking *looking, const WalScanResult *scan, GError **error)
{
    int64_t wanted_us = looking->search.target.time_us;
    bool in_doubt = wanted_us >= looking->started_us - CHECKPOINT_SLACK_US;
    g_autoptr(GError) text = NULL;
    g_autofree char *time = NULL;

    if (looking->search.stopped && !wal_search_finish(&looking->search, &text)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_WAL_GAP, text->message);
        return;
    }
    if (!looking->search.stopped && in_doubt)
        say_not_reached(looking, scan, &text);
    time = wal_time_text(wanted_us);
    g_set_error(error, BS_ERROR, BS_ERROR_WAL_GAP,
                "%s%s%s lies before the base backup, or so close to its begin that what it holds "
                "may be later; choose an earlier one",
                text ? text->message : "", text ? "; and " : "", time);
}

/* All that is held is as far as it goes on, and nothing behind it shows that there is more. */
static bool is_the_end(const Looking *looking, const WalScanResult *scan)
{
    return scan->end == WAL_SCAN_MISSING && !scan->gap && !looking->minimal;
}

static Verdict decide(const Looking *looking, const WalScanResult *scan, GError **error)
{
    const WalSearch *search = &looking->search;
    bool consistent = search->replayed >= search->target.consistent;

    // also when no transaction ended since: where nobody wrote, an older base knows more
    if ((search->stopped && !consistent) || (consistent && !begins_in_time(looking))) {
        say_too_early(looking, scan, error);
        return TOO_EARLY;
    }
    if (search->stopped && !looking->minimal)
        return REACHED;
    if (search->target.kind == WAL_TARGET_NONE && consistent && search->last != 0 &&
        is_the_end(looking, scan))
        return REACHED;
    say_not_reached(looking, scan, error);
    return consistent ? NOT_REACHED : UNUSABLE;
}

/* A server that reads ahead would stumble over it although its target lies before. */
static bool next_is_damaged(const WalPath *path, uint64_t lsn)
{
    g_autoptr(GBytes) content = NULL;
    WalPathSegment segment;

    wal_path_segment(path, lsn, &segment);
    wal_path_segment(path, segment.end, &segment);
    return segment.held && !wal_path_get(path, wal_name_text(&segment.name).text, &content, NULL);
}

/* Only what was raised: what the base has been started with stays as it is. */
static void fill_in_limits(const PgControl *control, const Looking *looking, Reach *reach)
{
    for (size_t i = 0; i < PG_LIMITS; i++)
        reach->limits[i] = looking->limits[i] > control->limits[i] ? looking->limits[i] : 0;
}

static void fill_in(const WalPath *path, Looking *looking, const WalScanResult *scan, Reach *reach)
{
    const WalSearch *search = &looking->search;

    reach->timeline = wal_path_timeline(path);
    reach->target = search->target;
    reach->stop = search->stopped ? search->stop : search->last;
    reach->after = search->stopped ? search->after : true;
    reach->replayed = search->replayed;
    reach->time_us = looking->time_us;
    reach->segments = scan->segments;
    reach->next_damaged = next_is_damaged(path, reach->stop);
    reach->made = g_steal_pointer(&looking->made);
    if (reach->target.kind == WAL_TARGET_NONE) {
        reach->target.kind = WAL_TARGET_LSN;
        reach->target.lsn = search->last;
    }
}

/* Two lives in one archive are not one way, whatever the newest history says. */
static bool check_origin(const ClusterBase *base, const WalPath *path, GError **error)
{
    const PgHistory *history = wal_path_history(path);

    if (wal_origin_agrees(base->repo, base->system_id, history, error) &&
        wal_origin_joins(base->repo, base->system_id, wal_path_segment_size(path), history,
                         base->start, error))
        return true;
    if (g_error_matches(*error, BS_ERROR, BS_ERROR_MISMATCH))
        g_prefix_error(error, "nothing is restored (--target-timeline chooses another way): ");
    return false;
}

bool reach_base(ClusterBase *base, const ReachBase *asked, const Cancel *cancel,
                Verdict *ret_verdict, Reach *reach, GError **ret_problem, GError **error)
{
    g_autoptr(WalPath) path = NULL;
    g_auto(WalScanResult) scan = { 0 };
    WalTarget wanted = *asked->target;
    g_auto(Looking) looking = { .made = g_array_new(FALSE, FALSE, sizeof(ReachTablespace)) };

    g_array_set_clear_func(looking.made, clear_tablespace);
    if (!cluster_base_open(base, error))
        return false;
    path = open_path(base, asked->held, asked->timeline, error);
    if (!path)
        return false;
    if (!wal_path_passes(path, base->timeline, base->stop, ret_problem)) {
        g_prefix_error(ret_problem, "snapshot %s: ", id_short(&base->snapshot->id).text);
        *ret_verdict = NOT_ON_WAY;
        return true;
    }
    if (!check_origin(base, path, error))
        return false;
    wanted.consistent = base->stop;
    wal_search_init(&looking.search, &wanted);
    looking.start = base->start;
    if (!wal_scan(path, base->start, asked->limit, look_at, &looking, cancel, &scan, error))
        return false;
    *ret_verdict = decide(&looking, &scan, ret_problem);
    if (*ret_verdict == REACHED) {
        fill_in(path, &looking, &scan, reach);
        fill_in_limits(&base->control, &looking, reach);
    } else {
        g_prefix_error(ret_problem, "snapshot %s: ", id_short(&base->snapshot->id).text);
    }
    return true;
}
