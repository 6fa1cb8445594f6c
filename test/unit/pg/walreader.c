/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walreader.h"
#include "base/error.h"
#include "codec/crc32c.h"
#include "lib/recorded_wal.h"
#include "pg/walpage.h"

/* All records of a stretch: where they lie, and their bytes. */
typedef struct {
    uint64_t lsn, end, prev;
    uint32_t xid, len, main_len, timeline, sum;
    uint8_t rmgr, info;
} Seen;

static Seen seen_of(const WalRecord *record)
{
    Seen seen;

    memset(&seen, 0, sizeof seen); // compared as bytes
    seen.lsn = record->lsn;
    seen.end = record->end;
    seen.prev = record->prev;
    seen.xid = record->xid;
    seen.len = record->len;
    seen.main_len = record->main_len;
    seen.timeline = record->timeline;
    seen.sum = crc32c(0, record->data, record->len);
    seen.rmgr = record->rmgr;
    seen.info = record->info;
    return seen;
}

static GArray *read_all(const RecordedWal *wal, uint64_t start, size_t piece, WalStep *ret_end)
{
    g_autoptr(WalReader) reader =
        wal_reader_new(start, RECORDED_SEGMENT, wal->system_id, wal->history);
    GArray *all = g_array_new(false, false, sizeof(Seen));
    g_autoptr(GError) error = NULL;
    WalRecord record;

    while ((*ret_end = recorded_next(wal, reader, piece, &record, &error)) == WAL_STEP_RECORD) {
        Seen seen = seen_of(&record);

        g_array_append_val(all, seen);
        g_assert_cmpuint(wal_reader_position(reader), ==, record.end);
    }
    g_assert_true((*ret_end == WAL_STEP_END) == (error != NULL));
    return all;
}

/* Behind its last byte: a record that is spread has the headers of pages in it. */
static uint64_t true_end(const Seen *seen)
{
    uint64_t end = seen->lsn + seen->len;

    for (uint64_t page = (seen->lsn / WAL_PAGE_LEN + 1) * WAL_PAGE_LEN; page < end;
         page += WAL_PAGE_LEN)
        end += page % RECORDED_SEGMENT == 0 ? WAL_PAGE_LONG : WAL_PAGE_SHORT;
    return end;
}

static bool same(const GArray *a, const GArray *b)
{
    return a->len == b->len &&
           (a->len == 0 || memcmp(a->data, b->data, a->len * sizeof(Seen)) == 0);
}

static const Seen *seen_at(const GArray *all, const char *lsn)
{
    uint64_t want;

    g_assert_true(lsn_parse(lsn, &want));
    for (guint i = 0; i < all->len; i++)
        if (g_array_index(all, Seen, i).lsn == want)
            return &g_array_index(all, Seen, i);
    return NULL;
}

static void check_row(const GArray *all, const char *row)
{
    static const struct {
        const char *name;
        uint8_t rmgr;
    } managers[] = { { "XLOG", 0 },    { "Transaction", 1 }, { "Storage", 2 },
                     { "Heap2", 9 },   { "Heap", 10 },       { "Btree", 11 },
                     { "Standby", 8 }, { "Tablespace", 5 },  { "LogicalMessage", 21 } };
    g_auto(GStrv) field = g_strsplit(row, "\t", 9);
    const Seen *seen = seen_at(all, field[0]);
    bool known = false;

    if (!seen)
        g_error("no record of: %s", row);
    if (strcmp(field[1], "-") != 0)
        g_assert_cmpstr(lsn_text(seen->end).text, ==, field[1]);
    g_assert_cmpstr(lsn_text(seen->prev).text, ==, field[2]);
    g_assert_cmpuint(seen->xid, ==, g_ascii_strtoull(field[3], NULL, 10));
    for (size_t i = 0; i < G_N_ELEMENTS(managers); i++)
        if (strcmp(field[4], managers[i].name) == 0) {
            g_assert_cmpuint(seen->rmgr, ==, managers[i].rmgr);
            known = true;
        }
    g_assert_true(known);
    g_assert_cmpuint(seen->len, ==, g_ascii_strtoull(field[6], NULL, 10));
    if (strcmp(field[7], "-") != 0)
        g_assert_cmpuint(seen->main_len, ==, g_ascii_strtoull(field[7], NULL, 10));
}

