/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walprune.h"

#include "base/error.h"
#include "op/walfacts.h"
#include "op/walsegment.h"
#include "pg/walname.h"
#include "pg/walpage.h"
#include "repo/walfloor.h"

#include <string.h>

#define REMOVE_AT_ONCE   1000u /* what one request takes */
#define SEGMENT_NAME_LEN 24u

static void cluster_free(gpointer data)
{
    WalPruneCluster *cluster = data;

    g_array_unref(cluster->doomed);
    g_array_unref(cluster->ranges);
    g_free(cluster->problem);
    g_free(cluster);
}

/* ---- places ---- */

/* Of a segment, and of what belongs to one: a label, what PostgreSQL or `wal receive` has of an
 * unfinished one. False for everything else, which stays. */
static bool place_of(const WalObject *object, uint32_t segment_size, uint64_t *ret_lsn)
{
    uint64_t lsn;
    WalName name;

    if (!wal_part_parse(object->name, &name, &lsn) && !wal_name_parse(object->name, &name, NULL))
        return false;
    if (name.kind == WAL_HISTORY || !wal_name_lsn(&name, segment_size, &lsn, NULL))
        return false;
    *ret_lsn = wal_segment_start(lsn, segment_size); // a label names a place within its segment
    return true;
}

typedef struct {
    WalInfo info;
    uint64_t lsn;
    bool segment;
} Doomed;

static gint by_place(gconstpointer a, gconstpointer b)
{
    const Doomed *left = a, *right = b;

    if (left->lsn != right->lsn)
        return left->lsn < right->lsn ? -1 : 1;
    return strcmp(left->info.object.name, right->info.object.name);
}

/* ---- deciding ---- */

static void choose(const WalFacts *facts, const WalTimeline *timeline, uint64_t lowest,
                   GArray *doomed)
{
    const PitrCluster *pitr = &facts->pitr; // of snapshots that are still there: those that stay
    const uint32_t size = facts->segment_size;

    for (guint i = 0; i < timeline->objects->len; i++) {
        Doomed item = { .info = g_array_index(timeline->objects, WalInfo, i) };

        if (!place_of(&item.info.object, size, &item.lsn) ||
            pitr_keeps(pitr->bases, pitr->n_bases, lowest, item.lsn, item.lsn + size,
                       item.info.modified_at, facts->since))
            continue;
        item.segment = strlen(item.info.object.name) == SEGMENT_NAME_LEN;
        g_array_append_val(doomed, item);
    }
}

static WalRange *last_range(const WalPruneCluster *cluster, uint32_t timeline)
{
    for (guint i = cluster->ranges->len; i-- > 0;)
        if (g_array_index(cluster->ranges, WalRange, i).timeline == timeline)
            return &g_array_index(cluster->ranges, WalRange, i);
    return NULL;
}

static void add_segment(WalPruneCluster *cluster, const Doomed *item, uint32_t size)
{
    const WalObject *object = &item->info.object;
    WalRange fresh = { wal_object_timeline(object), *object, *object, 0, item->lsn };
    WalRange *range = last_range(cluster, fresh.timeline);

    if (!range || range->end != item->lsn) {
        g_array_append_val(cluster->ranges, fresh);
        range = last_range(cluster, fresh.timeline);
    }
    range->last = *object;
    range->end = item->lsn + size;
    range->n++;
    cluster->n_doomed++;
}

static void take_over(WalPruneCluster *cluster, const GArray *doomed, uint32_t size)
{
    for (guint i = 0; i < doomed->len; i++) {
        const Doomed *item = &g_array_index(doomed, Doomed, i);

        g_array_append_val(cluster->doomed, item->info);
        cluster->bytes += item->info.size;
        if (item->segment)
            add_segment(cluster, item, size);
    }
}

/* ---- are they where they are thought to be? ---- */

