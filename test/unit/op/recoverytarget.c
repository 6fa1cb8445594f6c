/* SPDX-License-Identifier: Apache-2.0 */
#include "op/recoverytarget.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- times ---- */

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static void reads_times(void)
{
    static const struct {
        const char *text;
        int64_t us; // behind 2026-11-21 10:00:00 UTC
        bool local;
    } cases[] = {
        { "2026-11-21T10:00:00Z", 0, false },
        { "2026-11-21 10:00:00+00", 0, false },
        { "2026-11-21 10:00:00 UTC", 0, false },
        { "2026-11-21 10:00Z", 0, false },
        { "2026-11-21 10:00:00.5+00", 500000, false },
        { "2026-11-21 10:00:00.123456789Z", 123456, false }, // never later than was said
        { "2026-11-21T11:00:00+01:00", 0, false },
        { "2026-11-21 15:45:00+0545", 0, false },
        { "2026-11-21 06:30:00-03:30", 0, false },
        { "2026-11-21T10:00:00+01", -INT64_C(3600000000), false },
        { "2026-11-21 11:00:00", 0, true }, // Berlin, in winter
        { "2026-11-21 11:00", 0, true },
        { "2026-11-21", -INT64_C(11) * 3600000000, true },
    };

    set_zone("Europe/Berlin");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int64_t us = 0;
        bool local = !cases[i].local;

        g_test_message("%s", cases[i].text);
        recovery_time_parse(cases[i].text, &us, &local, &error);
        g_assert_no_error(error);
        g_assert_cmpint(us, ==, INT64_C(1795255200000000) + cases[i].us);
        g_assert_cmpint(local, ==, cases[i].local);
    }
}

