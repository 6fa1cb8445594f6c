/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides the histories that retention_oracle.py writes to its standard input. A history is a line
 *   history ZONE NOW LAST HOURLY DAILY WEEKLY MONTHLY YEARLY WITHIN...(six durations) TAG-LISTS
 * then lines "item TIME PROVEN TAGS", then "end". Tags are joined by ",", lists by ";"; "-" is none
 * and
 * "_" the empty tag. The answer is a line for each item, its reasons joined by "|" or "remove".
 */
#include "plan/retention.h"
#include <stdio.h>

typedef struct {
    GHashTable *zones; // by name: GLib reads a zone again when nobody holds it
    GTimeZone *zone;
    int64_t now;
    RetentionPolicy policy;
    GArray *items; // of RetentionItem
} History;

static char **tags_parse(const char *text)
{
    char **tags = g_strsplit(text, ",", -1);

    if (g_str_equal(text, "-")) {
        g_strfreev(tags);
        return NULL;
    }
    for (char **tag = tags; *tag; tag++)
        if (g_str_equal(*tag, "_"))
            **tag = '\0';
    return tags;
}

static GTimeZone *zone_claim(GHashTable *zones, const char *name)
{
    GTimeZone *zone = g_hash_table_lookup(zones, name);

    if (!zone) {
        zone = g_time_zone_new_identifier(name);
        g_assert_nonnull(zone);
        g_hash_table_insert(zones, g_strdup(name), zone);
    }
    return zone;
}

static void history_begin(History *history, char **words)
{
    RetentionPolicy *policy = &history->policy;
    int *const counts[] = { &policy->last,   &policy->hourly,  &policy->daily,
                            &policy->weekly, &policy->monthly, &policy->yearly };
    Duration *const durations[] = { &policy->within,         &policy->within_hourly,
                                    &policy->within_daily,   &policy->within_weekly,
                                    &policy->within_monthly, &policy->within_yearly };
    g_auto(GStrv) lists = g_strsplit(words[15], ";", -1);

    g_assert_cmpuint(g_strv_length(words), ==, 16);
    history->zone = zone_claim(history->zones, words[1]);
    history->now = g_ascii_strtoll(words[2], NULL, 10);
    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        *counts[i] = (int)g_ascii_strtoll(words[3 + i], NULL, 10);
    for (size_t i = 0; i < G_N_ELEMENTS(durations); i++)
        g_assert_true(duration_parse(words[9 + i], durations[i], NULL));
    policy->tags = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    for (char **list = lists; *list && !g_str_equal(*list, "-"); list++)
        g_ptr_array_add(policy->tags, tags_parse(*list));
    history->items = g_array_new(FALSE, TRUE, sizeof(RetentionItem));
}

static void history_add(History *history, char **words)
{
    RetentionItem item = {
        .time = g_ascii_strtoll(words[1], NULL, 10),
        .proven = g_str_equal(words[2], "1"),
        .tags = (const char *const *)tags_parse(words[3]),
    };

    g_array_append_val(history->items, item);
}

static void history_end(History *history)
{
    RetentionItem *items = (RetentionItem *)(void *)history->items->data;
    size_t n = history->items->len;

    retention_apply(&history->policy, items, n, history->now, history->zone);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < items[i].reasons->len; k++)
            printf("%s%s", k ? "|" : "", (const char *)items[i].reasons->pdata[k]);
        puts(items[i].keep ? "" : "remove");
        g_strfreev((char **)items[i].tags);
    }
    retention_items_done(items, n);
    g_array_unref(history->items);
    g_ptr_array_unref(history->policy.tags);
}

int main(void)
{
    History history = {
        .zones = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                       (GDestroyNotify)g_time_zone_unref),
    };
    char *line = NULL;
    size_t size = 0;

    while (getline(&line, &size, stdin) > 0) {
        g_auto(GStrv) words = g_strsplit(g_strchomp(line), " ", -1);

        if (g_str_equal(words[0], "history"))
            history_begin(&history, words);
        else if (g_str_equal(words[0], "item"))
            history_add(&history, words);
        else
            history_end(&history);
    }
    free(line);
    g_hash_table_unref(history.zones);
    return 0;
}
