/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include "base/error.h"
#include "config/configuration.h"
#include "lib/tempdir.h"
#include "state/settings.h"

#include <string.h>

#define NOW INT64_C(1700000000)

static Schedule *schedule_of(const char *name, const char *sources)
{
    g_autofree char *text = g_strdup_printf(
        "{\"name\": \"%s\", \"sources\": %s, \"repository\": \"main\", \"cron\": \"0 3 * * *\","
        " \"targets\": {\"rpo\": \"1d\"}}",
        name, sources);
    json_t *definition = json_loads(text, 0, NULL);
    g_autoptr(GError) error = NULL;
    Schedule *schedule = NULL;

    schedule_from_json(NULL, definition, &schedule, &error);
    g_assert_no_error(error);
    json_decref(definition);
    return schedule;
}

static void add_run(Catalog *catalog, const Schedule *schedule, const char *kind, RunState state,
                    int64_t ago, int64_t seconds, const char *detail)
{
    g_auto(RunRow) row = { .kind = g_strdup(kind),
                           .schedule = g_strdup(schedule->id),
                           .schedule_name = g_strdup(schedule->name),
                           .repository = g_strdup("main"),
                           .state = state,
                           .created_at = (NOW - ago) * 1000,
                           .started_at = (NOW - ago) * 1000,
                           .ended_at = (NOW - ago + seconds) * 1000,
                           .node = g_strdup("node1"),
                           .source_bytes = 1000,
                           .added_bytes = 100,
                           .stored_bytes = 10,
                           .detail = detail ? json_loads(detail, 0, NULL) : NULL };
    g_autoptr(GError) error = NULL;

    catalog_run_insert(catalog, &row, &error);
    g_assert_no_error(error);
}

typedef struct {
    char *dir;
    Catalog *catalog;
    Schedule *schedules[2];
} World;

static World *world_new(void)
{
    World *world = g_new0(World, 1);
    g_autofree char *url = NULL;
    g_autoptr(GError) error = NULL;

    world->dir = tempdir_new();
    url = g_strdup_printf("sqlite:%s/catalogue.db", world->dir);
    catalog_open(url, NULL, &world->catalog, &error);
    g_assert_no_error(error);
    world->schedules[0] = schedule_of("nightly", "[\"app\", \"files\"]");
    world->schedules[1] = schedule_of("weekly", "[\"app\"]");
    return world;
}

static void world_free(World *world)
{
    catalog_free(world->catalog);
    schedule_free(world->schedules[0]);
    schedule_free(world->schedules[1]);
    tempdir_remove(world->dir);
    g_free(world);
}

static GString *print(World *world, MetricsOptions options)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    options.now = NOW;
    options.schedules = (const Schedule *const *)world->schedules;
    if (options.n_schedules == 0)
        options.n_schedules = 2;
    if (!options.prefix)
        options.prefix = "backstay";
    metrics_print(world->catalog, &options, out, &error);
    g_assert_no_error(error);
    return out;
}

static void assert_line(const GString *text, const char *line)
{
    g_autofree char *whole = g_strconcat("\n", line, "\n", NULL);

    if (!strstr(text->str, whole))
        g_error("lacks '%s':\n%s", line, text->str);
}

static void fill(World *world)
{
    const char *good =
        "{\"snapshots\": [{\"source\": \"app\", \"kind\": \"postgres\", \"state\": \"succeeded\","
        " \"bytes\": 700, \"added\": 70, \"stored\": 7},"
        " {\"source\": \"files\", \"kind\": \"files\", \"state\": \"succeeded\","
        " \"bytes\": 300, \"added\": 30, \"stored\": 3}]}";
    const char *partial =
        "{\"snapshots\": [{\"source\": \"app\", \"kind\": \"postgres\", \"state\": \"failed\"},"
        " {\"source\": \"files\", \"kind\": \"files\", \"state\": \"succeeded\"}]}";

    add_run(world->catalog, world->schedules[0], "backup", RUN_FAILED, 90000, 2, NULL);
    add_run(world->catalog, world->schedules[0], "backup", RUN_SUCCEEDED, 7200, 90, good);
    add_run(world->catalog, world->schedules[0], "backup", RUN_PARTIAL, 3600, 45, partial);
    add_run(world->catalog, world->schedules[0], "drill", RUN_SUCCEEDED, 600, 30, NULL);
}

