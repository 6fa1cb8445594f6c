/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/schedules.h"

#include "lib/tempdir.h"
#include "state/catalog.h"

#include <string.h>

#define NOON  INT64_C(1699963200) /* 2023-11-14 12:00 UTC, a Tuesday */
#define HOUR  INT64_C(3600)
#define DAY   (24 * HOUR)
#define SWEEP (4 * HOUR)

/* ---- the world: a configuration, a catalogue, and a clock that we set ---- */

typedef struct {
    char *dir;
    Configuration *configuration;
    Catalog *catalog;
    Schedules *schedules;
    int64_t now;
    bool refuses;    /* the catalogue */
    GPtrArray *done; /* of char *: "backup nightly schedule 1 +15h", hours from NOON */
    guint refused;   /* claimed before */
} World;

static bool claim(World *world, const Schedule *schedule, const char *kind, RunTrigger trigger,
                  int64_t due_at, int attempt, bool *ret_won)
{
    g_auto(RunRow)
        row = { .kind = g_strdup(kind),
                .schedule = strcmp(kind, "sweep") == 0 ? g_strconcat("sweep:", schedule->id, NULL)
                                                       : g_strdup(schedule->id),
                .schedule_name = g_strdup(schedule->name),
                .repository = g_strdup("main"),
                .node = g_strdup("node"),
                .trigger = trigger,
                .due_at = due_at,
                .attempt = attempt };
    g_autoptr(GError) error = NULL;

    catalog_claim(world->catalog, &row, ret_won, &error);
    g_assert_no_error(error);
    return true;
}

static bool order(const Schedule *schedule, const char *kind, RunTrigger trigger, int64_t due_at,
                  int attempt, void *user)
{
    World *world = user;
    bool won = false;

    if (world->refuses)
        return false;
    (void)claim(world, schedule, kind, trigger, due_at, attempt, &won);
    if (!won)
        world->refused++;
    else
        g_ptr_array_add(world->done, g_strdup_printf("%s %s %s %d %+gh", kind, schedule->name,
                                                     run_trigger_name(trigger), attempt,
                                                     (double)(due_at / 1000 - NOON) / HOUR));
    return true;
}

static void world_start(World *world)
{
    g_autoptr(GError) error = NULL;

    world->schedules = schedules_new(world->catalog, order, world);
    schedules_load(world->schedules, world->configuration, world->now, &error);
    g_assert_no_error(error);
}

/* As after SIGKILL: only the catalogue is left. */
static void world_start_again(World *world)
{
    schedules_free(world->schedules);
    world_start(world);
}

static World *world_new(const char *schedules)
{
    World *world = g_new0(World, 1);
    g_autofree char *text = g_strconcat("repositories:\n"
                                        "  main: {location: /srv/main, password: env://HOME}\n"
                                        "sources:\n"
                                        "  app: {paths: [/srv/app]}\n"
                                        "schedules:\n",
                                        schedules, NULL);
    g_autofree char *url = NULL;
    g_autoptr(GError) error = NULL;

    world->dir = tempdir_new();
    world->done = g_ptr_array_new_with_free_func(g_free);
    world->now = NOON;
    configuration_parse("backstay.yaml", text, strlen(text), &world->configuration, &error);
    g_assert_no_error(error);
    url = g_strdup_printf("sqlite:%s/catalogue.db", world->dir);
    catalog_open(url, NULL, &world->catalog, &error);
    g_assert_no_error(error);
    world_start(world);
    return world;
}

static void world_free(World *world)
{
    schedules_free(world->schedules);
    catalog_free(world->catalog);
    configuration_free(world->configuration);
    g_ptr_array_unref(world->done);
    tempdir_remove(world->dir);
    g_free(world);
}

/* Looks when it is told to look, and at no other time. */
static void live_until(World *world, int64_t until)
{
    while (world->now < until) {
        const int64_t next = schedules_look(world->schedules, world->now, false);

        g_assert_cmpint(next, >, world->now);
        world->now = MIN(next, until);
    }
}

static void set_clock(World *world, int64_t now)
{
    world->now = now;
    (void)schedules_look(world->schedules, now, true);
}

static guint count(const World *world, const char *beginning)
{
    guint n = 0;

    for (guint i = 0; i < world->done->len; i++)
        if (g_str_has_prefix(world->done->pdata[i], beginning))
            n++;
    return n;
}

/* All since the last time, in their order. */
static void assert_done(World *world, const char *want)
{
    g_autoptr(GString) got = g_string_new(NULL);

    for (guint i = 0; i < world->done->len; i++)
        g_string_append_printf(got, "%s%s", i ? "; " : "", (char *)world->done->pdata[i]);
    g_assert_cmpstr(got->str, ==, want);
    g_ptr_array_set_size(world->done, 0);
}

static void ends(World *world, const char *schedule, RunState state, const char *error, int64_t due,
                 int attempt)
{
    const RunRow row = { .schedule = (char *)schedule,
                         .state = state,
                         .error = (char *)error,
                         .due_at = due * 1000,
                         .attempt = attempt };

    schedules_ended(world->schedules, &row, world->now);
}

