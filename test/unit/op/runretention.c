/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runretention.h"

#include "unit/op/walworld.h"

#define HOUR 3600

/* "nightly/app 30 n1": of this schedule and source, so many hours ago, made by host n1; a fourth
 * word is one more tag. */
static void put_snapshot(World *world, const char *word)
{
    g_auto(GStrv) words = g_strsplit(word, " ", -1);
    g_auto(GStrv) of = g_strsplit(words[0], "/", 2);
    g_autoptr(Snapshot) snapshot = snapshot_new();

    snapshot->time.sec = TODAY - (int64_t)(g_ascii_strtod(words[1], NULL) * HOUR);
    g_free(snapshot->hostname);
    snapshot->hostname = g_strdup(words[2]);
    g_strfreev(snapshot->tags);
    snapshot->tags = g_new0(char *, 4);
    snapshot->tags[0] = g_strconcat("schedule=", of[0], NULL);
    snapshot->tags[1] = g_strconcat("source=", of[1], NULL);
    snapshot->tags[2] = g_strdup(words[3]);
    g_assert_true(snapshot_save(world->open.repo, snapshot, NULL));
}

static void put_snapshots(World *world, const char *const *words)
{
    for (; *words; words++)
        put_snapshot(world, *words);
}

#define SNAPSHOTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* What stays of the schedule "nightly": "app 30: reason", oldest first. */
static char *kept(World *world, const RetentionPolicy *policy, const char *zone)
{
    RunRetention retention = { .schedule = "nightly", .policy = policy, .zone = zone };
    g_autoptr(ForgetPlan) plan = NULL;
    GString *text = g_string_new(NULL);
    unsigned removed = 0;

    g_assert_true(run_retention_decide(&world->open, &retention, NULL, &plan, NULL));
    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = decisions->len; k-- > 0;) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);
            const Snapshot *snapshot = decision->snapshot;

            removed += !decision->keep;
            if (decision->keep)
                g_string_append_printf(text, "%s%s %.1f: %s", text->len ? "; " : "",
                                       snapshot_tag_value(snapshot, "source"),
                                       (double)(TODAY - snapshot->time.sec) / HOUR,
                                       (const char *)decision->reasons->pdata[0]);
        }
    }
    g_assert_cmpuint(plan->n_remove, ==, removed);
    return g_string_free(text, FALSE);
}

static void each_source_of_the_schedule_is_counted_for_itself(void)
{
    g_auto(World) world = world_new("1:1");
    const RetentionPolicy policy = { .last = 1 };
    g_autofree char *text = NULL;

    put_snapshots(&world, SNAPSHOTS("nightly/app 30 n1", "nightly/app 20 n1", "nightly/files 25 n1",
                                    "nightly/files 15 n1", "hourly/app 40 n1"));
    text = kept(&world, &policy, NULL);
    g_assert_cmpstr(text, ==, "app 20.0: last snapshot; files 15.0: last snapshot");
}

/* Hosts may run it in turn, or be two machines with the same configuration. */
static void the_newest_one_of_each_host_stays(void)
{
    g_auto(World) world = world_new("1:1");
    const RetentionPolicy policy = { .last = 2 };
    g_autofree char *text = NULL;

    put_snapshots(&world, SNAPSHOTS("nightly/app 60 n1", "nightly/app 50 n2", "nightly/app 40 n1",
                                    "nightly/app 30 n2", "nightly/app 20 n2", "nightly/app 10 n2",
                                    "nightly/app -5 n1"));
    text = kept(&world, &policy, NULL);
    g_assert_cmpstr(text, ==,
                    "app 40.0: newest snapshot of host n1; app 20.0: last snapshot; "
                    "app 10.0: last snapshot; app -5.0: in the future: ignored by the rules");
}

/* TODAY is eight in the morning in Greenwich. */
static void days_are_those_of_the_zone(void)
{
    static const char *const evening[] = { "nightly/app 8.5 n1", "nightly/app 7.5 n1",
                                           "nightly/app 32.5 n1", NULL };
    const RetentionPolicy policy = { .daily = 2 };
    static const struct {
        const char *zone, *want;
    } cases[] = {
        { NULL, "app 8.5: daily snapshot; app 7.5: daily snapshot" },
        { "Europe/Berlin", "app 32.5: daily snapshot; app 7.5: daily snapshot" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(World) world = world_new("1:1");
        g_autofree char *text = NULL;

        put_snapshots(&world, evening);
        text = kept(&world, &policy, cases[i].zone);
        g_assert_cmpstr(text, ==, cases[i].want);
    }
}

static void the_newest_complete_one_stays(void)
{
    g_auto(World) world = world_new("1:1");
    const RetentionPolicy policy = { .last = 2 };
    g_autofree char *text = NULL;

    put_snapshots(&world, SNAPSHOTS("nightly/app 50 n1", "nightly/app 40 n1",
                                    "nightly/app 30 n1 left-out=3", "nightly/app 20 n1 left-out=1",
                                    "nightly/app 10 n1 left-out=1"));
    text = kept(&world, &policy, NULL);
    g_assert_cmpstr(text, ==,
                    "app 40.0: newest complete snapshot; app 20.0: last snapshot; "
                    "app 10.0: last snapshot");
}

static void an_unknown_zone_is_no_reason_to_guess(void)
{
    g_auto(World) world = world_new("1:1");
    const RetentionPolicy policy = { .last = 1 };
    RunRetention retention = { .schedule = "nightly", .policy = &policy, .zone = "Mars/Olympus" };
    g_autoptr(ForgetPlan) plan = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_false(run_retention_decide(&world.open, &retention, NULL, &plan, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CONFIG);
}

static void much_more_than_usual_is_not_removed_unasked(void)
{
    g_auto(World) world = world_new("1:1");
    const RetentionPolicy policy = { .last = 1 };
    const Settings settings = { 0 };
    RunRetention retention = { .schedule = "nightly", .policy = &policy, .guarded = true };
    g_autoptr(GError) error = NULL;
    unsigned removed;

    for (unsigned i = 0; i < 12; i++) {
        g_autofree char *word = g_strdup_printf("nightly/app %u n1", 100 - i);

        put_snapshot(&world, word);
    }
    g_assert_false(run_retention_apply(&settings, &world.open, &retention, NULL, &removed, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_GUARD);
    g_assert_cmpuint(removed, ==, 0);
    retention.guarded = false; // somebody looks
    g_assert_true(run_retention_apply(&settings, &world.open, &retention, NULL, &removed, NULL));
    g_assert_cmpuint(removed, ==, 11);
    retention.guarded = true;
    g_assert_true(run_retention_apply(&settings, &world.open, &retention, NULL, &removed, NULL));
    g_assert_cmpuint(removed, ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/runretention/sources", each_source_of_the_schedule_is_counted_for_itself);
    g_test_add_func("/runretention/hosts", the_newest_one_of_each_host_stays);
    g_test_add_func("/runretention/zone", days_are_those_of_the_zone);
    g_test_add_func("/runretention/complete", the_newest_complete_one_stays);
    g_test_add_func("/runretention/unknown-zone", an_unknown_zone_is_no_reason_to_guess);
    g_test_add_func("/runretention/guard", much_more_than_usual_is_not_removed_unasked);
    return g_test_run();
}
