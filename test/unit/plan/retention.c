/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/retention.h"
#include <string.h>

#define ITEMS_MAX 12
#define NOW       "2026-11-20T12:00:00Z"

/* One snapshot and what is to become of it: reasons joined by "; ", NULL when it goes. */
typedef struct {
    const char *time;
    const char *want;
    const char *tags; // joined by ","
    bool proven;
} Fate;

typedef struct {
    const char *label;
    RetentionPolicy policy;
    const char *keep_tags; // lists joined by ";", tags by ","
    const char *zone;
    Fate fates[ITEMS_MAX];
} Case;

static int64_t utc(const char *text)
{
    g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
    g_autoptr(GDateTime) date = g_date_time_new_from_iso8601(text, zone);

    g_assert_nonnull(date);
    return g_date_time_to_unix(date);
}

static char *told(const RetentionItem *item)
{
    g_autoptr(GString) text = g_string_new(NULL);

    g_assert_cmpint(item->keep, ==, item->reasons->len > 0);
    for (size_t i = 0; i < item->reasons->len; i++)
        g_string_append_printf(text, "%s%s", i ? "; " : "", (const char *)item->reasons->pdata[i]);
    return item->keep ? g_string_free(g_steal_pointer(&text), FALSE) : NULL;
}

/* "" is one list with the empty tag. */
static GPtrArray *tag_lists(const char *text)
{
    GPtrArray *lists = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    g_auto(GStrv) texts = g_strsplit(text, ";", -1);

    for (char **list = texts; *list; list++)
        g_ptr_array_add(lists, g_strsplit(*list, ",", -1));
    if (!*text)
        g_ptr_array_add(lists, g_strdupv((char *[]){ "", NULL }));
    return lists;
}

static void check(const Case *c)
{
    g_autoptr(GTimeZone) zone = c->zone ? g_time_zone_new_identifier(c->zone) : NULL;
    g_autoptr(GPtrArray) lists = c->keep_tags ? tag_lists(c->keep_tags) : NULL;
    RetentionPolicy policy = c->policy;
    RetentionItem items[ITEMS_MAX] = { 0 };
    char **tags[ITEMS_MAX] = { 0 };
    size_t n = 0;

    g_test_message("%s", c->label);
    policy.tags = lists;
    for (; n < ITEMS_MAX && c->fates[n].time; n++) {
        tags[n] = c->fates[n].tags ? g_strsplit(c->fates[n].tags, ",", -1) : NULL;
        items[n].time = utc(c->fates[n].time);
        items[n].tags = (const char *const *)tags[n];
        items[n].proven = c->fates[n].proven;
    }
    retention_apply(&policy, items, n, utc(NOW), zone);
    for (size_t i = 0; i < n; i++) {
        g_autofree char *got = told(&items[i]);

        g_assert_cmpstr(got, ==, c->fates[i].want);
        g_strfreev(tags[i]);
    }
    retention_items_done(items, n);
    g_assert_null(items[0].reasons);
}

