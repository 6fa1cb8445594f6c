/* SPDX-License-Identifier: Apache-2.0 */
#include "op/forget.h"

#include "base/error.h"
#include "base/log.h"
#include "base/plural.h"
#include "op/forgetbases.h"
#include "op/group.h"

#define REMOVE_AT_ONCE 1000 /* what one request takes */

void forget_plan_free(ForgetPlan *plan)
{
    if (!plan)
        return;
    for (guint i = 0; plan->groups && i < plan->groups->len; i++) {
        ForgetGroup *group = &g_array_index(plan->groups, ForgetGroup, i);

        for (guint k = 0; k < group->decisions->len; k++)
            g_ptr_array_unref(g_array_index(group->decisions, ForgetDecision, k).reasons);
        g_array_unref(group->decisions);
    }
    g_clear_pointer(&plan->groups, g_array_unref);
    g_clear_pointer(&plan->snapshots, g_ptr_array_unref);
    g_free(plan);
}

/* ---- deciding ---- */

static GPtrArray *reason_list(const GPtrArray *reasons)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; reasons && i < reasons->len; i++)
        g_ptr_array_add(copy, g_strdup(g_ptr_array_index(reasons, i)));
    return copy;
}

static ForgetGroup decide_group(const GPtrArray *members, const RetentionPolicy *policy,
                                GTimeZone *zone)
{
    g_autofree RetentionItem *items = g_new0(RetentionItem, members->len);
    ForgetGroup group = { .first = g_ptr_array_index(members, 0),
                          .decisions = g_array_new(FALSE, FALSE, sizeof(ForgetDecision)) };

    for (guint i = 0; i < members->len; i++) {
        const Snapshot *snapshot = g_ptr_array_index(members, i);

        items[i].time = snapshot->time.sec;
        items[i].nanoseconds = snapshot->time.nsec;
        items[i].tags = (const char *const *)snapshot->tags;
    }
    retention_apply(policy, items, members->len, clock_now().sec, zone);
    for (guint i = members->len; i-- > 0;) {
        ForgetDecision decision = { g_ptr_array_index(members, i), items[i].keep,
                                    reason_list(items[i].reasons) };

        g_array_append_val(group.decisions, decision);
    }
    retention_items_done(items, members->len);
    return group;
}

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    ForgetPlan *plan = user;

    plan->unreadable++;
    log_warn("snapshot cannot be read and is left alone", "snapshot", id_short(id).text, "error",
             problem->message, NULL);
    return true;
}

static bool decide_by_policy(const ForgetRequest *request, ForgetPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) matching = g_ptr_array_new(), groups = NULL;
    g_autoptr(GTimeZone) zone =
        request->zone ? g_time_zone_ref(request->zone) : g_time_zone_new_local();
    GroupBy by = { .source = true };

    if (!request->by_source &&
        !group_by_parse(request->group_by ? request->group_by : GROUP_BY_DEFAULT, &by, error))
        return false;
    for (guint i = 0; i < plan->snapshots->len; i++)
        if (snapshot_matches(plan->snapshots->pdata[i], &request->filter))
            g_ptr_array_add(matching, plan->snapshots->pdata[i]);
    groups = group_snapshots(matching, by);
    for (guint i = 0; i < groups->len; i++) {
        const SnapshotGroup *members = groups->pdata[i];
        ForgetGroup group = decide_group(members->snapshots, &request->policy, zone);

        g_array_append_val(plan->groups, group);
    }
    return true;
}

/* Snapshots named one by one: the user decided. */
static bool decide_by_ids(Repo *repo, const ForgetRequest *request, ForgetPlan *plan,
                          GError **error)
{
    ForgetGroup group = { .decisions = g_array_new(FALSE, FALSE, sizeof(ForgetDecision)) };
    bool ok = true;

    for (char *const *id = request->ids; *id && ok; id++) {
        Snapshot *snapshot = NULL;
        g_autofree char *path = NULL;
        g_autoptr(GError) failure = NULL;
        ForgetDecision decision = { 0 };

        if (!snapshot_find(repo, *id, &request->filter, pass_over, plan, &snapshot, &path,
                           &failure)) {
            ok = request->ignore_missing && g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND);
            if (!ok)
                g_propagate_error(error, g_steal_pointer(&failure));
            continue;
        }
        g_ptr_array_add(plan->snapshots, snapshot);
        decision.reasons = g_ptr_array_new_with_free_func(g_free);
        decision.snapshot = snapshot;
        g_array_append_val(group.decisions, decision);
        group.first = snapshot;
    }
    g_array_append_val(plan->groups, group);
    return ok;
}

