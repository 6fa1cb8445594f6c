/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walinput.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>

/* Times of files move on with the kernel's tick, every 1 to 10 ms. */
#define FRESH_NS 100000000

static Timestamp timestamp_of(struct timespec time)
{
    return (Timestamp){ time.tv_sec, (uint32_t)time.tv_nsec };
}

/* Also what comes from the future: a clock that was set back says nothing. */
static bool is_fresh(Timestamp then, Timestamp now)
{
    return (now.sec - then.sec) * 1000000000 + now.nsec - then.nsec < FRESH_NS;
}

bool wal_identity_of(int fd, WalIdentity *ret_identity, GError **error)
{
    Timestamp now = clock_now();
    struct stat st;

    if (fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "stat");
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "not a regular file");
        return false;
    }
    *ret_identity = (WalIdentity){
        .dev = st.st_dev,
        .ino = st.st_ino,
        .len = (uint64_t)st.st_size,
        .modified_at = timestamp_of(st.st_mtim),
        .changed_at = timestamp_of(st.st_ctim),
    };
    ret_identity->fresh =
        is_fresh(ret_identity->modified_at, now) || is_fresh(ret_identity->changed_at, now);
    return true;
}

static bool is_unchanged(const WalIdentity *a, const WalIdentity *b)
{
    return a->dev == b->dev && a->ino == b->ino && a->len == b->len &&
           timestamp_compare(a->modified_at, b->modified_at) == 0 &&
           timestamp_compare(a->changed_at, b->changed_at) == 0;
}

bool wal_identity_same(const WalIdentity *a, const WalIdentity *b)
{
    return !a->fresh && !b->fresh && is_unchanged(a, b);
}

/* A directory of another user that we may not look into cannot say. */
static bool has_name_still(int pg_wal, const WalFile *file, const WalIdentity *identity)
{
    struct stat st;

    if (fstatat(pg_wal, wal_name_text(&file->name).text, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == EACCES;
    // a link to a file that lies elsewhere is nothing that a server uses again
    return S_ISLNK(st.st_mode) || (st.st_dev == identity->dev && st.st_ino == identity->ino);
}

static bool read_whole(int fd, uint64_t len, GBytes **ret_content, GError **error)
{
    g_autofree uint8_t *buf = g_try_malloc(len + 1); // the end is seen by reading beyond it
    size_t got;

    if (!buf) {
        bs_error_errno(error, ENOMEM, "read");
        return false;
    }
    if (!fs_pread_full(fd, buf, len + 1, 0, &got, "the file", error))
        return false;
    *ret_content = g_bytes_new_take(g_steal_pointer(&buf), got);
    return true;
}

bool wal_input_read(int fd, int pg_wal, WalFile *file, WalIdentity *ret_identity, GError **error)
{
    WalIdentity before, after;

    if (!wal_identity_of(fd, &before, error))
        return false;
    if (before.len > wal_file_bound(&file->name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "larger than %zu bytes",
                    wal_file_bound(&file->name));
        return false;
    }
    if (!read_whole(fd, before.len, &file->content, error) || !wal_identity_of(fd, &after, error))
        return false;
    if (is_unchanged(&before, &after) && g_bytes_get_size(file->content) == before.len &&
        (pg_wal < 0 || has_name_still(pg_wal, file, &before))) {
        *ret_identity = before;
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "it was changed while it was read");
    return false;
}
