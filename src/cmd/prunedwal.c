/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/prunedwal.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "pg/walname.h"
#include "plan/amount.h"

#include <stdio.h>

static json_t *json_ranges(const WalPruneCluster *cluster)
{
    json_t *array = json_array();

    for (guint i = 0; i < cluster->ranges->len; i++) {
        const WalRange *range = &g_array_index(cluster->ranges, WalRange, i);

        json_array_append_new(array,
                              json_pack("{s:i, s:s, s:s, s:i}", "timeline", (int)range->timeline,
                                        "first", range->first.name, "last", range->last.name,
                                        "segments", (int)range->n));
    }
    return array;
}

static void tell_json(const WalPruneCluster *cluster, bool dry_run)
{
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, cluster->system_id);
    json_t *object =
        json_pack("{s:s, s:b, s:s, s:i, s:i, s:i, s:i, s:I, s:o}", "message_type", "wal_pruned",
                  "dry_run", dry_run, "system_identifier", id, "bases", (int)cluster->n_bases,
                  "segments", (int)cluster->n_segments, "segments_remove", (int)cluster->n_doomed,
                  "files_remove", (int)cluster->doomed->len, "bytes_remove",
                  (json_int_t)cluster->bytes, "ranges", json_ranges(cluster));

    if (cluster->floor != UINT64_MAX)
        json_object_set_new(object, "keeps_from_lsn", json_string(lsn_text(cluster->floor).text));
    if (cluster->problem)
        json_object_set_new(object, "problem", json_bytes(cluster->problem));
    output_json(object);
}

static void print(const WalPruneCluster *cluster)
{
    g_autofree char *size = size_format(cluster->bytes);

    printf("WAL of cluster %" G_GUINT64_FORMAT ": ", cluster->system_id);
    if (cluster->problem)
        printf("nothing is removed: %s\n", cluster->problem);
    else if (cluster->n_bases == 0)
        printf("nothing is removed: there is no base backup of it\n");
    else
        printf("%u of %u %s to remove, %s; all from %s on stays\n", cluster->n_doomed,
               cluster->n_segments, plural(cluster->n_segments, "segment", "segments"), size,
               lsn_text(cluster->floor).text);
    for (guint i = 0; i < cluster->ranges->len; i++) {
        const WalRange *range = &g_array_index(cluster->ranges, WalRange, i);

        printf("  timeline %u: %u from %s to %s\n", range->timeline, range->n, range->first.name,
               range->last.name);
    }
}

void pruned_wal_tell(const Settings *settings, const GPtrArray *clusters, bool dry_run)
{
    for (guint i = 0; i < clusters->len; i++)
        if (settings->json)
            tell_json(g_ptr_array_index(clusters, i), dry_run);
        else if (!settings->quiet)
            print(g_ptr_array_index(clusters, i));
    if (clusters->len > 0 && !settings->json && !settings->quiet)
        printf("\n");
}

bool pruned_wal_complete(const GPtrArray *clusters, GError **error)
{
    for (guint i = 0; i < clusters->len; i++) {
        const WalPruneCluster *cluster = g_ptr_array_index(clusters, i);

        if (!cluster->problem)
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "WAL of cluster %" G_GUINT64_FORMAT " was left alone: %s", cluster->system_id,
                    cluster->problem);
        return false;
    }
    return true;
}