static void check_list(const RecordedWal *wal, const GArray *all, const char *name)
{
    g_auto(GStrv) rows = recorded_lines(wal->release, name);
    g_auto(GStrv) first = g_strsplit(rows[0], "\t", 2);
    g_auto(GStrv) last = g_strsplit(rows[g_strv_length(rows) - 1], "\t", 2);
    const Seen *begin = seen_at(all, first[0]), *end = seen_at(all, last[0]);

    for (char **row = rows; *row; row++)
        check_row(all, *row);
    // neither more nor fewer
    g_assert_cmpint(end - begin + 1, ==, g_strv_length(rows));
}

/* Every record, as pg_walinspect and pg_waldump of the server's own release saw it. */
static void sees_what_the_servers_tools_see(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        WalStep end;
        g_autoptr(GArray) all = read_all(wal, wal->start, RECORDED_SEGMENT, &end);

        g_test_message("release %d: %u records", wal->release, all->len);
        g_assert_cmpuint(all->len, >, 400);
        // 13 and 14 have no pg_walinspect, and pg_waldump is of one release only
        if (wal->release >= 15)
            check_list(wal, all, "records.txt");
        if (wal->release == 15)
            check_list(wal, all, "waldump.txt");
    }
}

static void records_form_one_chain_over_timelines(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        WalStep end;
        g_autoptr(GArray) all = read_all(wal, wal->start, RECORDED_SEGMENT, &end);
        const Seen *seen = (const Seen *)(void *)all->data;

        for (guint n = 0; n < all->len; n++) {
            if (n > 0)
                g_assert_cmpuint(seen[n].prev, ==, seen[n - 1].lsn);
            // a page keeps the timeline that it was begun on
            g_assert_cmpuint(
                seen[n].timeline, ==,
                pg_history_timeline_at(wal->history, seen[n].lsn - seen[n].lsn % WAL_PAGE_LEN));
        }
        g_assert_cmpuint(seen[all->len - 1].timeline, ==, 3);
        // the last segment that is held was filled by a switch
        g_assert_cmpint(end, ==, WAL_STEP_MORE);
        g_assert_cmpuint(seen[all->len - 1].end, ==, wal->start + wal->bytes->len);
    }
}

static void the_size_of_the_pieces_does_not_matter(void)
{
    static const size_t sizes[] = { WAL_PAGE_LEN, 3 * WAL_PAGE_LEN, 1000 * WAL_PAGE_LEN };

    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        WalStep end, again;
        g_autoptr(GArray) all = read_all(wal, wal->start, RECORDED_SEGMENT, &end);

        for (size_t n = 0; n < G_N_ELEMENTS(sizes); n++) {
            g_autoptr(GArray) other = read_all(wal, wal->start, sizes[n], &again);

            g_assert_cmpint(again, ==, end);
            g_assert_true(same(all, other));
        }
    }
}

