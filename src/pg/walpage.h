/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a page of WAL, of PostgreSQL 13 to 18 on little-endian machines with WAL blocks of
 * 8 KiB. The first page of a segment has a long one, which says which cluster it is of. PostgreSQL
 * documentation, "WAL Internals". Pure; any thread.
 */
#pragma once
#include "pg/walname.h"

#define WAL_PAGE_LEN 8192

typedef struct {
    int release;
    uint32_t timeline; /* that the server was on when it began the page */
    uint64_t lsn;      /* of the page */
    bool continues;    /* its first record began on an earlier page, */
    uint32_t rest;     /* and has so many bytes to come from here on */
    bool overwrites;   /* the record that the page before began was never finished */
    bool first;        /* of a segment; only then the next two are known */
    uint64_t system_id;
    uint32_t segment_size;
    uint32_t header_len;
} WalPage;

/* data: the page, or its beginning; WAL_PAGE_LONG bytes are always enough. BS_ERROR_CORRUPT: this
 * is no page header; BS_ERROR_UNSUPPORTED: of a release or machine we do not know. */
#define WAL_PAGE_SHORT 24
#define WAL_PAGE_LONG  40
bool wal_page_parse(const void *data, size_t len, WalPage *ret_page, GError **error);

/* The first page of a file that PostgreSQL calls name, a segment or partial one. BS_ERROR_MISMATCH
 * when it is another one than its name says; the errors of wal_page_parse(). */
bool wal_page_parse_first(const WalName *name, const void *data, size_t len, WalPage *ret_page,
                          GError **error);
