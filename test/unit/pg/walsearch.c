/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walsearch.h"
#include "base/error.h"
#include "lib/recorded_wal.h"

/* All of the recorded WAL, or until recovery would stop. */
static void search(const RecordedWal *wal, const WalTarget *target, WalSearch *ret_search)
{
    g_autoptr(WalReader) reader =
        wal_reader_new(wal->start, RECORDED_SEGMENT, wal->system_id, wal->history);
    WalRecord record;
    WalEvent event;

    wal_search_init(ret_search, target);
    while (recorded_next(wal, reader, RECORDED_SEGMENT, &record, NULL) == WAL_STEP_RECORD) {
        g_assert_true(wal_event_decode(&record, &event, NULL));
        if (wal_search_offer(ret_search, &record, &event))
            break;
    }
}

/* Three transactions in a row of what 15 recorded: xid, time, begin and end of their records. */
typedef struct {
    uint32_t xid;
    int64_t time_us;
    uint64_t lsn, end;
} Commit;

static void find_commits(const RecordedWal *wal, Commit commits[3])
{
    g_autoptr(WalReader) reader =
        wal_reader_new(wal->start, RECORDED_SEGMENT, wal->system_id, wal->history);
    WalRecord record;
    WalEvent event;
    int n = 0;

    while (n < 3) {
        g_assert_cmpint(recorded_next(wal, reader, RECORDED_SEGMENT, &record, NULL), ==,
                        WAL_STEP_RECORD);
        g_assert_true(wal_event_decode(&record, &event, NULL));
        if (event.kind == WAL_COMMIT || event.kind == WAL_ABORT)
            commits[n++] = (Commit){ event.xid, event.time_us, record.lsn, record.end };
    }
}

static void stops_where_the_documentation_says(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);
    Commit c[3];
    struct {
        const char *label;
        WalTarget target;
        uint64_t stop;
        bool after;
    } cases[] = {
        { "xid, included", { WAL_TARGET_XID }, 0, true },
        { "xid, not included", { WAL_TARGET_XID, .exclusive = true }, 0, false },
        { "its time, included: before the next", { WAL_TARGET_TIME }, 0, false },
        { "its time, not included", { WAL_TARGET_TIME, .exclusive = true }, 0, false },
        { "just before its time", { WAL_TARGET_TIME }, 0, false },
        { "its position, included", { WAL_TARGET_LSN }, 0, true },
        { "its position, not included", { WAL_TARGET_LSN, .exclusive = true }, 0, false },
        { "a position within the record before", { WAL_TARGET_LSN }, 0, true },
    };

    find_commits(wal, c);
    g_assert_cmpint(c[1].time_us, <, c[2].time_us);
    cases[0].target.xid = cases[1].target.xid = c[1].xid;
    cases[2].target.time_us = cases[3].target.time_us = c[1].time_us;
    cases[4].target.time_us = c[1].time_us - 1;
    cases[5].target.lsn = cases[6].target.lsn = c[1].lsn;
    cases[7].target.lsn = c[1].lsn - 1;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const Commit *want = i == 2 ? &c[2] : &c[1];
        WalSearch found;

        g_test_message("%s", cases[i].label);
        search(wal, &cases[i].target, &found);
        g_assert_true(found.stopped);
        g_assert_cmpuint(found.stop, ==, want->lsn);
        g_assert_cmpint(found.after, ==, cases[i].after);
        if (found.after)
            g_assert_cmpuint(found.replayed, ==, want->end);
        else
            g_assert_cmpuint(found.replayed, ==, want->lsn);
        g_assert_true(wal_search_finish(&found, NULL));
    }
}

static void a_restore_point_is_found_on_its_timeline(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        const WalTarget target = { WAL_TARGET_NAME, .name = "on the second" };
        WalSearch found;

        search(wal, &target, &found);
        g_assert_true(found.stopped && found.after);
        // it is where the third timeline was begun
        g_assert_cmpuint(found.replayed, ==, pg_history_find(wal->history, 3)->begin);
    }
}

static void what_is_not_reached_is_named(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);
    const WalTarget targets[] = {
        { WAL_TARGET_LSN, .lsn = UINT64_C(0x1600000000) },
        { WAL_TARGET_TIME, .time_us = INT64_C(4102444800) * G_USEC_PER_SEC },
        { WAL_TARGET_XID, .xid = 4000000000 },
        { WAL_TARGET_NAME, .name = "never made" },
        { WAL_TARGET_IMMEDIATE, .consistent = UINT64_C(0x1600000000) },
        { WAL_TARGET_NONE, .consistent = UINT64_C(0x1600000000) },
    };
    static const char *const says[] = {
        "position 16/0 is not reached", "2100-01-01 00:00:00.000000+00 is not reached",
        "transaction 4000000000 is",    "restore point \"never made\" is not",
        "the end of the base backup",   "the end of the base backup",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_autoptr(GError) error = NULL;
        WalSearch found;

        search(wal, &targets[i], &found);
        g_assert_false(wal_search_finish(&found, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
        g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, says[i]));
        g_assert_nonnull(strstr(error->message, lsn_text(found.last).text));
        g_assert_nonnull(strstr(error->message, "its last transaction ended at 20"));
    }
}

static void a_target_before_the_base_is_consistent_is_refused(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);
    Commit c[3];
    WalTarget target = { WAL_TARGET_XID };
    g_autoptr(GError) error = NULL;
    WalSearch found;

    find_commits(wal, c);
    target.xid = c[1].xid;
    target.consistent = c[1].end + 1;
    search(wal, &target, &found);
    g_assert_false(wal_search_finish(&found, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    // at the very end of the backup it is fine
    target.consistent = c[1].end;
    search(wal, &target, &found);
    g_assert_true(wal_search_finish(&found, NULL));
}

static void everything_and_as_little_as_can_be(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);
    Commit c[3];
    WalTarget target = { WAL_TARGET_NONE };
    WalSearch found;

    find_commits(wal, c);
    target.consistent = c[2].end;
    search(wal, &target, &found);
    g_assert_false(found.stopped);
    g_assert_true(wal_search_finish(&found, NULL));
    g_assert_cmpuint(found.replayed, ==, wal->start + wal->bytes->len);
    target.kind = WAL_TARGET_IMMEDIATE;
    search(wal, &target, &found);
    g_assert_true(found.stopped && wal_search_finish(&found, NULL));
    g_assert_cmpuint(found.replayed, ==, c[2].end);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walsearch/stops", stops_where_the_documentation_says);
    g_test_add_func("/walsearch/name", a_restore_point_is_found_on_its_timeline);
    g_test_add_func("/walsearch/not-reached", what_is_not_reached_is_named);
    g_test_add_func("/walsearch/too-early", a_target_before_the_base_is_consistent_is_refused);
    g_test_add_func("/walsearch/all", everything_and_as_little_as_can_be);
    return g_test_run();
}
