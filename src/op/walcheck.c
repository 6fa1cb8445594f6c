/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walcheck.h"

#include "base/error.h"
#include "op/select.h"
#include "op/walbase.h"
#include "op/walsegment.h"
#include "op/walway.h"
#include "pg/walreader.h"
#include "repo/walfloor.h"

typedef struct {
    OpenRepo *open;
    const WalCheck *check;
    const Cancel *cancel;
    GPtrArray *clusters;
    WalCheckResult result;
} Checking;

static void tell(Checking *checking, const WalProblem *problem)
{
    WalCheckResult *result = &checking->result;

    if (g_str_equal(problem->code, "wal-gap"))
        result->gaps++;
    else if (g_str_equal(problem->code, "wal-missing"))
        result->missing++;
    else if (g_str_equal(problem->code, "wal-abandoned"))
        result->abandoned++;
    else
        result->damaged++;
    checking->check->problem(problem, checking->check->user);
}

/* ---- what a snapshot needs ---- */

static void tell_need(Checking *checking, const WalBase *need, const char *code, const char *name,
                      const char *message)
{
    WalProblem problem = {
        .code = code,
        .system_id = need->system_id,
        .timeline = need->timeline,
        .snapshot = &need->snapshot->id,
        .first = name,
        .last = name,
        .message = message,
    };

    tell(checking, &problem);
}

/* Walks the records of a piece. False when the chain ends before it does. */
static bool walk(WalReader *reader, uint64_t lsn, GBytes *piece, uint64_t stop, GError **error)
{
    WalRecord record;
    WalStep step = WAL_STEP_RECORD;

    wal_reader_feed(reader, lsn, g_bytes_get_data(piece, NULL), g_bytes_get_size(piece));
    while (step == WAL_STEP_RECORD && wal_reader_position(reader) < stop)
        step = wal_reader_next(reader, &record, error);
    return step != WAL_STEP_END;
}

/* One segment: fetched, proven, its records walked. False when it is not as it must be, which has
 * been told. */
static bool check_segment(Checking *checking, const WalBase *need, const WalName *name,
                          WalReader *reader, uint64_t lsn)
{
    WalNameText text = wal_name_text(name);
    g_autoptr(GError) failure = NULL;
    g_auto(WalSegment) held = { 0 };

    if (!wal_segment_get(checking->open->repo, need->system_id, name, &held, &failure)) {
        bool missing = g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND);

        tell_need(checking, need, missing ? "wal-missing" : "wal-damaged", text.text,
                  failure->message);
        return false;
    }
    checking->result.n_read++;
    if (held.end < MIN(need->stop, held.begin + held.segment_size)) {
        g_autofree char *message =
            g_strdup_printf("only a part is held, which ends at %s", lsn_text(held.end).text);

        tell_need(checking, need, "wal-missing", text.text, message);
        return false;
    }
    if (walk(reader, lsn, held.content, need->stop, &failure))
        return true;
    tell_need(checking, need, "wal-damaged", text.text, failure->message);
    return false;
}

static bool check_need(Checking *checking, const WalBase *need, GError **error)
{
    const WalTimeline *timeline =
        wal_timeline_find(checking->clusters, need->system_id, need->timeline);
    g_autoptr(WalReader) reader = NULL;
    uint32_t size = timeline ? timeline->segment_size : 0;
    bool whole = true, chained = true;

    checking->result.snapshots++;
    if (size == 0) {
        tell_need(checking, need, "wal-missing", NULL,
                  timeline && timeline->problem ? timeline->problem
                                                : "no WAL of this timeline is held");
        return true;
    }
    reader = wal_reader_new(need->start, size, need->system_id, NULL);
    for (uint64_t lsn = wal_segment_start(need->start, size); lsn < need->stop; lsn += size) {
        WalName name = wal_name_of(need->timeline, lsn, size);

        if (!cancel_check(checking->cancel, error))
            return false;
        if (!chained) { // what is behind a hole cannot be walked any more
            wal_reader_free(reader);
            reader = wal_reader_new(lsn, size, need->system_id, NULL);
        }
        chained = check_segment(checking, need, &name, reader, lsn);
        whole = whole && chained;
    }
    if (whole && wal_reader_position(reader) < need->stop) {
        tell_need(checking, need, "wal-damaged", NULL, "its records end before the backup does");
        whole = false;
    }
    if (whole)
        checking->result.complete++;
    return true;
}

