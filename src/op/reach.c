/* SPDX-License-Identifier: Apache-2.0 */
#include "op/reach.h"

#include "base/error.h"
#include "base/log.h"
#include "op/reachbase.h"
#include "op/select.h"
#include "op/walbase.h"

#include <string.h>

void reach_clear(Reach *reach)
{
    cluster_base_clear(&reach->base);
    g_clear_pointer(&reach->snapshots, g_ptr_array_unref);
    g_clear_pointer(&reach->made, g_array_unref);
}

/* ---- choosing ---- */

typedef struct {
    Repo *repo;
    const ReachRequest *request;
    const Cancel *cancel;
    GPtrArray *snapshots; // borrowed: of Snapshot, the one to try first last
    WalHeld *held;
    uint32_t latest;
    uint64_t limit; // what begins here on was looked at, on the way to
    uint32_t limit_timeline;
    GError *problems[NOT_ON_WAY + 1]; // the one that tells most of each verdict
} Choosing;

static void choosing_done(Choosing *choosing)
{
    wal_held_free(choosing->held);
    for (size_t i = 0; i < G_N_ELEMENTS(choosing->problems); i++)
        g_clear_error(&choosing->problems[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Choosing, choosing_done)

static uint32_t timeline_for(const Choosing *choosing, const ClusterBase *base)
{
    switch (choosing->request->target->way) {
    case RECOVERY_TIMELINE_CURRENT:
        return base->timeline;
    case RECOVERY_TIMELINE:
        return choosing->request->target->timeline;
    case RECOVERY_TIMELINE_LATEST:
        break;
    }
    return choosing->latest;
}

/* The first of its kind, but of those that begin too late the oldest. Takes problem. */
static void remember(Choosing *choosing, Verdict verdict, GError *problem)
{
    GError **place = &choosing->problems[verdict];

    if (verdict == TOO_EARLY)
        g_clear_error(place);
    if (*place)
        g_error_free(problem);
    else
        *place = problem;
}

/* Whether an older base may do what this one cannot: the place of a transaction or a name is not
 * known before it is found. */
static bool older_may_do(const Choosing *choosing, Verdict verdict)
{
    WalTargetKind kind = choosing->request->target->target.kind;

    return verdict != NOT_REACHED || kind == WAL_TARGET_XID || kind == WAL_TARGET_NAME;
}

/* False with error unset: an older one may be tried. */
static bool try_base(Choosing *choosing, ClusterBase *base, bool *ret_more, Reach *reach,
                     GError **error)
{
    uint32_t timeline = timeline_for(choosing, base);
    ReachBase asked = {
        .held = choosing->held,
        .timeline = timeline,
        .target = &choosing->request->target->target,
        .limit = timeline == choosing->limit_timeline ? choosing->limit : UINT64_MAX,
    };
    GError *problem = NULL;
    Verdict verdict;

    if (!reach_base(base, &asked, choosing->cancel, &verdict, reach, &problem, error))
        return false;
    if (verdict == REACHED)
        return true;
    if (verdict == NOT_REACHED) {
        choosing->limit = base->start;
        choosing->limit_timeline = timeline;
    }
    remember(choosing, verdict, problem);
    *ret_more = older_may_do(choosing, verdict);
    return false;
}

/* The reason that helps most: where the WAL ends, else that there is nothing older. */
static bool refuse(Choosing *choosing, GError **error)
{
    static const Verdict order[] = { NOT_REACHED, UNUSABLE, TOO_EARLY, NOT_ON_WAY };
    const char *hint = "";

    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        GError *problem = g_steal_pointer(&choosing->problems[order[i]]);

        if (!problem)
            continue;
        if (order[i] == TOO_EARLY)
            hint = choosing->request->snapshot
                       ? " (without a snapshot the one that can reach it is chosen)"
                       : " (there is no earlier one on this way)";
        if (order[i] == NOT_ON_WAY)
            hint = "; --target-timeline chooses another way, of the base backup itself: current";
        g_set_error(error, problem->domain, problem->code, "%s%s", problem->message, hint);
        g_error_free(problem);
        return false;
    }
    g_set_error_literal(error, BS_ERROR, BS_ERROR_WAL_GAP,
                        "no snapshot of the cluster can be used");
    return false;
}

static bool try_each(Choosing *choosing, Reach *reach, GError **error)
{
    bool more = true;

    for (guint i = choosing->snapshots->len; more && i-- > 0;) {
        g_autoptr(GError) failure = NULL;
        g_auto(ClusterBase) base = { 0 };

        g_assert(cluster_base_init(&base, choosing->repo, choosing->snapshots->pdata[i]));
        if (try_base(choosing, &base, &more, reach, &failure)) {
            reach->base = base;
            base = (ClusterBase){ 0 };
            return true;
        }
        if (!failure)
            continue;
        if (choosing->request->snapshot || !g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        log_warn("base backup cannot be used", "snapshot", id_short(&base.snapshot->id).text,
                 "error", failure->message, NULL);
    }
    return refuse(choosing, error);
}

/* ---- which snapshots ---- */

static bool is_wanted(Repo *repo, const ReachRequest *request, const Snapshot *snapshot)
{
    ClusterBase base;

    return cluster_base_init(&base, repo, snapshot) &&
           (request->system_id == 0 || request->system_id == base.system_id);
}

static bool select_named(Repo *repo, const ReachRequest *request, GPtrArray **ret_snapshots,
                         GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *path = NULL;
    unsigned unreadable;

    if (!select_snapshot(repo, request->snapshot, &request->filter, &snapshot, &path, &unreadable,
                         error))
        return false;
    if (path || !is_wanted(repo, request, snapshot)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: %s; a recovery to a target begins with a whole snapshot of a cluster "
                    "(backup pgcluster:...)",
                    request->snapshot,
                    path ? "a path in a snapshot" : "not the snapshot of this cluster");
        return false;
    }
    *ret_snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
    g_ptr_array_add(*ret_snapshots, g_steal_pointer(&snapshot));
    return true;
}

static bool select_all(Repo *repo, const ReachRequest *request, GPtrArray **ret_snapshots,
                       GError **error)
{
    g_autoptr(GPtrArray) snapshots = NULL;
    unsigned unreadable;

    if (!select_snapshots(repo, NULL, &request->filter, &snapshots, &unreadable, error))
        return false;
    for (guint i = snapshots->len; i-- > 0;)
        if (!is_wanted(repo, request, snapshots->pdata[i]))
            g_ptr_array_remove_index(snapshots, i);
    // the newest is one of them, and not of what else is saved
    if (request->snapshot && snapshots->len > 1)
        g_ptr_array_remove_range(snapshots, 0, snapshots->len - 1);
    if (snapshots->len > 0) {
        *ret_snapshots = g_steal_pointer(&snapshots);
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "there is no snapshot of %s; backstay snapshots --tag kind=pgcluster lists them",
                request->system_id ? "that cluster" : "a cluster");
    return false;
}

/* Two clusters never mix, and which one is wanted only a person knows. */
static bool one_cluster(Repo *repo, const GPtrArray *snapshots, uint64_t *ret_id, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GString) names = g_string_new(NULL);

    for (guint i = 0; i < snapshots->len; i++) {
        const Snapshot *snapshot = snapshots->pdata[i];
        const char *source = snapshot_tag_value(snapshot, "source");
        ClusterBase base;
        char *id;

        g_assert(cluster_base_init(&base, repo, snapshot));
        id = g_strdup_printf("%" G_GUINT64_FORMAT, base.system_id);
        if (!g_hash_table_contains(seen, id))
            g_string_append_printf(names, "%s%s (%s)", names->len ? ", " : "", id,
                                   source ? source : "?");
        g_hash_table_add(seen, id);
        *ret_id = base.system_id;
    }
    if (g_hash_table_size(seen) == 1)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "the repository holds several clusters; say which one with --system-id ID, or "
                "--tag source=NAME: %s",
                names->str);
    return false;
}

