/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walspooling.h"

#include "base/clock.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "pg/walpage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define BUSY_WAIT_MS  60000 /* a store that takes longer is asked once more */
#define BUSY_PAUSE_MS 3
#define PIECE_LEN     (256u * 1024)

typedef struct {
    const char *prefix;
    char *name;
} Search;

static bool matches(G_GNUC_UNUSED WalSpool *spool, const char *name, void *user)
{
    Search *search = user;

    if (strncmp(name, search->prefix, WAL_SPOOL_SEGMENT_LEN) == 0 && wal_spool_is_whole(name))
        search->name = g_strdup(name);
    return !search->name;
}

/* NULL: there is none. */
static char *find(WalSpool *spool, const WalName *name)
{
    WalNameText text = wal_name_text(name);
    Search search = { .prefix = text.text };

    wal_spool_each(spool, matches, &search);
    return search.name;
}

bool wal_spool_has(WalSpool *spool, const WalName *name)
{
    g_autofree char *found = find(spool, name);

    return found != NULL;
}

static bool is_busy(WalSpool *spool, const WalName *name)
{
    fs_autoclose int fd =
        openat(spool->dirfd, wal_spool_busy_name(name).text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    // who fetches holds the lock, and with his end it goes
    return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;
}

static void wait_for(WalSpool *spool, const WalName *name, const Cancel *cancel)
{
    int64_t until = clock_monotonic_ms() + BUSY_WAIT_MS;

    while (is_busy(spool, name) && clock_monotonic_ms() < until && cancel_check(cancel, NULL))
        clock_sleep_ms(BUSY_PAUSE_MS);
}

/* A regular file of the length of a segment that only we could have written; -1: none. */
static int open_whole(WalSpool *spool, const char *file, size_t *ret_len)
{
    int fd = openat(spool->dirfd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
                    st.st_nlink != 1 || !wal_segment_size_valid((uint64_t)st.st_size)))
        fs_clear_fd(&fd);
    if (fd >= 0)
        *ret_len = (size_t)st.st_size;
    return fd;
}

static bool is_segment(const WalSpool *spool, const WalName *name, const void *begin, size_t n,
                       size_t len)
{
    WalPage page;

    return wal_page_parse_first(name, begin, n, &page, NULL) &&
           page.system_id == spool->system_id && page.segment_size == len;
}

/* Piece by piece: a buffer of its length costs more in faults of fresh pages than its checksum. */
static bool is_proven(const WalSpool *spool, const WalName *name, const char *file, int fd,
                      size_t len)
{
    g_autofree uint8_t *piece = g_malloc(PIECE_LEN);
    size_t done = 0, n;
    uint32_t want, got = 0;

    while (done < len) {
        if (!fs_read_full(fd, piece, MIN(PIECE_LEN, len - done), &n, file, NULL) || n == 0 ||
            (done == 0 && !is_segment(spool, name, piece, n, len)))
            return false;
        got = crc32c(got, piece, n);
        done += n;
    }
    return wal_spool_parse_sum(file, &want) && want == got;
}

static bool copy_out(int fd, size_t len, const char *path)
{
    g_autofree uint8_t *data = g_try_malloc(len);
    size_t n;

    return data && fs_pread_full(fd, data, len, 0, &n, path, NULL) && n == len &&
           fs_write_durable(path, data, len, 0600, FS_REPLACE, NULL);
}

/* It is durable where it lies; the name follows. */
static bool move_out(WalSpool *spool, const char *file, int fd, size_t len, const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path);

    if (renameat(spool->dirfd, file, AT_FDCWD, path) == 0)
        return fs_sync_dir(parent, NULL);
    return errno == EXDEV && copy_out(fd, len, path);
}

bool wal_spool_take(WalSpool *spool, const WalName *name, const char *path, const Cancel *cancel,
                    uint32_t *ret_size)
{
    g_autofree char *file = NULL;
    fs_autoclose int fd = -1;
    size_t len = 0;
    bool taken;

    wait_for(spool, name, cancel);
    file = find(spool, name);
    if (!file)
        return false;
    fd = open_whole(spool, file, &len);
    taken =
        fd >= 0 && is_proven(spool, name, file, fd, len) && move_out(spool, file, fd, len, path);
    (void)unlinkat(spool->dirfd, file, 0); // a copy is left, or something that is not to be used
    if (taken)
        *ret_size = (uint32_t)len;
    return taken;
}