/* ---- a year ---- */

static void a_year_has_each_run_once(void)
{
    World *world = world_new("  nightly: {sources: [app], repository: main, cron: 0 3 * * *, "
                             "timezone: Europe/Berlin}\n"
                             "  weekly: {sources: [app], repository: main, cron: weekly}\n"
                             "  off: {sources: [app], repository: main, cron: daily, "
                             "enabled: false}\n");

    live_until(world, NOON + 365 * DAY);
    g_assert_cmpuint(count(world, "backup nightly schedule 1 "), ==, 365);
    g_assert_cmpuint(count(world, "backup weekly schedule 1 "), ==, 52);
    g_assert_cmpuint(count(world, "sweep nightly schedule 1 "), ==, 365);
    g_assert_cmpuint(count(world, "sweep weekly schedule 1 "), ==, 365);
    g_assert_cmpuint(world->done->len, ==, 365 * 3 + 52);
    g_assert_cmpuint(world->refused, ==, 0);
    world_free(world);
}

/* However often it is killed, and however long it stays away. */
static void restarts_lose_nothing_and_repeat_nothing(void)
{
    World *world = world_new("  often: {sources: [app], repository: main, cron: 0 */6 * * *}\n");
    g_autoptr(GRand) rand = g_rand_new_with_seed(g_test_rand_int());
    const int64_t end = NOON + 60 * DAY;
    guint missed = 0;

    while (world->now < end) {
        int64_t down;

        live_until(world, MIN(end, world->now + g_rand_int_range(rand, 1, 2 * DAY)));
        down = g_rand_int_range(rand, 0, 3) == 0 ? g_rand_int_range(rand, 1, 2 * DAY) : 1;
        // due from now on, and not the newest: that one is caught up
        missed +=
            (guint)MAX(0, (world->now + down) / (6 * HOUR) - (world->now - 1) / (6 * HOUR) - 1);
        world->now += down;
        world_start_again(world);
        (void)schedules_look(world->schedules, world->now, false);
    }
    g_assert_cmpuint(count(world, "backup often "), ==,
                     (guint)(world->now / (6 * HOUR) - NOON / (6 * HOUR)) - missed);
    g_assert_cmpuint(world->refused, ==, 0);
    world_free(world);
}

/* ---- the clock ---- */

#define NIGHTLY "  nightly: {sources: [app], repository: main, cron: daily}\n"

static void a_clock_set_forward_is_time_that_was_missed(void)
{
    World *world = world_new(NIGHTLY);
    int64_t missed;

    live_until(world, NOON + HOUR);
    set_clock(world, NOON + 3 * DAY);
    assert_done(world, "sweep nightly schedule 1 +64h; backup nightly catch-up 1 +63h");
    g_assert_true(catalog_missed_get(world->catalog, "nightly", &missed, NULL));
    g_assert_cmpint(missed, ==, 2); // those of the two nights before
    live_until(world, NOON + 4 * DAY);
    assert_done(world, "backup nightly schedule 1 +87h; sweep nightly schedule 1 +88h");
    world_free(world);
}

static void a_clock_set_back_repeats_nothing(void)
{
    World *world = world_new(NIGHTLY);

    live_until(world, NOON + 2 * DAY);
    assert_done(world, "backup nightly schedule 1 +15h; sweep nightly schedule 1 +16h; "
                       "backup nightly schedule 1 +39h; sweep nightly schedule 1 +40h");
    set_clock(world, NOON + DAY + HOUR);
    live_until(world, NOON + 3 * DAY);
    assert_done(world, "backup nightly schedule 1 +63h; sweep nightly schedule 1 +64h");
    world_free(world);
}

/* Years ahead and back again: what was only jumped over has its run when the clock comes to it. */
static void a_clock_that_was_wrong_silences_nothing(void)
{
    World *world = world_new(NIGHTLY);

    live_until(world, NOON + HOUR);
    set_clock(world, NOON + 3650 * DAY);
    g_ptr_array_set_size(world->done, 0);
    world_start_again(world);
    set_clock(world, NOON + 2 * HOUR);
    live_until(world, NOON + 2 * DAY);
    assert_done(world, "backup nightly schedule 1 +15h; sweep nightly schedule 1 +16h; "
                       "backup nightly schedule 1 +39h; sweep nightly schedule 1 +40h");
    world_free(world);
}

/* ---- retries ---- */

#define RETRIED                                                                                    \
    "  nightly: {sources: [app], repository: main, cron: daily, retries: 3, retry_wait: 1m}\n"

