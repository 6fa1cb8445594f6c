/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walscan.h"

#include "base/error.h"
#include "unit/op/recordedworld.h"

#include <string.h>

static WalKey key_of(const RecordedWorld *world, uint64_t lsn)
{
    WalName name = recorded_segment(world->wal, lsn);
    WalObject object;

    g_assert_true(wal_object_init(&object, world->wal->system_id, wal_name_text(&name).text, NULL));
    return wal_object_key(&object);
}

/* ---- scanning ---- */

typedef struct {
    unsigned n;
    uint64_t last, stop_at; // 0: nowhere
} Seen;

static bool see(const WalRecord *record, const WalEvent *event, void *user)
{
    Seen *seen = user;

    (void)event;
    seen->n++;
    g_assert_cmpuint(record->lsn, >, seen->last);
    seen->last = record->lsn;
    return record->lsn == seen->stop_at;
}

static bool scan(const RecordedWorld *world, uint64_t start, uint64_t limit, Seen *seen,
                 WalScanResult *ret_result, GError **error)
{
    g_autoptr(WalHeld) held = wal_held_list(world->repo, world->wal->system_id, NULL);
    g_autoptr(WalPath) path = wal_path_new(held, 3, RECORDED_SEGMENT, NULL);

    g_assert_nonnull(path);
    return wal_scan(path, start, limit, see, seen, NULL, ret_result, error);
}

static void scan_all(const RecordedWorld *world, Seen *seen, WalScanResult *ret_result)
{
    g_autoptr(GError) error = NULL;

    scan(world, world->wal->start, UINT64_MAX, seen, ret_result, &error);
    g_assert_no_error(error);
}

/* What the reader finds in all of it, read at once. */
static Seen straight(const RecordedWorld *world)
{
    g_autoptr(WalReader) reader = wal_reader_new(world->wal->start, RECORDED_SEGMENT,
                                                 world->wal->system_id, world->wal->history);
    WalRecord record;
    Seen seen = { 0 };

    while (recorded_next(world->wal, reader, world->wal->bytes->len, &record, NULL) ==
           WAL_STEP_RECORD) {
        seen.n++;
        seen.last = record.lsn;
    }
    return seen;
}

static void hands_out_every_record_over_timelines(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) result = { 0 };
    Seen want = straight(&world), seen = { 0 };

    scan_all(&world, &seen, &result);
    g_assert_cmpuint(seen.n, >, 500);
    g_assert_cmpuint(seen.n, ==, want.n);
    g_assert_cmpuint(seen.last, ==, want.last);
    g_assert_cmpint(result.end, ==, WAL_SCAN_MISSING);
    g_assert_false(result.gap);
    g_assert_cmpuint(result.segments, ==, world.wal->bytes->len / RECORDED_SEGMENT);
    g_assert_cmpuint(result.position, >, want.last);
}

static void stops_where_it_is_told(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) all = { 0 }, stopped = { 0 }, limited = { 0 };
    Seen seen = { 0 }, until = { 0 }, below = { 0 };

    until.stop_at = straight(&world).last;
    scan_all(&world, &seen, &all);
    scan_all(&world, &until, &stopped);
    g_assert_cmpint(stopped.end, ==, WAL_SCAN_STOPPED);
    g_assert_cmpuint(until.n, ==, seen.n);
    g_assert_true(scan(&world, world.wal->start, seen.last, &below, &limited, NULL));
    g_assert_cmpint(limited.end, ==, WAL_SCAN_LIMIT);
    g_assert_cmpuint(below.n, ==, seen.n - 1);
    g_assert_cmpuint(limited.position, ==, seen.last);
}

static void says_what_is_missing(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) gap = { 0 }, end = { 0 };
    uint64_t hole = world.wal->start + 3 * RECORDED_SEGMENT;
    uint64_t last = world.wal->start + world.wal->bytes->len - RECORDED_SEGMENT;
    WalName name = recorded_segment(world.wal, hole);
    Seen seen = { 0 }, more = { 0 };

    g_assert_true(store_remove(world.store, key_of(&world, last).text, NULL));
    scan_all(&world, &more, &end);
    g_assert_cmpint(end.end, ==, WAL_SCAN_MISSING);
    g_assert_false(end.gap);
    g_assert_cmpuint(more.last, <, last);
    g_assert_true(store_remove(world.store, key_of(&world, hole).text, NULL));
    scan_all(&world, &seen, &gap);
    g_assert_cmpint(gap.end, ==, WAL_SCAN_MISSING);
    g_assert_true(gap.gap);
    g_assert_cmpint(wal_name_compare(&gap.segment, &name), ==, 0);
    g_assert_nonnull(strstr(gap.reason, wal_name_text(&name).text));
    g_assert_cmpuint(gap.position, <=, hole);
    g_assert_cmpuint(seen.last, <, hole);
    g_assert_cmpuint(seen.n, <, more.n);
}

