/* SPDX-License-Identifier: Apache-2.0 */
#include "op/group.h"

#include "base/error.h"
#include "codec/json.h"
#include <stdlib.h>
#include <string.h>

bool group_by_parse(const char *text, GroupBy *ret_by, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    GroupBy by = { 0 };

    for (char **word = words; *word; word++) {
        g_strstrip(*word);
        if (strcmp(*word, "host") == 0 || strcmp(*word, "hosts") == 0) {
            by.host = true;
        } else if (strcmp(*word, "path") == 0 || strcmp(*word, "paths") == 0) {
            by.paths = true;
        } else if (strcmp(*word, "tag") == 0 || strcmp(*word, "tags") == 0) {
            by.tags = true;
        } else if (**word) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "--group-by %s: write a comma list of host, paths and tags", text);
            return false;
        }
    }
    *ret_by = by;
    return true;
}

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static GStrv sorted(GStrv list)
{
    GStrv copy = g_strdupv(list);

    qsort(copy, g_strv_length(copy), sizeof *copy, compare_text);
    return copy;
}

static void append_list(GString *key, GStrv list)
{
    g_string_append_c(key, '[');
    for (char **text = list; text && *text; text++)
        json_append_string(key, *text, strlen(*text));
    g_string_append_c(key, ']');
}

/* Unambiguous, whatever the names hold. */
static char *group_key(const SnapshotGroup *group)
{
    GString *key = g_string_new(NULL);

    if (group->host)
        json_append_string(key, group->host, strlen(group->host));
    if (group->source)
        json_append_string(key, group->source, strlen(group->source));
    append_list(key, group->paths);
    append_list(key, group->tags);
    return g_string_free(key, FALSE);
}

static void group_free(gpointer data)
{
    SnapshotGroup *group = data;

    if (!group)
        return;
    g_free(group->host);
    g_free(group->source);
    g_strfreev(group->paths);
    g_strfreev(group->tags);
    g_ptr_array_unref(group->snapshots);
    g_free(group);
}

static SnapshotGroup *group_for(const Snapshot *snapshot, GroupBy by)
{
    SnapshotGroup *group = g_new0(SnapshotGroup, 1);
    const char *source = by.source ? snapshot_tag_value(snapshot, "source") : NULL;

    group->source = g_strdup(source);
    group->host = by.host ? g_strdup(snapshot->hostname) : NULL;
    group->paths = by.paths || (by.source && !source) ? sorted(snapshot->paths) : NULL;
    group->tags = by.tags ? sorted(snapshot->tags) : NULL;
    group->snapshots = g_ptr_array_new();
    return group;
}

bool group_same(const Snapshot *a, const Snapshot *b, GroupBy by)
{
    SnapshotGroup *left = group_for(a, by), *right = group_for(b, by);
    g_autofree char *left_key = group_key(left), *right_key = group_key(right);

    group_free(left);
    group_free(right);
    return strcmp(left_key, right_key) == 0;
}

static gint compare_key(gconstpointer a, gconstpointer b, gpointer keys)
{
    return strcmp(g_hash_table_lookup(keys, *(gconstpointer const *)a),
                  g_hash_table_lookup(keys, *(gconstpointer const *)b));
}

GPtrArray *group_snapshots(const GPtrArray *snapshots, GroupBy by)
{
    GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);
    g_autoptr(GHashTable) by_key = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) keys = g_hash_table_new(NULL, NULL); // group -> its key in by_key

    for (guint i = 0; i < snapshots->len; i++) {
        Snapshot *snapshot = snapshots->pdata[i];
        SnapshotGroup *fresh = group_for(snapshot, by);
        g_autofree char *key = group_key(fresh);
        SnapshotGroup *group = g_hash_table_lookup(by_key, key);

        if (group) {
            group_free(fresh);
        } else {
            group = fresh;
            g_ptr_array_add(groups, group);
            g_hash_table_insert(keys, group, key);
            g_hash_table_insert(by_key, g_steal_pointer(&key), group);
        }
        g_ptr_array_add(group->snapshots, snapshot);
    }
    g_ptr_array_sort_with_data(groups, compare_key, keys);
    return groups;
}

void group_keep_newest(GPtrArray *snapshots, GroupBy by, guint n)
{
    g_autoptr(GPtrArray) groups = group_snapshots(snapshots, by);
    g_autoptr(GHashTable) old = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < groups->len; i++) {
        const SnapshotGroup *group = groups->pdata[i];

        for (guint k = 0; k + n < group->snapshots->len; k++)
            g_hash_table_add(old, group->snapshots->pdata[k]);
    }
    for (guint i = snapshots->len; i-- > 0;)
        if (g_hash_table_contains(old, snapshots->pdata[i]))
            g_ptr_array_remove_index(snapshots, i);
}