static void count_removals(ForgetPlan *plan)
{
    for (guint i = 0; i < plan->groups->len; i++) {
        const ForgetGroup *group = &g_array_index(plan->groups, ForgetGroup, i);

        for (guint k = 0; k < group->decisions->len; k++)
            plan->n_remove += !g_array_index(group->decisions, ForgetDecision, k).keep;
    }
}

static bool decide(OpenRepo *open, const ForgetRequest *request, const Cancel *cancel,
                   ForgetPlan *plan, GError **error)
{
    if (request->ids && *request->ids) {
        plan->snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
        return decide_by_ids(open->repo, request, plan, error) &&
               (request->last_bases || forget_guard_bases(open, plan, error));
    }
    return snapshot_list(open->repo, pass_over, plan, &plan->snapshots, error) &&
           decide_by_policy(request, plan, error) &&
           forget_keep_bases(open, request, cancel, plan, error);
}

bool forget_decide(OpenRepo *open, const ForgetRequest *request, const Cancel *cancel,
                   ForgetPlan **ret_plan, GError **error)
{
    g_autoptr(ForgetPlan) plan = g_new0(ForgetPlan, 1);

    plan->groups = g_array_new(FALSE, FALSE, sizeof(ForgetGroup));
    if (!decide(open, request, cancel, plan, error))
        return false;
    count_removals(plan);
    *ret_plan = g_steal_pointer(&plan);
    return true;
}

/* ---- removing ---- */

typedef struct {
    OpenRepo *open;
    const Cancel *cancel;
    void (*failed)(const Snapshot *snapshot, const GError *problem);
    unsigned n_failed;
} Removing;

static bool may_go_on(const Removing *removing, GError **error)
{
    return cancel_check(removing->cancel, error) && lock_check(removing->open->lock, error);
}

static bool remove_each(Removing *removing, const Snapshot *const *snapshots, guint n,
                        GError **error)
{
    for (guint i = 0; i < n; i++) {
        g_autoptr(GError) problem = NULL;

        if (!may_go_on(removing, error))
            return false;
        if (!repo_remove(removing->open->repo, FILE_SNAPSHOT, &snapshots[i]->id, &problem)) {
            removing->failed(snapshots[i], problem);
            removing->n_failed++;
        }
    }
    return true;
}

/* With one request. What it leaves is removed one by one: that tells which, and why. */
static bool remove_together(Removing *removing, const Snapshot *const *snapshots, guint n,
                            GError **error)
{
    g_autoptr(GArray) ids = g_array_sized_new(FALSE, FALSE, sizeof(Id), n);

    for (guint i = 0; i < n; i++)
        g_array_append_val(ids, snapshots[i]->id);
    if (!may_go_on(removing, error))
        return false;
    return repo_remove_many(removing->open->repo, FILE_SNAPSHOT, ids, NULL, NULL, NULL) ||
           remove_each(removing, snapshots, n, error);
}

/* Of each group the oldest first, so that an interruption leaves the newer ones. */
static GPtrArray *doomed_of(const ForgetPlan *plan)
{
    GPtrArray *doomed = g_ptr_array_new();

    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = decisions->len; k-- > 0;) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);

            if (!decision->keep)
                g_ptr_array_add(doomed, (gpointer)decision->snapshot);
        }
    }
    return doomed;
}

bool forget_remove(OpenRepo *open, const ForgetPlan *plan, const Cancel *cancel,
                   void (*failed)(const Snapshot *snapshot, const GError *problem), GError **error)
{
    g_autoptr(GPtrArray) doomed = doomed_of(plan);
    Removing removing = { open, cancel, failed, 0 };
    bool together = repo_store(open->repo)->far;

    for (guint i = 0; i < doomed->len; i += REMOVE_AT_ONCE) {
        const Snapshot *const *some = (const Snapshot *const *)doomed->pdata + i;
        guint n = MIN(doomed->len - i, REMOVE_AT_ONCE);

        if (!(together && n > 1 ? remove_together : remove_each)(&removing, some, n, error))
            return false;
    }
    if (removing.n_failed > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s could not be removed",
                    removing.n_failed, plural(removing.n_failed, "snapshot", "snapshots"));
    return removing.n_failed == 0;
}