static void refuses_what_is_no_moment(void)
{
    static const char *const cases[] = {
        "",
        "yesterday",
        "2026-11-21 ",
        "2026-11-21 10",
        "2026-11-21 24:00:00Z",
        "2026-11-21 10:60:00Z",
        "2026-11-21 10:00:61Z",
        "2026-02-30 10:00:00Z",
        "2026-11-21 10:00:00+99",
        "2026-11-21 10:00:00+1",
        "2026-11-21 10:00:00.Z",
        "2026-11-21 10:00:00 CET",
        "2026-11-21 10:00:00Zx",
        "2026-03-29 02:30:00", // the clocks are put forward
        "2026-10-25 02:30:00", // and back: twice
    };

    set_zone("Europe/Berlin");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        int64_t us;
        bool local;

        g_test_message("\"%s\"", cases[i]);
        g_assert_false(recovery_time_parse(cases[i], &us, &local, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

/* Against the C library, an hour apart over two years, in zones that shift by an hour, by half of
 * one, and by two. */
static void local_times_are_those_of_the_system(void)
{
    static const char *const zones[] = { "Europe/Berlin", "Australia/Lord_Howe", "Antarctica/Troll",
                                         "America/St_Johns", "UTC" };
    unsigned refused = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(zones); i++) {
        set_zone(zones[i]);
        for (time_t at = 1767225600; at < 1767225600 + 2 * 365 * 86400; at += 1800) {
            struct tm tm;
            char text[64];
            int64_t us = 0;
            bool local;

            localtime_r(&at, &tm);
            strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
            if (recovery_time_parse(text, &us, &local, NULL))
                g_assert_cmpint(us, ==, (int64_t)at * G_USEC_PER_SEC);
            else
                refused++;
        }
    }
    g_assert_cmpuint(refused, >, 0);
    g_assert_cmpuint(refused, <, 200);
}

static void writes_times_that_it_reads(void)
{
    static const int64_t times[] = {
        0, 1, -1, INT64_C(1795255200000000), INT64_C(1795255200999999), -INT64_C(86400000001)
    };

    for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
        g_autofree char *text = wal_time_text(times[i]);
        int64_t us;
        bool local;

        g_assert_true(recovery_time_parse(text, &us, &local, NULL));
        g_assert_cmpint(us, ==, times[i]);
        g_assert_false(local);
    }
}

/* ---- words ---- */

static void reads_each_kind(void)
{
    static const struct {
        RecoveryWords words;
        WalTargetKind kind;
        RecoveryAction action;
        RecoveryWay way;
    } cases[] = {
        { { .time = "2026-11-21T10:00:00Z" },
          WAL_TARGET_TIME,
          RECOVERY_PAUSE,
          RECOVERY_TIMELINE_LATEST },
        { { .lsn = "16/B374D848", .action = "promote" },
          WAL_TARGET_LSN,
          RECOVERY_PROMOTE,
          RECOVERY_TIMELINE_LATEST },
        { { .xid = "731", .timeline = "current" },
          WAL_TARGET_XID,
          RECOVERY_PAUSE,
          RECOVERY_TIMELINE_CURRENT },
        { { .name = "before", .timeline = "17" },
          WAL_TARGET_NAME,
          RECOVERY_PAUSE,
          RECOVERY_TIMELINE },
        { { .immediate = true, .action = "shutdown" },
          WAL_TARGET_IMMEDIATE,
          RECOVERY_SHUTDOWN,
          RECOVERY_TIMELINE_LATEST },
        { { .latest = true }, WAL_TARGET_NONE, RECOVERY_PROMOTE, RECOVERY_TIMELINE_LATEST },
        { { .latest = true, .action = "pause", .timeline = "latest" },
          WAL_TARGET_NONE,
          RECOVERY_PAUSE,
          RECOVERY_TIMELINE_LATEST },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        RecoveryTarget target = { 0 };

        g_assert_true(recovery_words_given(&cases[i].words));
        recovery_target_parse(&cases[i].words, &target, &error);
        g_assert_no_error(error);
        g_assert_cmpint(target.target.kind, ==, cases[i].kind);
        g_assert_cmpint(target.action, ==, cases[i].action);
        g_assert_cmpint(target.way, ==, cases[i].way);
        g_assert_cmpuint(target.timeline, ==, cases[i].way == RECOVERY_TIMELINE ? 17 : 0);
    }
}

static void cuts_the_epoch_of_a_transaction(void)
{
    RecoveryWords words = { .xid = "8589935323", .exclusive = true }; // 2^33 + 731
    RecoveryTarget target;

    g_assert_true(recovery_target_parse(&words, &target, NULL));
    g_assert_cmpuint(target.target.xid, ==, 731);
    g_assert_true(target.target.exclusive);
}

static void refuses_what_says_nothing_or_too_much(void)
{
    static const RecoveryWords cases[] = {
        { .action = "pause" },
        { .latest = true, .immediate = true },
        { .xid = "731", .lsn = "0/1" },
        { .xid = "2" },
        { .xid = "4294967296" },
        { .xid = "x" },
        { .lsn = "12" },
        { .name = "" },
        { .name = "0123456789012345678901234567890123456789012345678901234567890123" },
        { .latest = true, .exclusive = true },
        { .name = "x", .exclusive = true },
        { .latest = true, .timeline = "0" },
        { .latest = true, .timeline = "newest" },
        { .latest = true, .action = "stop" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        RecoveryTarget target;

        g_assert_false(recovery_target_parse(&cases[i], &target, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
    g_assert_false(recovery_words_given(&(RecoveryWords){ 0 }));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/op/recoverytarget/times", reads_times);
    g_test_add_func("/op/recoverytarget/no-moment", refuses_what_is_no_moment);
    g_test_add_func("/op/recoverytarget/local", local_times_are_those_of_the_system);
    g_test_add_func("/op/recoverytarget/time-text", writes_times_that_it_reads);
    g_test_add_func("/op/recoverytarget/kinds", reads_each_kind);
    g_test_add_func("/op/recoverytarget/epoch", cuts_the_epoch_of_a_transaction);
    g_test_add_func("/op/recoverytarget/refusals", refuses_what_says_nothing_or_too_much);
    return g_test_run();
}
