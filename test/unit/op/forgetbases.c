/* SPDX-License-Identifier: Apache-2.0 */
#include "op/forgetbases.h"

#include "unit/op/walworld.h"

static char *forget_with(World *world, const ForgetRequest *request, bool *ret_ok)
{
    g_autoptr(ForgetPlan) plan = NULL;
    g_autoptr(GError) error = NULL;
    GString *told = g_string_new(NULL);

    *ret_ok = forget_decide(&world->open, request, NULL, &plan, &error);
    if (!*ret_ok)
        g_string_append(told, error->message);
    for (guint i = 0; plan && i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = decisions->len; k-- > 0;) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);
            const char *reason = decision->reasons->len ? decision->reasons->pdata[0] : "removed";

            g_string_append_printf(told, "%s%s", told->len ? "; " : "", reason);
            g_assert_cmpint(decision->keep, ==, decision->reasons->len > 0);
        }
    }
    return g_string_free(told, FALSE);
}

static void forget_keeps_the_bases_of_the_window(void)
{
    g_auto(World) world = world_new("1:1 1:2 1:3 1:4 1:5 1:6 1:7");
    const Duration week = { .days = 7 };
    ForgetRequest request = { .keep_pitr = &week, .group_by = "" };
    g_autofree char *alone = NULL, *with_last = NULL;
    g_autoptr(Snapshot) files = snapshot_new();
    bool ok;

    files->time.sec = TODAY - 95 * DAY;
    g_assert_true(snapshot_save(world.open.repo, files, NULL));
    put_base(world.open.repo, CLUSTER, "1:1-2 90");
    put_base(world.open.repo, CLUSTER, "1:3-4 20");
    put_base(world.open.repo, CLUSTER, "1:5-6 5");
    put_base(world.open.repo, CLUSTER, "1:7-8 1");
    alone = forget_with(&world, &request, &ok);
    g_assert_cmpstr(alone, ==,
                    "policy is empty; removed; base of the point-in-time window; "
                    "in the point-in-time window; in the point-in-time window");
    request.policy.last = 1;
    with_last = forget_with(&world, &request, &ok);
    g_assert_cmpstr(with_last, ==,
                    "removed; removed; base of the point-in-time window; "
                    "in the point-in-time window; last snapshot");
}

static void forget_keeps_the_newest_base_of_wal_that_is_held(void)
{
    g_auto(World) world = world_new("1:1 1:2");
    ForgetRequest request = { .policy.last = 1, .group_by = "" };
    Id base = put_base(world.open.repo, CLUSTER, "1:1-2 9");
    g_autofree char *id = g_strdup(id_hex(&base).text);
    char *ids[] = { id, NULL };
    g_autofree char *by_policy = NULL, *by_name = NULL, *forced = NULL;
    bool ok;

    put_base(world.open.repo, OTHER, "1:1-2 8"); // of that one no WAL is held
    put_base(world.open.repo, OTHER, "1:3-4 7");
    by_policy = forget_with(&world, &request, &ok);
    g_assert_cmpstr(by_policy, ==,
                    "newest base of a cluster whose WAL is held; removed; last snapshot");
    request = (ForgetRequest){ .ids = ids };
    by_name = forget_with(&world, &request, &ok);
    g_assert_false(ok);
    g_assert_nonnull(strstr(by_name, "newest base backup of cluster"));
    request.last_bases = true;
    forced = forget_with(&world, &request, &ok);
    g_assert_true(ok);
}

static void forget_keeps_all_bases_when_the_window_cannot_be_known(void)
{
    g_auto(World) world = world_new("1:1 1:2 1:3 2:4");
    const Duration day = { .days = 1 };
    ForgetRequest request = { .keep_pitr = &day, .group_by = "" };
    g_autofree char *told = NULL;
    bool ok;

    put_base(world.open.repo, CLUSTER, "1:1-2 9");
    put_base(world.open.repo, CLUSTER, "1:2-3 8");
    told = forget_with(&world, &request, &ok);
    g_assert_null(strstr(told, "removed"));
}

/* What rots is in every backup from then on: a copy from before is worth more than all of them. */
static void forget_keeps_the_newest_base_without_damage(void)
{
    g_auto(World) world = world_new("1:1");
    ForgetRequest request = { .policy.last = 1, .group_by = "" };
    g_autofree char *told = NULL;
    bool ok;

    put_base(world.open.repo, CLUSTER, "1:1-2 9");
    put_base(world.open.repo, CLUSTER, "1:2-3 8");
    for (unsigned i = 0; i < 2; i++) {
        g_autofree char *word = g_strdup_printf("1:%u-%u %u", 3 + i, 4 + i, 7 - i);

        put_base_tagged(world.open.repo, CLUSTER, word, "damaged-pages=1");
    }
    told = forget_with(&world, &request, &ok);
    g_assert_cmpstr(told, ==, "removed; newest base without damaged pages; removed; last snapshot");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/forgetbases/window", forget_keeps_the_bases_of_the_window);
    g_test_add_func("/forgetbases/newest", forget_keeps_the_newest_base_of_wal_that_is_held);
    g_test_add_func("/forgetbases/damaged", forget_keeps_the_newest_base_without_damage);
    g_test_add_func("/forgetbases/unknown", forget_keeps_all_bases_when_the_window_cannot_be_known);
    return g_test_run();
}
