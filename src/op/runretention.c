/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runretention.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/zone.h"
#include "op/retain.h"

/* A run makes one snapshot of each source and supersedes about as many. */
#define GUARD_FROM 10

/* ---- deciding ---- */

static bool is_whole(const Snapshot *snapshot)
{
    return !snapshot_tag_value(snapshot, "left-out");
}

static void keep(ForgetPlan *plan, ForgetDecision *decision, char *reason)
{
    if (!decision->keep) {
        decision->keep = true;
        plan->n_remove--;
        g_ptr_array_add(decision->reasons, g_steal_pointer(&reason));
    }
    g_free(reason);
}

/* Two machines may have been given the same names, and each its turn: the backups of one must not
 * push out the last of the other. Of a host whose name has changed it costs one snapshot. */
static void keep_newest_of_hosts(ForgetPlan *plan, const ForgetGroup *group, Timestamp now)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < group->decisions->len; i++) {
        ForgetDecision *decision = &g_array_index(group->decisions, ForgetDecision, i);
        char *host = decision->snapshot->hostname;

        if (timestamp_compare(decision->snapshot->time, now) <= 0 && host && *host &&
            g_hash_table_add(seen, host))
            keep(plan, decision, g_strdup_printf("newest snapshot of host %s", host));
    }
}

/* Decisions are newest first. */
static void keep_newest_whole(ForgetPlan *plan, const ForgetGroup *group, Timestamp now)
{
    for (guint i = 0; i < group->decisions->len; i++) {
        ForgetDecision *decision = &g_array_index(group->decisions, ForgetDecision, i);

        if (timestamp_compare(decision->snapshot->time, now) > 0 || !is_whole(decision->snapshot))
            continue;
        keep(plan, decision, g_strdup("newest complete snapshot"));
        return;
    }
}

bool run_retention_decide(OpenRepo *open, const RunRetention *retention, const Cancel *cancel,
                          ForgetPlan **ret_plan, GError **error)
{
    g_autofree char *tag = g_strconcat("schedule=", retention->schedule, NULL);
    char *tags[] = { tag, NULL };
    g_autoptr(GTimeZone) zone = zone_find(retention->zone ? retention->zone : "UTC");
    const Duration *window = retention->keep_pitr;
    ForgetRequest request = {
        .policy = *retention->policy,
        .filter = { .tags = tags },
        .by_source = true,
        .zone = zone,
        .keep_pitr = window && !duration_is_zero(window) ? window : NULL,
    };
    g_autoptr(ForgetPlan) plan = NULL;

    if (!zone) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "%s: no such time zone", retention->zone);
        return false;
    }
    if (!forget_decide(open, &request, cancel, &plan, error))
        return false;
    for (guint i = 0; i < plan->groups->len; i++) {
        const ForgetGroup *group = &g_array_index(plan->groups, ForgetGroup, i);

        keep_newest_whole(plan, group, clock_now());
        keep_newest_of_hosts(plan, group, clock_now());
    }
    *ret_plan = g_steal_pointer(&plan);
    return true;
}

bool run_retention_guard(const ForgetPlan *plan, GError **error)
{
    unsigned n = 0;

    for (guint i = 0; i < plan->groups->len; i++)
        n += g_array_index(plan->groups, ForgetGroup, i).decisions->len;
    if (plan->n_remove <= GUARD_FROM || plan->n_remove <= n / 2)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                "%u of %u snapshots would be removed, much more than usual, and nothing was; look "
                "with `backstay run SCHEDULE --preview-retention`, then do it by hand with "
                "--retention-only",
                plan->n_remove, n);
    return false;
}

/* ---- removing ---- */

static void log_failed(const Snapshot *snapshot, const GError *problem)
{
    log_warn("snapshot not removed", "snapshot", id_short(&snapshot->id).text, "error",
             problem->message, NULL);
}

static unsigned count_gone(Repo *repo, const ForgetPlan *plan)
{
    unsigned gone = 0;
    g_autoptr(GArray) left = NULL;
    g_autoptr(GHashTable) ids = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    if (!repo_list(repo, FILE_SNAPSHOT, &left, NULL, NULL))
        return 0; // what is known to be gone
    for (guint i = 0; i < left->len; i++)
        g_hash_table_add(ids, g_strdup(id_hex(&g_array_index(left, FileInfo, i).id).text));
    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = 0; k < decisions->len; k++) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);

            gone += !decision->keep &&
                    !g_hash_table_contains(ids, id_hex(&decision->snapshot->id).text);
        }
    }
    return gone;
}

bool run_retention_apply(const Settings *settings, OpenRepo *open, const RunRetention *retention,
                         const Cancel *cancel, unsigned *ret_removed, GError **error)
{
    g_autoptr(ForgetPlan) plan = NULL;
    uint64_t renewed;

    *ret_removed = 0;
    if (!run_retention_decide(open, retention, cancel, &plan, error) ||
        (retention->guarded && !run_retention_guard(plan, error)))
        return false;
    if (!forget_remove(open, plan, cancel, log_failed, error)) {
        *ret_removed = count_gone(open->repo, plan);
        return false;
    }
    *ret_removed = plan->n_remove;
    if (plan->unreadable > 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s cannot be read and %s left alone; run `backstay check`",
                    plan->unreadable, plural(plan->unreadable, "snapshot", "snapshots"),
                    plural(plan->unreadable, "was", "were"));
        return false;
    }
    return !op_retains(settings, open) ||
           op_retain(settings, open, false, NULL, cancel, &renewed, error);
}
