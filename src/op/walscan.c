/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walscan.h"

#include "base/error.h"
#include "op/walfetch.h"
#include "pg/walreader.h"

typedef struct {
    const WalPath *path;
    uint64_t limit;
    WalScanRecord receive;
    void *user;
    WalReader *reader;
    WalScanResult *result;
} Scan;

void wal_scan_result_clear(WalScanResult *result)
{
    g_clear_pointer(&result->reason, g_free);
}

/* Whether an error tells of what is stored, and not that it could not be asked. */
static bool is_of_content(const GError *error)
{
    return g_error_matches(error, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(error, BS_ERROR, BS_ERROR_MISMATCH) ||
           g_error_matches(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

static void end_missing(const Scan *scan, const WalPathSegment *segment)
{
    WalScanResult *result = scan->result;
    WalNameText name = wal_name_text(&segment->name);
    WalPathEnd end;

    wal_path_end(scan->path, wal_reader_position(scan->reader), &end);
    result->end = WAL_SCAN_MISSING;
    result->segment = segment->name;
    result->gap = end.gap;
    result->reason = g_strdup_printf("%s is not held%s", name.text,
                                     end.gap ? ", but later WAL is: it is a gap" : "");
}

static void end_damaged(const Scan *scan, const WalPathSegment *segment, const char *problem)
{
    scan->result->end = WAL_SCAN_DAMAGED;
    scan->result->segment = segment->name;
    scan->result->reason = g_strdup_printf("%s: %s", wal_name_text(&segment->name).text, problem);
}

/* Hands out the records of the piece that was fed. False: the scan is over. */
static bool walk(const Scan *scan, const WalPathSegment *segment)
{
    g_autoptr(GError) failure = NULL;
    WalStep step = WAL_STEP_RECORD;
    WalRecord record;
    WalEvent event;

    while (step == WAL_STEP_RECORD) {
        if (wal_reader_position(scan->reader) >= scan->limit) {
            scan->result->end = WAL_SCAN_LIMIT;
            return false;
        }
        step = wal_reader_next(scan->reader, &record, &failure);
        if (step == WAL_STEP_RECORD && !wal_event_decode(&record, &event, &failure))
            step = WAL_STEP_END;
        if (step == WAL_STEP_RECORD && scan->receive(&record, &event, scan->user)) {
            scan->result->end = WAL_SCAN_STOPPED;
            return false;
        }
    }
    if (step == WAL_STEP_MORE)
        return true;
    end_damaged(scan, segment, failure->message);
    return false;
}

/* One segment. False: the scan is over, or *error is set. */
static bool scan_next(const Scan *scan, WalFetch *fetch, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    g_autoptr(GError) failure = NULL;
    WalPathSegment segment;
    size_t len = 0;
    const void *data;

    if (!wal_fetch_take(fetch, &segment, &content, &failure)) {
        if (!segment.held || g_error_matches(failure, BS_ERROR, BS_ERROR_WAL_GAP))
            end_missing(scan, &segment);
        else if (is_of_content(failure))
            end_damaged(scan, &segment, failure->message);
        else
            g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    scan->result->segments++;
    data = g_bytes_get_data(content, &len);
    if (len < segment.end - segment.begin) {
        end_damaged(scan, &segment, "it is shorter than it must be");
        return false;
    }
    // where its timeline was left another one goes on
    wal_reader_feed(scan->reader, segment.begin, data, segment.end - segment.begin);
    return walk(scan, &segment);
}

bool wal_scan(const WalPath *path, uint64_t start, uint64_t limit, WalScanRecord receive,
              void *user, const Cancel *cancel, WalScanResult *ret_result, GError **error)
{
    g_autoptr(WalReader) reader = wal_reader_new(start, wal_path_segment_size(path),
                                                 wal_path_system_id(path), wal_path_history(path));
    g_autoptr(WalFetch) fetch = wal_fetch_new(path, start);
    g_autoptr(GError) failure = NULL;
    g_auto(WalScanResult) result = { 0 };
    Scan scan = { path, limit, receive, user, reader, &result };
    bool more = true;

    while (more) {
        if (!cancel_check(cancel, error))
            return false;
        more = scan_next(&scan, fetch, &failure);
    }
    if (failure) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    result.position = wal_reader_position(reader);
    *ret_result = result;
    result.reason = NULL;
    return true;
}
