/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walfile.h"

#include "base/error.h"
#include "pg/history.h"
#include "pg/walpage.h"

#include <string.h>

#define TEXT_MAX (1024u * 1024) /* histories and labels have some hundred bytes */

void wal_file_clear(WalFile *file)
{
    g_clear_pointer(&file->content, g_bytes_unref);
}

size_t wal_file_bound(const WalName *name)
{
    return name->kind == WAL_SEGMENT || name->kind == WAL_PARTIAL ? WAL_SEGMENT_MAX : TEXT_MAX;
}

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

bool wal_file_check(WalFile *file, GError **error)
{
    size_t len;
    const void *data = g_bytes_get_data(file->content, &len);

    file->system_id = 0;
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

bool wal_file_settle(WalFile *file, uint64_t beside, GError **error)
{
    if (file->system_id == 0)
        file->system_id = beside;
    if (beside == 0 || beside == file->system_id)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "WAL of cluster %" G_GUINT64_FORMAT ", but the data directory (or --system-id) is "
                "of cluster %" G_GUINT64_FORMAT "; it is not archived",
                file->system_id, beside);
    return false;
}

bool wal_file_put(OpenRepo *open, const WalFile *file, WalPushed *ret_pushed, GError **error)
{
    WalPushed pushed = { .system_id = file->system_id };
    WalObject object;
    size_t len;
    const void *data = g_bytes_get_data(file->content, &len);

    if (!wal_object_init(&object, file->system_id, wal_name_text(&file->name).text, error) ||
        !wal_object_put(open->repo, &object, data, len, &pushed.was_there, &pushed.mark, error))
        return false;
    g_strlcpy(pushed.name, object.name, sizeof pushed.name);
    pushed.len = len;
    pushed.stored = pushed.mark.len;
    *ret_pushed = pushed;
    return true;
}
