/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/control.h"
#include "base/error.h"
#include "codec/crc32c.h"
#include "pg/little.h"
#include "pg/walname.h"

#define FLOAT_FORMAT 1234567.0 /* the number that shows how the machine writes floating point */

/* Where the fields lie; the same in all releases but for the checksum at the end. */
enum {
    AT_SYSTEM_ID = 0,
    AT_CONTROL_VERSION = 8,
    AT_CATALOG_VERSION = 12,
    AT_STATE = 16,
    AT_TIME = 24,
    AT_CHECKPOINT = 32,
    AT_COPY = 40, /* of the checkpoint record: */
    AT_REDO = AT_COPY,
    AT_TIMELINE = AT_COPY + 8,
    AT_PREVIOUS_TIMELINE = AT_COPY + 12,
    AT_NEXT_XID = AT_COPY + 24,
    AT_CHECKPOINT_TIME = AT_COPY + 64,
    AT_MIN_RECOVERY = 136,
    AT_MIN_RECOVERY_TIMELINE = 144,
    AT_BACKUP_START = 152,
    AT_BACKUP_END = 160,
    AT_BACKUP_END_REQUIRED = 168,
    AT_WAL_LEVEL = 172,
    AT_LIMITS = 180,
    AT_MAX_ALIGN = 204,
    AT_FLOAT_FORMAT = 208,
    AT_BLOCK_SIZE = 216,
    AT_BLOCKS_PER_FILE = 220,
    AT_WAL_BLOCK_SIZE = 224,
    AT_WAL_SEGMENT_SIZE = 228,
    AT_FLOAT8_BY_VALUE = 248,
    AT_CHECKSUM_VERSION = 252,
    AT_CRC = 288,
    AT_CRC_1800 = 292, /* whether char is signed came before it */
};

static const struct {
    uint32_t control, catalog;
    int release;
} releases[] = {
    { 1300, 202007201, 13 }, { 1300, 202107181, 14 }, { 1300, 202209061, 15 },
    { 1300, 202307071, 16 }, { 1700, 202406281, 17 }, { 1800, 202506291, 18 },
};

const char *pg_state_text(PgState state)
{
    static const char *const texts[] = {
        "starting up",       "shut down",           "shut down in recovery", "shutting down",
        "in crash recovery", "in archive recovery", "in production",
    };

    return (size_t)state < G_N_ELEMENTS(texts) ? texts[state] : "unknown";
}

static bool unsupported(GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED, "pg_control: %s", what);
    return false;
}

static bool corrupt(GError **error, const char *problem)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pg_control: %s", problem);
    return false;
}

static bool known_version(uint32_t version)
{
    for (size_t i = 0; i < G_N_ELEMENTS(releases); i++)
        if (releases[i].control == version)
            return true;
    return false;
}

static bool check_version(uint32_t version, GError **error)
{
    if (known_version(version))
        return true;
    if (known_version(GUINT32_SWAP_LE_BE(version)))
        return unsupported(error, "the cluster is of a big-endian machine, which is not supported");
    // a damaged file says anything here
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "pg_control: version %u is not known; PostgreSQL 13 to 18 are supported", version);
    return false;
}

static bool find_release(PgControl *control, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(releases); i++)
        if (releases[i].control == control->control_version &&
            releases[i].catalog == control->catalog_version) {
            control->release = releases[i].release;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                "pg_control: catalog version %u is of no release that is known; PostgreSQL 13 to "
                "18 are supported, development versions are not",
                control->catalog_version);
    return false;
}

static bool check_machine(const uint8_t *at, GError **error)
{
    uint64_t bits = little_u64(at + AT_FLOAT_FORMAT);
    double number;

    memcpy(&number, &bits, sizeof number);
    if (little_u32(at + AT_MAX_ALIGN) != 8 || number != FLOAT_FORMAT || !at[AT_FLOAT8_BY_VALUE])
        return unsupported(error, "the cluster is not of a 64-bit machine with IEEE numbers");
    return true;
}

static bool check_sizes(const PgControl *control, GError **error)
{
    // the checksum fits, so this is what the server was built with
    if (control->block_size != 8192 || control->wal_block_size != 8192) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "pg_control: blocks of %u bytes, in WAL of %u; only servers with 8192 for both "
                    "are supported",
                    control->block_size, control->wal_block_size);
        return false;
    }
    if (!wal_segment_size_valid(control->wal_segment_size) || control->blocks_per_file == 0)
        return corrupt(error, "impossible sizes");
    if (control->timeline == 0 || control->state > PG_STATE_IN_PRODUCTION)
        return corrupt(error, "impossible timeline or state");
    return true;
}

static void read_fields(const uint8_t *at, PgControl *control)
{
    *control = (PgControl){
        .system_id = little_u64(at + AT_SYSTEM_ID),
        .control_version = little_u32(at + AT_CONTROL_VERSION),
        .catalog_version = little_u32(at + AT_CATALOG_VERSION),
        .state = little_u32(at + AT_STATE),
        .written_at = (int64_t)little_u64(at + AT_TIME),
        .checkpoint = little_u64(at + AT_CHECKPOINT),
        .redo = little_u64(at + AT_REDO),
        .timeline = little_u32(at + AT_TIMELINE),
        .previous_timeline = little_u32(at + AT_PREVIOUS_TIMELINE),
        .checkpoint_at = (int64_t)little_u64(at + AT_CHECKPOINT_TIME),
        .next_xid = little_u64(at + AT_NEXT_XID),
        .min_recovery = little_u64(at + AT_MIN_RECOVERY),
        .min_recovery_timeline = little_u32(at + AT_MIN_RECOVERY_TIMELINE),
        .backup_start = little_u64(at + AT_BACKUP_START),
        .backup_end = little_u64(at + AT_BACKUP_END),
        .backup_end_required = at[AT_BACKUP_END_REQUIRED] != 0,
        .wal_level = little_u32(at + AT_WAL_LEVEL),
        .block_size = little_u32(at + AT_BLOCK_SIZE),
        .wal_block_size = little_u32(at + AT_WAL_BLOCK_SIZE),
        .wal_segment_size = little_u32(at + AT_WAL_SEGMENT_SIZE),
        .blocks_per_file = little_u32(at + AT_BLOCKS_PER_FILE),
        .checksum_version = little_u32(at + AT_CHECKSUM_VERSION),
    };
    for (size_t i = 0; i < PG_LIMITS; i++)
        control->limits[i] = little_u32(at + AT_LIMITS + 4 * i);
}

bool pg_control_parse(const void *data, size_t len, PgControl *ret_control, GError **error)
{
    const uint8_t *at = data;
    PgControl control;
    size_t crc_at;

    if (len < PG_CONTROL_LEN)
        return corrupt(error, "it is cut short");
    read_fields(at, &control);
    if (!check_version(control.control_version, error))
        return false;
    crc_at = control.control_version < 1800 ? AT_CRC : AT_CRC_1800;
    if (crc32c(0, at, crc_at) != little_u32(at + crc_at))
        return corrupt(error, "its checksum does not fit: it is damaged, was torn while the server "
                              "wrote it, or is of a 32-bit machine");
    if (!check_machine(at, error) || !find_release(&control, error) ||
        !check_sizes(&control, error))
        return false;
    *ret_control = control;
    return true;
}
