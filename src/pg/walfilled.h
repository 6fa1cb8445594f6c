/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells a whole segment from the part of one that was filled up with zeros to its length, as a
 * recovery gets it (op/walsegment.h). A standby with archive_mode = always archives what it is
 * given as if it were whole (PostgreSQL sources, KeepFileRestoredFromArchive()). Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t used;   /* bytes before the zeros */
    size_t proven; /* bytes before the first record that is not whole */
    bool damaged;  /* between the two lies more than the begin of one record */
} WalFilled;

/*
 * data: of the length of a segment, and with its first page. A segment that a server has left ends
 * with a record that goes on in the next one, or with a switch and zeros behind it; so true is what
 * ends with zeros and whose records do not lead to its end: a part that was filled up, or a segment
 * with damage before the zeros, which nobody can tell from a part with the same damage. What cannot
 * be told, such as the WAL of a release that we do not know, is not filled up.
 */
bool wal_is_filled_up(const void *data, size_t len, WalFilled *ret_filled);
