/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/due.h"
#include <string.h>

#define HOUR  3600
#define DAY   86400
#define START INT64_C(1767225600) /* 2026-01-01T00:00:00Z */

/* ---- one schedule whose time is simulated ---- */

typedef struct {
    Cron cron;
    DueRule rule;
    int64_t now, decided;
    GHashTable *ran; /* due times: what a catalogue refuses to give out twice */
    unsigned runs, caught_up, refused, missed;
} Sim;

static void sim_init(Sim *sim, const char *cron, const char *zone)
{
    *sim = (Sim){ .now = START, .decided = START };
    g_assert_true(cron_parse(cron, &sim->cron, NULL));
    sim->rule = (DueRule){ .cron = &sim->cron,
                           .zone = zone ? g_time_zone_new_identifier(zone) : NULL,
                           .key = cron,
                           .late_max = DUE_ALWAYS,
                           .enabled = true };
    sim->ran = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static void sim_done(Sim *sim)
{
    g_hash_table_unref(sim->ran);
    g_clear_pointer(&sim->rule.zone, g_time_zone_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sim, sim_done)

static bool ran(const Sim *sim, int64_t due)
{
    return g_hash_table_contains(sim->ran, &due);
}

/* Looks once and does what it is told; returns when to look again. */
static int64_t look(Sim *sim)
{
    DueLook look;

    due_look(&sim->rule, sim->decided, sim->now, &look);
    g_assert_cmpint(look.look_at, >, sim->now);
    g_assert_cmpint(look.decided, <=, sim->now);
    if (look.act != DUE_NOTHING) {
        g_assert_cmpint(look.due, <=, sim->now);
        g_assert_cmpint(look.due, ==, look.decided);
        if (g_hash_table_add(sim->ran, g_memdup2(&look.due, sizeof look.due))) {
            sim->runs++;
            sim->caught_up += look.act == DUE_CATCH_UP;
        } else {
            sim->refused++;
        }
    }
    sim->missed += look.missed;
    g_assert_cmpint(look.clock_was_ahead, ==, sim->decided > sim->now);
    sim->decided = look.decided;
    return look.look_at;
}

/* Time passes, and it is looked when that was asked for. */
static void live(Sim *sim, int64_t until)
{
    for (int64_t at = look(sim); at <= until; at = look(sim))
        sim->now = at;
    sim->now = until;
}

/* All due times in after < time <= until have run. */
static void assert_all_ran(const Sim *sim, int64_t after, int64_t until)
{
    for (int64_t at = after;
         cron_next(&sim->cron, sim->rule.zone, at, &at) && due_start(&sim->rule, at) <= until;)
        if (!ran(sim, at)) {
            g_autoptr(GDateTime) lost = g_date_time_new_from_unix_utc(at);
            g_autofree char *text = g_date_time_format_iso8601(lost);

            g_error("%s: what was due at %s has not run", sim->rule.key, text);
        }
}

static void assert_due(gpointer key, gpointer value, gpointer user)
{
    const Sim *sim = user;
    const int64_t due = *(const int64_t *)key;
    int64_t at;

    (void)value;
    g_assert_true(cron_next(&sim->cron, sim->rule.zone, due - 1, &at));
    g_assert_cmpint(at, ==, due);
}

static unsigned due_between(const Sim *sim, int64_t after, int64_t until)
{
    unsigned n = 0;

    for (int64_t at = after; cron_next(&sim->cron, sim->rule.zone, at, &at) && at <= until;)
        n++;
    return n;
}

/* ---- facts ---- */

static void what_is_due_is_decided_by_the_policy(void)
{
    static const struct {
        const char *label;
        int64_t decided, now; /* s after START, of an hourly schedule */
        int64_t late_max;
        DueAct act;
        int64_t due;
        unsigned missed;
        int64_t look_at;
    } cases[] = {
        { "not yet", 0, 1800, DUE_ALWAYS, DUE_NOTHING, 0, 0, HOUR },
        { "on time", 0, HOUR, DUE_ALWAYS, DUE_RUN, HOUR, 0, 2 * HOUR },
        { "a little late", 0, HOUR + DUE_GRACE, 0, DUE_RUN, HOUR, 0, 2 * HOUR },
        { "late and never caught up", 0, HOUR + DUE_GRACE + 1, 0, DUE_NOTHING, HOUR, 1, 2 * HOUR },
        { "late and caught up", 0, HOUR + DUE_GRACE + 1, DUE_ALWAYS, DUE_CATCH_UP, HOUR, 0,
          2 * HOUR },
        { "late within the window", 0, HOUR + 1200, 1200, DUE_CATCH_UP, HOUR, 0, 2 * HOUR },
        { "late beyond it", 0, HOUR + 1201, 1200, DUE_NOTHING, HOUR, 1, 2 * HOUR },
        { "the newest of several", 0, 5 * HOUR + 1800, DUE_ALWAYS, DUE_CATCH_UP, 5 * HOUR, 4,
          6 * HOUR },
        { "several, the newest on time", 0, 5 * HOUR, 0, DUE_RUN, 5 * HOUR, 4, 6 * HOUR },
        { "very many", 0, 10000 * HOUR, DUE_ALWAYS, DUE_RUN, 10000 * HOUR, DUE_MISSED_MAX,
          10001 * HOUR },
        { "decided already", HOUR, HOUR, DUE_ALWAYS, DUE_NOTHING, 0, 0, 2 * HOUR },
        { "the clock was set back", 5 * HOUR, 3 * HOUR + 5, DUE_ALWAYS, DUE_NOTHING, 0, 0,
          4 * HOUR },
        { "it had been ahead by years", 90000 * HOUR, 3 * HOUR + 5, DUE_ALWAYS, DUE_NOTHING, 0, 0,
          4 * HOUR },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Sim) sim = { 0 };
        DueLook got;

        sim_init(&sim, "0 * * * *", NULL);
        sim.rule.late_max = cases[i].late_max;
        g_test_message("%s", cases[i].label);
        due_look(&sim.rule, START + cases[i].decided, START + cases[i].now, &got);
        g_assert_cmpint(got.act, ==, cases[i].act);
        if (got.act != DUE_NOTHING)
            g_assert_cmpint(got.due, ==, START + cases[i].due);
        g_assert_cmpuint(got.missed, ==, cases[i].missed);
        g_assert_cmpint(got.look_at, ==, START + cases[i].look_at);
    }
}

static void a_pause_is_no_miss(void)
{
    g_auto(Sim) sim = { 0 };

    sim_init(&sim, "0 * * * *", NULL);
    sim.rule.paused_until = START + 10 * HOUR;
    g_assert_cmpint(look(&sim), ==, START + 10 * HOUR);
    // nobody was there when it ended: what was due since, and nothing before, is missed
    sim.now = START + 12 * HOUR + 1800;
    look(&sim);
    g_assert_cmpuint(sim.caught_up, ==, 1);
    g_assert_cmpuint(sim.missed, ==, 2);
    g_assert_true(ran(&sim, START + 12 * HOUR));

    sim.rule.enabled = false;
    sim.now = START + 20 * HOUR + 1;
    g_assert_cmpint(look(&sim), ==, DUE_NEVER);
    sim.rule.enabled = true;
    live(&sim, START + 22 * HOUR);
    g_assert_cmpuint(sim.runs, ==, 3);
    g_assert_cmpuint(sim.missed, ==, 2);
}

static void the_next_times_know_pauses(void)
{
    g_auto(Sim) sim = { 0 };
    int64_t times[5];

    sim_init(&sim, "0 3 * * *", NULL);
    g_assert_cmpuint(due_next(&sim.rule, START, 5, times), ==, 5);
    g_assert_cmpint(times[0], ==, START + 3 * HOUR);
    g_assert_cmpint(times[4], ==, START + 4 * DAY + 3 * HOUR);
    g_assert_cmpuint(due_next(&sim.rule, START + 3 * HOUR, 1, times), ==, 1);
    g_assert_cmpint(times[0], ==, START + DAY + 3 * HOUR);
    sim.rule.paused_until = START + 9 * DAY + 3 * HOUR;
    g_assert_cmpuint(due_next(&sim.rule, START, 1, times), ==, 1);
    g_assert_cmpint(times[0], ==, START + 9 * DAY + 3 * HOUR);
    sim.rule.enabled = false;
    g_assert_cmpuint(due_next(&sim.rule, START, 5, times), ==, 0);
    g_assert_true(cron_parse("0 0 30 2 *", &sim.cron, NULL));
    sim.rule.enabled = true;
    g_assert_cmpuint(due_next(&sim.rule, START, 5, times), ==, 0);
}

static void jitter_spreads_and_stays_before_the_next(void)
{
    g_auto(Sim) sim = { 0 };
    unsigned distinct = 0;
    int64_t last = -1;

    sim_init(&sim, "*/10 * * * *", NULL);
    sim.rule.jitter = HOUR; // longer than there is room for
    for (int64_t due = START; due < START + DAY; due += 600) {
        const int64_t late = due_start(&sim.rule, due) - due;

        g_assert_cmpint(late, >=, 0);
        g_assert_cmpint(late, <, 600);
        g_assert_cmpint(due_start(&sim.rule, due) - due, ==, late);
        distinct += late != last;
        last = late;
    }
    g_assert_cmpuint(distinct, >, 100);
    sim.rule.key = "another";
    g_assert_cmpint(due_start(&sim.rule, START + DAY - 600) - START - DAY + 600, !=, last);
}

/* ---- simulated time ---- */

static void a_year_of_a_hundred_schedules_runs_each_once(void)
{
    static const char *const patterns[] = { "0 3 * * *",    "20 */6 * * *", "0 */4 * * *",
                                            "15 2 * * mon", "0 3 1 * *",    "30 2 * * *",
                                            "7,37 2 * * *" };
    static const char *const zones[] = { "Etc/UTC", "Europe/Berlin", "America/New_York",
                                         "Australia/Lord_Howe", "Asia/Kolkata" };
    g_autofree Sim *sims = g_new0(Sim, 100);
    g_autofree int64_t *looks = g_new0(int64_t, 100);

    for (unsigned i = 0; i < 100; i++) {
        sim_init(&sims[i], patterns[i % G_N_ELEMENTS(patterns)], zones[i % G_N_ELEMENTS(zones)]);
        sims[i].rule.jitter = i % 3 * 900;
        looks[i] = START;
    }
    for (int64_t now = START, next; now <= START + 365 * DAY; now = next) {
        next = DUE_NEVER;
        for (unsigned i = 0; i < 100; i++) {
            sims[i].now = now;
            if (looks[i] <= now)
                looks[i] = look(&sims[i]);
            next = MIN(next, looks[i]);
        }
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_all_ran(&sims[i], START, START + 365 * DAY);
        g_assert_cmpuint(sims[i].refused + sims[i].missed + sims[i].caught_up, ==, 0);
        g_assert_cmpuint(sims[i].runs, ==, g_hash_table_size(sims[i].ran));
        sim_done(&sims[i]);
    }
}

/* Nobody is there for a while, again and again: each due time is run or missed, and none is both.
 */
static void restarts_neither_lose_nor_double(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    g_auto(Sim) sim = { 0 };

    sim_init(&sim, "*/20 * * * *", "Europe/Berlin");
    sim.rule.jitter = 300;
    while (sim.now < START + 365 * DAY) {
        const unsigned runs = sim.runs;
        const int64_t up = sim.now;

        look(&sim);
        g_assert_cmpuint(sim.runs - runs, <=, 1);
        live(&sim, sim.now + g_rand_int_range(rand, 1, 6 * HOUR));
        // of those due before somebody was there, one may have waited for its jitter
        assert_all_ran(&sim, up, sim.now);
        sim.now += g_rand_int_range(rand, 0, 4) ? g_rand_int_range(rand, 0, 5 * HOUR) : 0;
    }
    look(&sim);
    g_assert_cmpuint(sim.refused, ==, 0);
    g_assert_cmpuint(sim.runs + sim.missed, >=, due_between(&sim, START, sim.now) - 1);
    g_assert_cmpuint(sim.runs + sim.missed, <=, due_between(&sim, START, sim.now));
}

/* The clock jumps, and comes back after a while. */
static void jump_and_return(const char *pattern, int64_t jump, int64_t when, int64_t stay)
{
    g_auto(Sim) sim = { 0 };
    unsigned caught_up;
    int64_t jumped;

    sim_init(&sim, pattern, "Europe/Berlin");
    live(&sim, START + DAY + when);
    assert_all_ran(&sim, START, sim.now);
    sim.now += jump;
    jumped = sim.now;
    caught_up = sim.caught_up;
    look(&sim);
    g_assert_cmpuint(sim.caught_up - caught_up, <=, 1);
    live(&sim, sim.now + stay);
    assert_all_ran(&sim, jumped, sim.now);
    sim.now -= jump;
    jumped = sim.now;
    live(&sim, sim.now + 3 * DAY);
    assert_all_ran(&sim, jumped, sim.now);
    g_assert_cmpuint(sim.runs, ==, g_hash_table_size(sim.ran));
    // nothing has run that was not due
    g_hash_table_foreach(sim.ran, assert_due, &sim);
}

static void a_clock_that_jumps_neither_skips_nor_doubles(void)
{
    static const int64_t jumps[] = { 1,
                                     30,
                                     59 * 60,
                                     HOUR,
                                     5 * HOUR,
                                     23 * HOUR,
                                     26 * HOUR,
                                     3 * DAY,
                                     30 * DAY,
                                     366 * DAY,
                                     20 * INT64_C(366) * DAY };
    static const int64_t stays[] = { 0, 1, 40 * 60, 2 * DAY };
    static const char *const patterns[] = { "0 3 * * *", "0 * * * *", "*/15 * * * *" };
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (size_t p = 0; p < G_N_ELEMENTS(patterns); p++)
        for (size_t i = 0; i < G_N_ELEMENTS(jumps); i++)
            for (size_t n = 0; n < G_N_ELEMENTS(stays); n++) {
                // also at the very second
                const int64_t when = n % 2 ? g_rand_int_range(rand, 0, DAY) : 2 * HOUR;

                jump_and_return(patterns[p], jumps[i], when, stays[n]);
                jump_and_return(patterns[p], -jumps[i], when, stays[n]);
            }
}

/* ---- all zones ---- */

static GPtrArray *zone_names(void)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents("/usr/share/zoneinfo/tzdata.zi", &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++)
        if (g_str_has_prefix(*line, "Z "))
            g_ptr_array_add(names, g_strndup(*line + 2, strcspn(*line + 2, " ")));
    return names;
}

