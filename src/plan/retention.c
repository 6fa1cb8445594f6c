/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/retention.h"
#include "plan/wall.h"

#define HOUR 3600
#define DAY  86400

typedef enum {
    PERIOD_EACH, // every item is a period of its own
    PERIOD_HOUR,
    PERIOD_DAY,
    PERIOD_WEEK,
    PERIOD_MONTH,
    PERIOD_YEAR,
} Period;

/* Keeps the newest item of each period while any are left, among items younger than after. */
typedef struct {
    char *reason;
    Period period;
    int left;       // how many it may still keep; negative: no limit
    int64_t after;  // Unix seconds
    int64_t latest; // number of the period it kept last
    bool started;
} Rule;

static void rule_done(void *rule)
{
    g_free(((Rule *)rule)->reason);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t month_number(int64_t wall)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(wall);

    return g_date_time_get_year(date) * 12 + g_date_time_get_month(date) - 1;
}

/* Equal for two items exactly when they lie in the same period. */
static int64_t period_number(Period period, int64_t wall, size_t nth)
{
    switch (period) {
    case PERIOD_EACH:
        return (int64_t)nth;
    case PERIOD_HOUR:
        return floor_div(wall, HOUR);
    case PERIOD_DAY:
        return floor_div(wall, DAY);
    case PERIOD_WEEK:
        // ISO 8601 weeks begin on Monday; 1970 began on a Thursday
        return floor_div(wall + 3 * DAY, 7 * DAY);
    case PERIOD_MONTH:
        return month_number(wall);
    case PERIOD_YEAR:
        return month_number(wall) / 12;
    }
    g_assert_not_reached();
}

static void item_keep(RetentionItem *item, char *reason)
{
    item->keep = true;
    g_ptr_array_add(item->reasons, reason);
}

static void rule_apply(Rule *rule, RetentionItem *item, int64_t wall, size_t nth, bool oldest)
{
    if (rule->left == 0 || item->time <= rule->after)
        return;

    int64_t number = period_number(rule->period, wall, nth);
    bool repeated = rule->started && number == rule->latest;

    if (repeated && !oldest)
        return;
    rule->started = true;
    rule->latest = number;
    if (rule->left > 0)
        rule->left--;
    item_keep(item, g_strconcat(repeated ? "oldest " : "", rule->reason, NULL));
}

/* The rules that the policy has, in the order in which restic tells them. newest: Unix seconds. */
static GArray *rules_new(const RetentionPolicy *policy, int64_t newest, GTimeZone *zone)
{
    const struct {
        const char *reason;
        Period period;
        int count;
        const Duration *within; // instead of a count
    } rows[] = {
        { "within", PERIOD_EACH, 0, &policy->within },
        { "last snapshot", PERIOD_EACH, policy->last, NULL },
        { "hourly snapshot", PERIOD_HOUR, policy->hourly, NULL },
        { "daily snapshot", PERIOD_DAY, policy->daily, NULL },
        { "weekly snapshot", PERIOD_WEEK, policy->weekly, NULL },
        { "monthly snapshot", PERIOD_MONTH, policy->monthly, NULL },
        { "yearly snapshot", PERIOD_YEAR, policy->yearly, NULL },
        { "hourly within", PERIOD_HOUR, 0, &policy->within_hourly },
        { "daily within", PERIOD_DAY, 0, &policy->within_daily },
        { "weekly within", PERIOD_WEEK, 0, &policy->within_weekly },
        { "monthly within", PERIOD_MONTH, 0, &policy->within_monthly },
        { "yearly within", PERIOD_YEAR, 0, &policy->within_yearly },
    };
    GArray *rules = g_array_new(FALSE, FALSE, sizeof(Rule));

    g_array_set_clear_func(rules, rule_done);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        Rule rule = { .period = rows[i].period, .left = rows[i].count, .after = INT64_MIN };

        if (rows[i].count) {
            rule.reason = g_strdup(rows[i].reason);
        } else if (rows[i].within && !duration_is_zero(rows[i].within)) {
            g_autofree char *length = duration_format(rows[i].within);

            rule.reason = g_strjoin(" ", rows[i].reason, length, NULL);
            rule.left = -1;
            rule.after = duration_before(rows[i].within, newest, zone);
        } else {
            continue;
        }
        g_array_append_val(rules, rule);
    }
    return rules;
}

