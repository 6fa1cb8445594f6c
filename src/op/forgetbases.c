/* SPDX-License-Identifier: Apache-2.0 */
#include "op/forgetbases.h"

#include "base/error.h"
#include "op/walfacts.h"

/* ---- decisions ---- */

static ForgetDecision *decision_on(const ForgetPlan *plan, const Snapshot *snapshot)
{
    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = 0; k < decisions->len; k++) {
            ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);

            if (decision->snapshot && id_equal(&decision->snapshot->id, &snapshot->id))
                return decision;
        }
    }
    return NULL; // the filter lets it pass: it stays
}

static void keep(const ForgetPlan *plan, const Snapshot *snapshot, const char *reason)
{
    ForgetDecision *decision = decision_on(plan, snapshot);

    if (!decision)
        return;
    decision->keep = true;
    g_ptr_array_add(decision->reasons, g_strdup(reason));
}

/* An empty policy keeps everything; of clusters the window alone shall decide then. */
static void leave_to_window(const ForgetPlan *plan, const Snapshot *snapshot)
{
    ForgetDecision *decision = decision_on(plan, snapshot);

    if (!decision)
        return;
    decision->keep = false;
    g_ptr_array_set_size(decision->reasons, 0);
}

/* ---- the newest ---- */

static bool is_clean(const Snapshot *snapshot)
{
    return !snapshot_tag_value(snapshot, "damaged-pages");
}

/* By its time; dates in the future do not count. clean: of those without damaged pages. */
static const Snapshot *newest_base(const GPtrArray *snapshots, uint64_t system_id, bool clean)
{
    const Snapshot *newest = NULL;
    Timestamp now = clock_now();

    for (guint i = 0; i < snapshots->len; i++) { // they are sorted by time
        const Snapshot *snapshot = g_ptr_array_index(snapshots, i);
        WalBase base;

        if (wal_base_of(snapshot, &base) == WAL_BASE_GOOD && base.system_id == system_id &&
            (!clean || is_clean(snapshot)) && timestamp_compare(snapshot->time, now) <= 0)
            newest = snapshot;
    }
    return newest;
}

/* Whether it would go, and is the newest of its cluster. */
static bool is_last_base(const GPtrArray *all, const ForgetDecision *decision, uint64_t *ret_id)
{
    const Snapshot *newest;
    WalBase base;

    if (decision->keep || wal_base_of(decision->snapshot, &base) != WAL_BASE_GOOD)
        return false;
    newest = newest_base(all, base.system_id, false);
    *ret_id = base.system_id;
    return newest && id_equal(&newest->id, &decision->snapshot->id);
}

static bool holds_wal(OpenRepo *open, uint64_t system_id, bool *ret_holds, GError **error)
{
    g_autoptr(GArray) objects = NULL;

    if (!wal_object_list(open->repo, system_id, 0, &objects, NULL, error))
        return false;
    *ret_holds = objects->len > 0;
    return true;
}

static bool keep_newest(OpenRepo *open, ForgetPlan *plan, GError **error)
{
    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = 0; k < decisions->len; k++) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);
            bool holds = false;
            uint64_t id;

            if (is_last_base(plan->snapshots, decision, &id) && !holds_wal(open, id, &holds, error))
                return false;
            if (holds)
                keep(plan, decision->snapshot, "newest base of a cluster whose WAL is held");
        }
    }
    return true;
}

/* What rots on a disk is in every backup from then on: those from before must not be pushed out. */
static void keep_newest_clean(const ForgetPlan *plan)
{
    for (guint i = 0; i < plan->snapshots->len; i++) {
        const Snapshot *snapshot = g_ptr_array_index(plan->snapshots, i);
        const ForgetDecision *decision = decision_on(plan, snapshot);
        const Snapshot *newest;
        WalBase base;

        if (!decision || decision->keep || wal_base_of(snapshot, &base) != WAL_BASE_GOOD)
            continue;
        newest = newest_base(plan->snapshots, base.system_id, true);
        if (newest && id_equal(&newest->id, &snapshot->id))
            keep(plan, snapshot, "newest base without damaged pages");
    }
}

/* ---- the window ---- */

static void apply_facts(const WalFacts *facts, bool window_alone, const ForgetPlan *plan)
{
    for (guint i = 0; i < facts->snapshots->len; i++) {
        const Snapshot *snapshot = g_ptr_array_index(facts->snapshots, i);
        const char *reason = facts->pitr.bases[i].reason;

        if (facts->problem)
            reason = "what the point-in-time window needs is not known";
        if (window_alone && snapshot->time.sec <= clock_now().sec)
            leave_to_window(plan, snapshot);
        if (reason)
            keep(plan, snapshot, reason);
    }
}

static bool keep_window(OpenRepo *open, const ForgetRequest *request, const Cancel *cancel,
                        ForgetPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) clusters = NULL, facts = NULL;
    WalFactsFrom from = { .open = open,
                          .snapshots = plan->snapshots,
                          .window = request->keep_pitr };

    if (!op_wal_list(open, cancel, &clusters, NULL, error))
        return false;
    from.clusters = clusters;
    if (!wal_facts_gather(&from, &facts, error))
        return false;
    for (guint i = 0; i < facts->len; i++)
        apply_facts(g_ptr_array_index(facts, i), retention_is_empty(&request->policy), plan);
    return true;
}

bool forget_keep_bases(OpenRepo *open, const ForgetRequest *request, const Cancel *cancel,
                       ForgetPlan *plan, GError **error)
{
    if ((request->keep_pitr && !keep_window(open, request, cancel, plan, error)) ||
        !keep_newest(open, plan, error))
        return false;
    keep_newest_clean(plan);
    return true;
}

/* ---- by name ---- */

static bool pass_over(G_GNUC_UNUSED const Id *id, G_GNUC_UNUSED const GError *problem,
                      G_GNUC_UNUSED void *user)
{
    return true; // forget has told it
}

static bool guard(OpenRepo *open, const GPtrArray *all, const ForgetDecision *decision,
                  GError **error)
{
    bool holds;
    uint64_t id;

    if (!is_last_base(all, decision, &id))
        return true;
    if (!holds_wal(open, id, &holds, error))
        return false;
    if (holds)
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "snapshot %s is the newest base backup of cluster %" G_GUINT64_FORMAT
                    ", whose WAL would be worth nothing without it; nothing was removed. Take "
                    "another backup first, or say --unsafe-allow-remove-all",
                    id_short(&decision->snapshot->id).text, id);
    return !holds;
}

bool forget_guard_bases(OpenRepo *open, const ForgetPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) all = NULL;
    const GArray *decisions = g_array_index(plan->groups, ForgetGroup, 0).decisions;
    bool any = false;

    for (guint i = 0; i < decisions->len; i++)
        any |= snapshot_tag_value(g_array_index(decisions, ForgetDecision, i).snapshot,
                                  "system-id") != NULL;
    if (!any)
        return true;
    if (!snapshot_list(open->repo, pass_over, NULL, &all, error))
        return false;
    for (guint i = 0; i < decisions->len; i++)
        if (!guard(open, all, &g_array_index(decisions, ForgetDecision, i), error))
            return false;
    return true;
}
