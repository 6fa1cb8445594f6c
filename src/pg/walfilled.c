/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walfilled.h"

#include "base/error.h"
#include "pg/little.h"
#include "pg/walpage.h"
#include "pg/walreader.h"

#include <string.h>

static size_t used_of(const uint8_t *data, size_t len)
{
    while (len > 0 && data[len - 1] == 0)
        len--;
    return len;
}

/* Behind so many bytes of a record from at on, and the headers of pages that it may pass. */
static uint64_t end_of(uint64_t at, uint64_t len)
{
    return at + len + WAL_PAGE_LONG + WAL_PAGE_SHORT * (len / (WAL_PAGE_LEN - WAL_PAGE_LONG) + 1);
}

/* Where a record may be that has begun behind the last proven one. */
static uint64_t end_of_begun(const uint8_t *data, size_t len, size_t at)
{
    return at + sizeof(uint32_t) > len ? at : end_of(at, little_u32(data + at));
}

typedef struct {
    uint64_t proven; /* from the segment's begin: behind the last record that is whole */
    bool any;        /* there is one */
    bool goes_on;    /* all of the segment is used */
    bool unknown;    /* WAL of a release that nobody here can read */
} Walk;

static Walk walk(const WalPage *page, const void *data, size_t len)
{
    g_autoptr(GError) end = NULL;
    WalReader *reader = wal_reader_new(page->lsn, page->segment_size, page->system_id, NULL);
    Walk found = { 0 };
    WalRecord record;
    WalStep step;

    wal_reader_feed(reader, page->lsn, data, len);
    while ((step = wal_reader_next(reader, &record, &end)) == WAL_STEP_RECORD)
        found.any = true;
    found.goes_on = step == WAL_STEP_MORE; // a switch leads there, too
    found.unknown = g_error_matches(end, BS_ERROR, BS_ERROR_UNSUPPORTED);
    found.proven = wal_reader_position(reader) - page->lsn;
    wal_reader_free(reader);
    return found;
}

bool wal_is_filled_up(const void *data, size_t len, WalFilled *ret_filled)
{
    size_t used = used_of(data, len);
    WalPage page;
    Walk found;
    uint64_t end;

    // most segments are full to the last page
    if (used > len - WAL_PAGE_LEN || !wal_page_parse(data, len, &page, NULL) || !page.first ||
        page.segment_size != len)
        return false;
    found = walk(&page, data, len);
    if (found.goes_on || found.unknown)
        return false;
    if (found.any)
        end = end_of_begun(data, len, found.proven);
    else
        end = end_of(page.header_len, page.continues ? page.rest : 0);
    // it may be the second half of a switch
    if (!found.any && page.continues && page.rest < WAL_RECORD_HEADER && used <= end)
        return false;
    // behind a record that is damaged others follow
    *ret_filled = (WalFilled){
        .used = used,
        .proven = MIN(found.proven, used),
        .damaged = used > end,
    };
    return true;
}