static void any_page_or_record_is_a_place_to_start(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);
    WalStep end;
    g_autoptr(GArray) all = read_all(wal, wal->start, RECORDED_SEGMENT, &end);
    const Seen *seen = (const Seen *)(void *)all->data;
    uint64_t stop = wal->start + wal->bytes->len;

    for (uint64_t start = wal->start; start < stop; start += WAL_PAGE_LEN) {
        g_autoptr(WalReader) reader = wal_reader_new(start, RECORDED_SEGMENT, 0, NULL);
        WalRecord record;
        WalStep step;
        guint n = 0;

        step = recorded_next(wal, reader, RECORDED_SEGMENT, &record, NULL);
        while (n < all->len && seen[n].lsn < start)
            n++;
        // behind a switch there is nothing until the next segment begins
        if (n > 0 && n < all->len && start < seen[n - 1].end && seen[n - 1].rmgr == 0 &&
            seen[n - 1].end % RECORDED_SEGMENT == 0 && start % RECORDED_SEGMENT != 0)
            continue;
        if (n == all->len)
            continue;
        g_assert_cmpint(step, ==, WAL_STEP_RECORD);
        g_assert_cmpuint(record.lsn, ==, seen[n].lsn);
    }
    for (guint n = 0; n < all->len; n += 5) {
        g_autoptr(WalReader) reader = wal_reader_new(seen[n].lsn, RECORDED_SEGMENT, 0, NULL);
        WalRecord record;

        g_assert_cmpint(recorded_next(wal, reader, RECORDED_SEGMENT, &record, NULL), ==,
                        WAL_STEP_RECORD);
        g_assert_cmpuint(record.lsn, ==, seen[n].lsn);
        g_assert_cmpuint(record.len, ==, seen[n].len);
    }
}

/* The records before the change are all there, and none that holds it is. */
static void check_change(const RecordedWal *wal, const GArray *all, uint64_t changed)
{
    WalStep end;
    g_autoptr(GArray) found = read_all(wal, wal->start, RECORDED_SEGMENT, &end);
    const Seen *seen = (const Seen *)(void *)all->data;
    // some bits of a page's header say nothing, and some bytes only fill up
    bool harmless;
    guint n = 0;

    while (n < all->len && seen[n].end <= changed)
        n++;
    harmless = changed % WAL_PAGE_LEN < WAL_PAGE_LONG || changed >= true_end(&seen[n]);
    g_assert_cmpuint(found->len, >=, n);
    if (found->len == all->len) {
        g_assert_true(harmless);
        g_assert_true(same(all, found));
        return;
    }
    g_assert_cmpint(end, ==, WAL_STEP_END);
    g_assert_cmpuint(found->len, <=, n + 1);
    g_assert_true(found->len == 0 ||
                  memcmp(found->data, all->data, found->len * sizeof(Seen)) == 0);
    if (found->len == n + 1)
        g_assert_true(harmless);
}

static void no_changed_byte_gives_another_record(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(17);
    const char *step_text = g_getenv("FLIP_STEP");
    uint64_t step = 61 * (step_text ? g_ascii_strtoull(step_text, NULL, 10) : 1);
    WalStep end;
    g_autoptr(GArray) all = NULL;
    uint64_t used;

    g_byte_array_set_size(wal->bytes, RECORDED_SEGMENT);
    all = read_all(wal, wal->start, RECORDED_SEGMENT, &end);
    g_assert_cmpuint(all->len, >, 400);
    used = g_array_index(all, Seen, all->len - 1).end - wal->start;
    for (uint64_t at = 0; at < used; at += step) {
        wal->bytes->data[at] ^= (uint8_t)(1u << at % 8);
        check_change(wal, all, wal->start + at);
        wal->bytes->data[at] ^= (uint8_t)(1u << at % 8);
    }
}

static void a_cut_piece_gives_what_is_whole_and_asks_for_more(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(16);
    WalStep end;
    g_autoptr(GArray) all = NULL;
    const Seen *seen;

    g_byte_array_set_size(wal->bytes, 64 * 1024);
    all = read_all(wal, wal->start, RECORDED_SEGMENT, &end);
    g_assert_cmpint(end, ==, WAL_STEP_MORE);
    seen = (const Seen *)(void *)all->data;
    for (guint len = 0; len < 40000; len += 37) {
        g_autoptr(GArray) found = NULL;
        guint n = 0;

        wal->bytes->len = len;
        found = read_all(wal, wal->start, RECORDED_SEGMENT, &end);
        g_assert_cmpint(end, ==, WAL_STEP_MORE);
        while (n < all->len && true_end(&seen[n]) <= wal->start + len)
            n++;
        g_assert_cmpuint(found->len, ==, n);
    }
    wal->bytes->len = 64 * 1024;
}

