/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metrics.h"

#include "base/error.h"
#include "config/configuration.h"
#include "lib/tempdir.h"

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
    g_test_add_func("/metrics/names that others know come out", names_that_others_know_come_out);
    g_test_add_func("/metrics/hostile names are escaped", hostile_names_are_escaped);
    g_test_add_func("/metrics/bad prefixes are refused", bad_prefixes_are_refused);
    g_test_add_func("/metrics/promtool is content", promtool_is_content);
    g_test_add_func("/metrics/openmetrics has its own form", openmetrics_has_its_own_form);
    return g_test_run();
}