static void a_failed_run_is_tried_again_later_and_later(void)
{
    World *world = world_new(RETRIED);
    const int64_t due = NOON + 15 * HOUR;
    static const int64_t waits[] = { 60, 120, 240 };

    live_until(world, due + 60);
    assert_done(world, "backup nightly schedule 1 +15h");
    for (int n = 0; n < 3; n++) {
        g_autofree char *want = g_strdup_printf("backup nightly retry %d +15h", n + 2);

        ends(world, "nightly", RUN_FAILED, "gone", due, n + 1);
        live_until(world, world->now + waits[n] - 1);
        assert_done(world, "");
        if (n == 1)
            world_start_again(world); // nothing of it is in the catalogue but that it runs
        if (n == 1)
            ends(world, "nightly", RUN_FAILED, "gone", due, n + 1);
        live_until(world, world->now + (n == 1 ? waits[n] : 1) + 1);
        assert_done(world, want);
    }
    ends(world, "nightly", RUN_FAILED, "gone", due, 4);
    live_until(world, NOON + 16 * HOUR + 3 * HOUR);
    assert_done(world, "sweep nightly schedule 1 +16h"); // four times is enough
    world_free(world);
}

static void what_need_not_be_tried_again_is_not(void)
{
    static const struct {
        RunState state;
        const char *error;
        int64_t due; /* 0: by hand */
    } cases[] = { { RUN_SUCCEEDED, NULL, NOON + 15 * HOUR },
                  { RUN_PARTIAL, "one", NOON + 15 * HOUR },
                  { RUN_CANCELLED, "interrupted", NOON + 15 * HOUR },
                  { RUN_SKIPPED, "skipped", NOON + 15 * HOUR },
                  { RUN_FAILED, "concurrent", NOON + 15 * HOUR },
                  { RUN_FAILED, "gone", 0 } };
    World *world = world_new(RETRIED);

    live_until(world, NOON + 15 * HOUR + 60);
    g_ptr_array_set_size(world->done, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ends(world, "nightly", cases[i].state, cases[i].error, cases[i].due, 1);
    live_until(world, NOON + 38 * HOUR);
    assert_done(world, "sweep nightly schedule 1 +16h");
    world_free(world);
}

static void a_due_run_takes_the_place_of_a_retry(void)
{
    World *world = world_new("  nightly: {sources: [app], repository: main, cron: daily, "
                             "retries: 3, retry_wait: 6h}\n");

    live_until(world, NOON + 37 * HOUR);
    g_ptr_array_set_size(world->done, 0);
    ends(world, "nightly", RUN_FAILED, "gone", NOON + 15 * HOUR, 1);
    live_until(world, NOON + 50 * HOUR);
    assert_done(world, "backup nightly schedule 1 +39h; sweep nightly schedule 1 +40h");
    world_free(world);
}

/* What had failed before a restart, as the catalogue has it. */
static void a_retry_outlives_a_restart(void)
{
    World *world = world_new(RETRIED);
    const RunQuery query = { .schedule = "nightly", .limit = 1 };
    g_autoptr(GArray) rows = NULL;
    RunRow *row;

    live_until(world, NOON + 15 * HOUR + 60);
    g_assert_true(catalog_runs(world->catalog, &query, &rows, NULL));
    row = &g_array_index(rows, RunRow, 0);
    row->state = RUN_FAILED;
    row->started_at = row->ended_at = world->now * 1000;
    g_assert_true(catalog_run_update(world->catalog, row, NULL));
    world_start_again(world);
    g_ptr_array_set_size(world->done, 0);
    live_until(world, NOON + 15 * HOUR + 60 + 60 + 1);
    assert_done(world, "backup nightly retry 2 +15h");
    world_free(world);
}

/* ---- a catalogue that does not answer ---- */

static void what_cannot_be_entered_is_tried_until_it_can(void)
{
    World *world = world_new(NIGHTLY);

    world->refuses = true;
    live_until(world, NOON + 15 * HOUR + 120);
    assert_done(world, "");
    world->refuses = false;
    live_until(world, NOON + 15 * HOUR + 140);
    assert_done(world, "backup nightly schedule 1 +15h");
    world->refuses = true;
    live_until(world, NOON + 20 * HOUR);
    world->refuses = false;
    live_until(world, NOON + 20 * HOUR + 20);
    assert_done(world, "sweep nightly schedule 1 +16h");
    world_free(world);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/schedules/year", a_year_has_each_run_once);
    g_test_add_func("/schedules/restarts", restarts_lose_nothing_and_repeat_nothing);
    g_test_add_func("/schedules/clock/forward", a_clock_set_forward_is_time_that_was_missed);
    g_test_add_func("/schedules/clock/back", a_clock_set_back_repeats_nothing);
    g_test_add_func("/schedules/clock/wrong", a_clock_that_was_wrong_silences_nothing);
    g_test_add_func("/schedules/retries/waits", a_failed_run_is_tried_again_later_and_later);
    g_test_add_func("/schedules/retries/never", what_need_not_be_tried_again_is_not);
    g_test_add_func("/schedules/retries/replaced", a_due_run_takes_the_place_of_a_retry);
    g_test_add_func("/schedules/retries/restart", a_retry_outlives_a_restart);
    g_test_add_func("/schedules/catalogue", what_cannot_be_entered_is_tried_until_it_can);
    return g_test_run();
}
