/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walevent.h"
#include "base/error.h"
#include "pg/little.h"

/* 2000-01-01, from which PostgreSQL counts microseconds. */
#define EPOCH_US (INT64_C(946684800) * G_USEC_PER_SEC)

enum {
    XLOG_CHECKPOINT_SHUTDOWN = 0x00,
    XLOG_CHECKPOINT_ONLINE = 0x10,
    XLOG_BACKUP_END = 0x50,
    XLOG_PARAMETER_CHANGE = 0x60,
    XLOG_RESTORE_POINT = 0x70,
    XLOG_END_OF_RECOVERY = 0x90,
    XLOG_OVERWRITE_CONTRECORD = 0xd0,
    XLOG_KIND = 0xf0,
};

enum {
    XACT_COMMIT = 0x00,
    XACT_ABORT = 0x20,
    XACT_COMMIT_PREPARED = 0x30,
    XACT_ABORT_PREPARED = 0x40,
    XACT_KIND = 0x70,
    XACT_HAS_INFO = 0x80,
};

enum {
    TABLESPACE_MADE = 0x00,
    TABLESPACE_KIND = 0xf0,
};

/* What follows the time, in this order. */
enum {
    INFO_DATABASE = 1 << 0,
    INFO_SUBXACTS = 1 << 1,
    INFO_FILES = 1 << 2,
    INFO_DROPPED_STATS = 1 << 8, // since 15
    INFO_INVALIDATIONS = 1 << 3,
    INFO_PREPARED = 1 << 4,
};

#define CHECKPOINT_LEN       88
#define DATABASE_LEN         8
#define FILE_LEN             12
#define INVALIDATION_LEN     16
#define DROPPED_STATS_LEN    12 /* 15 to 17 */
#define DROPPED_STATS_LEN_18 16

typedef struct {
    const uint8_t *at;
    size_t left;
} Bytes;

/* NULL when fewer are left. */
static const uint8_t *take(Bytes *bytes, size_t len)
{
    const uint8_t *at = bytes->at;

    if (bytes->left < len)
        return NULL;
    bytes->at += len;
    bytes->left -= len;
    return at;
}

/* A number and so many items; NULL when they are not all there. */
static const uint8_t *take_items(Bytes *bytes, size_t item_len, uint32_t *ret_n)
{
    const uint8_t *n = take(bytes, sizeof *ret_n);

    if (!n)
        return NULL;
    *ret_n = little_u32(n);
    return *ret_n > bytes->left / item_len ? NULL : take(bytes, *ret_n * item_len);
}

static bool take_time(Bytes *bytes, int64_t *ret_time_us)
{
    const uint8_t *at = take(bytes, sizeof *ret_time_us);

    return at && !__builtin_add_overflow((int64_t)little_u64(at), EPOCH_US, ret_time_us);
}

static bool pass_items(Bytes *bytes, size_t item_len)
{
    uint32_t n;

    return take_items(bytes, item_len, &n) != NULL;
}

/* The parts of a commit or abort as far as they say which transactions ended. */
static bool read_parts(Bytes *bytes, const WalRecord *record, uint32_t info, WalEvent *event)
{
    size_t stats_len = record->release < 18 ? DROPPED_STATS_LEN : DROPPED_STATS_LEN_18;

    if (info & INFO_DATABASE && !take(bytes, DATABASE_LEN))
        return false;
    if (info & INFO_SUBXACTS) {
        event->subxacts = take_items(bytes, sizeof(uint32_t), &event->n_subxacts);
        if (!event->subxacts)
            return false;
    }
    if (info & INFO_FILES && !pass_items(bytes, FILE_LEN))
        return false;
    if (info & INFO_DROPPED_STATS && !pass_items(bytes, stats_len))
        return false;
    if (info & INFO_INVALIDATIONS && !pass_items(bytes, INVALIDATION_LEN))
        return false;
    if (info & INFO_PREPARED) {
        const uint8_t *xid = take(bytes, sizeof event->xid);

        if (!xid)
            return false;
        event->xid = little_u32(xid);
    }
    return true;
}

static bool decode_end_of_transaction(Bytes *bytes, const WalRecord *record, WalEvent *event)
{
    const uint8_t *info = NULL;

    if (!take_time(bytes, &event->time_us))
        return false;
    event->xid = record->xid;
    if (!(record->info & XACT_HAS_INFO))
        return !event->prepared;
    info = take(bytes, sizeof(uint32_t));
    if (!info || event->prepared != ((little_u32(info) & INFO_PREPARED) != 0))
        return false;
    return read_parts(bytes, record, little_u32(info), event);
}