/* By where they begin: a standby that lags gives newer ones that begin earlier. */
static gint by_start(gconstpointer a, gconstpointer b)
{
    WalBase left, right;

    (void)wal_base_of(*(const Snapshot *const *)a, &left); // is_wanted() has seen to it
    (void)wal_base_of(*(const Snapshot *const *)b, &right);
    return left.start < right.start ? -1 : left.start > right.start;
}

static uint32_t latest_timeline(const Choosing *choosing)
{
    uint32_t latest = wal_held_latest(choosing->held);

    for (guint i = 0; i < choosing->snapshots->len; i++) {
        ClusterBase base;

        g_assert(cluster_base_init(&base, choosing->repo, choosing->snapshots->pdata[i]));
        latest = MAX(latest, base.timeline);
    }
    return latest;
}

bool op_reach(Repo *repo, const ReachRequest *request, const Cancel *cancel, Reach *ret_reach,
              GError **error)
{
    g_auto(Reach) reach = { 0 };
    g_auto(Choosing) choosing = { .repo = repo, .request = request, .cancel = cancel };
    bool named = request->snapshot && strcmp(request->snapshot, "latest") != 0;
    uint64_t system_id = 0;

    if (!(named ? select_named(repo, request, &reach.snapshots, error)
                : select_all(repo, request, &reach.snapshots, error)) ||
        !one_cluster(repo, reach.snapshots, &system_id, error))
        return false;
    // on one way positions rise; without one the newest says which it is
    if (request->target->way != RECOVERY_TIMELINE_CURRENT)
        g_ptr_array_sort(reach.snapshots, by_start);
    choosing.snapshots = reach.snapshots;
    choosing.held = wal_held_list(repo, system_id, error);
    if (!choosing.held)
        return false;
    choosing.latest = latest_timeline(&choosing);
    if (!try_each(&choosing, &reach, error))
        return false;
    *ret_reach = reach;
    reach = (Reach){ 0 };
    return true;
}
