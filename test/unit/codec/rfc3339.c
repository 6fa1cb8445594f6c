/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/rfc3339.h"
#include "base/error.h"
#include "lib/vectors.h"

static json_t *vectors;

static void parses_to(const char *text, int64_t sec, uint32_t nsec)
{
    Timestamp time = { 0, 0 };
    g_autoptr(GError) error = NULL;

    g_test_message("%s", text);
    g_assert_true(rfc3339_parse(text, strlen(text), &time, &error));
    g_assert_no_error(error);
    g_assert_cmpint(time.sec, ==, sec);
    g_assert_cmpuint(time.nsec, ==, nsec);
}

static void formats_to(Timestamp time, const char *want)
{
    char text[RFC3339_MAX];
    size_t len = rfc3339_format(time, text);

    g_assert_cmpstr(text, ==, want);
    g_assert_cmpuint(len, ==, strlen(want));
}

static void times_of_the_vectors_go_both_ways(void)
{
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(vectors, "times")), >=, 7);
    json_array_foreach(json_object_get(vectors, "times"), i, test)
    {
        Timestamp time = { vector_int(test, "seconds"), (uint32_t)vector_int(test, "nanoseconds") };

        formats_to(time, vector_text(test, "text"));
        parses_to(vector_text(test, "text"), time.sec, time.nsec);
    }
}

static void any_offset_is_read(void)
{
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(vectors, "times_parse_only")), >=, 4);
    json_array_foreach(json_object_get(vectors, "times_parse_only"), i, test)
        parses_to(vector_text(test, "text"), vector_int(test, "seconds"),
                  (uint32_t)vector_int(test, "nanoseconds"));
    parses_to("1970-01-01T00:00:00-00:00", 0, 0);
    parses_to("1970-01-01T00:00:00+23:59", -86340, 0);
}

static void more_than_nine_digits_are_cut(void)
{
    parses_to("1970-01-01T00:00:00.1234567899Z", 0, 123456789);
    parses_to("1970-01-01T00:00:00.00000000099999999999999999999999Z", 0, 0);
}

static void years_beyond_four_digits_are_clamped(void)
{
    // month, day and time as GNU date -d @N has them; the year 9999 has no 29 February
    formats_to((Timestamp){ 253402300800, 0 }, "9999-01-01T00:00:00Z");
    formats_to((Timestamp){ 253407398400, 5 }, "9999-03-01T00:00:00.000000005Z");
    formats_to((Timestamp){ -62167219200, 0 }, "0000-01-01T00:00:00Z");
    formats_to((Timestamp){ -62167219201, 0 }, "0000-12-31T23:59:59Z");
    formats_to((Timestamp){ INT64_MAX, 999999999 }, "9999-12-04T15:30:07.999999999Z");
    formats_to((Timestamp){ INT64_MIN, 0 }, "0000-01-27T08:29:52Z");
}

/* An independent calendar: GDateTime's. */
static void every_day_agrees_with_glib(void)
{
    for (int64_t day = -719162; day < 2932896; day += 1) {
        char text[RFC3339_MAX];
        Timestamp back;
        GDate date;
        int year, month, mday;

        rfc3339_format((Timestamp){ day * 86400 + 3661, 0 }, text);
        g_date_clear(&date, 1);
        g_date_set_julian(&date, (guint32)(day + 719163));
        g_assert_cmpint(sscanf(text, "%d-%d-%dT01:01:01Z", &year, &month, &mday), ==, 3);
        g_assert_cmpint(year, ==, g_date_get_year(&date));
        g_assert_cmpint(month, ==, g_date_get_month(&date));
        g_assert_cmpint(mday, ==, g_date_get_day(&date));
        g_assert_true(rfc3339_parse(text, 20, &back, NULL));
        g_assert_cmpint(back.sec, ==, day * 86400 + 3661);
    }
}

static void what_is_no_time_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "2026",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-01-01t00:00:00z",
        "2026-1-1T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:60Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00.5",
        "2026-01-01T00:00:00+01",
        "2026-01-01T00:00:00+0100",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00ZZ",
        "12026-01-01T00:00:00Z",
        "-2026-01-01T00:00:00Z",
        "2026-01-01T00:00:0\xff"
        "Z",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        Timestamp time = { 42, 42 };

        g_assert_false(rfc3339_parse(texts[i], strlen(texts[i]), &time, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
        g_assert_cmpint(time.sec, ==, 42);
    }
}

int main(int argc, char **argv)
{
    int failed;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    g_test_add_func("/rfc3339/vectors", times_of_the_vectors_go_both_ways);
    g_test_add_func("/rfc3339/offsets", any_offset_is_read);
    g_test_add_func("/rfc3339/digits", more_than_nine_digits_are_cut);
    g_test_add_func("/rfc3339/years", years_beyond_four_digits_are_clamped);
    g_test_add_func("/rfc3339/calendar", every_day_agrees_with_glib);
    g_test_add_func("/rfc3339/refused", what_is_no_time_is_refused);
    failed = g_test_run();
    json_decref(vectors);
    return failed;
}