static void tells_what_the_catalogue_remembers(void)
{
    World *world = world_new();
    g_autoptr(GString) text = NULL;

    fill(world);
    g_assert_true(catalog_due_put(world->catalog, "nightly", true, 1, NULL));
    g_assert_true(catalog_missed_add(world->catalog, "nightly", 1, 2, NULL));
    text = print(world, (MetricsOptions){ 0 });
#define APP   "{source=\"app\",kind=\"postgres\",schedule=\"nightly\",repository=\"main\"} "
#define FILES "{source=\"files\",kind=\"files\",schedule=\"nightly\",repository=\"main\"} "
#define ALL   "{schedule=\"nightly\",repository=\"main\"} "
    assert_line(text, "backstay_build_info{version=\"" BS_VERSION "\"} 1");
    assert_line(text, "backstay_backup_last_success_timestamp_seconds" APP "1699992890");
    assert_line(text, "backstay_backup_last_attempt_timestamp_seconds" APP "1699996400");
    assert_line(text, "backstay_backup_last_status" APP "0");
    assert_line(text, "backstay_backup_last_status" FILES "1");
    assert_line(text, "backstay_backup_expected_interval_seconds" APP "86400");
    assert_line(text, "backstay_backup_next_run_timestamp_seconds" APP "1700017200");
    assert_line(text, "backstay_backup_source_bytes" APP "700");
    assert_line(text, "backstay_backup_stored_bytes" FILES "3");
    assert_line(text, "backstay_backup_size_bytes" ALL "10");
    assert_line(text, "backstay_backup_status" ALL "0");
    assert_line(text, "backstay_backup_health_hours" ALL "1.9750000000000001");
    assert_line(text, "backstay_rpo_seconds" ALL "7200");
    assert_line(text, "backstay_rpo_target_seconds" ALL "86400");
    assert_line(text, "backstay_rto_seconds" ALL "30");
    assert_line(text, "backstay_drill_last_status" ALL "1");
    assert_line(text, "backstay_backups_total{status=\"success\",schedule=\"nightly\"} 1");
    assert_line(text, "backstay_backups_total{status=\"failed\",schedule=\"nightly\"} 1");
    assert_line(text, "backstay_backups_total{status=\"failed\",schedule=\"weekly\"} 0");
    assert_line(text, "backstay_backup_missed_runs_total{schedule=\"nightly\"} 2");
    assert_line(text, "backstay_backup_missed_runs_total{schedule=\"weekly\"} 0");
    assert_line(text, "backstay_backup_duration_seconds_bucket{schedule=\"nightly\",le=\"1\"} 0");
    assert_line(text, "backstay_backup_duration_seconds_bucket{schedule=\"nightly\",le=\"60\"} 2");
    assert_line(text,
                "backstay_backup_duration_seconds_bucket{schedule=\"nightly\",le=\"+Inf\"} 3");
    assert_line(text, "backstay_backup_duration_seconds_sum{schedule=\"nightly\"} 137");
    assert_line(text, "backstay_backup_duration_seconds_count{schedule=\"nightly\"} 3");
    assert_line(text, "backstay_runs{state=\"running\"} 0");
    // nothing is invented for what has never run
    g_assert_null(strstr(text->str, "last_status{source=\"app\",kind=\"\",schedule=\"weekly\""));
    g_assert_null(strstr(text->str, "# EOF"));
    world_free(world);
}

