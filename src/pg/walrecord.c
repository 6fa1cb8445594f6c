/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walrecord.h"
#include "base/error.h"
#include "codec/crc32c.h"
#include "pg/little.h"

enum {
    AT_LEN = 0,
    AT_XID = 4,
    AT_PREV = 8,
    AT_INFO = 16,
    AT_RMGR = 17,
    AT_CRC = 20,
};

/* The parts behind the header: each begins with one byte, which is a block's number or one of
 * these. */
enum {
    BLOCK_LAST = 32,
    PART_TOP_XID = 252, // since 14
    PART_ORIGIN = 253,
    PART_MAIN_LONG = 254,
    PART_MAIN_SHORT = 255,
};

enum {
    BLOCK_HAS_IMAGE = 0x10,
    BLOCK_SAME_RELATION = 0x80,
    IMAGE_HAS_HOLE = 0x01,
    IMAGE_COMPRESSED_13 = 0x02, // 13 and 14
    IMAGE_COMPRESSED_15 = 0x1c, // by one of three methods
};

#define XLOG_SWITCH 0x40

/* What is left of the parts' headers, and how much data they have announced. */
typedef struct {
    const uint8_t *at, *end;
    uint64_t announced;
} Parts;

bool wal_record_header(const void *data, WalRecord *record)
{
    const uint8_t *at = data;

    record->len = little_u32(at + AT_LEN);
    record->xid = little_u32(at + AT_XID);
    record->prev = little_u64(at + AT_PREV);
    record->info = at[AT_INFO];
    record->rmgr = at[AT_RMGR];
    return record->len >= WAL_RECORD_HEADER && record->len <= WAL_RECORD_MAX;
}

/* The checksum is over what follows the header, then over the header. */
static bool checksum_fits(const WalRecord *record)
{
    uint32_t crc = crc32c(0, record->data + WAL_RECORD_HEADER, record->len - WAL_RECORD_HEADER);

    return crc32c(crc, record->data, AT_CRC) == little_u32(record->data + AT_CRC);
}

/* NULL when fewer are left. */
static const uint8_t *take(Parts *parts, size_t len)
{
    const uint8_t *at = parts->at;

    if ((size_t)(parts->end - at) < len)
        return NULL;
    parts->at += len;
    return at;
}

static bool pass_image(Parts *parts, int release)
{
    const uint8_t *image = take(parts, 5); // length, offset of the hole, flags
    uint8_t compressed = release < 15 ? IMAGE_COMPRESSED_13 : IMAGE_COMPRESSED_15;

    if (!image)
        return false;
    parts->announced += little_u16(image);
    // a compressed one says how long the hole is, for its length does not tell
    return !(image[4] & compressed && image[4] & IMAGE_HAS_HOLE) || take(parts, 2);
}

static bool pass_block(Parts *parts, int release)
{
    const uint8_t *block = take(parts, 3); // flags, length

    if (!block)
        return false;
    parts->announced += little_u16(block + 1);
    if (block[0] & BLOCK_HAS_IMAGE && !pass_image(parts, release))
        return false;
    return (block[0] & BLOCK_SAME_RELATION || take(parts, 12)) && take(parts, 4);
}

static bool pass_main(Parts *parts, bool is_long, uint32_t *ret_len)
{
    const uint8_t *len = take(parts, is_long ? 4 : 1);

    if (!len)
        return false;
    *ret_len = is_long ? little_u32(len) : *len;
    parts->announced += *ret_len;
    return true;
}

static bool pass_part(Parts *parts, WalRecord *record, bool *ret_last)
{
    uint8_t kind = *parts->at++;

    if (kind <= BLOCK_LAST)
        return pass_block(parts, record->release);
    switch (kind) {
    case PART_MAIN_SHORT:
    case PART_MAIN_LONG:
        *ret_last = true;
        return pass_main(parts, kind == PART_MAIN_LONG, &record->main_len);
    case PART_ORIGIN:
        return take(parts, 2);
    case PART_TOP_XID:
        return record->release >= 14 && take(parts, 4);
    default:
        return false;
    }
}

bool wal_record_parse(WalRecord *record, GError **error)
{
    const uint8_t *end = record->data + record->len;
    Parts parts = { record->data + WAL_RECORD_HEADER, end, 0 };
    bool good = wal_record_header(record->data, record) && record->data + record->len == end;
    bool last = false;

    if (!good || !checksum_fits(record)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT,
                            good ? "its checksum does not fit" : "impossible length");
        return false;
    }
    record->main_len = 0;
    while (good && !last && (uint64_t)(end - parts.at) > parts.announced)
        good = pass_part(&parts, record, &last);
    if (!good || (uint64_t)(end - parts.at) != parts.announced) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, "its parts do not fill it");
        return false;
    }
    record->main = end - record->main_len;
    return true;
}

bool wal_record_is_switch(const WalRecord *record)
{
    return record->rmgr == WAL_RMGR_XLOG && (record->info & 0xf0) == XLOG_SWITCH;
}
