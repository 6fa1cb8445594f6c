/* SPDX-License-Identifier: Apache-2.0 */
#include "state/runs.h"
#include "base/error.h"
#include "lib/catalog_test.h"
#include "state/totals.h"
#include <string.h>

#define DUE 1700000000000

static Catalog *open_catalog(const char *url)
{
    g_autoptr(GError) error = NULL;
    Catalog *catalog = NULL;

    (void)catalog_open(url, NULL, &catalog, &error);
    g_assert_no_error(error);
    return catalog;
}

static RunRow queued(const char *schedule, int64_t due_at, const char *node)
{
    return (RunRow){ .schedule = g_strdup(schedule),
                     .schedule_name = g_strdup("nightly"),
                     .repository = g_strdup("main"),
                     .trigger = TRIGGER_SCHEDULE,
                     .due_at = due_at,
                     .node = g_strdup(node),
                     .lease_until = DUE + 1000 };
}

static void claim(Catalog *catalog, RunRow *row)
{
    g_autoptr(GError) error = NULL;
    bool won = false;

    (void)catalog_claim(catalog, row, &won, &error);
    g_assert_no_error(error);
    g_assert_true(won);
}

static void a_run_comes_back_as_it_was(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(RunRow) row = queued("s1", DUE, "a");
    g_auto(RunRow) read = { 0 };
    g_autofree char *detail = NULL;

    row.detail = json_pack("{s:[i,i], s:s}", "n", 1, 2, "text", "o'\"\xc3\xa9\n");
    row.error = g_strdup("it's; DROP TABLE users --");
    row.source_bytes = UINT64_MAX;
    row.files = 7;
    row.user = g_strdup("eva");
    claim(catalog, &row);
    g_assert_true(run_id_is_valid(row.id));
    g_assert_true(catalog_run_get(catalog, row.id, &read, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(read.kind, ==, "backup");
    g_assert_cmpstr(read.schedule, ==, "s1");
    g_assert_cmpstr(read.schedule_name, ==, "nightly");
    g_assert_cmpstr(read.repository, ==, "main");
    g_assert_cmpint(read.state, ==, RUN_QUEUED);
    g_assert_cmpint(read.trigger, ==, TRIGGER_SCHEDULE);
    g_assert_cmpint(read.due_at, ==, DUE);
    g_assert_cmpint(read.created_at, ==, row.created_at);
    g_assert_cmpint(run_id_time(read.id), ==, row.created_at);
    g_assert_cmpstr(read.error, ==, row.error);
    g_assert_cmpuint(read.source_bytes, ==, INT64_MAX); // the largest there is in SQL
    g_assert_cmpuint(read.files, ==, 7);
    g_assert_true(json_equal(read.detail, row.detail));
    g_assert_cmpint(read.attempt, ==, 1);
    g_assert_cmpstr(read.user, ==, "eva");
    g_assert_null(read.stage);
    g_assert_false(catalog_run_get(catalog, "0", &read, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void only_the_first_claim_wins(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) a = open_catalog(url);
    g_autoptr(Catalog) b = open_catalog(url);
    g_auto(RunRow) first = queued("s1", DUE, "a"), second = queued("s1", DUE, "b");
    g_auto(RunRow) other = queued("s2", DUE, "b"), later = queued("s1", DUE + 1, "b");
    g_auto(RunRow) retry = queued("s1", DUE, "b");
    bool won = true;

    claim(a, &first);
    g_assert_true(catalog_claim(b, &second, &won, &error));
    g_assert_false(won);
    claim(b, &other);
    claim(b, &later);
    retry.attempt = 2;
    claim(b, &retry);
    // one whose answer was lost and is asked for again
    g_assert_true(catalog_claim(a, &first, &won, &error));
    g_assert_true(won);
}

static void runs_asked_for_by_hand_do_not_race(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(RunRow) one = queued("s1", 0, "a"), two = queued("s1", 0, "a");

    g_assert_true(catalog_run_insert(catalog, &one, &error));
    g_assert_true(catalog_run_insert(catalog, &two, &error));
    g_assert_false(catalog_run_insert(catalog, &two, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
}

static void a_run_is_changed_by_its_node_until_it_ends(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(RunRow) row = queued("s1", DUE, "a"), read = { 0 };

    claim(catalog, &row);
    row.state = RUN_RUNNING;
    row.started_at = DUE + 10;
    row.stage = g_strdup("read");
    g_assert_true(catalog_run_update(catalog, &row, &error));
    g_assert_false(catalog_run_delete(catalog, row.id, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOST);
    g_clear_error(&error);
    row.state = RUN_PARTIAL;
    row.ended_at = DUE + 20;
    row.exit_code = 3;
    row.added_bytes = 5;
    g_assert_true(catalog_run_update(catalog, &row, &error));
    g_assert_true(catalog_run_update(catalog, &row, &error)); // told twice
    g_assert_true(catalog_run_get(catalog, row.id, &read, &error));
    g_assert_cmpint(read.state, ==, RUN_PARTIAL);
    g_assert_cmpint(read.started_at, ==, DUE + 10);
    g_assert_cmpint(read.ended_at, ==, DUE + 20);
    g_assert_cmpint(read.exit_code, ==, 3);
    g_assert_cmpuint(read.added_bytes, ==, 5);
    g_assert_cmpstr(read.stage, ==, "read");
    row.state = RUN_SUCCEEDED;
    g_assert_false(catalog_run_update(catalog, &row, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_LOST);
    g_clear_error(&error);
    g_assert_true(catalog_run_delete(catalog, row.id, &error));
    g_assert_false(catalog_run_update(catalog, &row, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void a_dead_nodes_runs_are_taken_over(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(RunRow) dead = queued("s1", DUE, "a"), ended = queued("s2", DUE, "a");
    g_auto(RunRow) alive = queued("s3", DUE, "b");
    g_autoptr(GArray) rows = NULL, none = NULL;

    claim(catalog, &dead);
    claim(catalog, &ended);
    claim(catalog, &alive);
    ended.state = RUN_CANCELLED;
    g_assert_true(catalog_run_update(catalog, &ended, &error));
    g_assert_true(catalog_renew(catalog, "b", DUE + 5000, &error));
    g_assert_true(catalog_take_over(catalog, "c", DUE + 2000, DUE + 9000, &rows, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(rows->len, ==, 1);
    g_assert_cmpstr(g_array_index(rows, RunRow, 0).id, ==, dead.id);
    g_assert_cmpstr(g_array_index(rows, RunRow, 0).node, ==, "c");
    g_assert_cmpint(g_array_index(rows, RunRow, 0).lease_until, ==, DUE + 9000);
    g_assert_true(catalog_take_over(catalog, "d", DUE + 2000, DUE + 9000, &none, &error));
    g_assert_cmpuint(none->len, ==, 0);
    dead.state = RUN_SUCCEEDED;
    g_assert_false(catalog_run_update(catalog, &dead, &error)); // it is not a's any more
    g_assert_error(error, BS_ERROR, BS_ERROR_LOST);
}

/* 60 runs a minute apart: state, kind and schedule go round in 4, 3 and 2. */
static void fill(Catalog *catalog)
{
    static const RunState states[] = { RUN_SUCCEEDED, RUN_FAILED, RUN_SUCCEEDED, RUN_PARTIAL };
    static const char *const kinds[] = { "backup", "backup", "drill" };

    for (unsigned i = 0; i < 60; i++) {
        g_autoptr(GError) error = NULL;
        g_auto(RunRow) row = queued(i % 2 ? "s1" : "s0", 0, "a");

        row.kind = g_strdup(kinds[i % 3]);
        row.state = states[i % 4];
        row.created_at = DUE + i * 60000;
        row.started_at = row.created_at;
        row.ended_at = row.created_at + i * 1000;
        row.source_bytes = 100;
        (void)catalog_run_insert(catalog, &row, &error);
        g_assert_no_error(error);
    }
}

static bool wanted(unsigned i, const RunQuery *query)
{
    static const RunState states[] = { RUN_SUCCEEDED, RUN_FAILED, RUN_SUCCEEDED, RUN_PARTIAL };
    const char *kind = i % 3 == 2 ? "drill" : "backup";
    int64_t at = DUE + i * 60000;

    return (!query->schedule || strcmp(query->schedule, i % 2 ? "s1" : "s0") == 0) &&
           (!query->kind || strcmp(query->kind, kind) == 0 ||
            g_strcmp0(query->or_kind, kind) == 0) &&
           (!query->states || query->states & 1u << states[i % 4]) && at >= query->since &&
           (!query->until || at < query->until);
}

/* Page by page, against a plain walk over what was put in. */
static void check_list(Catalog *catalog, RunQuery query)
{
    g_autofree char *before = NULL;
    int next = 59;

    for (;;) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GArray) rows = NULL;

        query.before = before;
        (void)catalog_runs(catalog, &query, &rows, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(rows->len, <=, query.limit);
        for (guint i = 0; i < rows->len; i++) {
            while (next >= 0 && !wanted((unsigned)next, &query))
                next--;
            g_assert_cmpint(g_array_index(rows, RunRow, i).created_at, ==, DUE + next-- * 60000);
            g_free(before);
            before = g_strdup(g_array_index(rows, RunRow, i).id);
        }
        if (rows->len < query.limit)
            break;
    }
    while (next >= 0)
        g_assert_false(wanted((unsigned)next--, &query));
}

static void lists_are_paged_newest_first(const char *url)
{
    g_autoptr(Catalog) catalog = open_catalog(url);
    static const char *const schedules[] = { NULL, "s0", "s1", "none" };
    static const char *const kinds[][2] = {
        { NULL }, { "backup" }, { "drill" }, { "import", "drill" }, { "drill", "backup" },
    };
    static const unsigned states[] = { 0, 1u << RUN_FAILED, 1u << RUN_FAILED | 1u << RUN_SUCCEEDED,
                                       1u << RUN_RUNNING, 127 };

    fill(catalog);
    for (size_t s = 0; s < G_N_ELEMENTS(schedules); s++)
        for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++)
            for (size_t t = 0; t < G_N_ELEMENTS(states); t++)
                for (unsigned bounds = 0; bounds < 4; bounds++)
                    check_list(catalog, (RunQuery){ .schedule = schedules[s],
                                                    .kind = kinds[k][0],
                                                    .or_kind = kinds[k][1],
                                                    .states = states[t],
                                                    .since = bounds & 1 ? DUE + 10 * 60000 : 0,
                                                    .until = bounds & 2 ? DUE + 50 * 60000 : 0,
                                                    .limit = 7 });
}

static void the_last_of_a_schedule_is_found(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_auto(RunRow) last = { 0 }, success = { 0 };

    g_assert_true(catalog_last(catalog, "s1", &last, &success, &error));
    g_assert_null(last.id);
    g_assert_null(success.id);
    fill(catalog);
    g_assert_true(catalog_last(catalog, "s0", &last, &success, &error));
    g_assert_no_error(error);
    g_assert_cmpint(last.created_at, ==, DUE + 58 * 60000); // 58 % 3 == 1: a backup
    g_assert_cmpint(success.created_at, ==, DUE + 58 * 60000);
    run_row_clear(&last);
    run_row_clear(&success);
    g_assert_true(catalog_last(catalog, "s1", &last, &success, &error)); // never succeeds
    g_assert_cmpint(last.created_at, ==, DUE + 57 * 60000);
    g_assert_null(success.id);
}

static void ended_runs_are_counted(const char *url)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Catalog) catalog = open_catalog(url);
    g_autoptr(GArray) totals = NULL, durations = NULL;
    g_auto(RunRow) row = queued("s0", DUE, "a");
    const RunTotal *total;
    const RunDurations *drills;

    fill(catalog);
    claim(catalog, &row);
    row.state = RUN_RUNNING;
    g_assert_true(catalog_run_update(catalog, &row, &error));
    row.state = RUN_FAILED;
    row.started_at = DUE + 10;
    row.ended_at = DUE; // the clock was set back
    g_assert_true(catalog_run_update(catalog, &row, &error));
    g_assert_true(catalog_run_update(catalog, &row, &error)); // counts once
    g_assert_true(catalog_totals(catalog, &totals, &error));
    g_assert_no_error(error);
    // s0 succeeded: i % 2 == 0; backups and drills. s1: failed and partial of both; and the new one
    g_assert_cmpuint(totals->len, ==, 7);
    total = &g_array_index(totals, RunTotal, 0);
    g_assert_cmpstr(total->schedule, ==, "s0");
    g_assert_cmpstr(total->kind, ==, "backup");
    g_assert_cmpint(total->state, ==, RUN_FAILED);
    g_assert_cmpuint(total->n, ==, 1);
    g_assert_cmpuint(total->duration_ms, ==, 0);
    total = &g_array_index(totals, RunTotal, 1);
    g_assert_cmpint(total->state, ==, RUN_SUCCEEDED);
    g_assert_cmpuint(total->n, ==, 20);
    g_assert_cmpuint(total->source_bytes, ==, 2000);
    g_assert_true(catalog_durations(catalog, &durations, &error));
    g_assert_cmpuint(durations->len, ==, 4);
    drills = &g_array_index(durations, RunDurations, 1); // s0: 2, 8, 14, ... 56 seconds
    g_assert_cmpstr(drills->kind, ==, "drill");
    g_assert_cmpuint(drills->n[0], ==, 0);
    g_assert_cmpuint(drills->n[1], ==, 1); // to 5 s: 2
    g_assert_cmpuint(drills->n[2], ==, 2); // to 15 s: 8, 14
    g_assert_cmpuint(drills->n[3], ==, 2); // to 30 s: 20, 26
    g_assert_cmpuint(drills->n[4], ==, 5); // to a minute: 32 to 56
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    catalog_test_add("runs/comes-back", a_run_comes_back_as_it_was);
    catalog_test_add("runs/claim", only_the_first_claim_wins);
    catalog_test_add("runs/by-hand", runs_asked_for_by_hand_do_not_race);
    catalog_test_add("runs/update", a_run_is_changed_by_its_node_until_it_ends);
    catalog_test_add("runs/take-over", a_dead_nodes_runs_are_taken_over);
    catalog_test_add("runs/lists", lists_are_paged_newest_first);
    catalog_test_add("runs/last", the_last_of_a_schedule_is_found);
    catalog_test_add("runs/totals", ended_runs_are_counted);
    return catalog_test_run();
}
