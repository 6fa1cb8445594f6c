/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walbase.h"

#include "pg/walname.h"

static bool parse_rest(const Snapshot *snapshot, WalBase *base)
{
    const char *timeline = snapshot_tag_value(snapshot, "timeline");
    const char *start = snapshot_tag_value(snapshot, "start-lsn");
    const char *stop = snapshot_tag_value(snapshot, "stop-lsn");
    guint64 number;

    if (!timeline || !start || !stop ||
        !g_ascii_string_to_unsigned(timeline, 10, 1, UINT32_MAX, &number, NULL) ||
        !lsn_parse(start, &base->start) || !lsn_parse(stop, &base->stop))
        return false;
    base->timeline = (uint32_t)number;
    return base->start < base->stop;
}

WalBaseKind wal_base_of(const Snapshot *snapshot, WalBase *ret_base)
{
    const char *id = snapshot_tag_value(snapshot, "system-id");
    WalBase base = { .snapshot = snapshot };
    guint64 system_id;

    *ret_base = base;
    if (!id)
        return snapshot_has_tag(snapshot, "kind=pgcluster") ? WAL_BASE_BAD : WAL_BASE_NONE;
    if (!g_ascii_string_to_unsigned(id, 10, 1, UINT64_MAX, &system_id, NULL))
        return WAL_BASE_BAD;
    base.system_id = ret_base->system_id = system_id;
    if (!parse_rest(snapshot, &base))
        return WAL_BASE_BAD;
    *ret_base = base;
    return WAL_BASE_GOOD;
}

int64_t wal_base_ended(const WalBase *base)
{
    const Snapshot *snapshot = base->snapshot;

    if (!snapshot->has_summary || snapshot->summary.backup_end.sec == 0)
        return 0;
    return MAX(snapshot->summary.backup_end.sec, snapshot->time.sec);
}
