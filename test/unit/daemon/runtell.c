/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/runtell.h"
#include "daemon/backuprow.h"

static RunTold tell(RunRow *row, RunLife *life, const char *text)
{
    json_auto_t *event = json_loads(text, 0, NULL);

    g_assert_nonnull(event);
    return run_tell(row, life, event);
}

static void a_run_is_followed_to_its_end(void)
{
    g_auto(RunRow) row = { .state = RUN_RUNNING };
    RunLife life = { 0 };

    g_assert_cmpint(tell(&row, &life,
                         "{\"message_type\":\"run_begin\",\"pid\":77,\"start_time\":123456789012,"
                         "\"time\":\"2026-01-02T03:04:05.678Z\"}"),
                    ==, RUN_TOLD_MORE);
    g_assert_cmpint(life.pid, ==, 77);
    g_assert_cmpuint(life.start_time, ==, 123456789012);
    g_assert_cmpint(row.started_at, ==, INT64_C(1767323045678));
    tell(&row, &life, "{\"message_type\":\"stage\",\"stage\":\"read\",\"source\":\"db\"}");
    g_assert_cmpstr(row.stage, ==, "read");
    g_assert_cmpint(tell(&row, &life, "{\"message_type\":\"status\",\"percent_done\":0.5}"), ==,
                    RUN_TOLD_PROGRESS);
    g_assert_nonnull(json_object_get(life.status, "percent_done"));
    tell(&row, &life, "{\"message_type\":\"snapshot\",\"source\":\"db\",\"bytes\":10}");
    tell(&row, &life, "{\"message_type\":\"warning\",\"message\":\"small\"}");
    g_assert_cmpint(tell(&row, &life, "{\"message_type\":\"from the future\"}"), ==,
                    RUN_TOLD_LITTLE);
    g_assert_cmpint(tell(&row, &life,
                         "{\"message_type\":\"run_end\",\"state\":\"partial\",\"code\":3,\"error\":"
                         "\"one failed\","
                         "\"bytes\":10,\"added\":5,\"stored\":4,\"files\":2,\"removed\":1,"
                         "\"time\":\"2026-01-02T03:05:05Z\"}"),
                    ==, RUN_TOLD_END);
    g_assert_true(life.ended);
    g_assert_cmpint(row.state, ==, RUN_PARTIAL);
    g_assert_cmpint(row.exit_code, ==, 3);
    g_assert_cmpstr(row.error, ==, "one failed");
    g_assert_cmpint(row.ended_at - row.started_at, ==, 59322);
    g_assert_cmpuint(row.source_bytes, ==, 10);
    g_assert_cmpuint(row.added_bytes, ==, 5);
    g_assert_cmpuint(row.stored_bytes, ==, 4);
    g_assert_cmpuint(row.files, ==, 2);
    g_assert_cmpuint(json_array_size(json_object_get(row.detail, "snapshots")), ==, 1);
    g_assert_cmpuint(json_array_size(json_object_get(row.detail, "warnings")), ==, 1);
    run_life_clear(&life);
}

static void an_end_is_never_read_as_better_than_it_is(void)
{
    static const struct {
        const char *line;
        RunState state;
    } cases[] = {
        { "{\"message_type\":\"run_end\"}", RUN_FAILED },
        { "{\"message_type\":\"run_end\",\"state\":\"splendid\"}", RUN_FAILED },
        { "{\"message_type\":\"run_end\",\"state\":\"running\"}", RUN_FAILED },
        { "{\"message_type\":\"run_end\",\"state\":1,\"code\":-5,\"bytes\":-1}", RUN_FAILED },
        { "{\"message_type\":\"run_end\",\"state\":\"succeeded\"}", RUN_SUCCEEDED },
        { "{\"message_type\":\"summary\"}", RUN_SUCCEEDED },
        { "{\"message_type\":\"exit_error\",\"code\":130}", RUN_CANCELLED },
        { "{\"message_type\":\"exit_error\",\"code\":25,\"message\":\"full\"}", RUN_FAILED },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(RunRow) row = { .state = RUN_RUNNING };
        RunLife life = { 0 };

        g_test_message("%s", cases[i].line);
        g_assert_cmpint(tell(&row, &life, cases[i].line), ==, RUN_TOLD_END);
        g_assert_cmpint(row.state, ==, cases[i].state);
        g_assert_cmpuint(row.source_bytes, ==, 0);
        g_assert_cmpint(row.exit_code, >=, 0);
        g_assert_cmpint(row.ended_at, >, 0);
        run_life_clear(&life);
    }
}

static void what_is_kept_is_bounded(void)
{
    g_auto(RunRow) row = { 0 };
    RunLife life = { 0 };

    for (int i = 0; i < 1000; i++)
        tell(&row, &life, "{\"message_type\":\"warning\",\"message\":\"again\"}");
    g_assert_cmpuint(json_array_size(json_object_get(row.detail, "warnings")), ==, 200);
}

static void the_moments_of_a_group_are_kept(void)
{
    g_auto(RunRow) row = { .state = RUN_RUNNING };
    RunLife life = { 0 };
    const json_t *group;

    g_assert_cmpint(backup_row_group_ms(&row, "spread_ms"), ==, -1);
    g_assert_cmpint(tell(&row, &life,
                         "{\"message_type\":\"group\",\"spread_ms\":12,\"pause_ms\":40,\"sources\":"
                         "[{\"source\":\"db\",\"held\":\"moment\"}]}"),
                    ==, RUN_TOLD_MORE);
    tell(&row, &life,
         "{\"message_type\":\"run_end\",\"state\":\"succeeded\",\"spread_ms\":12,\"pause_ms\":40}");
    g_assert_cmpint(backup_row_group_ms(&row, "spread_ms"), ==, 12);
    g_assert_cmpint(backup_row_group_ms(&row, "pause_ms"), ==, 40);
    group = json_object_get(row.detail, "group");
    g_assert_cmpuint(json_array_size(json_object_get(group, "sources")), ==, 1);
    g_assert_null(json_object_get(group, "message_type"));
}

static void a_pause_for_nothing_is_kept(void)
{
    g_auto(RunRow) row = { .state = RUN_RUNNING };
    RunLife life = { 0 };

    tell(&row, &life, "{\"message_type\":\"run_end\",\"state\":\"failed\",\"pause_ms\":70}");
    g_assert_cmpint(backup_row_group_ms(&row, "spread_ms"), ==, -1);
    g_assert_cmpint(backup_row_group_ms(&row, "pause_ms"), ==, 70);
}

static void what_is_no_number_is_no_spread(void)
{
    static const char *const lines[] = {
        "{\"message_type\":\"group\",\"spread_ms\":null}",
        "{\"message_type\":\"group\",\"spread_ms\":-4}",
        "{\"message_type\":\"group\",\"spread_ms\":\"12\",\"sources\":7}",
        "{\"message_type\":\"group\"}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_auto(RunRow) row = { 0 };
        RunLife life = { 0 };

        g_test_message("%s", lines[i]);
        tell(&row, &life, lines[i]);
        g_assert_cmpint(backup_row_group_ms(&row, "spread_ms"), ==, -1);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runtell/followed", a_run_is_followed_to_its_end);
    g_test_add_func("/runtell/end", an_end_is_never_read_as_better_than_it_is);
    g_test_add_func("/runtell/bounded", what_is_kept_is_bounded);
    g_test_add_func("/runtell/group", the_moments_of_a_group_are_kept);
    g_test_add_func("/runtell/pause", a_pause_for_nothing_is_kept);
    g_test_add_func("/runtell/no-spread", what_is_no_number_is_no_spread);
    return g_test_run();
}
