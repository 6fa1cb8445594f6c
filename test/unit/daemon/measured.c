/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/measured.h"

#include "config/configuration.h"
#include "daemon/verdict.h"

#include <math.h>
#include <string.h>

#define NOW  INT64_C(1700000000)
#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)
#define GIB  (1024.0 * 1024 * 1024)

static json_t *parse(const char *text)
{
    json_error_t problem;
    json_t *json = json_loads(text, 0, &problem);

    if (!json)
        g_error("%s: %s", problem.text, text);
    return json;
}

static json_t *take(MeasureKind kind, json_t *before, const char *said, int status, int64_t now)
{
    json_t *list = parse(said), *row = measured_take(kind, before, list, status, "last words", now);

    json_decref(list);
    json_decref(before);
    return row;
}

/* As stats --store --json prints it. */
static json_t *store_with(json_t *before, double bytes, double disk_free, int64_t now)
{
    g_autofree char *disk = disk_free < 0 ? g_strdup("")
                                          : g_strdup_printf(",\"free_bytes\": %.0f,"
                                                            " \"room_bytes\": 1000000000000",
                                                            disk_free);
    g_autofree char *text = g_strdup_printf(
        "[{\"objects\": 9, \"bytes\": %.0f, \"places\": {\"snapshots\": {\"objects\": 4}}%s}]",
        bytes, disk);

    return take(MEASURE_STORE, before, text, 0, now);
}

static void an_outage_keeps_what_was_known(void)
{
    json_t *row = store_with(NULL, 1000, 5000, NOW);

    g_assert_true(measured_up(row));
    g_assert_cmpfloat(measured_number(row, "places.snapshots.objects"), ==, 4);
    row = take(MEASURE_STORE, row,
               "[{\"message_type\": \"exit_error\", \"code\": 10, \"message\": \"gone\"}]", 10,
               NOW + HOUR);
    g_assert_false(measured_up(row));
    g_assert_cmpint(measured_at(row), ==, NOW + HOUR);
    g_assert_cmpint(measured_seen(row), ==, NOW);
    g_assert_cmpfloat(measured_number(row, "bytes"), ==, 1000);
    g_assert_cmpstr(json_string_value(json_object_get(row, "error")), ==, "gone");
    row = take(MEASURE_STORE, row, "[]", 137, NOW + 2 * HOUR);
    g_assert_cmpstr(json_string_value(json_object_get(row, "error")), ==, "last words");
    row = store_with(row, 2000, 5000, NOW + 3 * HOUR);
    g_assert_true(measured_up(row));
    g_assert_null(json_object_get(row, "error"));
    json_decref(row);
}

static void what_is_no_answer_is_none(void)
{
    static const struct {
        MeasureKind kind;
        const char *said;
        bool up;
    } cases[] = {
        { MEASURE_STORE, "[]", false },
        { MEASURE_STORE, "[{\"places\": 1}]", false },
        { MEASURE_STORE, "[{\"message_type\": \"wal_lag\"}]", false },
        { MEASURE_LAG, "[{\"message_type\": \"wal_lag\", \"lag_bytes\": 0}]", true },
        { MEASURE_LAG, "[{\"message_type\": \"summary\"}]", false },
        { MEASURE_WAY, "[{\"message_type\": \"wal_way\"}]", false }, // it ended before the end
        { MEASURE_WAY, "[{\"message_type\": \"wal_way\"}, {\"message_type\": \"summary\"}]", true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        json_t *row = take(cases[i].kind, NULL, cases[i].said, 26, NOW);

        g_test_message("%s", cases[i].said);
        g_assert_cmpint(measured_up(row), ==, cases[i].up);
        json_decref(row);
    }
}

static void room_is_disk_or_quota(void)
{
    static const struct {
        const char *label;
        double disk; /* -1: a bucket */
        uint64_t quota;
        bool known;
        double free, room;
    } cases[] = {
        { "a bucket without a quota", -1, 0, false, 0, 0 },
        { "a bucket with one", -1, 1500, true, 500, 1500 },
        { "one that is used up", -1, 900, true, 0, 900 },
        { "a disk", 700, 0, true, 700, 1e12 },
        { "a quota that is less than the disk", 700, 1500, true, 500, 1500 },
        { "a quota that is more", 300, 1500, true, 300, 1e12 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        json_t *row = store_with(NULL, 1000, cases[i].disk, NOW);
        MeasuredRoom room = { 0 };

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(measured_room(row, cases[i].quota, &room), ==, cases[i].known);
        if (cases[i].known) {
            g_assert_cmpfloat(room.free, ==, cases[i].free);
            g_assert_cmpfloat(room.room, ==, cases[i].room);
            g_assert_true(isnan(room.days_left)); // of one look nobody knows
        }
        json_decref(row);
    }
}

/* Growth by line and by saw: each night some more, each week a prune that takes half of it back. */
static void days_left_are_foretold(void)
{
    json_t *line = NULL, *saw = NULL, *still = NULL, *young = NULL;
    MeasuredRoom room;

    for (int64_t t = 0; t <= 20 * DAY; t += HOUR) {
        const double days = (double)t / DAY;
        const double dip = 5 * floor(days / 7) * GIB;

        line = store_with(line, days * GIB, 100 * GIB - days * GIB, NOW + t);
        saw = store_with(saw, days * GIB, 100 * GIB - days * 10 / 7 * GIB + dip, NOW + t);
        still = store_with(still, 10 * GIB, 100 * GIB + days, NOW + t);
        if (t < DAY)
            young = store_with(young, 0, 100 * GIB - 90 * days * GIB, NOW + t);
    }
    g_assert_cmpuint(json_array_size(json_object_get(line, "samples")), <=, 60);
    g_assert_true(measured_room(line, 0, &room));
    g_assert_cmpfloat_with_epsilon(room.days_left, 80, 0.5);
    g_assert_true(measured_room(line, (uint64_t)(30 * GIB), &room)); // 20 are used, one a day
    g_assert_cmpfloat_with_epsilon(room.days_left, 10, 0.5);
    g_assert_true(measured_room(saw, 0, &room));
    g_assert_cmpfloat(room.days_left, >, 60);
    g_assert_cmpfloat(room.days_left, <, 150);
    g_assert_true(measured_room(still, 0, &room));
    g_assert_true(isnan(room.days_left));
    g_assert_true(measured_room(young, 0, &room));
    g_assert_true(isnan(room.days_left));
    json_decref(line);
    json_decref(saw);
    json_decref(still);
    json_decref(young);
}

static void little_room_is_wrong(void)
{
    static const struct {
        const char *label;
        double free;
        int days; /* of growth by a GiB a day before it; 0: none */
        bool wrong, right;
    } cases[] = {
        { "much", 500 * GIB, 0, false, true },
        { "less than one in twenty", 46 * GIB, 0, true, false },
        { "a little more", 51 * GIB, 0, false, false },
        { "six days", 6 * GIB, 10, true, false },
        { "enough for months", 300 * GIB, 10, false, true },
    };
    g_autoptr(Verdict) nothing = verdict_of_room(NULL, 0);

    g_assert_false(nothing->wrong || nothing->right);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Verdict) verdict = NULL;
        json_t *row = NULL;

        for (int day = cases[i].days; day >= 0; day--)
            row = store_with(row, 0, cases[i].free + day * GIB, NOW - day * DAY);
        verdict = verdict_of_room(row, 0);
        g_test_message("%s: %s", cases[i].label, verdict->text);
        g_assert_cmpint(verdict->wrong, ==, cases[i].wrong);
        g_assert_cmpint(verdict->right, ==, cases[i].right);
        json_decref(row);
    }
}