static void end_with(RecordedWal *wal, uint64_t system_id, int code, const char *says)
{
    g_autoptr(WalReader) reader = wal_reader_new(wal->start, RECORDED_SEGMENT, system_id, NULL);
    g_autoptr(GError) error = NULL, again = NULL;
    WalRecord record;
    WalStep step;

    do
        step = recorded_next(wal, reader, RECORDED_SEGMENT, &record, &error);
    while (step == WAL_STEP_RECORD);
    g_assert_cmpint(step, ==, WAL_STEP_END);
    g_assert_error(error, BS_ERROR, code);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, says));
    g_assert_cmpint(wal_reader_next(reader, &record, &again), ==, WAL_STEP_END);
    g_assert_cmpstr(again->message, ==, error->message);
}

static void another_cluster_is_named(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);

    end_with(wal, wal->system_id + 1, BS_ERROR_MISMATCH, "of another cluster");
}

static void a_missing_segment_ends_the_walk(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);

    memmove(wal->bytes->data + RECORDED_SEGMENT, wal->bytes->data + 2 * RECORDED_SEGMENT,
            wal->bytes->len - 2 * RECORDED_SEGMENT);
    end_with(wal, wal->system_id, BS_ERROR_CORRUPT, "holds WAL of another place");
}

static void zeros_end_the_walk(void)
{
    g_autoptr(RecordedWal) wal = recorded_wal(15);

    memset(wal->bytes->data + 5 * WAL_PAGE_LEN, 0, wal->bytes->len - 5 * WAL_PAGE_LEN);
    end_with(wal, wal->system_id, BS_ERROR_CORRUPT, "an empty page");
}

/* What promotion left of the old timeline's last segment. */
static void a_partial_segment_is_read_to_its_end(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(RecordedWal) wal = recorded_wal(recorded_releases[i]);
        const PgStretch *first = pg_history_find(wal->history, 1);
        WalName name = wal_name_of(1, first->end, RECORDED_SEGMENT);
        g_autoptr(GByteArray) partial = NULL;
        g_autoptr(WalReader) reader = NULL;
        g_autoptr(GError) error = NULL;
        WalRecord record = { 0 };
        WalStep step;

        name.kind = WAL_PARTIAL;
        partial = recorded(wal->release, wal_name_text(&name).text);
        reader = wal_reader_new(wal_segment_start(first->end, RECORDED_SEGMENT), RECORDED_SEGMENT,
                                wal->system_id, NULL);
        wal_reader_feed(reader, wal_reader_wants(reader), partial->data, partial->len);
        while ((step = wal_reader_next(reader, &record, &error)) == WAL_STEP_RECORD)
            ;
        g_assert_cmpint(step, ==, WAL_STEP_END);
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_cmpstr(lsn_text(wal_reader_position(reader)).text, ==, lsn_text(first->end).text);
        g_assert_cmpuint(record.end, ==, first->end);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walreader/tools", sees_what_the_servers_tools_see);
    g_test_add_func("/walreader/chain", records_form_one_chain_over_timelines);
    g_test_add_func("/walreader/pieces", the_size_of_the_pieces_does_not_matter);
    g_test_add_func("/walreader/starts", any_page_or_record_is_a_place_to_start);
    g_test_add_func("/walreader/changed-byte", no_changed_byte_gives_another_record);
    g_test_add_func("/walreader/cut", a_cut_piece_gives_what_is_whole_and_asks_for_more);
    g_test_add_func("/walreader/cluster", another_cluster_is_named);
    g_test_add_func("/walreader/missing", a_missing_segment_ends_the_walk);
    g_test_add_func("/walreader/zeros", zeros_end_the_walk);
    g_test_add_func("/walreader/partial", a_partial_segment_is_read_to_its_end);
    return g_test_run();
}
