/* SPDX-License-Identifier: Apache-2.0 */
#include "op/wallist.h"

#include "cmd/output.h"
#include "cmd/table.h"
#include "cmd/wal.h"
#include "op/walsegment.h"
#include "plan/amount.h"

/* ---- as JSON ---- */

static json_t *json_segment(const WalTimeline *timeline, uint64_t lsn)
{
    WalName name = wal_name_of(timeline->timeline, lsn, timeline->segment_size);

    return json_string(wal_name_text(&name).text);
}

static json_t *json_holes(const WalTimeline *timeline)
{
    json_t *array = json_array();

    for (guint i = 0; i < timeline->holes->len; i++) {
        const WalHole *hole = &g_array_index(timeline->holes, WalHole, i);
        uint64_t n = (hole->end - hole->begin) / timeline->segment_size;

        json_array_append_new(
            array, json_pack("{s:o, s:o, s:I}", "first", json_segment(timeline, hole->begin),
                             "last", json_segment(timeline, hole->end - timeline->segment_size),
                             "segments", (json_int_t)n));
    }
    return array;
}

static json_t *json_parts(const WalTimeline *timeline)
{
    json_t *array = json_array();

    for (guint i = 0; i < timeline->parts->len; i++) {
        const WalObject *object = &g_array_index(timeline->parts, WalObject, i);
        WalName segment;
        uint64_t lsn;

        if (wal_part_parse(object->name, &segment, &lsn))
            json_array_append_new(array, json_pack("{s:s, s:s, s:s}", "name", object->name,
                                                   "segment", wal_name_text(&segment).text,
                                                   "end_lsn", lsn_text(lsn).text));
    }
    return array;
}

static json_t *json_others(const WalTimeline *timeline)
{
    json_t *array = json_array();

    for (guint i = 0; i < timeline->others->len; i++)
        json_array_append_new(array,
                              json_string(g_array_index(timeline->others, WalObject, i).name));
    return array;
}

static json_t *json_timeline(const WalTimeline *timeline)
{
    json_t *object = json_pack("{s:i, s:i, s:b, s:I, s:o}", "timeline", (int)timeline->timeline,
                               "segments", (int)timeline->n_segments, "history",
                               timeline->has_history, "stored_size", (json_int_t)timeline->stored,
                               "newest", json_time((Timestamp){ .sec = timeline->newest_at }));

    if (timeline->n_segments > 0) {
        json_object_set_new(object, "first", json_string(timeline->first.name));
        json_object_set_new(object, "last", json_string(timeline->last.name));
    }
    if (timeline->segment_size > 0) {
        json_object_set_new(object, "segment_size", json_integer(timeline->segment_size));
        json_object_set_new(object, "begin_lsn", json_string(lsn_text(timeline->begin).text));
        json_object_set_new(object, "end_lsn", json_string(lsn_text(timeline->end).text));
    }
    json_object_set_new(object, "gaps", json_holes(timeline));
    json_object_set_new(object, "parts", json_parts(timeline));
    json_object_set_new(object, "other_files", json_others(timeline));
    if (timeline->problem)
        json_object_set_new(object, "problem", json_bytes(timeline->problem));
    return object;
}

static void tell_json(const GPtrArray *clusters)
{
    json_t *array = json_array();

    for (guint i = 0; i < clusters->len; i++) {
        const WalCluster *cluster = g_ptr_array_index(clusters, i);
        g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, cluster->system_id);
        json_t *timelines = json_array();

        for (guint j = 0; j < cluster->timelines->len; j++)
            json_array_append_new(timelines,
                                  json_timeline(g_ptr_array_index(cluster->timelines, j)));
        json_array_append_new(
            array, json_pack("{s:s, s:o}", "system_identifier", id, "timelines", timelines));
    }
    output_json(array);
}

/* ---- for people ---- */

static void add_row(Table *table, const WalTimeline *timeline)
{
    g_autofree char *number = g_strdup_printf("%u", timeline->timeline);
    g_autofree char *n = g_strdup_printf("%u", timeline->n_segments);
    g_autofree char *gaps = g_strdup_printf("%u", timeline->holes->len);
    g_autofree char *size = size_format(timeline->stored);
    g_autofree char *newest = output_time((Timestamp){ .sec = timeline->newest_at });

    table_add(table,
              (const char *const[]){ number, timeline->n_segments > 0 ? timeline->first.name : "",
                                     timeline->n_segments > 0 ? timeline->last.name : "", n, gaps,
                                     size, newest });
}

static void print_holes(const WalTimeline *timeline)
{
    for (guint i = 0; i < timeline->holes->len; i++) {
        const WalHole *hole = &g_array_index(timeline->holes, WalHole, i);
        uint64_t n = (hole->end - hole->begin) / timeline->segment_size;
        WalName first = wal_name_of(timeline->timeline, hole->begin, timeline->segment_size);
        WalName last = wal_name_of(timeline->timeline, hole->end - timeline->segment_size,
                                   timeline->segment_size);

        printf("gap: timeline %u lacks %" G_GUINT64_FORMAT " from %s to %s\n", timeline->timeline,
               n, wal_name_text(&first).text, wal_name_text(&last).text);
    }
    if (timeline->problem)
        printf("problem: timeline %u: %s\n", timeline->timeline, timeline->problem);
}

static void print_parts(const WalTimeline *timeline)
{
    for (guint i = 0; i < timeline->parts->len; i++) {
        WalName segment;
        uint64_t lsn;

        if (wal_part_parse(g_array_index(timeline->parts, WalObject, i).name, &segment, &lsn))
            printf("part: %s up to %s\n", wal_name_text(&segment).text, lsn_text(lsn).text);
    }
}

static void print_others(const WalTimeline *timeline)
{
    for (guint i = 0; i < timeline->others->len; i++)
        printf("also: %s\n", g_array_index(timeline->others, WalObject, i).name);
}

static void print_cluster(const WalCluster *cluster)
{
    g_autoptr(Table) table = table_new((const char *const[]){
        "Timeline", "First", "Last", "Segments", "Gaps", "Stored", "Newest", NULL });

    printf("cluster %" G_GUINT64_FORMAT "\n", cluster->system_id);
    for (guint i = 0; i < cluster->timelines->len; i++)
        add_row(table, g_ptr_array_index(cluster->timelines, i));
    table_print(table, stdout);
    for (guint i = 0; i < cluster->timelines->len; i++) {
        print_holes(g_ptr_array_index(cluster->timelines, i));
        print_parts(g_ptr_array_index(cluster->timelines, i));
        print_others(g_ptr_array_index(cluster->timelines, i));
    }
}

bool wal_list_run(const Context *context, OpenRepo *open, GError **error)
{
    g_autoptr(GPtrArray) clusters = NULL;
    unsigned foreign;

    if (!op_wal_list(open, context->cancel, &clusters, &foreign, error))
        return false;
    if (context->settings->json) {
        tell_json(clusters);
        return true;
    }
    for (guint i = 0; i < clusters->len; i++)
        print_cluster(g_ptr_array_index(clusters, i));
    if (clusters->len == 0 && !context->settings->quiet)
        printf("no WAL is held\n");
    if (foreign > 0 && !context->settings->quiet)
        printf("%u other objects below wal/\n", foreign);
    return true;
}