static bool decode_xact(Bytes *bytes, const WalRecord *record, WalEvent *event)
{
    uint8_t kind = record->info & XACT_KIND;

    event->prepared = kind == XACT_COMMIT_PREPARED || kind == XACT_ABORT_PREPARED;
    switch (kind) {
    case XACT_COMMIT:
    case XACT_COMMIT_PREPARED:
        event->kind = WAL_COMMIT;
        return decode_end_of_transaction(bytes, record, event);
    case XACT_ABORT:
    case XACT_ABORT_PREPARED:
        event->kind = WAL_ABORT;
        return decode_end_of_transaction(bytes, record, event);
    default:
        return true;
    }
}

static bool decode_checkpoint(Bytes *bytes, WalEvent *event)
{
    const uint8_t *at = take(bytes, CHECKPOINT_LEN);

    if (!at)
        return false;
    event->kind = WAL_CHECKPOINT;
    event->lsn = little_u64(at);
    event->timeline = little_u32(at + 8);
    event->previous_timeline = little_u32(at + 12);
    return !__builtin_mul_overflow((int64_t)little_u64(at + 64), G_USEC_PER_SEC, &event->time_us);
}

static bool decode_restore_point(Bytes *bytes, WalEvent *event)
{
    const uint8_t *name;

    event->kind = WAL_RESTORE_POINT;
    if (!take_time(bytes, &event->time_us))
        return false;
    name = take(bytes, sizeof event->name);
    if (!name || !memchr(name, '\0', sizeof event->name))
        return false;
    memcpy(event->name, name, sizeof event->name);
    return true;
}

static bool decode_end_of_recovery(Bytes *bytes, WalEvent *event)
{
    const uint8_t *timelines;

    event->kind = WAL_END_OF_RECOVERY;
    if (!take_time(bytes, &event->time_us))
        return false;
    timelines = take(bytes, 8);
    if (!timelines)
        return false;
    event->timeline = little_u32(timelines);
    event->previous_timeline = little_u32(timelines + 4);
    return true;
}

static bool decode_lsn(Bytes *bytes, WalEventKind kind, WalEvent *event)
{
    const uint8_t *at = take(bytes, sizeof event->lsn);

    if (!at)
        return false;
    event->kind = kind;
    event->lsn = little_u64(at);
    return kind != WAL_OVERWRITTEN || take_time(bytes, &event->time_us);
}

static bool decode_parameters(Bytes *bytes, WalEvent *event)
{
    const uint8_t *at = take(bytes, 24); // five limits, then the level

    if (!at)
        return false;
    event->kind = WAL_PARAMETERS;
    event->wal_level = (int)MIN(little_u32(at + 20), G_MAXINT);
    for (size_t i = 0; i < PG_LIMITS; i++)
        event->limits[i] = little_u32(at + 4 * i);
    return true;
}

static bool decode_xlog(Bytes *bytes, const WalRecord *record, WalEvent *event)
{
    switch (record->info & XLOG_KIND) {
    case XLOG_CHECKPOINT_SHUTDOWN:
        event->shutdown = true;
        return decode_checkpoint(bytes, event);
    case XLOG_CHECKPOINT_ONLINE:
        return decode_checkpoint(bytes, event);
    case XLOG_BACKUP_END:
        return decode_lsn(bytes, WAL_BACKUP_END, event);
    case XLOG_PARAMETER_CHANGE:
        return decode_parameters(bytes, event);
    case XLOG_RESTORE_POINT:
        return decode_restore_point(bytes, event);
    case XLOG_END_OF_RECOVERY:
        return decode_end_of_recovery(bytes, event);
    case XLOG_OVERWRITE_CONTRECORD:
        return decode_lsn(bytes, WAL_OVERWRITTEN, event);
    default:
        return true;
    }
}

static bool decode_tablespace(Bytes *bytes, const WalRecord *record, WalEvent *event)
{
    const uint8_t *oid;

    if ((record->info & TABLESPACE_KIND) != TABLESPACE_MADE)
        return true;
    oid = take(bytes, sizeof event->oid);
    if (!oid || !memchr(bytes->at, '\0', bytes->left))
        return false;
    event->kind = WAL_TABLESPACE;
    event->oid = little_u32(oid);
    event->location = (const char *)bytes->at;
    return true;
}

bool wal_event_decode(const WalRecord *record, WalEvent *ret_event, GError **error)
{
    Bytes bytes = { record->main, record->main_len };
    WalEvent event = { .kind = WAL_OTHER };
    bool good = true;

    if (record->rmgr == WAL_RMGR_XLOG)
        good = decode_xlog(&bytes, record, &event);
    else if (record->rmgr == WAL_RMGR_XACT)
        good = decode_xact(&bytes, record, &event);
    else if (record->rmgr == WAL_RMGR_TABLESPACE)
        good = decode_tablespace(&bytes, record, &event);
    if (!good) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "WAL record of manager %u, kind %02X: its content is not what its kind says",
                    record->rmgr, record->info);
        return false;
    }
    *ret_event = event;
    return true;
}
