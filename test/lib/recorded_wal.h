/* SPDX-License-Identifier: Apache-2.0 */
/* The recorded WAL of a release as one piece: along the way to its third timeline. */
#pragma once
#include "lib/recorded.h"
#include "pg/history.h"
#include "pg/walname.h"
#include "pg/walreader.h"

#define RECORDED_SEGMENT (UINT32_C(1) << 20)

typedef struct {
    int release;
    uint64_t system_id, start; /* of the first segment that was kept */
    PgHistory *history;
    GByteArray *bytes;
} RecordedWal;

static inline bool recorded_has(int release, const char *name)
{
    g_autofree char *path =
        g_strdup_printf("%s/postgres/%d/%s.zst", g_getenv("FIXTURES"), release, name);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* The segment of the youngest timeline on the way. */
static inline WalName recorded_segment(const RecordedWal *wal, uint64_t lsn)
{
    uint64_t last = wal_segment_start(lsn, RECORDED_SEGMENT) + RECORDED_SEGMENT - 1;

    return wal_name_of(pg_history_timeline_at(wal->history, last), lsn, RECORDED_SEGMENT);
}

static inline RecordedWal *recorded_wal(int release)
{
    RecordedWal *wal = g_new0(RecordedWal, 1);
    g_autoptr(GByteArray) history = recorded(release, "00000003.history");
    g_autofree char *system_id = recorded_control(release, "system_identifier");
    WalName name;

    wal->release = release;
    wal->system_id = g_ascii_strtoull(system_id, NULL, 10);
    wal->history = pg_history_parse(3, (const char *)history->data, history->len, NULL);
    wal->bytes = g_byte_array_new();
    g_assert_nonnull(wal->history);
    do {
        wal->start += RECORDED_SEGMENT;
        name = recorded_segment(wal, wal->start);
    } while (!recorded_has(release, wal_name_text(&name).text));
    while (recorded_has(release, wal_name_text(&name).text)) {
        g_autoptr(GByteArray) segment = recorded(release, wal_name_text(&name).text);

        g_assert_cmpuint(segment->len, ==, RECORDED_SEGMENT);
        g_byte_array_append(wal->bytes, segment->data, segment->len);
        name = recorded_segment(wal, wal->start + wal->bytes->len);
    }
    return wal;
}

static inline void recorded_wal_free(RecordedWal *wal)
{
    pg_history_free(wal->history);
    g_byte_array_unref(wal->bytes);
    g_free(wal);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RecordedWal, recorded_wal_free)

/* The next record, with pieces of len bytes handed in as they are wanted. */
static inline WalStep recorded_next(const RecordedWal *wal, WalReader *reader, size_t len,
                                    WalRecord *record, GError **error)
{
    WalStep step = wal_reader_next(reader, record, error);

    while (step == WAL_STEP_MORE) {
        uint64_t offset = wal_reader_wants(reader) - wal->start;

        if (offset >= wal->bytes->len)
            return step;
        wal_reader_feed(reader, wal->start + offset, wal->bytes->data + offset,
                        MIN(len, wal->bytes->len - offset));
        step = wal_reader_next(reader, record, error);
        if (step == WAL_STEP_MORE && wal_reader_wants(reader) == wal->start + offset)
            return step;
    }
    return step;
}
