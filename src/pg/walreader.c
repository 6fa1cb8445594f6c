/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walreader.h"
#include "base/error.h"
#include "pg/little.h"
#include "pg/walpage.h"

#define ALIGNED 8 /* records begin at multiples of it */

struct WalReader {
    uint32_t segment_size;
    uint64_t system_id; // 0: not known yet
    int release;        // 0: not known yet
    const PgHistory *history;

    const uint8_t *piece; // borrowed
    uint64_t piece_lsn;
    size_t piece_len;

    uint64_t at;       // what is read next
    uint64_t begun;    // the record that is read, or the next one
    uint64_t prev;     // the record before; 0: none yet
    uint32_t timeline; // of the last page
    bool header_done;  // of the page that holds at
    bool skipping;     // what is left of a record that began before the start

    GByteArray *gathered; // a record that is spread over pages; its length when it is empty: 0
    uint32_t wanted;      // its length; 0: no record is being gathered
    uint32_t begun_on;    // the timeline of its first page
    GError *ended;
};

WalReader *wal_reader_new(uint64_t start, uint32_t segment_size, uint64_t system_id,
                          const PgHistory *history)
{
    WalReader *reader = g_new0(WalReader, 1);

    g_assert(wal_segment_size_valid(segment_size));
    reader->segment_size = segment_size;
    reader->system_id = system_id;
    reader->history = history;
    reader->at = reader->begun = start;
    reader->skipping = start % WAL_PAGE_LEN == 0;
    reader->gathered = g_byte_array_new();
    return reader;
}

void wal_reader_free(WalReader *reader)
{
    if (!reader)
        return;
    g_byte_array_unref(reader->gathered);
    g_clear_error(&reader->ended);
    g_free(reader);
}

uint64_t wal_reader_wants(const WalReader *reader)
{
    return reader->at - reader->at % WAL_PAGE_LEN;
}

uint64_t wal_reader_position(const WalReader *reader)
{
    return reader->begun;
}

void wal_reader_feed(WalReader *reader, uint64_t lsn, const void *data, size_t len)
{
    g_assert(lsn % WAL_PAGE_LEN == 0 && lsn <= wal_reader_wants(reader));
    reader->piece = data;
    reader->piece_lsn = lsn;
    reader->piece_len = len;
}

/* How many bytes of the piece lie at the place that is read next; NULL for none. */
static const uint8_t *here(const WalReader *reader, uint64_t lsn, size_t *ret_len)
{
    uint64_t offset = lsn - reader->piece_lsn;

    *ret_len = 0;
    if (!reader->piece || offset >= reader->piece_len)
        return NULL;
    *ret_len = reader->piece_len - offset;
    return reader->piece + offset;
}

static WalStep end_here(WalReader *reader, int code, const char *problem)
{
    g_set_error(&reader->ended, BS_ERROR, code, "WAL at %s: %s", lsn_text(reader->begun).text,
                problem);
    return WAL_STEP_END;
}

static bool refuse(WalReader *reader, const char *problem)
{
    (void)end_here(reader, BS_ERROR_CORRUPT, problem);
    return false;
}

static bool refuse_page(WalReader *reader, const char *problem)
{
    g_set_error(&reader->ended, BS_ERROR, BS_ERROR_CORRUPT, "WAL at %s: the page at %s %s",
                lsn_text(reader->begun).text, lsn_text(wal_reader_wants(reader)).text, problem);
    return false;
}

/* ---- pages ---- */

static bool check_page(WalReader *reader, const WalPage *page)
{
    uint64_t lsn = wal_reader_wants(reader);
    bool first = wal_segment_offset(lsn, reader->segment_size) == 0;

    if (page->lsn != lsn)
        return refuse_page(reader, "holds WAL of another place");
    if (page->first != first || (first && page->segment_size != reader->segment_size))
        return refuse_page(reader, "is of a segment of another size");
    if (reader->release && page->release != reader->release)
        return refuse_page(reader, "is of another release");
    if (page->timeline < reader->timeline)
        return refuse_page(reader, "is of an earlier timeline");
    if (reader->history && page->timeline != pg_history_timeline_at(reader->history, lsn))
        return refuse_page(reader, "is of a timeline that is not on the way");
    if (first && reader->system_id && page->system_id != reader->system_id) {
        g_set_error(&reader->ended, BS_ERROR, BS_ERROR_MISMATCH,
                    "WAL at %s is of another cluster: its system identifier is %" G_GUINT64_FORMAT
                    ", not %" G_GUINT64_FORMAT,
                    lsn_text(lsn).text, page->system_id, reader->system_id);
        return false;
    }
    if (first)
        reader->system_id = page->system_id;
    reader->release = page->release;
    reader->timeline = page->timeline;
    return true;
}

/* What a page says of the record that is spread over its begin. */
static bool check_continuation(WalReader *reader, const WalPage *page)
{
    bool fresh = reader->at % WAL_PAGE_LEN == 0; // else the walk begins within the page

    if (!fresh)
        return true;
    if (reader->wanted && page->overwrites) {
        // the server crashed while it wrote the record, and went on without its end
        reader->wanted = 0;
        reader->begun = reader->at;
    } else if (reader->wanted) {
        if (page->rest != reader->wanted - reader->gathered->len)
            return refuse_page(reader, "does not continue the record");
    } else if (page->continues && !reader->skipping) {
        return refuse_page(reader, "continues a record that did not begin");
    }
    return true;
}

/* Passes over what is left of a record that began before the start. */
static void skip_rest(WalReader *reader, const WalPage *page)
{
    uint32_t room = WAL_PAGE_LEN - page->header_len;

    if (page->rest > room) {
        reader->at += room;
    } else {
        reader->at += (page->rest + ALIGNED - 1) & ~(uint32_t)(ALIGNED - 1);
        reader->skipping = false;
    }
    reader->begun = reader->at;
}