/* ---- what is held ---- */

static void tell_way_problem(const WalProblem *problem, void *user)
{
    tell(user, problem);
}

static void tell_way(const WalWay *way, void *user)
{
    Checking *checking = user;

    checking->check->way(way, checking->check->user);
}

static bool check_cluster(Checking *checking, const WalCluster *cluster, const GArray *needs,
                          GError **error)
{
    WalWayCheck check = { .open = checking->open,
                          .cluster = cluster,
                          .bases = needs,
                          .problem = tell_way_problem,
                          .way = tell_way,
                          .user = checking };

    return wal_floor_load(checking->open->repo, cluster->system_id, &check.floor, error) &&
           wal_way_check(&check, checking->cancel, error);
}

/* A receiver has replaced it by a newer one or the whole. */
static bool is_gone_part(const WalObject *object, const GError *failure)
{
    WalName segment;
    uint64_t lsn;

    return g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) &&
           wal_part_parse(object->name, &segment, &lsn);
}

static bool check_all_objects(Checking *checking, GError **error)
{
    g_autoptr(GArray) objects = NULL;

    if (!wal_object_list(checking->open->repo, 0, 0, &objects, NULL, error))
        return false;
    for (guint i = 0; i < objects->len; i++) {
        const WalObject *object = &g_array_index(objects, WalInfo, i).object;
        g_autoptr(GBytes) content = NULL;
        g_autoptr(GError) failure = NULL;

        if (!cancel_check(checking->cancel, error))
            return false;
        checking->result.n_read++;
        if (!wal_object_get(checking->open->repo, object, &content, &failure) &&
            !is_gone_part(object, failure)) {
            WalProblem problem = {
                "wal-damaged", object->system_id, wal_object_timeline(object), NULL, object->name,
                object->name,  failure->message
            };

            tell(checking, &problem);
        }
    }
    return true;
}

static GArray *needs_of(const GPtrArray *snapshots)
{
    GArray *needs = g_array_new(FALSE, FALSE, sizeof(WalBase));

    for (guint i = 0; i < snapshots->len; i++) {
        WalBase need;

        if (wal_base_of(g_ptr_array_index(snapshots, i), &need) == WAL_BASE_GOOD)
            g_array_append_val(needs, need);
    }
    return needs;
}

bool op_wal_check(OpenRepo *open, const WalCheck *check, const Cancel *cancel,
                  WalCheckResult *ret_result, GError **error)
{
    static const SnapshotFilter any = { 0 };
    Checking checking = { .open = open, .check = check, .cancel = cancel };
    g_autoptr(GPtrArray) snapshots = NULL, clusters = NULL;
    g_autoptr(GArray) needs = NULL;
    unsigned unreadable;

    // the snapshots first: what they need was there before them
    if (!select_snapshots(open->repo, NULL, &any, &snapshots, &unreadable, error) ||
        !op_wal_list(open, cancel, &clusters, NULL, error))
        return false;
    checking.clusters = clusters;
    needs = needs_of(snapshots);
    for (guint i = 0; i < needs->len; i++)
        if (!check_need(&checking, &g_array_index(needs, WalBase, i), error))
            return false;
    for (guint i = 0; i < clusters->len; i++)
        if (!check_cluster(&checking, g_ptr_array_index(clusters, i), needs, error))
            return false;
    if (check->read_data && !check_all_objects(&checking, error))
        return false;
    *ret_result = checking.result;
    return select_complete(unreadable, error);
}
