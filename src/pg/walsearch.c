/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walsearch.h"
#include "base/error.h"
#include "pg/walname.h"

void wal_search_init(WalSearch *search, const WalTarget *target)
{
    *search = (WalSearch){ .target = *target };
}

static bool ends_transaction(const WalEvent *event)
{
    return event->kind == WAL_COMMIT || event->kind == WAL_ABORT;
}

/* PostgreSQL stops before a later time even when the target counts as included: what happened at
 * the very time is then replayed. */
static bool stops_before(const WalSearch *search, const WalRecord *record, const WalEvent *event)
{
    const WalTarget *target = &search->target;

    switch (target->kind) {
    case WAL_TARGET_IMMEDIATE:
        return search->replayed >= target->consistent;
    case WAL_TARGET_LSN:
        return target->exclusive && record->lsn >= target->lsn;
    case WAL_TARGET_TIME:
        return ends_transaction(event) && (target->exclusive ? event->time_us >= target->time_us
                                                             : event->time_us > target->time_us);
    case WAL_TARGET_XID:
        return target->exclusive && ends_transaction(event) && event->xid == target->xid;
    case WAL_TARGET_NAME:
    case WAL_TARGET_NONE:
        break;
    }
    return false;
}

static bool stops_after(const WalSearch *search, const WalRecord *record, const WalEvent *event)
{
    const WalTarget *target = &search->target;

    switch (target->kind) {
    case WAL_TARGET_IMMEDIATE:
        return record->end >= target->consistent;
    case WAL_TARGET_LSN:
        return !target->exclusive && record->lsn >= target->lsn;
    case WAL_TARGET_XID:
        return !target->exclusive && ends_transaction(event) && event->xid == target->xid;
    case WAL_TARGET_NAME:
        return event->kind == WAL_RESTORE_POINT && g_str_equal(event->name, target->name);
    case WAL_TARGET_TIME:
    case WAL_TARGET_NONE:
        break;
    }
    return false;
}

bool wal_search_offer(WalSearch *search, const WalRecord *record, const WalEvent *event)
{
    g_assert(!search->stopped);
    search->last = record->lsn;
    if (ends_transaction(event))
        search->last_time_us = event->time_us;
    search->stopped = stops_before(search, record, event);
    if (!search->stopped) {
        search->replayed = record->end;
        search->stopped = search->after = stops_after(search, record, event);
    }
    search->stop = search->stopped ? record->lsn : 0;
    return search->stopped;
}

void wal_search_begin_behind(WalSearch *search, const WalRecord *checkpoint)
{
    g_assert(search->last == 0);
    search->replayed = checkpoint->end;
}

char *wal_time_text(int64_t time_us)
{
    int64_t us = (time_us % G_USEC_PER_SEC + G_USEC_PER_SEC) % G_USEC_PER_SEC;
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc((time_us - us) / G_USEC_PER_SEC);
    g_autofree char *seconds = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;

    return seconds ? g_strdup_printf("%s.%06d+00", seconds, (int)us)
                   : g_strdup("a time beyond the calendar");
}

char *wal_target_text(const WalTarget *target)
{
    switch (target->kind) {
    case WAL_TARGET_LSN:
        return g_strdup_printf("position %s", lsn_text(target->lsn).text);
    case WAL_TARGET_TIME:
        return wal_time_text(target->time_us);
    case WAL_TARGET_XID:
        return g_strdup_printf("transaction %u", target->xid);
    case WAL_TARGET_NAME:
        return g_strdup_printf("restore point \"%s\"", target->name);
    case WAL_TARGET_IMMEDIATE:
    case WAL_TARGET_NONE:
        break;
    }
    return g_strdup("the end of the base backup");
}

static bool not_reached(const WalSearch *search, GError **error)
{
    g_autofree char *target = wal_target_text(&search->target);
    g_autofree char *time = search->last_time_us ? wal_time_text(search->last_time_us) : NULL;

    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                "%s is not reached: the WAL that is held ends with the record at %s%s%s", target,
                lsn_text(search->last).text, time ? ", its last transaction ended at " : "",
                time ? time : "");
    return false;
}

bool wal_search_finish(const WalSearch *search, GError **error)
{
    const WalTarget *target = &search->target;
    g_autofree char *text = NULL;

    if (!search->stopped && target->kind != WAL_TARGET_NONE)
        return not_reached(search, error);
    if (search->replayed >= target->consistent)
        return true;
    if (!search->stopped)
        return not_reached(search, error);
    text = wal_target_text(target);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s lies before the end of the base backup at %s; choose an earlier one", text,
                lsn_text(target->consistent).text);
    return false;
}
