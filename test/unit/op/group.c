/* SPDX-License-Identifier: Apache-2.0 */
#include "op/group.h"

#include "base/error.h"

/* Of one host, one path and one list of tags each, a second apart. */
static GPtrArray *history(const char *const (*rows)[3], size_t n)
{
    GPtrArray *snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);

    for (size_t i = 0; i < n; i++) {
        Snapshot *snapshot = snapshot_new();

        snapshot->time.sec = (int64_t)i;
        g_free(snapshot->hostname);
        snapshot->hostname = g_strdup(rows[i][0]);
        g_strfreev(snapshot->paths);
        snapshot->paths = g_strsplit(rows[i][1], ":", -1);
        g_strfreev(snapshot->tags);
        snapshot->tags = g_strsplit(rows[i][2], ",", -1);
        g_ptr_array_add(snapshots, snapshot);
    }
    return snapshots;
}

static const char *const rows[][3] = {
    { "a", "/x:/y", "t,u" }, { "b", "/x", "" },    { "a", "/y:/x", "u,t" },
    { "a", "/x", "t" },      { "b", "/x", "t,u" },
};

static void lists_are_parsed(void)
{
    g_autoptr(GError) error = NULL;
    GroupBy by;

    g_assert_true(group_by_parse("host,paths", &by, NULL) && by.host && by.paths && !by.tags);
    g_assert_true(group_by_parse("tags, hosts", &by, NULL) && by.host && !by.paths && by.tags);
    g_assert_true(group_by_parse("tag", &by, NULL) && !by.host && !by.paths && by.tags);
    g_assert_true(group_by_parse("", &by, NULL) && !by.host && !by.paths && !by.tags);
    g_assert_false(group_by_parse("host,user", &by, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
}

static void order_within_lists_does_not_count(void)
{
    g_autoptr(GPtrArray) snapshots = history(rows, G_N_ELEMENTS(rows));
    static const struct {
        GroupBy by;
        guint groups;
    } cases[] = {
        { { false, false, false }, 1 }, { { true, false, false }, 2 },
        { { false, true, false }, 2 },  { { false, false, true }, 3 },
        { { true, true, false }, 3 },   { { true, true, true }, 4 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) groups = group_snapshots(snapshots, cases[i].by);

        g_assert_cmpuint(groups->len, ==, cases[i].groups);
    }
}

static void two_of_one_group_are_known(void)
{
    g_autoptr(GPtrArray) snapshots = history(rows, G_N_ELEMENTS(rows));
    const Snapshot *const *all = (const Snapshot *const *)snapshots->pdata;

    g_assert_true(group_same(all[0], all[2], (GroupBy){ true, true, true }));
    g_assert_true(group_same(all[0], all[4], (GroupBy){ .tags = true }));
    g_assert_false(group_same(all[0], all[4], (GroupBy){ .host = true, .tags = true }));
    g_assert_false(group_same(all[1], all[4], (GroupBy){ true, true, true }));
}

static void names_with_separators_stay_apart(void)
{
    static const char *const tricky[][3] = { { "a", "x", "b,c" }, { "a", "x", "b\",\"c" } };
    g_autoptr(GPtrArray) snapshots = history(tricky, 2);
    g_autoptr(GPtrArray) groups = group_snapshots(snapshots, (GroupBy){ .tags = true });

    g_assert_cmpuint(groups->len, ==, 2);
}

static void newest_of_each_group_stay(void)
{
    g_autoptr(GPtrArray) snapshots = history(rows, G_N_ELEMENTS(rows));

    group_keep_newest(snapshots, (GroupBy){ .host = true }, 2);
    g_assert_cmpuint(snapshots->len, ==, 4);
    g_assert_cmpint(((Snapshot *)snapshots->pdata[0])->time.sec, ==, 1);
    group_keep_newest(snapshots, (GroupBy){ .host = true, .paths = true }, 1);
    g_assert_cmpuint(snapshots->len, ==, 3);
    group_keep_newest(snapshots, (GroupBy){ 0 }, 1);
    g_assert_cmpuint(snapshots->len, ==, 1);
    g_assert_cmpint(((Snapshot *)snapshots->pdata[0])->time.sec, ==, 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/group/same", two_of_one_group_are_known);
    g_test_add_func("/group/lists-are-parsed", lists_are_parsed);
    g_test_add_func("/group/order-within-lists-does-not-count", order_within_lists_does_not_count);
    g_test_add_func("/group/names-with-separators-stay-apart", names_with_separators_stay_apart);
    g_test_add_func("/group/newest-of-each-group-stay", newest_of_each_group_stay);
    return g_test_run();
}
