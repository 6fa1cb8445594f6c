/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sparse.h"

#include "base/fs.h"
#include <string.h>

/* What file systems keep track of: a shorter run of zeros saves nothing. */
#define HOLE_UNIT 4096u

static bool all_zero(const char *data, size_t len)
{
    return len == 0 || (data[0] == 0 && memcmp(data, data + 1, len - 1) == 0);
}

/* The length of the longest piece from here on that is one thing: a hole, or data. */
static size_t next_piece(uint64_t offset, const char *data, size_t len, bool *ret_hole)
{
    size_t done = 0;

    while (done < len) {
        size_t unit = MIN(HOLE_UNIT - (size_t)((offset + done) % HOLE_UNIT), len - done);
        bool hole = unit == HOLE_UNIT && all_zero(data + done, unit);

        if (done == 0)
            *ret_hole = hole;
        else if (hole != *ret_hole)
            break;
        done += unit;
    }
    return done;
}

bool sparse_write(int fd, const void *buf, size_t len, uint64_t offset, const char *name,
                  GError **error)
{
    const char *data = buf;

    while (len > 0) {
        bool hole = false;
        size_t piece = next_piece(offset, data, len, &hole);

        if (!hole && !fs_pwrite_all(fd, data, piece, offset, name, error))
            return false;
        offset += piece;
        data += piece;
        len -= piece;
    }
    return true;
}
