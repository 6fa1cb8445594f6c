/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walpush.h"

#include "base/error.h"
#include "base/fs.h"
#include "op/walalong.h"

static bool read_file(const char *path, WalFile *file, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);

    if (!wal_name_parse(name, &file->name, error) ||
        !fs_read_file(path, wal_file_bound(&file->name), &file->content, error))
        return false;
    if (wal_file_check(file, error))
        return true;
    g_prefix_error(error, "%s: ", path);
    return false;
}

/* A segment says it itself; the data directory beside it must not say otherwise. */
static bool settle_cluster(WalFile *file, const WalClusterFrom *from, GError **error)
{
    uint64_t beside;

    if (file->system_id == 0)
        return wal_cluster_need(from, &file->system_id, error);
    if (!wal_cluster_find(from, &beside, error))
        return false;
    if (wal_file_settle(file, beside, error))
        return true;
    g_prefix_error(error, "%s: ", from->path);
    return false;
}

/* Only segments come in numbers. */
static bool push_segment(const Settings *settings, OpenRepo *open, const char *path,
                         const WalFile *file, WalPushed *ret_pushed, GError **error)
{
    g_autoptr(WalNotes) notes = wal_notes_open(settings->state_dir, open, file->system_id);
    g_autofree char *dir = g_path_get_dirname(path);

    if (!notes)
        return wal_file_put(open, file, ret_pushed, error);
    return wal_notes_prove(notes, file, ret_pushed) ||
           wal_along_put(open, file, dir, notes, ret_pushed, error);
}

bool op_wal_push(const Settings *settings, OpenRepo *open, const WalClusterFrom *from,
                 WalPushed *ret_pushed, GError **error)
{
    g_auto(WalFile) file = { 0 };

    if (!read_file(from->path, &file, error) || !settle_cluster(&file, from, error))
        return false;
    return file.name.kind == WAL_SEGMENT
               ? push_segment(settings, open, from->path, &file, ret_pushed, error)
               : wal_file_put(open, &file, ret_pushed, error);
}
