/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/incident.h"

#include "config/configuration.h"

#include <string.h>

#define NOW            INT64_C(1700000000) /* a Tuesday, 22:13 UTC */
#define HOUR           3600
#define BIT(condition) (1u << CONDITION_##condition)

static void runs_are_judged(void)
{
    static const struct {
        const char *label, *kind;
        RunState state;
        const char *error, *detail;
        unsigned wrong, right;
    } cases[] = {
        { "a success puts all right", "backup", RUN_SUCCEEDED, NULL, NULL, 0,
          BIT(FAILED) | BIT(PARTIAL) | BIT(MISSED) | BIT(CONCURRENT) | BIT(SHRUNK) },
        { "a success that is smaller", "backup", RUN_SUCCEEDED, NULL,
          "{\"warnings\": [{\"condition\": \"other\"}, {\"condition\": \"shrunk\"}]}", BIT(SHRUNK),
          BIT(FAILED) | BIT(PARTIAL) | BIT(MISSED) | BIT(CONCURRENT) },
        { "hostile details", "backup", RUN_SUCCEEDED, NULL,
          "{\"warnings\": [1, {\"condition\": 2}]}", 0,
          BIT(FAILED) | BIT(PARTIAL) | BIT(MISSED) | BIT(CONCURRENT) | BIT(SHRUNK) },
        { "part of it is no success", "backup", RUN_PARTIAL, NULL, NULL, BIT(PARTIAL),
          BIT(FAILED) | BIT(CONCURRENT) },
        { "a success that applied its retention", "backup", RUN_SUCCEEDED, NULL,
          "{\"retention_applied\": true}", 0,
          BIT(FAILED) | BIT(PARTIAL) | BIT(MISSED) | BIT(CONCURRENT) | BIT(SHRUNK) |
              BIT(RETENTION) },
        { "a success that refused to", "backup", RUN_SUCCEEDED, NULL,
          "{\"retention_applied\": false, \"warnings\": [{\"condition\": \"retention\"}]}",
          BIT(RETENTION),
          BIT(FAILED) | BIT(PARTIAL) | BIT(MISSED) | BIT(CONCURRENT) | BIT(SHRUNK) },
        { "a sweep", "sweep", RUN_SUCCEEDED, NULL, "{\"retention_applied\": true}", 0,
          BIT(RETENTION) },
        { "a sweep that archives were kept from", "sweep", RUN_SUCCEEDED, NULL,
          "{\"retention_applied\": true, \"warnings\": [{\"condition\": \"retention\"}]}",
          BIT(RETENTION), 0 },
        { "a sweep that had nothing to go by", "sweep", RUN_SUCCEEDED, NULL,
          "{\"retention_applied\": false}", 0, 0 },
        { "a sweep that failed", "sweep", RUN_FAILED, "no connection", NULL, BIT(RETENTION), 0 },
        { "one while another had the repository", "sweep", RUN_FAILED, "concurrent",
          "{\"code\": 11}", 0, 0 },
        { "a failure", "backup", RUN_FAILED, "no connection", NULL, BIT(FAILED), 0 },
        { "an overlap", "backup", RUN_FAILED, "concurrent", NULL, BIT(CONCURRENT), 0 },
        { "skipped on purpose", "backup", RUN_SKIPPED, NULL, NULL, 0, 0 },
        { "cancelled by somebody", "backup", RUN_CANCELLED, NULL, NULL, 0, 0 },
        { "still running", "backup", RUN_RUNNING, NULL, NULL, 0, 0 },
        { "a drill that failed", "drill", RUN_FAILED, NULL, NULL, BIT(DRILL_FAILED), 0 },
        { "a proof", "drill", RUN_SUCCEEDED, NULL, NULL, 0, BIT(DRILL_FAILED) | BIT(DRILL_STALE) },
        { "a restore is nobody's incident", "restore", RUN_FAILED, NULL, NULL, 0, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(RunRow)
            run = { .kind = g_strdup(cases[i].kind),
                    .state = cases[i].state,
                    .error = g_strdup(cases[i].error),
                    .detail = cases[i].detail ? json_loads(cases[i].detail, 0, NULL) : NULL };
        Judgement judgement;

        run.exit_code = (int)json_integer_value(json_object_get(run.detail, "code"));
        judgement = incident_judge(&run);
        g_test_message("%s", cases[i].label);
        g_assert_cmphex(judgement.wrong, ==, cases[i].wrong);
        g_assert_cmphex(judgement.right, ==, cases[i].right);
    }
}

static Schedule *schedule_of(const char *cron, bool enabled)
{
    json_t *definition = json_pack("{s:s, s:[s], s:s, s:s, s:b}", "name", "nightly", "sources",
                                   "app", "repository", "main", "cron", cron, "enabled", enabled);
    g_autoptr(GError) error = NULL;
    Schedule *schedule = NULL;

    schedule_from_json(NULL, definition, &schedule, &error);
    g_assert_no_error(error);
    json_decref(definition);
    return schedule;
}

static void silence_is_noticed(void)
{
    static const struct {
        const char *label, *cron;
        bool enabled;
        int64_t paused, age;
        bool missed;
    } cases[] = {
        { "within an interval", "0 3 * * *", true, 0, 24 * HOUR, false },
        { "one and a half intervals", "0 3 * * *", true, 0, 36 * HOUR, false },
        { "a second later", "0 3 * * *", true, 0, 36 * HOUR + 1, true },
        { "each quarter of an hour", "*/15 * * * *", true, 0, 23 * 60, true },
        { "on working days a weekend is no miss", "0 3 * * 1-5", true, 0, 100 * HOUR, false },
        { "but five days are", "0 3 * * 1-5", true, 0, 109 * HOUR, true },
        { "disabled", "0 3 * * *", false, 0, 1000 * HOUR, false },
        { "paused", "0 3 * * *", true, 1, 1000 * HOUR, false },
        { "paused until a while ago", "0 3 * * *", true, -10 * HOUR, 1000 * HOUR, false },
        { "paused until long ago", "0 3 * * *", true, -40 * HOUR, 1000 * HOUR, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Schedule) schedule = schedule_of(cases[i].cron, cases[i].enabled);

        schedule->paused_until = cases[i].paused == 0 ? 0 : NOW + cases[i].paused;
        g_test_message("%s", cases[i].label);
        g_assert_cmpint(incident_missed(schedule, NOW - cases[i].age, NOW), ==, cases[i].missed);
    }
}

/* 10,000 failures with a success between any two of them, one each second. */
static void a_storm_is_told_once_an_hour(void)
{
    Telling telling = { 0 };
    unsigned openings = 0, resolutions = 0;

    for (int64_t now = NOW; now < NOW + 10000; now++) {
        openings += telling_look(&telling, now);
        openings += telling_open(&telling, now);
        resolutions += telling_resolve(&telling);
    }
    g_assert_cmpuint(openings, ==, 3);
    g_assert_cmpuint(resolutions, ==, 3);
}

static void what_lasts_is_told_in_the_end(void)
{
    Telling telling = { 0 };

    g_assert_true(telling_open(&telling, NOW));
    g_assert_true(telling_resolve(&telling));
    g_assert_false(telling_open(&telling, NOW + 10));
    g_assert_false(telling_look(&telling, NOW + 3599));
    g_assert_true(telling_look(&telling, NOW + 3600));
    g_assert_false(telling_look(&telling, NOW + 3601));
    g_assert_true(telling_resolve(&telling));
    // a clock that was set back
    g_assert_true(telling_open(&telling, NOW - 1000000));
}

static void names_are_those_of_the_configuration(void)
{
    const Field *field = table_find(channel_table("smtp"), "conditions");
    size_t n = g_strv_length((char **)field->words);

    g_assert_cmpuint(n, ==, CONDITIONS);
    for (Condition i = 0; i < CONDITIONS; i++)
        g_assert_true(g_strv_contains(field->words, condition_name(i)));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/incident/runs are judged", runs_are_judged);
    g_test_add_func("/incident/silence is noticed", silence_is_noticed);
    g_test_add_func("/incident/a storm is told once an hour", a_storm_is_told_once_an_hour);
    g_test_add_func("/incident/what lasts is told in the end", what_lasts_is_told_in_the_end);
    g_test_add_func("/incident/names are those of the configuration",
                    names_are_those_of_the_configuration);
    return g_test_run();
}
