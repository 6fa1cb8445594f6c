/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checksums of data pages (PostgreSQL documentation, "Data Checksums"; the algorithm is FNV-1a
 * in 32 lanes, as the source tree's README of storage/page says). Pages of 8192 bytes of clusters
 * that were made with checksums. Pure; any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PG_PAGE_LEN 8192

typedef struct {
    uint32_t block;           /* in the relation */
    uint16_t stored, counted; /* 0, 0: the page says it is new, and holds something */
    /* up to which WAL the page says it is: at or after the start of a base backup it may have been
     * read while it was written, and recovery writes it anew */
    uint64_t lsn;
} PgBadPage;

/*
 * Checks n pages in a row. first_block: of the first one, in its relation: each file of a relation
 * but the last holds as many as PgControl says. Writes at most max of those that do not fit, in
 * their order, and returns how many there are. A page of zeros is sound: it was never written.
 */
size_t pg_pages_check(const void *pages, size_t n, uint32_t first_block, PgBadPage *bad,
                      size_t max);

/* What the page's checksum ought to be. */
uint16_t pg_page_checksum(const void *page, uint32_t block);
/* Up to which WAL it is. */
uint64_t pg_page_lsn(const void *page);
