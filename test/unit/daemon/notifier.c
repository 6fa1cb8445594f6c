/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notifier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/event.h"
#include "lib/http_server.h"
#include "lib/tempdir.h"
#include "state/incidents.h"
#include "state/settings.h"

#include <glib/gstdio.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#define NOW  INT64_C(1700000000) /* a Tuesday, 22:13 UTC */
#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)

/* ---- the world: a catalogue, two webhooks, a check ---- */

typedef struct {
    char *dir;
    HttpServer *server;
    pthread_mutex_t mutex;
    GString *log; /* "path kind condition title;" */
    bool broken;  /* the first webhook */
    Configuration *configuration;
    Catalog *catalog;
    Notifier *notifier;
    const Schedule *nightly;
} World;

static bool receive(HttpConn *conn, const HttpServed *request, void *user)
{
    World *world = user;
    g_autoptr(GBytes) body = http_conn_read(conn, request->body_len);
    json_t *event = json_loadb(g_bytes_get_data(body, NULL), g_bytes_get_size(body), 0, NULL);
    g_autofree char *path = g_strndup(request->target, strcspn(request->target, "?"));
    bool broken;

    pthread_mutex_lock(&world->mutex);
    broken = world->broken && strcmp(path, "/all") == 0;
    if (event && !broken)
        g_string_append_printf(world->log, "%s %s %s;", path, event_text(event, "kind"),
                               *event_text(event, "condition") ? event_text(event, "condition")
                                                               : event_text(event, "title"));
    else if (!broken)
        g_string_append_printf(world->log, "%s;", path);
    pthread_mutex_unlock(&world->mutex);
    json_decref(event);
    return http_conn_answer(conn, broken ? "500 Oh" : "200 OK", NULL, "", 0);
}

static char *configuration_text(const char *url)
{
    return g_strdup_printf("repositories:\n"
                           "  main:\n"
                           "    location: /srv/main\n"
                           "    password: env://HOME\n"
                           "sources:\n"
                           "  app:\n"
                           "    paths: [/srv/app]\n"
                           "schedules:\n"
                           "  nightly:\n"
                           "    sources: [app]\n"
                           "    repository: main\n"
                           "    cron: 0 3 * * *\n"
                           "    targets: {proof: 8d}\n"
                           "notifications:\n"
                           "  all:\n"
                           "    type: webhook\n"
                           "    url: %s/all\n"
                           "    reports: [daily]\n"
                           "  failures:\n"
                           "    type: webhook\n"
                           "    url: %s/failures\n"
                           "    conditions: [failed]\n"
                           "    remind: 48h\n"
                           "    reports: [weekly]\n"
                           "  ping:\n"
                           "    type: healthchecks\n"
                           "    url: %s/ping\n"
                           "server:\n"
                           "  webhook_origins: [%s]\n",
                           url, url, url, url);
}

static void world_start(World *world)
{
    NotifierOptions options = { .configuration = world->configuration,
                                .catalog = world->catalog,
                                .queue = world->dir,
                                .instance = "node1" };
    g_autoptr(GError) error = NULL;

    notifier_new(&options, &world->notifier, &error);
    g_assert_no_error(error);
}

/* When everything arrived: what is cut off on its way may have arrived too, and is sent again. */
static void world_restart(World *world)
{
    g_assert_true(notifier_settle(world->notifier, 120000));
    notifier_free(world->notifier);
    world_start(world);
}

static World *world_new(void)
{
    World *world = g_new0(World, 1);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL, *url = NULL;

    clock_set((Timestamp){ .sec = NOW });
    pthread_mutex_init(&world->mutex, NULL);
    world->log = g_string_new(NULL);
    world->dir = tempdir_new();
    world->server = http_server_new(receive, world, NULL);
    text = configuration_text(http_server_url(world->server));
    configuration_parse("backstay.yaml", text, strlen(text), &world->configuration, &error);
    g_assert_no_error(error);
    url = g_strdup_printf("sqlite:%s/catalogue.db", world->dir);
    catalog_open(url, NULL, &world->catalog, &error);
    g_assert_no_error(error);
    world->nightly = configuration_schedule(world->configuration, "nightly");
    world_start(world);
    return world;
}

