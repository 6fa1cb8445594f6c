/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as WAL, in pieces whose size the first byte chooses: reading ends, every record lies
 * within what was handed in and follows the one before. Checksums are the hard part for a fuzzer,
 * so the bytes are also tried as one record whose checksum fits. */
#include "pg/walreader.h"
#include "codec/crc32c.h"
#include "pg/little.h"
#include "pg/walevent.h"
#include "pg/walpage.h"
#include <string.h>

#define SEGMENT WAL_SEGMENT_MIN

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_record(const WalRecord *record)
{
    WalEvent event;

    g_assert_cmpuint(record->main_len, <=, record->len - WAL_RECORD_HEADER);
    g_assert_true(record->main + record->main_len == record->data + record->len);
    if (!wal_event_decode(record, &event, NULL))
        return;
    g_assert_nonnull(memchr(event.name, '\0', sizeof event.name));
    for (uint32_t i = 0; i < event.n_subxacts; i++) {
        const uint8_t *at = event.subxacts + 4 * i;

        g_assert_true(at >= record->main && at + 4 <= record->main + record->main_len);
    }
}

static void walk(const uint8_t *data, size_t len, size_t piece)
{
    // where the first page says that it lies
    uint64_t place = len >= 16 ? little_u64(data + 8) : 0;
    uint64_t start = place % (UINT64_C(1) << 62) / WAL_PAGE_LEN * WAL_PAGE_LEN;
    g_autoptr(WalReader) reader = wal_reader_new(start, SEGMENT, 0, NULL);
    WalStep step = WAL_STEP_RECORD;
    uint64_t end = start;
    WalRecord record;

    while (step != WAL_STEP_END) {
        uint64_t offset = wal_reader_wants(reader) - start;

        if (offset >= len)
            break;
        wal_reader_feed(reader, start + offset, data + offset, MIN(piece, len - offset));
        while ((step = wal_reader_next(reader, &record, NULL)) == WAL_STEP_RECORD) {
            g_assert_cmpuint(record.lsn, >=, end);
            g_assert_cmpuint(record.end, >, record.lsn);
            g_assert_cmpuint(wal_reader_position(reader), ==, record.end);
            check_record(&record);
            end = record.end;
        }
        if (wal_reader_wants(reader) == start + offset)
            break;
    }
}

static void parse_one(const uint8_t *data, size_t len)
{
    g_autofree uint8_t *copy = g_memdup2(data, len);
    WalRecord record = { .release = data[0] % 6 + 13, .data = copy, .len = (uint32_t)len };
    uint32_t head = GUINT32_TO_LE(record.len), crc;

    memcpy(copy, &head, sizeof head);
    crc = crc32c(0, copy + WAL_RECORD_HEADER, len - WAL_RECORD_HEADER);
    crc = GUINT32_TO_LE(crc32c(crc, copy, 20));
    memcpy(copy + 20, &crc, sizeof crc);
    if (wal_record_parse(&record, NULL))
        check_record(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t piece = len ? (data[len - 1] % 4 + 1u) * WAL_PAGE_LEN : WAL_PAGE_LEN;

    walk(data, len, piece);
    if (len >= WAL_RECORD_HEADER)
        parse_one(data, len);
    return 0;
}
