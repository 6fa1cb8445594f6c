/* SPDX-License-Identifier: Apache-2.0 */
#include "op/wallist.h"

#include "base/error.h"
#include "op/walsegment.h"
#include "pg/walpage.h"

#define OPEN_TRIES 3u /* segments that are opened until one tells its size */

static void timeline_free(gpointer data)
{
    WalTimeline *timeline = data;

    g_array_unref(timeline->holes);
    g_array_unref(timeline->parts);
    g_array_unref(timeline->others);
    g_array_unref(timeline->objects);
    g_free(timeline->problem);
    g_free(timeline);
}

static void cluster_free(gpointer data)
{
    WalCluster *cluster = data;

    g_ptr_array_unref(cluster->timelines);
    g_free(cluster);
}

static WalCluster *claim_cluster(GPtrArray *clusters, uint64_t system_id)
{
    WalCluster *cluster = clusters->len > 0 ? g_ptr_array_index(clusters, clusters->len - 1) : NULL;

    if (cluster && cluster->system_id == system_id)
        return cluster;
    cluster = g_new0(WalCluster, 1);
    cluster->system_id = system_id;
    cluster->timelines = g_ptr_array_new_with_free_func(timeline_free);
    g_ptr_array_add(clusters, cluster);
    return cluster;
}

static WalTimeline *claim_timeline(WalCluster *cluster, uint32_t number)
{
    GPtrArray *timelines = cluster->timelines;
    WalTimeline *timeline =
        timelines->len > 0 ? g_ptr_array_index(timelines, timelines->len - 1) : NULL;

    if (timeline && timeline->timeline == number)
        return timeline;
    timeline = g_new0(WalTimeline, 1);
    timeline->timeline = number;
    timeline->holes = g_array_new(FALSE, FALSE, sizeof(WalHole));
    timeline->parts = g_array_new(FALSE, FALSE, sizeof(WalObject));
    timeline->others = g_array_new(FALSE, FALSE, sizeof(WalObject));
    timeline->objects = g_array_new(FALSE, FALSE, sizeof(WalInfo));
    g_ptr_array_add(timelines, timeline);
    return timeline;
}

static void set_problem(WalTimeline *timeline, const char *what)
{
    if (!timeline->problem)
        timeline->problem = g_strdup(what);
}

/* ---- places ---- */

/* A segment's length is what the cluster was made with; a page that it begins with says so, too. */
static uint32_t size_of(Repo *repo, const WalObject *object, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    WalName name;
    WalPage page;

    if (!wal_name_parse(object->name, &name, error) ||
        !wal_object_get(repo, object, &content, error) ||
        !wal_page_parse_first(&name, g_bytes_get_data(content, NULL), g_bytes_get_size(content),
                              &page, error))
        return 0;
    return page.segment_size;
}

static void learn_size(Repo *repo, WalTimeline *timeline, const WalInfo *segments, guint n)
{
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < MIN(n, OPEN_TRIES) && timeline->segment_size == 0; i++) {
        g_clear_error(&error);
        timeline->segment_size = size_of(repo, &segments[i].object, &error);
    }
    if (timeline->segment_size == 0 && error)
        set_problem(timeline, error->message);
}

static bool place_of(const WalObject *object, uint32_t segment_size, uint64_t *ret_lsn,
                     GError **error)
{
    WalName name;

    return wal_name_parse(object->name, &name, error) &&
           wal_name_lsn(&name, segment_size, ret_lsn, error);
}

/* segments are sorted by name, which is by position. */
static void find_holes(WalTimeline *timeline, const WalInfo *segments, guint n)
{
    for (guint i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;
        uint64_t lsn;

        if (!place_of(&segments[i].object, timeline->segment_size, &lsn, &error)) {
            set_problem(timeline, error->message);
            continue;
        }
        if (timeline->end == 0)
            timeline->begin = lsn;
        else if (lsn != timeline->end) {
            WalHole hole = { timeline->end, lsn };

            g_array_append_val(timeline->holes, hole);
        }
        timeline->end = lsn + timeline->segment_size;
    }
}