static void the_rules_of_restic(void)
{
    static const Case cases[] = {
        { .label = "the last two, in any order of input",
          .policy = { .last = 2 },
          .fates = { { "2026-01-01T00:00:00Z", NULL },
                     { "2026-01-03T00:00:00Z", "last snapshot" },
                     { "2026-01-02T00:00:00Z", "last snapshot" } } },
        { .label = "the last of each hour; a count left over keeps the oldest",
          .policy = { .hourly = 3 },
          .fates = { { "2026-01-01T10:59:59Z", "hourly snapshot" },
                     { "2026-01-01T10:00:00Z", NULL },
                     { "2026-01-01T09:59:59Z", "hourly snapshot" },
                     { "2026-01-01T09:30:00Z", NULL },
                     { "2026-01-01T09:00:00Z", "oldest hourly snapshot" } } },
        { .label = "no count left over, no oldest",
          .policy = { .hourly = 2 },
          .fates = { { "2026-01-01T10:59:59Z", "hourly snapshot" },
                     { "2026-01-01T09:59:59Z", "hourly snapshot" },
                     { "2026-01-01T09:00:00Z", NULL } } },
        { .label = "unlimited",
          .policy = { .daily = -1 },
          .fates = { { "2026-01-02T10:00:00Z", "daily snapshot" },
                     { "2026-01-02T09:00:00Z", NULL },
                     { "2026-01-01T10:00:00Z", "daily snapshot" },
                     { "2026-01-01T09:00:00Z", "oldest daily snapshot" } } },
        { .label = "every rule that keeps it is told",
          .policy = { .last = 1, .hourly = 1, .daily = 1, .weekly = 1, .monthly = 1, .yearly = 1 },
          .fates = { { "2026-01-02T10:00:00Z",
                       "last snapshot; hourly snapshot; daily snapshot; weekly snapshot; monthly "
                       "snapshot; yearly snapshot" },
                     { "2026-01-01T10:00:00Z", NULL } } },
        { .label = "a single one is nobody's oldest",
          .policy = { .yearly = 5 },
          .fates = { { "2026-01-02T10:00:00Z", "yearly snapshot" } } },
        { .label = "2020 has a week 53 that reaches into 2021",
          .policy = { .weekly = -1 },
          .fates = { { "2021-01-04T00:00:00Z", "weekly snapshot" },
                     { "2021-01-03T23:59:59Z", "weekly snapshot" },
                     { "2021-01-01T00:00:00Z", NULL },
                     { "2020-12-28T00:00:00Z", NULL },
                     { "2020-12-27T23:59:59Z", "weekly snapshot" } } },
        { .label = "the last days of 2024 lie in week 1 of 2025",
          .policy = { .weekly = 9, .yearly = 9 },
          .fates = { { "2025-01-01T00:00:00Z", "weekly snapshot; yearly snapshot" },
                     { "2024-12-30T00:00:00Z", "yearly snapshot" },
                     { "2024-12-29T23:59:59Z", "weekly snapshot; oldest yearly snapshot" } } },
        { .label = "week 1 of a year is not week 1 of the next",
          .policy = { .weekly = 2 },
          .fates = { { "2026-01-02T00:00:00Z", "weekly snapshot" },
                     { "2025-01-02T00:00:00Z", "weekly snapshot" } } },
        { .label = "a leap day is a day",
          .policy = { .daily = 3 },
          .fates = { { "2024-03-01T00:00:00Z", "daily snapshot" },
                     { "2024-02-29T23:59:59Z", "daily snapshot" },
                     { "2024-02-29T00:00:00Z", NULL },
                     { "2024-02-28T23:59:59Z", "daily snapshot" },
                     { "2024-02-28T00:00:00Z", NULL } } },
        { .label = "months and years before 1970",
          .policy = { .monthly = 2, .yearly = 3 },
          .fates = { { "1970-01-01T00:00:00Z", "monthly snapshot; yearly snapshot" },
                     { "1969-12-31T23:59:59Z", "monthly snapshot; yearly snapshot" },
                     { "1969-12-01T00:00:00Z", NULL },
                     { "1969-11-30T23:59:59Z", "oldest yearly snapshot" } } },
        { .label = "within is newer than, not as old as",
          .policy = { .within = { .days = 1 } },
          .fates = { { "2026-01-02T10:00:00Z", "within 1d" },
                     { "2026-01-01T10:00:01Z", "within 1d" },
                     { "2026-01-01T10:00:00Z", NULL } } },
        { .label = "within counts from the newest, not from now",
          .policy = { .within_daily = { .months = 1, .hours = 1 } },
          .fates = { { "2020-03-31T10:00:00Z", "daily within 1m1h" },
                     { "2020-03-31T09:00:00Z", NULL },
                     { "2020-03-02T09:30:00Z", "daily within 1m1h" },
                     { "2020-03-02T09:00:01Z", "oldest daily within 1m1h" } } },
        { .label = "as old as the duration is too old, even for the oldest",
          .policy = { .within_daily = { .months = 1, .hours = 1 } },
          .fates = { { "2020-03-31T10:00:00Z", "daily within 1m1h" },
                     { "2020-03-02T09:00:00Z", NULL } } },
        { .label = "the oldest counts for a within-rule only when it is within",
          .policy = { .within_hourly = { .days = 1 }, .within_weekly = { .years = 1 } },
          .fates = { { "2026-01-02T10:30:00Z", "hourly within 1d; weekly within 1y" },
                     { "2026-01-02T10:10:00Z", NULL },
                     { "2025-12-31T10:00:00Z", "oldest weekly within 1y" } } },
        { .label = "tags: all of one list; the order of reasons",
          .policy = { .last = 1, .within = { .hours = 2 }, .within_yearly = { .years = 1 } },
          .keep_tags = "a,b;c",
          .fates = { { "2026-01-02T10:00:00Z",
                       "has tags [a, b]; has tags [c]; within 2h; last "
                       "snapshot; yearly within 1y",
                       "c,b,a" },
                     { "2026-01-01T10:00:00Z", NULL, "a" },
                     { "2026-01-01T09:00:00Z", "has tags [c]", "c" },
                     { "2026-01-01T08:00:00Z", "oldest yearly within 1y" } } },
        { .label = "the empty tag means no tags",
          .keep_tags = "",
          .fates = { { "2026-01-02T10:00:00Z", "has tags []" },
                     { "2026-01-01T10:00:00Z", NULL, "a" },
                     { "2026-01-01T09:00:00Z", "has tags []" } } },
        { .label = "equal times keep their order",
          .policy = { .last = 1 },
          .fates = { { "2026-01-02T10:00:00Z", "last snapshot" },
                     { "2026-01-02T10:00:00Z", NULL } } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static void periods_go_by_the_zone(void)
{
    static const Case cases[] = {
        { .label = "a day in Berlin",
          .policy = { .daily = 2 },
          .zone = "Europe/Berlin",
          .fates = { { "2026-01-02T22:59:59Z", "daily snapshot" },
                     { "2026-01-01T23:00:00Z", NULL },
                     { "2026-01-01T22:59:59Z", "daily snapshot" } } },
        { .label = "the year begins first in Auckland",
          .policy = { .yearly = 2 },
          .zone = "Pacific/Auckland",
          .fates = { { "2025-12-31T11:00:00Z", "yearly snapshot" },
                     { "2025-12-31T10:59:59Z", "yearly snapshot" } } },
        { .label = "the hour that the clock shows twice is one hour",
          .policy = { .hourly = -1 },
          .zone = "Europe/Berlin",
          .fates = { { "2025-10-26T02:00:00Z", "hourly snapshot" },
                     { "2025-10-26T01:30:00Z", "hourly snapshot" },
                     { "2025-10-26T00:30:00Z", NULL },
                     { "2025-10-25T23:30:00Z", "hourly snapshot" } } },
        { .label = "hours in Kathmandu begin at a quarter past",
          .policy = { .hourly = -1 },
          .zone = "Asia/Kathmandu",
          .fates = { { "2026-01-01T10:15:00Z", "hourly snapshot" },
                     { "2026-01-01T10:14:59Z", "hourly snapshot" },
                     { "2026-01-01T09:15:00Z", "oldest hourly snapshot" } } },
        { .label = "a day within, when the day had 23 hours",
          .policy = { .within = { .days = 1 } },
          .zone = "Europe/Berlin",
          .fates = { { "2026-03-29T10:00:00Z", "within 1d" },
                     { "2026-03-28T11:00:01Z", "within 1d" },
                     { "2026-03-28T11:00:00Z", NULL } } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static void the_laws_of_our_own(void)
{
    static const Case cases[] = {
        { .label = "the future stays and is not counted; now is not the future",
          .policy = { .last = 1, .within = { .hours = 1 }, .yearly = -1 },
          .fates = { { "2100-01-01T00:00:00Z", "in the future: ignored by the rules" },
                     { "2026-11-20T12:00:01Z", "in the future: ignored by the rules", NULL, true },
                     { NOW, "within 1h; last snapshot; yearly snapshot" },
                     { "2026-11-20T11:00:00Z", "oldest yearly snapshot" } } },
        { .label = "nothing but future",
          .policy = { .last = 1 },
          .fates = { { "2100-01-01T00:00:00Z", "in the future: ignored by the rules" } } },
        { .label = "a typo in a tag does not cost the newest",
          .keep_tags = "prodution",
          .fates = { { "2026-01-02T10:00:00Z", "newest snapshot", "production" },
                     { "2026-01-01T10:00:00Z", NULL, "production" } } },
        { .label = "the newest proven one stays",
          .policy = { .last = 1 },
          .fates = { { "2026-01-04T10:00:00Z", "last snapshot" },
                     { "2026-01-03T10:00:00Z", NULL },
                     { "2026-01-02T10:00:00Z", "newest proven snapshot", NULL, true },
                     { "2026-01-01T10:00:00Z", NULL, NULL, true } } },
        { .label = "a proven one that a rule keeps needs no second reason",
          .policy = { .last = 1 },
          .fates = { { "2026-01-04T10:00:00Z", "last snapshot", NULL, true },
                     { "2026-01-03T10:00:00Z", NULL, NULL, true } } },
        { .label = "an empty policy keeps everything",
          .fates = { { "2026-01-02T10:00:00Z", "policy is empty" },
                     { "2100-01-01T10:00:00Z", "in the future: ignored by the rules" },
                     { "2026-01-01T10:00:00Z", "policy is empty" } } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        check(&cases[i]);
}

static void a_policy_with_any_rule_is_not_empty(void)
{
    g_autoptr(GPtrArray) no_lists = tag_lists("");
    RetentionPolicy policies[] = {
        { .last = 1 },
        { .hourly = -1 },
        { .daily = 1 },
        { .weekly = 1 },
        { .monthly = 1 },
        { .yearly = 1 },
        { .within = { .hours = 1 } },
        { .within_hourly = { .days = 1 } },
        { .within_daily = { .months = 1 } },
        { .within_weekly = { .years = 1 } },
        { .within_monthly = { .hours = 1 } },
        { .within_yearly = { .hours = 1 } },
        { .tags = no_lists },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(policies); i++)
        g_assert_false(retention_is_empty(&policies[i]));
    g_ptr_array_set_size(no_lists, 0);
    g_assert_true(retention_is_empty(&(RetentionPolicy){ .tags = no_lists }));
    g_assert_true(retention_is_empty(&(RetentionPolicy){ 0 }));
}

static void no_items_are_fine(void)
{
    retention_apply(&(RetentionPolicy){ .last = 1 }, NULL, 0, 0, NULL);
}

static void the_strangest_times_are_decided(void)
{
    RetentionItem items[] = { { .time = INT64_MIN }, { .time = -1 }, { .time = INT64_MAX } };
    RetentionPolicy policy = {
        .last = 1, .hourly = -1, .yearly = -1, .within_daily = { .days = 1 }
    };
    g_autoptr(GTimeZone) zone = g_time_zone_new_identifier("Pacific/Auckland");

    retention_apply(&policy, items, G_N_ELEMENTS(items), INT64_MAX, zone);
    g_assert_true(items[2].keep);
    g_assert_true(items[1].keep);
    retention_items_done(items, G_N_ELEMENTS(items));
}

static void of_one_second_the_newest_stays(void)
{
    RetentionItem items[] = { { .time = 7, .nanoseconds = 1 },
                              { .time = 7, .nanoseconds = 999999999 },
                              { .time = 7, .nanoseconds = 500000000 } };
    RetentionPolicy policy = { .last = 1 };

    retention_apply(&policy, items, G_N_ELEMENTS(items), 7, NULL);
    g_assert_false(items[0].keep);
    g_assert_true(items[1].keep);
    g_assert_false(items[2].keep);
    retention_items_done(items, G_N_ELEMENTS(items));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/retention/rules-of-restic", the_rules_of_restic);
    g_test_add_func("/retention/periods-go-by-the-zone", periods_go_by_the_zone);
    g_test_add_func("/retention/laws", the_laws_of_our_own);
    g_test_add_func("/retention/empty-policy", a_policy_with_any_rule_is_not_empty);
    g_test_add_func("/retention/no-items", no_items_are_fine);
    g_test_add_func("/retention/strange-times", the_strangest_times_are_decided);
    g_test_add_func("/retention/one-second", of_one_second_the_newest_stays);
    return g_test_run();
}