/* Where that cannot be read it is nobody's WAL any more; an outage says nothing. */
static bool is_unreadable(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

/* NULL, or what is wrong. */
static char *look_at(Repo *repo, const WalObject *object, uint32_t segment_size)
{
    g_autoptr(GError) failure = NULL;
    g_autoptr(GBytes) content = NULL;
    WalName name;
    WalPage page;

    if (!wal_name_parse(object->name, &name, &failure) ||
        !wal_object_get(repo, object, &content, &failure) ||
        !wal_page_parse_first(&name, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                              &page, &failure))
        return is_unreadable(failure) ? NULL : g_strdup(failure->message);
    return page.segment_size == segment_size
               ? NULL
               : g_strdup_printf("%s is of segments of %u bytes, others of %u (pg_resetwal "
                                 "--wal-segsize?), so that names do not tell where they lie; "
                                 "archive into another repository from now on",
                                 object->name, page.segment_size, segment_size);
}

/* After a change of the length of segments the same timeline has names of two kinds, and those of
 * the newest WAL may look like the oldest. */
static void look_at_ranges(Repo *repo, uint32_t segment_size, WalPruneCluster *cluster)
{
    for (guint i = 0; i < cluster->ranges->len && !cluster->problem; i++) {
        const WalRange *range = &g_array_index(cluster->ranges, WalRange, i);

        cluster->problem = look_at(repo, &range->first, segment_size);
        if (!cluster->problem && range->n > 1)
            cluster->problem = look_at(repo, &range->last, segment_size);
    }
    if (!cluster->problem)
        return;
    g_array_set_size(cluster->doomed, 0);
    g_array_set_size(cluster->ranges, 0);
    cluster->n_doomed = 0;
    cluster->bytes = 0;
}

static WalPruneCluster *decide(Repo *repo, const WalFacts *facts)
{
    WalPruneCluster *cluster = g_new0(WalPruneCluster, 1);
    g_autoptr(GArray) doomed = g_array_new(FALSE, FALSE, sizeof(Doomed));
    const bool window = facts->since != INT64_MAX;

    cluster->system_id = facts->system_id;
    cluster->n_bases = facts->bases->len;
    cluster->doomed = g_array_new(FALSE, FALSE, sizeof(WalInfo));
    cluster->ranges = g_array_new(FALSE, FALSE, sizeof(WalRange));
    cluster->problem = g_strdup(facts->problem);
    cluster->floor = UINT64_MAX;
    for (guint i = 0; i < facts->held->timelines->len; i++)
        cluster->n_segments +=
            ((const WalTimeline *)g_ptr_array_index(facts->held->timelines, i))->n_segments;
    if (facts->problem || facts->bases->len == 0 || facts->segment_size == 0)
        return cluster;
    cluster->floor = pitr_floor(&facts->pitr, window);
    cluster->leaves_islands = cluster->floor > pitr_floor(&facts->pitr, false);
    for (guint i = 0; i < facts->held->timelines->len; i++)
        choose(facts, g_ptr_array_index(facts->held->timelines, i), cluster->floor, doomed);
    g_array_sort(doomed, by_place);
    take_over(cluster, doomed, facts->segment_size);
    look_at_ranges(repo, facts->segment_size, cluster);
    return cluster;
}

static bool is_among(const Snapshot *snapshot, const GArray *ids)
{
    for (guint i = 0; ids && i < ids->len; i++)
        if (id_equal(&g_array_index(ids, Id, i), &snapshot->id))
            return true;
    return false;
}

static bool lists_all(const GPtrArray *snapshots, const GArray *known, GError **error)
{
    g_autoptr(GHashTable) listed = g_hash_table_new(id_hash, id_equal_func);

    for (guint i = 0; i < snapshots->len; i++)
        g_hash_table_add(listed, &((Snapshot *)g_ptr_array_index(snapshots, i))->id);
    for (guint i = 0; known && i < known->len; i++) {
        const Id *id = &g_array_index(known, Id, i);

        if (g_hash_table_contains(listed, id))
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "nothing removed: snapshot %s was listed a moment ago and is not listed now, "
                    "although nobody else is at work; the store's listings cannot be relied upon, "
                    "try later",
                    id_short(id).text);
        return false;
    }
    return true;
}

