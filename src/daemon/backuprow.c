/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/backuprow.h"

#include "base/error.h"
#include <string.h>

bool backup_row_is(const RunRow *row)
{
    return (strcmp(row->kind, "backup") == 0 || strcmp(row->kind, "import") == 0) &&
           1u << row->state & BACKUP_LEFT;
}

/* What came from a file of a run is no more than a claim. */
static const char *id_of(const json_t *snapshot)
{
    const char *id = json_string_value(json_object_get(snapshot, "snapshot_id"));

    return id && *id && strspn(id, "0123456789abcdef") == strlen(id) ? id : NULL;
}

bool backup_row_snapshot(const RunRow *row, const char *source, BackupSnapshot *ret_snapshot,
                         GError **error)
{
    const json_t *snapshots = row->detail ? json_object_get(row->detail, "snapshots") : NULL;
    unsigned found = 0;

    for (size_t i = 0; i < json_array_size(snapshots); i++) {
        const json_t *one = json_array_get(snapshots, i);
        const char *id = id_of(one), *name = json_string_value(json_object_get(one, "source"));

        if (!id || !name || (source && strcmp(source, name) != 0))
            continue;
        *ret_snapshot =
            (BackupSnapshot){ id, name, json_string_value(json_object_get(one, "kind")) };
        found++;
    }
    if (found == 1)
        return true;
    if (found == 0)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the backup has no snapshot%s",
                    source ? " of that source" : "");
    else
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the backup has several snapshots; name one by \"source\"");
    return false;
}

char **backup_row_snapshots(const RunRow *row)
{
    const json_t *snapshots = row->detail ? json_object_get(row->detail, "snapshots") : NULL;
    g_autoptr(GStrvBuilder) ids = g_strv_builder_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < json_array_size(snapshots); i++) {
        const char *id = id_of(json_array_get(snapshots, i));

        if (id && g_hash_table_add(seen, (gpointer)id))
            g_strv_builder_add(ids, id);
    }
    return g_strv_builder_end(ids);
}

int64_t backup_row_group_ms(const RunRow *row, const char *name)
{
    const json_t *value = json_object_get(json_object_get(row->detail, "group"), name);

    return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer_value(value)
                                                                    : -1;
}

bool backup_row_is_proven_by(const RunRow *row, const RunRow *drill)
{
    const json_t *task = json_object_get(drill->detail, "task");
    const char *backup = json_string_value(json_object_get(task, "backup"));
    g_auto(GStrv) ours = backup_row_snapshots(row), theirs = backup_row_snapshots(drill);

    if (g_strcmp0(backup, row->id) == 0)
        return true;
    for (char **id = theirs; *id; id++)
        if (g_strv_contains((const char *const *)ours, *id))
            return true;
    return false;
}