static Schedule *schedule_with(const char *more)
{
    g_autofree char *text = g_strdup_printf("{\"name\": \"s\", \"sources\": [\"db\"],"
                                            " \"repository\": \"main\", \"cron\": \"@daily\"%s}",
                                            more);
    json_t *definition = parse(text);
    g_autoptr(GError) error = NULL;
    Schedule *schedule = NULL;

    schedule_from_json(NULL, definition, &schedule, &error);
    g_assert_no_error(error);
    json_decref(definition);
    return schedule;
}

static void late_wal_is_wrong(void)
{
#define LAG(rest) "[{\"message_type\": \"wal_lag\", \"archiver\": {\"failing\": false}," rest "}]"
    static const struct {
        const char *label, *schedule, *said;
        int64_t age;
        bool wrong, right;
    } cases[] = {
        { "all is held", "", LAG("\"lag_bytes\": 0, \"lag_seconds\": 0"), 0, false, true },
        { "a quiet server's last segment", "",
          LAG("\"lag_bytes\": 9000000, \"lag_seconds\": 90000"), 0, false, true },
        { "much, for a minute", "", LAG("\"lag_bytes\": 900000000, \"lag_seconds\": 60"), 0, false,
          true },
        { "much, for long", "", LAG("\"lag_bytes\": 900000000, \"lag_seconds\": 1000"), 0, true,
          false },
        { "little, beyond what was promised", ",\"targets\":{\"rpo\":\"1m\"}",
          LAG("\"lag_bytes\": 1, \"lag_seconds\": 61"), 0, true, false },
        { "much, within it", ",\"targets\":{\"rpo\":\"1h\"}",
          LAG("\"lag_bytes\": 900000000, \"lag_seconds\": 1000"), 0, false, true },
        { "nothing is archived, and nothing was promised", "",
          LAG("\"lag_bytes\": null, \"lag_seconds\": null"), 0, false, true },
        { "nothing is archived that was promised", ",\"keep\":{\"pitr\":\"7d\"}",
          LAG("\"lag_bytes\": null, \"lag_seconds\": null"), 0, true, false },
        { "the archiver fails", "",
          "[{\"message_type\": \"wal_lag\", \"archiver\": {\"failing\": true}, \"lag_bytes\": 0}]",
          0, true, false },
        { "what was long ago says nothing", "",
          LAG("\"lag_bytes\": 900000000, \"lag_seconds\": 1000"), DAY, false, false },
        { "nor does an outage", "", "[]", 0, false, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Schedule) schedule = schedule_with(cases[i].schedule);
        json_t *row = take(MEASURE_LAG, NULL, cases[i].said, 0, NOW - cases[i].age);
        g_autoptr(Verdict) verdict = verdict_of_lag(row, schedule, 300, NOW);

        g_test_message("%s: %s", cases[i].label, verdict->text ? verdict->text : "");
        g_assert_cmpint(verdict->wrong, ==, cases[i].wrong);
        g_assert_cmpint(verdict->right, ==, cases[i].right);
        json_decref(row);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/measured/an outage keeps what was known", an_outage_keeps_what_was_known);
    g_test_add_func("/measured/what is no answer is none", what_is_no_answer_is_none);
    g_test_add_func("/measured/room is disk or quota", room_is_disk_or_quota);
    g_test_add_func("/measured/days left are foretold", days_left_are_foretold);
    g_test_add_func("/verdict/little room is wrong", little_room_is_wrong);
    g_test_add_func("/verdict/late wal is wrong", late_wal_is_wrong);
    return g_test_run();
}