static void world_free(World *world)
{
    notifier_free(world->notifier);
    catalog_free(world->catalog);
    configuration_free(world->configuration);
    http_server_free(world->server);
    g_string_free(world->log, TRUE);
    pthread_mutex_destroy(&world->mutex);
    tempdir_remove(world->dir);
    g_free(world);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What has come since the last time, in the order of the alphabet: channels are independent. */
static void assert_came(World *world, const char *want)
{
    g_auto(GStrv) lines = NULL;
    g_autofree char *got = NULL;

    g_assert_true(notifier_settle(world->notifier, 120000));
    pthread_mutex_lock(&world->mutex);
    lines = g_strsplit(world->log->str, ";", -1);
    g_string_truncate(world->log, 0);
    pthread_mutex_unlock(&world->mutex);
    qsort(lines, g_strv_length(lines), sizeof *lines, by_text);
    got = g_strjoinv(";", lines);
    g_assert_cmpstr(got + (*got == ';'), ==, want);
}

static void run_at(World *world, int64_t at, RunState state, const char *why)
{
    g_auto(RunRow) row = { .kind = g_strdup("backup"),
                           .schedule = g_strdup("nightly"),
                           .schedule_name = g_strdup("nightly"),
                           .repository = g_strdup("main"),
                           .state = state,
                           .created_at = at * 1000,
                           .started_at = why && strcmp(why, "concurrent") == 0 ? 0 : at * 1000,
                           .ended_at = (at + 5) * 1000,
                           .node = g_strdup("node1"),
                           .exit_code = state == RUN_SUCCEEDED ? 0 : 21,
                           .error = g_strdup(why) };
    g_autoptr(GError) error = NULL;

    clock_set((Timestamp){ .sec = at + 5 });
    catalog_run_insert(world->catalog, &row, &error);
    g_assert_no_error(error);
    notifier_run_ended(world->notifier, world->nightly, &row);
}

static void check_at(World *world, int64_t at)
{
    clock_set((Timestamp){ .sec = at });
    notifier_check(world->notifier, &world->nightly, 1, at);
}

/* ---- facts ---- */

static void an_incident_opens_once_and_is_resolved(void)
{
    World *world = world_new();

    run_at(world, NOW, RUN_SUCCEEDED, NULL);
    assert_came(world, "/ping");
    for (int i = 1; i <= 3; i++)
        run_at(world, NOW + i * 60, RUN_FAILED, "no connection");
    check_at(world, NOW + 300);
    assert_came(world, "/all opened failed;/failures opened failed;/ping/21;/ping/21;/ping/21");
    run_at(world, NOW + 400, RUN_PARTIAL, "one of two");
    assert_came(world,
                "/all opened partial;/all resolved failed;/failures resolved failed;/ping/21");
    run_at(world, NOW + 500, RUN_SUCCEEDED, NULL);
    check_at(world, NOW + 600);
    assert_came(world, "/all resolved partial;/ping");
    run_at(world, NOW + 700, RUN_FAILED, "concurrent"); // has not run: no ping
    assert_came(world, "/all opened concurrent");
    world_free(world);
}

/* A daemon that died between the end of a run and telling of it: the next one does. */
static void what_was_not_told_is_told_after_a_restart(void)
{
    World *world = world_new();
    g_auto(RunRow) row = { .kind = g_strdup("backup"),
                           .schedule = g_strdup("nightly"),
                           .state = RUN_FAILED,
                           .created_at = NOW * 1000,
                           .ended_at = (NOW + 5) * 1000,
                           .node = g_strdup("node1"),
                           .error = g_strdup("killed") };

    g_assert_true(catalog_run_insert(world->catalog, &row, NULL));
    for (int i = 0; i < 3; i++) {
        world_restart(world);
        check_at(world, NOW + 60 + i);
    }
    assert_came(world, "/all opened failed;/failures opened failed");
    world_free(world);
}

/* One that was held back, because it came and went, is told by who comes after, too: an incident
 * that stands counts as told by nobody's memory but the catalogue's. */
static void what_was_held_back_is_told_after_a_restart(void)
{
    World *world = world_new();

    run_at(world, NOW, RUN_FAILED, "no connection");
    run_at(world, NOW + 60, RUN_SUCCEEDED, NULL);
    assert_came(world, "/all opened failed;/all resolved failed;/failures opened failed;"
                       "/failures resolved failed;/ping;/ping/21");
    run_at(world, NOW + 120, RUN_FAILED, "no connection");
    world_restart(world);
    check_at(world, NOW + 180); // it may be over at once
    assert_came(world, "/ping/21");
    for (int i = 0; i < 3; i++) {
        check_at(world, NOW + 120 + HOUR + 60 + i);
        world_restart(world);
    }
    assert_came(world, "/all opened failed;/failures opened failed");
    run_at(world, NOW + 2 * HOUR, RUN_SUCCEEDED, NULL);
    assert_came(world, "/all resolved failed;/failures resolved failed;/ping");
    world_free(world);
}

static void what_could_not_be_kept_is_told_later(void)
{
    World *world = world_new();
    g_autofree char *queue = g_build_filename(world->dir, "all", NULL);

    g_assert_cmpint(g_rmdir(queue), ==, 0);
    run_at(world, NOW, RUN_FAILED, "no connection");
    check_at(world, NOW + 600);
    assert_came(world, "/failures opened failed;/ping/21");
    g_assert_cmpint(g_mkdir(queue, 0700), ==, 0);
    check_at(world, NOW + HOUR + 60);
    check_at(world, NOW + HOUR + 120);
    assert_came(world, "/all opened failed;/failures opened failed");
    world_free(world);
}

static void silence_is_told_and_ends(void)
{
    World *world = world_new();

    run_at(world, NOW, RUN_SUCCEEDED, NULL);
    check_at(world, NOW + HOUR); // reports nothing of what was before it
    assert_came(world, "/ping");
    check_at(world, NOW + 36 * HOUR);
    assert_came(world,
                "/all report Daily report of node1: 1 succeeded, 0 failed, 0 incomplete, 0 open");
    check_at(world, NOW + 36 * HOUR + 60);
    assert_came(world, "/all opened missed");
    run_at(world, NOW + 37 * HOUR, RUN_SUCCEEDED, NULL);
    assert_came(world, "/all resolved missed;/ping");
    world_free(world);
}

/* Of two channels each is reminded as often as it wants. */
static void reminders_come_as_often_as_wanted(void)
{
    World *world = world_new();

    check_at(world, NOW); // the first look reports nothing
    run_at(world, NOW, RUN_FAILED, "no connection");
    assert_came(world, "/all opened failed;/failures opened failed;/ping/21");
    for (int64_t at = NOW; at < NOW + 5 * DAY + HOUR; at += HOUR)
        check_at(world, at);
    g_assert_true(notifier_settle(world->notifier, 120000));
    pthread_mutex_lock(&world->mutex);
    {
        unsigned all = 0, failures = 0;

        for (const char *c = world->log->str; (c = strstr(c, "/all reminded failed")); c++)
            all++;
        for (const char *c = world->log->str; (c = strstr(c, "/failures reminded failed")); c++)
            failures++;
        g_assert_cmpuint(all, ==, 4); // looked at every hour, 24 h are over after 25
        g_assert_cmpuint(failures, ==, 2);
    }
    pthread_mutex_unlock(&world->mutex);
    world_free(world);
}

static unsigned count_of(World *world, const char *what)
{
    unsigned n = 0;

    g_assert_true(notifier_settle(world->notifier, 120000));
    pthread_mutex_lock(&world->mutex);
    for (const char *c = world->log->str; (c = strstr(c, what)); c++)
        n++;
    pthread_mutex_unlock(&world->mutex);
    return n;
}

/* Daily after the sweep, weekly on Mondays, each once, however often the daemon is started. */
static void reports_come_at_their_times(void)
{
    const int64_t monday = INT64_C(1700452800); /* 2023-11-20 04:00 UTC, by date(1) */
    World *world = world_new();

    check_at(world, NOW);
    check_at(world, monday - 1);
    g_assert_cmpuint(count_of(world, "/failures report"), ==, 0);
    g_assert_cmpuint(count_of(world, "/all report"), ==, 1); // what was slept through is one
    check_at(world, monday);
    g_assert_cmpuint(count_of(world, "/failures report Weekly digest of node1"), ==, 1);
    g_assert_cmpuint(count_of(world, "/all report Daily report of node1"), ==, 2);
    for (int64_t at = monday; at < monday + 14 * DAY; at += 6 * HOUR) {
        world_restart(world);
        check_at(world, at);
    }
    g_assert_cmpuint(count_of(world, "/failures report Weekly"), ==, 2);
    g_assert_cmpuint(count_of(world, "/all report Daily"), ==, 15);
    world_free(world);
}

/* ---- what is measured ---- */

static void measure(World *world, const char *name, const char *row)
{
    json_t *value = json_loads(row, 0, NULL), *before = NULL;
    g_autoptr(GError) error = NULL;
    unsigned version = 0;

    g_assert_nonnull(value);
    (void)catalog_setting_get(world->catalog, name, &before, &version, NULL);
    catalog_setting_put(world->catalog, name, value, version, NULL, &error);
    g_assert_no_error(error);
    json_decref(before);
    json_decref(value);
}

static void a_full_repository_is_told_once(void)
{
    World *world = world_new();

    check_at(world, NOW);
    measure(world, "measured/store/main",
            "{\"at\": 1, \"up\": true, \"seen\": 1, \"told\":"
            " {\"bytes\": 5, \"free_bytes\": 4, \"room_bytes\": 100}}");
    for (int i = 0; i < 3; i++)
        check_at(world, NOW + i);
    assert_came(world, "/all opened repository-full");
    check_at(world, NOW + 25 * HOUR);
    g_assert_cmpuint(count_of(world, "/all reminded repository-full"), ==, 1);
    measure(world, "measured/store/main", // between enough and too little nothing changes
            "{\"at\": 1, \"up\": true, \"seen\": 1, \"told\":"
            " {\"bytes\": 5, \"free_bytes\": 5.5, \"room_bytes\": 100}}");
    check_at(world, NOW + 25 * HOUR + 1);
    g_assert_cmpuint(count_of(world, "resolved repository-full"), ==, 0);
    measure(world, "measured/store/main",
            "{\"at\": 1, \"up\": true, \"seen\": 1, \"told\":"
            " {\"bytes\": 5, \"free_bytes\": 50, \"room_bytes\": 100}}");
    check_at(world, NOW + 25 * HOUR + 2);
    g_assert_cmpuint(count_of(world, "/all resolved repository-full"), ==, 1);
    world_free(world);
}

static void drill_at(World *world, int64_t at, RunState state)
{
    g_auto(RunRow) row = { .kind = g_strdup("drill"),
                           .schedule = g_strdup("nightly"),
                           .schedule_name = g_strdup("nightly"),
                           .state = state,
                           .created_at = at * 1000,
                           .started_at = at * 1000,
                           .ended_at = (at + 5) * 1000,
                           .node = g_strdup("node1"),
                           .error = state == RUN_FAILED ? g_strdup("rows differ") : NULL };

    g_assert_true(catalog_run_insert(world->catalog, &row, NULL));
    check_at(world, at + 5);
}

static void proofs_are_watched(void)
{
    World *world = world_new();

    for (int64_t at = NOW; at < NOW + 8 * DAY; at += DAY) { // a daemon that is started every day
        world_restart(world);
        check_at(world, at);
    }
    g_assert_cmpuint(count_of(world, "drill-stale"), ==, 0);
    check_at(world, NOW + 8 * DAY + 60);
    g_assert_cmpuint(count_of(world, "/all opened drill-stale"), ==, 1);
    drill_at(world, NOW + 9 * DAY, RUN_FAILED);
    g_assert_cmpuint(count_of(world, "/all opened drill-failed"), ==, 1);
    drill_at(world, NOW + 9 * DAY + HOUR, RUN_SUCCEEDED);
    g_assert_cmpuint(count_of(world, "/all resolved drill-failed"), ==, 1);
    g_assert_cmpuint(count_of(world, "/all resolved drill-stale"), ==, 1);
    check_at(world, NOW + 18 * DAY);
    g_assert_cmpuint(count_of(world, "/all opened drill-stale"), ==, 2);
    world_free(world);
}

static void what_is_gone_is_resolved(void)
{
    World *world = world_new();

    run_at(world, NOW, RUN_FAILED, "no connection");
    assert_came(world, "/all opened failed;/failures opened failed;/ping/21");
    clock_set((Timestamp){ .sec = NOW + 60 });
    notifier_check(world->notifier, NULL, 0, NOW + 60);
    notifier_check(world->notifier, NULL, 0, NOW + 120);
    assert_came(world, "/all resolved failed;/failures resolved failed");
    world_free(world);
}

/* Ten thousand failures, and between them successes: people hear of it once an hour. */
static void a_storm_makes_few_messages(void)
{
    World *world = world_new();
    unsigned opened = 0;

    for (int i = 0; i < 150; i++) {
        run_at(world, NOW + i * 60, RUN_FAILED, "no connection");
        run_at(world, NOW + i * 60 + 30, RUN_SUCCEEDED, NULL);
    }
    g_assert_true(notifier_settle(world->notifier, 120000));
    pthread_mutex_lock(&world->mutex);
    for (const char *c = world->log->str; (c = strstr(c, "/failures opened")); c++)
        opened++;
    pthread_mutex_unlock(&world->mutex);
    g_assert_cmpuint(opened, ==, 3);
    world_free(world);
}

static void a_broken_channel_stops_no_other(void)
{
    World *world = world_new();

    world->broken = true;
    run_at(world, NOW, RUN_FAILED, "no connection");
    assert_came(world, "/failures opened failed;/ping/21");
    run_at(world, NOW + 2 * HOUR, RUN_SUCCEEDED, NULL);
    assert_came(world, "/failures resolved failed;/ping");
    pthread_mutex_lock(&world->mutex);
    world->broken = false;
    pthread_mutex_unlock(&world->mutex);
    notifier_free(world->notifier);
    clock_set((Timestamp){ .sec = NOW + 4 * HOUR });
    world_start(world);
    assert_came(world, "/all opened failed;/all resolved failed");
    world_free(world);
}

/* Of a test that goes by the queue, as everything else does. */
static CourierTest queued(World *world, char **ret_said)
{
    CourierTest result = COURIER_TEST_WAITS;
    g_autofree char *id = NULL;

    g_assert_true(notifier_queue_test(world->notifier, "all", &id, NULL));
    while (result == COURIER_TEST_WAITS) {
        g_usleep(5000); // clock_sleep_ms() would set the clock, and the channel gives up
        g_assert_true(notifier_tested(world->notifier, "all", id, &result, ret_said, NULL));
    }
    g_assert_true(notifier_settle(world->notifier, 60000)); // it is not tried again
    return result;
}

static void a_test_goes_by_the_queue(void)
{
    World *world = world_new();
    g_autofree char *said = NULL, *why = NULL, *id = NULL;
    g_autoptr(GError) none = NULL;

    (void)queued(world, &said);
    g_assert_cmpstr(said, ==, NULL); // delivered
    assert_came(world, "/all test test");
    world->broken = true;
    log_set_level(LOG_ERROR);
    g_assert_cmpint(queued(world, &why), ==, COURIER_TEST_FAILED);
    g_test_message("it said: %s", why);
    g_assert_nonnull(strstr(why, "HTTP 500"));
    g_assert_false(notifier_queue_test(world->notifier, "nobody", &id, &none));
    g_assert_error(none, BS_ERROR, BS_ERROR_NOT_FOUND);
    world_free(world);
}

static void a_test_says_what_came_of_it(void)
{
    World *world = world_new();
    g_autoptr(GError) broken = NULL, none = NULL;
    size_t n;

    g_assert_true(notifier_test(world->notifier, "all", NULL));
    assert_came(world, "/all test test");
    world->broken = true;
    g_assert_false(notifier_test(world->notifier, "all", &broken));
    g_assert_error(broken, BS_ERROR, BS_ERROR_FAILED);
    g_assert_nonnull(strstr(broken->message, "notifications.all: HTTP 500"));
    g_assert_false(notifier_test(world->notifier, "nobody", &none));
    g_assert_error(none, BS_ERROR, BS_ERROR_NOT_FOUND);
    (void)notifier_counts(world->notifier, &n);
    g_assert_cmpuint(n, ==, 3);
    world_free(world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/notifier/an incident opens once and is resolved",
                    an_incident_opens_once_and_is_resolved);
    g_test_add_func("/notifier/what was not told is told after a restart",
                    what_was_not_told_is_told_after_a_restart);
    g_test_add_func("/notifier/what was held back is told after a restart",
                    what_was_held_back_is_told_after_a_restart);
    g_test_add_func("/notifier/what could not be kept is told later",
                    what_could_not_be_kept_is_told_later);
    g_test_add_func("/notifier/silence is told and ends", silence_is_told_and_ends);
    g_test_add_func("/notifier/reminders come as often as wanted",
                    reminders_come_as_often_as_wanted);
    g_test_add_func("/notifier/reports come at their times", reports_come_at_their_times);
    g_test_add_func("/notifier/a full repository is told once", a_full_repository_is_told_once);
    g_test_add_func("/notifier/proofs are watched", proofs_are_watched);
    g_test_add_func("/notifier/what is gone is resolved", what_is_gone_is_resolved);
    g_test_add_func("/notifier/a storm makes few messages", a_storm_makes_few_messages);
    g_test_add_func("/notifier/a broken channel stops no other", a_broken_channel_stops_no_other);
    g_test_add_func("/notifier/a test says what came of it", a_test_says_what_came_of_it);
    g_test_add_func("/notifier/a test goes by the queue", a_test_goes_by_the_queue);
    return g_test_run();
}