static void says_what_is_damaged(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) result = { 0 };
    uint64_t at = world.wal->start + 2 * RECORDED_SEGMENT;
    WalName name = recorded_segment(world.wal, at);
    Seen seen = { 0 };

    g_assert_true(store_put(world.store, key_of(&world, at).text, "x", 1, false, NULL));
    scan_all(&world, &seen, &result);
    g_assert_cmpint(result.end, ==, WAL_SCAN_DAMAGED);
    g_assert_cmpint(wal_name_compare(&result.segment, &name), ==, 0);
    g_assert_cmpuint(seen.last, <, at);
}

static void a_short_segment_is_damaged(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) result = { 0 };
    uint64_t at = world.wal->start + RECORDED_SEGMENT;
    WalName name = recorded_segment(world.wal, at);
    Seen seen = { 0 };

    g_assert_true(store_remove(world.store, key_of(&world, at).text, NULL));
    world_put(&world, wal_name_text(&name).text, world.wal->bytes->data + RECORDED_SEGMENT,
              RECORDED_SEGMENT / 2);
    scan_all(&world, &seen, &result);
    g_assert_cmpint(result.end, ==, WAL_SCAN_DAMAGED);
    g_assert_cmpuint(seen.last, <, at);
}

static void an_outage_is_a_failure(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) result = { 0 };
    FlakyPlan plan = { .call = CALL_GET_WHOLE, .at = 4, .code = BS_ERROR_TRANSIENT };
    g_autoptr(GError) error = NULL;
    Seen seen = { 0 };

    flaky_store_plan(world.flaky, &plan);
    g_assert_false(scan(&world, world.wal->start, UINT64_MAX, &seen, &result, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
}

/* ---- what is held elsewhere ---- */

static bool get_recorded(const char *name, void *user, GBytes **ret_content, GError **error)
{
    const RecordedWorld *world = user;
    WalName parsed;
    uint64_t lsn;

    if (!wal_name_parse(name, &parsed, error) ||
        !wal_name_lsn(&parsed, RECORDED_SEGMENT, &lsn, error))
        return false;
    *ret_content =
        g_bytes_new(world->wal->bytes->data + (lsn - world->wal->start), RECORDED_SEGMENT);
    return true;
}

static void takes_what_lies_elsewhere(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    g_auto(WalScanResult) result = { 0 };
    uint64_t at = world.wal->start + 2 * RECORDED_SEGMENT;
    WalName name = recorded_segment(world.wal, at);
    g_autoptr(WalHeld) held = NULL;
    g_autoptr(WalPath) path = NULL;
    Seen want = straight(&world), seen = { 0 };

    g_assert_true(store_remove(world.store, key_of(&world, at).text, NULL));
    held = wal_held_list(world.repo, world.wal->system_id, NULL);
    path = wal_path_new(held, 3, RECORDED_SEGMENT, NULL);
    wal_path_add(path, wal_name_text(&name).text, get_recorded, &world);
    g_assert_true(wal_scan(path, world.wal->start, UINT64_MAX, see, &seen, NULL, &result, NULL));
    g_assert_cmpuint(seen.n, ==, want.n);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/op/walscan/all", hands_out_every_record_over_timelines);
    g_test_add_func("/op/walscan/stops", stops_where_it_is_told);
    g_test_add_func("/op/walscan/missing", says_what_is_missing);
    g_test_add_func("/op/walscan/damaged", says_what_is_damaged);
    g_test_add_func("/op/walscan/short", a_short_segment_is_damaged);
    g_test_add_func("/op/walscan/outage", an_outage_is_a_failure);
    g_test_add_func("/op/walscan/elsewhere", takes_what_lies_elsewhere);
    return g_test_run();
}
