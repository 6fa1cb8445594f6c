/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walpage.h"
#include "base/error.h"
#include "pg/little.h"

enum {
    AT_MAGIC = 0,
    AT_FLAGS = 2,
    AT_TIMELINE = 4,
    AT_LSN = 8,
    AT_REST = 16,
    AT_SYSTEM_ID = 24,
    AT_SEGMENT_SIZE = 32,
    AT_BLOCK_SIZE = 36,
};

enum {
    FLAG_CONTINUES = 1,
    FLAG_LONG = 2,
    FLAG_REMOVABLE = 4, // full pages in it that nobody needs; says nothing to a reader
    FLAG_OVERWRITES = 8,
    FLAGS_KNOWN = 15,
};

static const struct {
    uint16_t magic;
    int release;
} magics[] = {
    { 0xd106, 13 }, { 0xd10d, 14 }, { 0xd110, 15 }, { 0xd113, 16 }, { 0xd116, 17 }, { 0xd118, 18 },
};

static bool corrupt(GError **error, const char *problem)
{
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CORRUPT, problem);
    return false;
}

static bool find_release(uint16_t magic, int *ret_release, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(magics); i++)
        if (magics[i].magic == magic) {
            *ret_release = magics[i].release;
            return true;
        }
    if (magic == 0)
        return corrupt(error, "an empty page of WAL");
    if (magic >> 8 == 0xd0 || magic >> 8 == 0xd1) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "a page of WAL of another release (magic %04X); PostgreSQL 13 to 18 are "
                    "supported",
                    magic);
        return false;
    }
    if ((magic & 0xff) == 0xd0 || (magic & 0xff) == 0xd1) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                            "a page of WAL of a big-endian machine, which is not supported");
        return false;
    }
    return corrupt(error, "not a page of WAL");
}

static bool parse_long(const uint8_t *at, WalPage *page, GError **error)
{
    page->system_id = little_u64(at + AT_SYSTEM_ID);
    page->segment_size = little_u32(at + AT_SEGMENT_SIZE);
    if (!wal_segment_size_valid(page->segment_size))
        return corrupt(error, "a page of WAL with an impossible segment size");
    if (little_u32(at + AT_BLOCK_SIZE) != WAL_PAGE_LEN) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "WAL in blocks of %u bytes; only 8192 is supported",
                    little_u32(at + AT_BLOCK_SIZE));
        return false;
    }
    if (wal_segment_offset(page->lsn, page->segment_size) != 0)
        return corrupt(error, "the first page of a segment in the middle of one");
    return true;
}

bool wal_page_parse(const void *data, size_t len, WalPage *ret_page, GError **error)
{
    const uint8_t *at = data;
    WalPage page = { 0 };
    uint16_t flags;

    if (len < WAL_PAGE_SHORT)
        return corrupt(error, "a page of WAL is cut short");
    if (!find_release(little_u16(at + AT_MAGIC), &page.release, error))
        return false;
    flags = little_u16(at + AT_FLAGS);
    page.timeline = little_u32(at + AT_TIMELINE);
    page.lsn = little_u64(at + AT_LSN);
    page.continues = (flags & FLAG_CONTINUES) != 0;
    page.rest = page.continues ? little_u32(at + AT_REST) : 0;
    page.overwrites = (flags & FLAG_OVERWRITES) != 0;
    page.first = (flags & FLAG_LONG) != 0;
    page.header_len = page.first ? WAL_PAGE_LONG : WAL_PAGE_SHORT;
    if (flags & ~FLAGS_KNOWN || page.timeline == 0 || page.lsn % WAL_PAGE_LEN != 0 ||
        (page.continues && (page.rest == 0 || page.overwrites)))
        return corrupt(error, "a page of WAL with an impossible header");
    if (len < page.header_len)
        return corrupt(error, "a page of WAL is cut short");
    if (page.first && !parse_long(at, &page, error))
        return false;
    *ret_page = page;
    return true;
}

bool wal_page_parse_first(const WalName *name, const void *data, size_t len, WalPage *ret_page,
                          GError **error)
{
    WalPage page;
    uint64_t lsn;

    g_assert(name->kind == WAL_SEGMENT || name->kind == WAL_PARTIAL);
    if (!wal_page_parse(data, len, &page, error))
        return false;
    if (!page.first)
        return corrupt(error, "a segment of WAL does not begin with its first page");
    if (!wal_name_lsn(name, page.segment_size, &lsn, error))
        return false;
    // a segment in which a timeline begins is at first a copy of the one that was left
    if (lsn != page.lsn || page.timeline > name->timeline) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "the file %s holds the WAL at %s of timeline %u", wal_name_text(name).text,
                    lsn_text(page.lsn).text, page.timeline);
        return false;
    }
    *ret_page = page;
    return true;
}