static void around(const char *zone, const char *pattern, int64_t day)
{
    g_auto(Sim) sim = { 0 };

    sim_init(&sim, pattern, zone);
    sim.now = sim.decided = day - DAY;
    live(&sim, day + 2 * DAY);
    assert_all_ran(&sim, day - DAY, day + 2 * DAY);
    g_assert_cmpuint(sim.runs, ==, due_between(&sim, day - DAY, day + 2 * DAY));
    g_assert_cmpuint(sim.refused + sim.missed, ==, 0);
}

static void each_zone_runs_each_once_when_its_clock_is_moved(void)
{
    static const char *const patterns[] = { "30 2 * * *", "*/20 * * * *", "10,50 0-3 * * *" };
    g_autoptr(GPtrArray) names = zone_names();
    unsigned moved = 0;

    g_assert_cmpuint(names->len, >, 300);
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(name);
        int64_t offset = INT64_MIN;

        g_assert_nonnull(zone);
        for (int64_t day = START; day < START + 400 * DAY; day += DAY) {
            const int number = g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, day);
            const int64_t now = g_time_zone_get_offset(zone, number);

            if (offset != INT64_MIN && now != offset) {
                moved++;
                for (size_t p = 0; p < G_N_ELEMENTS(patterns); p++)
                    around(name, patterns[p], day);
            }
            offset = now;
        }
    }
    g_assert_cmpuint(moved, >, 100);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/due/policy", what_is_due_is_decided_by_the_policy);
    g_test_add_func("/due/pause", a_pause_is_no_miss);
    g_test_add_func("/due/next", the_next_times_know_pauses);
    g_test_add_func("/due/jitter", jitter_spreads_and_stays_before_the_next);
    g_test_add_func("/due/year", a_year_of_a_hundred_schedules_runs_each_once);
    g_test_add_func("/due/restarts", restarts_neither_lose_nor_double);
    g_test_add_func("/due/jumps", a_clock_that_jumps_neither_skips_nor_doubles);
    g_test_add_func("/due/zones", each_zone_runs_each_once_when_its_clock_is_moved);
    return g_test_run();
}