/* The newest part may lie further on than the segments that are held. */
static void find_last_hole(WalTimeline *timeline)
{
    WalName segment;
    uint64_t lsn;

    if (timeline->parts->len == 0 || timeline->end == 0 ||
        !wal_part_parse(g_array_index(timeline->parts, WalObject, timeline->parts->len - 1).name,
                        &segment, &lsn) ||
        !wal_name_lsn(&segment, timeline->segment_size, &lsn, NULL))
        return;
    if (lsn > timeline->end) {
        WalHole hole = { timeline->end, lsn };

        g_array_append_val(timeline->holes, hole);
    }
}

/* ---- sorting what is listed ---- */

static void add_object(WalTimeline *timeline, const WalInfo *info, GArray *segments)
{
    WalName name;
    uint64_t lsn;

    g_array_append_val(timeline->objects, *info);
    timeline->stored += info->size;
    timeline->newest_at = MAX(timeline->newest_at, info->modified_at);
    if (wal_part_parse(info->object.name, &name, &lsn)) {
        g_array_append_val(timeline->parts, info->object);
        return;
    }
    if (!wal_name_parse(info->object.name, &name, NULL) || name.kind != WAL_SEGMENT) {
        g_array_append_val(timeline->others, info->object);
        timeline->has_history |= g_str_has_suffix(info->object.name, ".history");
        return;
    }
    if (timeline->n_segments++ == 0)
        timeline->first = info->object;
    timeline->last = info->object;
    g_array_append_val(segments, *info);
}

/* The objects of one timeline, which begin at objects[i]; returns where the next ones begin. */
static guint add_timeline(Repo *repo, GPtrArray *clusters, const GArray *objects, guint i)
{
    g_autoptr(GArray) segments = g_array_new(FALSE, FALSE, sizeof(WalInfo));
    const WalObject *first = &g_array_index(objects, WalInfo, i).object;
    WalTimeline *timeline =
        claim_timeline(claim_cluster(clusters, first->system_id), wal_object_timeline(first));

    for (; i < objects->len; i++) {
        const WalInfo *info = &g_array_index(objects, WalInfo, i);

        if (info->object.system_id != first->system_id ||
            wal_object_timeline(&info->object) != timeline->timeline)
            break;
        add_object(timeline, info, segments);
    }
    learn_size(repo, timeline, (const WalInfo *)(const void *)segments->data, segments->len);
    if (timeline->segment_size != 0) {
        find_holes(timeline, (const WalInfo *)(const void *)segments->data, segments->len);
        find_last_hole(timeline);
    }
    return i;
}

bool op_wal_list(OpenRepo *open, const Cancel *cancel, GPtrArray **ret_clusters,
                 unsigned *ret_foreign, GError **error)
{
    g_autoptr(GPtrArray) clusters = g_ptr_array_new_with_free_func(cluster_free);
    g_autoptr(GArray) objects = NULL;

    if (!wal_object_list(open->repo, 0, 0, &objects, ret_foreign, error))
        return false;
    for (guint i = 0; i < objects->len;) {
        if (!cancel_check(cancel, error))
            return false;
        i = add_timeline(open->repo, clusters, objects, i);
    }
    *ret_clusters = g_steal_pointer(&clusters);
    return true;
}

const WalTimeline *wal_timeline_find(const GPtrArray *clusters, uint64_t system_id,
                                     uint32_t timeline)
{
    for (guint i = 0; i < clusters->len; i++) {
        const WalCluster *cluster = g_ptr_array_index(clusters, i);

        for (guint j = 0; cluster->system_id == system_id && j < cluster->timelines->len; j++) {
            const WalTimeline *found = g_ptr_array_index(cluster->timelines, j);

            if (found->timeline == timeline)
                return found;
        }
    }
    return NULL;
}