static void what_is_not_configured_is_not_told_of(void)
{
    World *world = world_new();
    g_autoptr(GString) text = NULL;

    fill(world);
    add_run(world->catalog, world->schedules[1], "backup", RUN_FAILED, 100, 2, NULL);
    text = print(world, (MetricsOptions){ .n_schedules = 1 });
    g_assert_nonnull(strstr(text->str, "nightly"));
    g_assert_null(strstr(text->str, "weekly"));
    world_free(world);
}

static void keep(World *world, const char *name, const char *row)
{
    json_t *value = json_loads(row, 0, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(value);
    catalog_setting_put(world->catalog, name, value, 0, NULL, &error);
    g_assert_no_error(error);
    json_decref(value);
}

static void measure_all(World *world)
{
    keep(world, "measured/store/main",
         "{\"at\": 1699999000, \"up\": false, \"seen\": 1699990000, \"told\": {\"bytes\": 700,"
         " \"places\": {\"snapshots\": {\"objects\": 3}, \"locks\": {\"objects\": 1,"
         " \"oldest\": \"2023-11-14T19:25:00Z\"}}}}"); // 5,200 s before it was seen
    keep(world, "measured/store/other",
         "{\"at\": 1699999000, \"up\": true, \"seen\": 1699999000, \"told\": {\"bytes\": 50,"
         " \"places\": {\"snapshots\": {\"objects\": 0}}}}");
    keep(world, "measured/store/gone", "{\"at\": 1, \"up\": true, \"told\": {\"bytes\": 1}}");
    keep(world, "measured/lag/main/db",
         "{\"at\": 1699999900, \"up\": true, \"seen\": 1699999900, \"told\": {"
         " \"system_identifier\": \"77\", \"held_time\": \"2023-11-14T22:10:00Z\", \"lag_bytes\": "
         "12,"
         " \"lag_seconds\": 34, \"archiver\": {\"waiting\": 2, \"failed_count\": 5}}}");
    keep(world, "measured/way/main",
         "{\"at\": 1, \"up\": true, \"seen\": 1, \"told\": {\"ways\": [{\"system_identifier\": "
         "\"77\","
         " \"gaps\": 0, \"since\": \"2023-11-14T03:00:00Z\"}]}}");
}

static Configuration *places_of_two(void)
{
    const char *text = "repositories:\n"
                       "  main: {location: \"s3:https://s3.example.org/bucket/a\"}\n"
                       "  other: {location: \"s3:https://s3.example.org/bucket/b\", quota: 100}\n"
                       "sources:\n"
                       "  db: {url: \"pgcluster:postgresql://db1/\"}\n"
                       "schedules:\n"
                       "  pitr: {sources: [db], repository: main, cron: daily}\n";
    g_autoptr(GError) error = NULL;
    Configuration *configuration = NULL;

    configuration_parse("backstay.yaml", text, strlen(text), &configuration, &error);
    g_assert_no_error(error);
    return configuration;
}

static void tells_what_was_measured(void)
{
    World *world = world_new();
    g_autoptr(Configuration) configuration = places_of_two();
    MetricsOptions options = { .configuration = configuration, .prefix = "backstay", .now = NOW };
    const Schedule *pitr = configuration_schedule(configuration, "pitr");
    g_autoptr(GString) text = g_string_new("\n");
    g_autoptr(GError) error = NULL;

    options.schedules = &pitr;
    options.n_schedules = 1;
    measure_all(world);
    add_run(world->catalog, world->schedules[0], "check", RUN_SUCCEEDED, 5000, 10, NULL);
    metrics_print(world->catalog, &options, text, &error);
    g_assert_no_error(error);
#define MAIN  "{repository=\"main\"} "
#define OTHER "{repository=\"other\"} "
#define DB    "{source=\"db\",repository=\"main\"} "
    assert_line(text, "backstay_repository_up" MAIN "0");
    assert_line(text, "backstay_repository_up" OTHER "1");
    assert_line(text, "backstay_repository_size_bytes" MAIN "700");
    assert_line(text, "backstay_repository_snapshots" MAIN "3");
    assert_line(text, "backstay_repository_lock_age_seconds" MAIN "100");
    assert_line(text, "backstay_repository_lock_age_seconds" OTHER "0");
    assert_line(text, "backstay_repository_last_check_timestamp_seconds" MAIN "1699995010");
    assert_line(text, "backstay_store_free_bytes" OTHER "50");
    assert_line(text, "backstay_store_used_bytes{store=\"s3:https://s3.example.org/bucket\"} 750");
    assert_line(text, "backstay_wal_up" DB "1");
    assert_line(text, "backstay_wal_last_archived_timestamp_seconds" DB "1699999800");
    assert_line(text, "backstay_wal_pending_segments" DB "2");
    assert_line(text, "backstay_wal_archive_failures_total" DB "5");
    assert_line(text, "backstay_wal_lag_bytes" DB "12");
    assert_line(text, "backstay_wal_gap_count" DB "0");
    assert_line(text, "backstay_pitr_window_start_timestamp_seconds" DB "1699930800");
    assert_line(text, "backstay_pitr_window_end_timestamp_seconds" DB "1699999800");
    g_assert_null(strstr(text->str, "gone")); // what is configured no more
    g_assert_null(strstr(text->str, "backstay_store_free_bytes" MAIN)); // a bucket without a quota
    world_free(world);
}

static void sources_that_were_there_are_up(void)
{
    World *world = world_new();
    g_autoptr(GString) text = NULL;

    add_run(world->catalog, world->schedules[0], "backup", RUN_PARTIAL, 3600, 45,
            "{\"snapshots\": [{\"source\": \"app\", \"kind\": \"postgres\", \"state\": \"failed\","
            " \"code\": 21}, {\"source\": \"files\", \"kind\": \"files\", \"state\": \"failed\","
            " \"code\": 1}]}");
    text = print(world, (MetricsOptions){ 0 });
    assert_line(text, "backstay_source_up" APP "0");
    assert_line(text, "backstay_source_up" FILES "1"); // it failed otherwise
    world_free(world);
}

static void failed_checks_of_the_last_drill_are_counted(void)
{
    static const struct {
        const char *label;
        RunState state;
        const char *detail, *line;
    } drills[] = {
        { "nothing was wrong", RUN_SUCCEEDED, NULL, "0" },
        { "two checks failed", RUN_FAILED,
          "{\"errors\": [{\"item\": \"app.users\", \"error\": {\"message\": \"3 rows, not 4\"}},"
          " {\"item\": \"app.orders\", \"error\": {\"message\": \"is missing\"}}]}",
          "2" },
        { "it did not come to a check", RUN_FAILED, NULL, "1" },
        { "and all is well again", RUN_SUCCEEDED, "{\"results\": []}", "0" },
    };
    World *world = world_new();

    for (size_t i = 0; i < G_N_ELEMENTS(drills); i++) {
        g_autofree char *line =
            g_strconcat("backstay_drill_checks_failed" ALL, drills[i].line, NULL);
        g_autoptr(GString) text = NULL;

        g_test_message("%s", drills[i].label);
        // ids are in order of time
        add_run(world->catalog, world->schedules[0], "drill", drills[i].state,
                1000 - (int64_t)i * 10, 5, drills[i].detail);
        text = print(world, (MetricsOptions){ 0 });
        assert_line(text, line);
        g_assert_null(strstr(text->str, "drill_checks_failed{schedule=\"weekly\""));
    }
    world_free(world);
}

/* The schedule "pitr" of a cluster alone, and "both" of a cluster and files. */
static void what_wal_brings_back_is_not_lost(void)
{
    const char *text = "repositories:\n"
                       "  main: {location: /srv/main}\n"
                       "sources:\n"
                       "  db: {url: \"pgcluster:postgresql://db1/\"}\n"
                       "  files: {paths: [/srv]}\n"
                       "schedules:\n"
                       "  both: {sources: [db, files], repository: main, cron: daily}\n"
                       "  pitr: {sources: [db], repository: main, cron: daily}\n";
#define LAG(behind)                                                                                \
    "{\"at\": 1, \"up\": true, \"seen\": 1699999900, \"told\": {"                                  \
    " \"system_identifier\": \"77\", \"lag_seconds\": " behind "}}"
#define WAY(gaps)                                                                                  \
    "{\"at\": 1, \"up\": true, \"seen\": 1, \"told\": {\"ways\": ["                                \
    " {\"system_identifier\": \"77\", \"gaps\": " gaps "}]}}"
    static const struct {
        const char *label, *lag, *way, *pitr;
    } cases[] = {
        { "nothing was measured", NULL, NULL, "7200" },
        { "WAL is held to the end", LAG("0"), WAY("0"), "100" },
        { "WAL is behind", LAG("34"), WAY("0"), "134" },
        { "WAL is further behind than the backup", LAG("90000"), WAY("0"), "7200" },
        { "there is a gap", LAG("34"), WAY("1"), "7200" },
        { "nobody has looked for gaps", LAG("34"), NULL, "7200" },
        { "no WAL is held of its timeline", LAG("null"), WAY("0"), "7200" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        World *world = world_new();
        g_autoptr(Configuration) configuration = NULL;
        g_autofree char *pitr = g_strconcat(
            "backstay_rpo_seconds{schedule=\"pitr\",repository=\"main\"} ", cases[i].pitr, NULL);
        const Schedule *schedules[2];
        MetricsOptions options = { .prefix = "backstay", .now = NOW, .n_schedules = 2 };
        g_autoptr(GString) out = g_string_new("\n");
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        configuration_parse("backstay.yaml", text, strlen(text), &configuration, &error);
        g_assert_no_error(error);
        schedules[0] = configuration_schedule(configuration, "both");
        schedules[1] = configuration_schedule(configuration, "pitr");
        options.configuration = configuration;
        options.schedules = schedules;
        add_run(world->catalog, schedules[0], "backup", RUN_SUCCEEDED, 7200, 90, NULL);
        add_run(world->catalog, schedules[1], "backup", RUN_SUCCEEDED, 7200, 90, NULL);
        if (cases[i].lag)
            keep(world, "measured/lag/main/db", cases[i].lag);
        if (cases[i].way)
            keep(world, "measured/way/main", cases[i].way);
        metrics_print(world->catalog, &options, out, &error);
        g_assert_no_error(error);
        assert_line(out, pitr);
        // files have no WAL
        assert_line(out, "backstay_rpo_seconds{schedule=\"both\",repository=\"main\"} 7200");
        world_free(world);
    }
}

static void names_that_others_know_come_out(void)
{
    static const char *const leaflock[] = {
        "\nleaflock_backups_total{status=\"success\",",
        "\nleaflock_backups_total{status=\"failed\",",
        "\nleaflock_backup_duration_seconds_bucket{",
        "\nleaflock_backup_size_bytes{",
    };
    static const char *const renderowl[] = {
        "\nrenderowl_backup_status{",
        "\nrenderowl_backup_duration_seconds{",
        "\nrenderowl_backup_size_bytes{",
        "\nrenderowl_backup_health_hours{",
    };
    World *world = world_new();
    g_autoptr(GString) served = NULL, file = NULL;

    fill(world);
    served = print(world, (MetricsOptions){ .prefix = "leaflock" });
    file = print(world, (MetricsOptions){ .prefix = "renderowl", .file = true });
    for (size_t i = 0; i < G_N_ELEMENTS(leaflock); i++) {
        g_assert_nonnull(strstr(served->str, leaflock[i]));
        g_assert_nonnull(strstr(file->str, renderowl[i]));
    }
    g_assert_null(strstr(file->str, "_bucket"));
    world_free(world);
}

static void hostile_names_are_escaped(void)
{
    World *world = world_new();
    g_autoptr(GString) text = NULL;
    MetricsChannel channel = { .channel = "a\"b\\c\nd\xff", .failures = 3 };

    text = print(world, (MetricsOptions){ .channels = &channel, .n_channels = 1 });
    assert_line(text,
                "backstay_notification_failures_total{channel=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\"} 3");
    world_free(world);
}

static void bad_prefixes_are_refused(void)
{
    static const char *const prefixes[] = { "", "1a", "a-b", "a b", "a\n" };
    World *world = world_new();

    for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        MetricsOptions options = { .prefix = prefixes[i] };
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(metrics_print(world->catalog, &options, out, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
    world_free(world);
}

/* Prometheus' own reader, and its rules of style but for names that others gave. */
static void promtool_is_content(void)
{
    World *world = world_new();
    MetricsChannel channel = { .channel = "mail" };
    const MetricsOptions forms[] = {
        { .channels = &channel, .n_channels = 1 },
        { .file = true },
    };

    fill(world);
    for (size_t i = 0; i < G_N_ELEMENTS(forms); i++) {
        g_autofree char *path = g_build_filename(world->dir, "backstay.prom", NULL);
        g_autofree char *quoted = g_shell_quote(path);
        g_autofree char *line = g_strdup_printf(
            "out=$(promtool check metrics < %s 2>&1); echo \"$out\" | sed 's/^/# /';"
            " test -z \"$(echo \"$out\" | grep -v health_hours)\"",
            quoted);
        const char *const argv[] = { "sh", "-c", line, NULL };
        g_autoptr(GString) text = print(world, forms[i]);
        struct stat st;
        int status;

        g_assert_true(metrics_write(path, text, NULL));
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0644);
        g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                                   NULL, &status, NULL));
        g_assert_cmpint(status, ==, 0);
    }
    world_free(world);
}

static void openmetrics_has_its_own_form(void)
{
    World *world = world_new();
    g_autoptr(GString) text = NULL;

    fill(world);
    text = print(world, (MetricsOptions){ .openmetrics = true });
    assert_line(text, "# TYPE backstay_backups counter");
    assert_line(text, "backstay_backups_total{status=\"success\",schedule=\"nightly\"} 1");
    assert_line(text,
                "backstay_backup_duration_seconds_bucket{schedule=\"nightly\",le=\"60.0\"} 2");
    g_assert_true(g_str_has_suffix(text->str, "\n# EOF\n"));
    g_assert_true(
        metrics_wants_openmetrics("application/openmetrics-text; version=1.0.0,*/*;q=0.1"));
    g_assert_false(metrics_wants_openmetrics("text/plain"));
    g_assert_false(metrics_wants_openmetrics(NULL));
    world_free(world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/metrics/tells what the catalogue remembers",
                    tells_what_the_catalogue_remembers);
    g_test_add_func("/metrics/what is not configured is not told of",
                    what_is_not_configured_is_not_told_of);
    g_test_add_func("/metrics/tells what was measured", tells_what_was_measured);
    g_test_add_func("/metrics/failed checks of the last drill are counted",
                    failed_checks_of_the_last_drill_are_counted);
    g_test_add_func("/metrics/what WAL brings back is not lost", what_wal_brings_back_is_not_lost);
    g_test_add_func("/metrics/sources that were there are up", sources_that_were_there_are_up);
    g_test_add_func("/metrics/names that others know come out", names_that_others_know_come_out);
    g_test_add_func("/metrics/hostile names are escaped", hostile_names_are_escaped);
    g_test_add_func("/metrics/bad prefixes are refused", bad_prefixes_are_refused);
    g_test_add_func("/metrics/promtool is content", promtool_is_content);
    g_test_add_func("/metrics/openmetrics has its own form", openmetrics_has_its_own_form);
    return g_test_run();
}