/* As restic's HasTags: the empty tag stands for "no tags at all". */
static bool item_has_tags(const RetentionItem *item, const char *const *wanted)
{
    bool untagged = !item->tags || !item->tags[0];

    for (; *wanted; wanted++) {
        if (untagged && !**wanted)
            return true;
        if (untagged || !g_strv_contains(item->tags, *wanted))
            return false;
    }
    return true;
}

static void tags_apply(const GPtrArray *lists, RetentionItem *item)
{
    for (size_t i = 0; lists && i < lists->len; i++) {
        char **wanted = lists->pdata[i];

        if (item_has_tags(item, (const char *const *)wanted)) {
            g_autofree char *joined = g_strjoinv(", ", wanted);

            item_keep(item, g_strdup_printf("has tags [%s]", joined));
        }
    }
}

static int newest_first(const void *a, const void *b)
{
    const RetentionItem *left = *(RetentionItem *const *)a;
    const RetentionItem *right = *(RetentionItem *const *)b;

    if (left->time != right->time)
        return left->time < right->time ? 1 : -1;
    if (left->nanoseconds != right->nanoseconds)
        return left->nanoseconds < right->nanoseconds ? 1 : -1;
    return left < right ? -1 : left > right;
}

static void apply_rules(const RetentionPolicy *policy, RetentionItem **sorted, size_t n,
                        GTimeZone *zone)
{
    g_autoptr(GArray) rules = rules_new(policy, sorted[0]->time, zone);

    for (size_t i = 0; i < n; i++) {
        int64_t wall = wall_from_time(sorted[i]->time, zone);

        tags_apply(policy->tags, sorted[i]);
        for (size_t k = 0; k < rules->len; k++)
            rule_apply(&g_array_index(rules, Rule, k), sorted[i], wall, i, i == n - 1);
    }
}

/* What stays whatever the rules say. */
static void apply_laws(RetentionItem **sorted, size_t n)
{
    size_t proven = 0;

    if (!sorted[0]->keep)
        item_keep(sorted[0], g_strdup("newest snapshot"));
    while (proven < n && !sorted[proven]->proven)
        proven++;
    if (proven < n && !sorted[proven]->keep)
        item_keep(sorted[proven], g_strdup("newest proven snapshot"));
}

bool retention_is_empty(const RetentionPolicy *policy)
{
    return !policy->last && !policy->hourly && !policy->daily && !policy->weekly &&
           !policy->monthly && !policy->yearly && duration_is_zero(&policy->within) &&
           duration_is_zero(&policy->within_hourly) && duration_is_zero(&policy->within_daily) &&
           duration_is_zero(&policy->within_weekly) && duration_is_zero(&policy->within_monthly) &&
           duration_is_zero(&policy->within_yearly) && (!policy->tags || !policy->tags->len);
}

void retention_apply(const RetentionPolicy *policy, RetentionItem *items, size_t n, int64_t now,
                     GTimeZone *zone)
{
    g_autofree RetentionItem **sorted = g_new(RetentionItem *, n);
    size_t n_past = 0;
    bool empty = retention_is_empty(policy);

    for (size_t i = 0; i < n; i++) {
        items[i].keep = false;
        items[i].reasons = g_ptr_array_new_with_free_func(g_free);
        if (items[i].time > now)
            item_keep(&items[i], g_strdup("in the future: ignored by the rules"));
        else if (empty)
            item_keep(&items[i], g_strdup("policy is empty"));
        else
            sorted[n_past++] = &items[i];
    }
    if (!n_past)
        return;
    qsort(sorted, n_past, sizeof *sorted, newest_first);
    apply_rules(policy, sorted, n_past, zone);
    apply_laws(sorted, n_past);
}

void retention_items_done(RetentionItem *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        g_clear_pointer(&items[i].reasons, g_ptr_array_unref);
}