bool wal_prune_plan(OpenRepo *open, const WalPruneRequest *request, const Cancel *cancel,
                    GPtrArray **ret_clusters, GError **error)
{
    g_autoptr(GPtrArray) snapshots = NULL, held = NULL, facts = NULL;
    g_autoptr(GPtrArray) clusters = g_ptr_array_new_with_free_func(cluster_free);
    WalFactsFrom from = { .open = open, .window = request->window };

    if (!op_wal_list(open, cancel, &held, NULL, error) ||
        !snapshot_list(open->repo, NULL, NULL, &snapshots, error) ||
        !lists_all(snapshots, request->known, error))
        return false;
    for (guint i = snapshots->len; i-- > 0;)
        if (is_among(g_ptr_array_index(snapshots, i), request->gone))
            g_ptr_array_remove_index(snapshots, i);
    from.snapshots = snapshots;
    from.clusters = held;
    if (!wal_facts_gather(&from, &facts, error))
        return false;
    for (guint i = 0; i < facts->len; i++) {
        const WalFacts *one = g_ptr_array_index(facts, i);

        if (one->held)
            g_ptr_array_add(clusters, decide(open->repo, one));
    }
    *ret_clusters = g_steal_pointer(&clusters);
    return true;
}

/* ---- removing ---- */

static void note_kept(G_GNUC_UNUSED const char *key, int64_t until, void *user)
{
    ProtectKept *kept = user;

    kept->until = kept->n > 0 && (until == 0 || kept->until == 0) ? 0 : MAX(kept->until, until);
    kept->n++;
}

GHashTable *wal_prune_doomed(const GPtrArray *clusters)
{
    GHashTable *keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < clusters->len; i++) {
        const GArray *doomed = ((WalPruneCluster *)g_ptr_array_index(clusters, i))->doomed;

        for (guint k = 0; k < doomed->len; k++)
            g_hash_table_add(
                keys, g_strdup(wal_object_key(&g_array_index(doomed, WalInfo, k).object).text));
    }
    return keys;
}

static bool remove_batch(OpenRepo *open, const WalInfo *infos, guint n, bool purge,
                         ProtectKept *kept, GError **error)
{
    Store *store = repo_store(open->repo);
    g_autofree WalKey *names = g_new(WalKey, n);
    g_autofree const char **keys = g_new(const char *, n);

    for (guint i = 0; i < n; i++) {
        names[i] = wal_object_key(&infos[i].object);
        keys[i] = names[i].text;
    }
    return purge ? store_purge_many(store, keys, n, note_kept, kept, error)
                 : store_remove_many(store, keys, n, error);
}

static bool remove_cluster(OpenRepo *open, const WalPruneCluster *cluster, bool purge,
                           const Cancel *cancel, ProtectKept *kept, GError **error)
{
    const GArray *doomed = cluster->doomed;

    if (doomed->len == 0)
        return true;
    if (!lock_check(open->lock, error) ||
        (cluster->leaves_islands &&
         !wal_floor_raise(open->repo, cluster->system_id, cluster->floor, error)))
        return false;
    for (guint i = 0; i < doomed->len; i += REMOVE_AT_ONCE)
        if (!cancel_check(cancel, error) || !lock_check(open->lock, error) ||
            !remove_batch(open, &g_array_index(doomed, WalInfo, i),
                          MIN(doomed->len - i, REMOVE_AT_ONCE), purge, kept, error))
            return false;
    return true;
}

bool wal_prune_execute(OpenRepo *open, const GPtrArray *clusters, bool purge, const Cancel *cancel,
                       ProtectKept *kept, GError **error)
{
    for (guint i = 0; i < clusters->len; i++)
        if (!remove_cluster(open, g_ptr_array_index(clusters, i), purge, cancel, kept, error))
            return false;
    return true;
}
