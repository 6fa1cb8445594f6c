/* SPDX-License-Identifier: Apache-2.0 */
#include "op/grouptags.h"

static Snapshot *tagged(const char *tags)
{
    Snapshot *snapshot = snapshot_new();

    g_strfreev(snapshot->tags);
    snapshot->tags = g_strsplit(tags, ",", -1);
    return snapshot;
}

static void what_is_written_is_read(void)
{
    static const struct {
        GroupTags group;
        const char *tags;
    } cases[] = {
        { { true, INT64_C(1763694000123), 12 }, "instant=2025-11-21T03:00:00.123Z,spread=12ms" },
        { { true, INT64_C(1763694000000), 0 }, "instant=2025-11-21T03:00:00Z,spread=0ms" },
        { { false, 0, 5 }, "instant=interval,spread=5ms" },
        { { false, 0, -1 }, "instant=interval" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) tags = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(Snapshot) snapshot = tagged(cases[i].tags);
        g_autofree char *written = NULL;
        GroupTags group;

        g_test_message("%s", cases[i].tags);
        group_tags_add(tags, &cases[i].group);
        g_ptr_array_add(tags, NULL);
        written = g_strjoinv(",", (char **)tags->pdata);
        g_assert_cmpstr(written, ==, cases[i].tags);
        g_assert_true(group_tags_read(snapshot, &group));
        g_assert_cmpint(group.is_moment, ==, cases[i].group.is_moment);
        g_assert_cmpint(group.instant, ==, cases[i].group.instant);
        g_assert_cmpint(group.spread_ms, ==, cases[i].group.spread_ms);
    }
}

static void what_others_have_tagged_is_no_group(void)
{
    static const char *const cases[] = {
        "a",
        "instant",
        "instant=",
        "spread=12ms",
        "instant=now,spread=12ms",
        "instant=2025-11-21T03:00:00Z",
        "instant=2025-11-21T03:00:00Z,spread=12",
        "instant=2025-11-21T03:00:00Z,spread=ms",
        "instant=2025-11-21T03:00:00Z,spread=-1ms",
        "instant=2025-11-21T03:00:00Z,spread=12ms ",
        "instant=2025-11-21T03:00:00Z,spread=99999999999999999999ms",
        "instant=0001-01-01T00:00:00Z,spread=1ms",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Snapshot) snapshot = tagged(cases[i]);
        GroupTags group;

        g_test_message("%s", cases[i]);
        g_assert_false(group_tags_read(snapshot, &group));
        g_assert_null(group_tags_describe(snapshot));
    }
}

static void it_is_described_as_in_the_manifests(void)
{
    static const struct {
        const char *tags, *text;
    } cases[] = {
        { "instant=2025-11-21T03:00:00.123Z,spread=12ms",
          "{\"held\":\"moment\",\"instant\":\"2025-11-21T03:00:00.123Z\",\"spread_ms\":12}" },
        { "instant=interval", "{\"held\":\"interval\",\"spread_ms\":null}" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Snapshot) snapshot = tagged(cases[i].tags);
        json_auto_t *facts = group_tags_describe(snapshot);
        g_autofree char *text = json_dumps(facts, JSON_COMPACT);

        g_assert_cmpstr(text, ==, cases[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grouptags/written-and-read", what_is_written_is_read);
    g_test_add_func("/grouptags/others", what_others_have_tagged_is_no_group);
    g_test_add_func("/grouptags/described", it_is_described_as_in_the_manifests);
    return g_test_run();
}