static WalStep open_page(WalReader *reader)
{
    uint64_t lsn = wal_reader_wants(reader);
    bool first = wal_segment_offset(lsn, reader->segment_size) == 0;
    size_t len;
    const uint8_t *at = here(reader, lsn, &len);
    g_autoptr(GError) failure = NULL;
    WalPage page;

    if (len < (first ? WAL_PAGE_LONG : WAL_PAGE_SHORT))
        return WAL_STEP_MORE;
    if (!wal_page_parse(at, len, &page, &failure))
        return end_here(reader, failure->code, failure->message);
    if (!check_page(reader, &page) || !check_continuation(reader, &page))
        return WAL_STEP_END;
    if (reader->at % WAL_PAGE_LEN == 0) {
        reader->at += page.header_len;
        if (!reader->wanted)
            reader->begun = reader->at;
        if (reader->skipping)
            skip_rest(reader, &page);
    } else if (reader->at % WAL_PAGE_LEN < page.header_len || reader->at % ALIGNED != 0) {
        return end_here(reader, BS_ERROR_CORRUPT, "no record can begin there");
    }
    // what was skipped may fill the page to its end
    reader->header_done = reader->at % WAL_PAGE_LEN != 0;
    return WAL_STEP_RECORD;
}

/* ---- records ---- */

/* data: at least its header. */
static bool check_header(WalReader *reader, const uint8_t *data)
{
    WalRecord head = { 0 };

    if (!wal_record_header(data, &head))
        return refuse(reader, "a record of impossible length");
    if (reader->prev ? head.prev != reader->prev : head.prev >= reader->begun)
        return refuse(reader, "a record that does not follow the one before");
    return true;
}

/* All of the record lies at data and at is behind its last byte. */
static WalStep finish(WalReader *reader, const uint8_t *data, uint32_t len, WalRecord *record)
{
    g_autoptr(GError) failure = NULL;
    WalRecord found = {
        .lsn = reader->begun,
        .release = reader->release,
        .timeline = reader->begun_on,
        .data = data,
        .len = len,
    };

    if (!check_header(reader, data))
        return WAL_STEP_END;
    if (!wal_record_parse(&found, &failure))
        return end_here(reader, failure->code, failure->message);
    reader->at = (reader->at + ALIGNED - 1) & ~(uint64_t)(ALIGNED - 1);
    if (wal_record_is_switch(&found))
        reader->at = wal_segment_start(reader->at + reader->segment_size - 1, reader->segment_size);
    reader->header_done =
        reader->header_done && reader->at % WAL_PAGE_LEN != 0 && !wal_record_is_switch(&found);
    reader->wanted = 0;
    reader->prev = reader->begun;
    reader->begun = reader->at;
    found.end = reader->at;
    *record = found;
    return WAL_STEP_RECORD;
}

static uint32_t left_on_page(const WalReader *reader)
{
    return WAL_PAGE_LEN - (uint32_t)(reader->at % WAL_PAGE_LEN);
}

/* A record begins: whole on this page, or the begin of one that is to be gathered. */
static WalStep begin_record(WalReader *reader, WalRecord *record, bool *ret_whole)
{
    size_t have;
    const uint8_t *at = here(reader, reader->at, &have);
    uint32_t len;

    if (have < sizeof len)
        return WAL_STEP_MORE;
    len = little_u32(at);
    if (len == 0)
        return end_here(reader, BS_ERROR_CORRUPT, "no record follows");
    if (len < WAL_RECORD_HEADER || len > WAL_RECORD_MAX)
        return end_here(reader, BS_ERROR_CORRUPT, "a record of impossible length");
    reader->begun_on = reader->timeline;
    if (len > left_on_page(reader)) {
        reader->wanted = len;
        g_byte_array_set_size(reader->gathered, 0);
        return WAL_STEP_RECORD;
    }
    if (have < len)
        return WAL_STEP_MORE;
    *ret_whole = true;
    reader->at += len;
    return finish(reader, at, len, record);
}

/* Takes what this page has of the record. */
static WalStep gather(WalReader *reader, WalRecord *record, bool *ret_whole)
{
    size_t have;
    const uint8_t *at = here(reader, reader->at, &have);
    size_t before = reader->gathered->len;
    size_t take = MIN(left_on_page(reader), reader->wanted - before);

    // a part of a page would be asked for again as a whole
    if (have < take)
        return WAL_STEP_MORE;
    g_byte_array_append(reader->gathered, at, (guint)take);
    reader->at += take;
    reader->header_done = reader->at % WAL_PAGE_LEN != 0;
    // old bytes in a recycled segment must not be gathered for long
    if (before < WAL_RECORD_HEADER && reader->gathered->len >= WAL_RECORD_HEADER &&
        !check_header(reader, reader->gathered->data))
        return WAL_STEP_END;
    if (reader->gathered->len < reader->wanted)
        return WAL_STEP_RECORD;
    *ret_whole = true;
    return finish(reader, reader->gathered->data, reader->wanted, record);
}

WalStep wal_reader_next(WalReader *reader, WalRecord *record, GError **error)
{
    WalStep step = reader->ended ? WAL_STEP_END : WAL_STEP_RECORD;
    bool whole = false;

    while (step == WAL_STEP_RECORD && !whole) {
        if (!reader->header_done)
            step = open_page(reader);
        else if (reader->wanted)
            step = gather(reader, record, &whole);
        else
            step = begin_record(reader, record, &whole);
    }
    if (step == WAL_STEP_END && error)
        *error = g_error_copy(reader->ended);
    return step;
}
