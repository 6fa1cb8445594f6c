/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walfile.h"

#include "base/error.h"
#include "op/walorigin.h"
#include "op/walsegment.h"
#include "pg/history.h"
#include "pg/walfilled.h"
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

static bool refuse_filled_up(const char *name, const WalFilled *filled, GError **error)
{
    if (filled->damaged)
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "%s: damaged: its records lead no further than %zu bytes behind its begin, "
                    "other bytes follow, and from %zu on it is all zeros, so that nobody can tell "
                    "whether it ever was whole; it is not archived. pg_waldump shows the place. "
                    "Archive a sound copy, as of a standby or the primary; if there is none, "
                    "remove archive_status/%s.ready and take a new base backup, for no recovery "
                    "goes past it",
                    name, filled->proven, filled->used, name);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "%s: no whole segment: its WAL ends %zu bytes behind its begin, and zeros "
                    "follow, as in a part that wal get has filled up; it is not archived. Does a "
                    "standby with archive_mode = always archive what it was given? Remove "
                    "archive_status/%s.ready there if nobody needs it",
                    name, filled->used, name);
    return false;
}

/* A segment without its end would take the place of the whole one for good. What is in it may be
 * held already, by the one or as the part that it was made of: then nothing is left to be done. */
static bool put_filled_up(OpenRepo *open, const WalFile *file, const WalFilled *filled,
                          WalPushed *ret_pushed, GError **error)
{
    WalNameText name = wal_name_text(&file->name);
    g_auto(WalSegment) held = { 0 };
    g_autoptr(GError) absent = NULL;
    size_t len = g_bytes_get_size(file->content), held_len = 0;
    const void *data = g_bytes_get_data(file->content, NULL), *held_data = NULL;

    if (wal_segment_get(open->repo, file->system_id, &file->name, &held, &absent)) {
        held_data = g_bytes_get_data(held.content, &held_len);
    } else if (!g_error_matches(absent, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&absent));
        return false;
    }
    if (held_len < filled->used || memcmp(held_data, data, filled->used) != 0)
        return refuse_filled_up(name.text, filled, error);
    *ret_pushed = (WalPushed){ .system_id = file->system_id, .len = len, .was_there = true };
    g_strlcpy(ret_pushed->name, name.text, sizeof ret_pushed->name);
    return true;
}

/* A timeline that contradicts what is held would be a second life in one archive. */
static bool check_origin(OpenRepo *open, const WalFile *file, GError **error)
{
    size_t len;
    const char *data = g_bytes_get_data(file->content, &len);
    g_autoptr(PgHistory) history = pg_history_parse(file->name.timeline, data, len, error);

    if (!history)
        return false;
    if (wal_origin_agrees(open->repo, file->system_id, history, error))
        return true;
    if (g_error_matches(*error, BS_ERROR, BS_ERROR_MISMATCH))
        g_prefix_error(error, "it is not archived (a second server, such as a promoted copy, needs "
                              "another repository, or archive_mode = off): ");
    return false;
}

bool wal_file_put(OpenRepo *open, const WalFile *file, WalPushed *ret_pushed, GError **error)
{
    WalPushed pushed = { .system_id = file->system_id };
    WalObject object;
    size_t len;
    const void *data = g_bytes_get_data(file->content, &len);
    WalFilled filled;

    if (file->name.kind == WAL_SEGMENT && wal_is_filled_up(data, len, &filled))
        return put_filled_up(open, file, &filled, ret_pushed, error);
    if (file->name.kind == WAL_HISTORY && !check_origin(open, file, error))
        return false;
    if (!wal_object_init(&object, file->system_id, wal_name_text(&file->name).text, error) ||
        !wal_object_put(open->repo, &object, data, len, &pushed.was_there, &pushed.mark, error))
        return false;
    g_strlcpy(pushed.name, object.name, sizeof pushed.name);
    pushed.len = len;
    pushed.stored = pushed.mark.len;
    *ret_pushed = pushed;
    return true;
}
