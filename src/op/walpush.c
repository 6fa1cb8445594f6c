/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walpush.h"

#include "base/error.h"
#include "base/fs.h"
#include "pg/history.h"
#include "pg/walpage.h"
#include "repo/walobject.h"

#include <string.h>

#define TEXT_MAX (1024u * 1024) /* histories and labels have some hundred bytes */

typedef struct {
    const char *path;
    WalName name;
    GBytes *content;
    uint64_t system_id; /* 0: the file does not say */
} WalFile;

static void wal_file_clear(WalFile *file)
{
    g_clear_pointer(&file->content, g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalFile, wal_file_clear)

/* ---- what PostgreSQL hands over ---- */

/* As long as it says that its segments are, and where its name says. */
static bool check_segment(WalFile *file, const void *data, size_t len, GError **error)
{
    WalPage page;

    if (!wal_segment_size_valid(len)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%zu bytes is no size of a segment; was it cut?", len);
        return false;
    }
    if (!wal_page_parse_first(&file->name, data, len, &page, error))
        return false;
    if (page.segment_size != len) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%zu bytes, but its first page says %u; was it cut?", len, page.segment_size);
        return false;
    }
    file->system_id = page.system_id;
    return true;
}

static bool check_history(const WalFile *file, const char *data, size_t len, GError **error)
{
    g_autoptr(PgHistory) history = pg_history_parse(file->name.timeline, data, len, error);

    return history != NULL;
}

static bool check_label(const char *data, size_t len, GError **error)
{
    static const char begin[] = "START WAL LOCATION: ";

    if (len >= strlen(begin) && memcmp(data, begin, strlen(begin)) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "not the label of a backup");
    return false;
}

static bool check_content(WalFile *file, GError **error)
{
    size_t len;
    const void *data = g_bytes_get_data(file->content, &len);

    switch (file->name.kind) {
    case WAL_SEGMENT:
    case WAL_PARTIAL:
        return check_segment(file, data, len, error);
    case WAL_HISTORY:
        return check_history(file, data, len, error);
    case WAL_BACKUP:
        return check_label(data, len, error);
    }
    g_assert_not_reached();
}

static bool read_file(const char *path, WalFile *file, GError **error)
{
    g_autofree char *name = g_path_get_basename(path);
    bool segment;

    file->path = path;
    if (!wal_name_parse(name, &file->name, error))
        return false;
    segment = file->name.kind == WAL_SEGMENT || file->name.kind == WAL_PARTIAL;
    if (!fs_read_file(path, segment ? WAL_SEGMENT_MAX : TEXT_MAX, &file->content, error))
        return false;
    if (check_content(file, error))
        return true;
    g_prefix_error(error, "%s: ", path);
    return false;
}

/* ---- which cluster ---- */

/* A segment says it itself; the data directory beside it must not say otherwise. */
static bool settle_cluster(WalFile *file, const WalClusterFrom *from, GError **error)
{
    uint64_t beside;

    if (file->system_id == 0)
        return wal_cluster_need(from, &file->system_id, error);
    if (!wal_cluster_find(from, &beside, error))
        return false;
    if (beside == 0 || beside == file->system_id)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: WAL of cluster %" G_GUINT64_FORMAT
                ", but the data directory (or --system-id) is "
                "of cluster %" G_GUINT64_FORMAT "; it is not archived",
                file->path, file->system_id, beside);
    return false;
}

bool op_wal_push(OpenRepo *open, const WalClusterFrom *from, WalPushed *ret_pushed, GError **error)
{
    g_auto(WalFile) file = { 0 };
    WalPushed pushed = { 0 };
    WalObject object;
    const void *data;
    size_t len;

    if (!read_file(from->path, &file, error) || !settle_cluster(&file, from, error) ||
        !wal_object_init(&object, file.system_id, wal_name_text(&file.name).text, error))
        return false;
    data = g_bytes_get_data(file.content, &len);
    if (!wal_object_put(open->repo, &object, data, len, &pushed.was_there, &pushed.stored, error))
        return false;
    g_strlcpy(pushed.name, object.name, sizeof pushed.name);
    pushed.system_id = file.system_id;
    pushed.len = len;
    *ret_pushed = pushed;
    return true;
}
