/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walspooling.h"

#include "base/clock.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "codec/hash.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOCK    "lock"
#define ASKED   "asked"
#define GAVE_UP "gave-up"

#define SUM_LEN   8 /* hexadecimal digits */
#define ASKED_MAX 64u
#define GAVE_UP_S 30 /* an outage is not asked about more often */

/* ---- the directory ---- */

static bool is_ours(int dirfd)
{
    struct stat st;

    return fstat(dirfd, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & 077);
}

WalSpool *wal_spool_open(const char *dir, const char *location, uint64_t system_id)
{
    g_autofree char *path = NULL;
    WalSpool *spool;
    Id id;

    hash_bytes(location, strlen(location), &id);
    path = g_strdup_printf("%s/%" G_GUINT64_FORMAT "-%s", dir, system_id, id_short(&id).text);
    if (!fs_make_dirs(path, 0700, NULL))
        return NULL;
    spool = g_new0(WalSpool, 1);
    spool->path = g_steal_pointer(&path);
    spool->system_id = system_id;
    spool->lock = -1;
    if (wal_spool_reopen(spool))
        return spool;
    wal_spool_free(spool);
    return NULL;
}

bool wal_spool_reopen(WalSpool *spool)
{
    spool->dirfd = open(spool->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return spool->dirfd >= 0 && is_ours(spool->dirfd);
}

void wal_spool_free(WalSpool *spool)
{
    if (!spool)
        return;
    fs_clear_fd(&spool->lock);
    fs_clear_fd(&spool->dirfd);
    g_free(spool->path);
    g_free(spool);
}

void wal_spool_each(WalSpool *spool, WalSpoolEach each, void *user)
{
    int copy = openat(spool->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    const struct dirent *entry;

    while (list && (entry = readdir(list)))
        if (!each(spool, entry->d_name, user))
            break;
    if (list)
        closedir(list);
    else
        fs_clear_fd(&copy);
}

static bool try_lock(WalSpool *spool, const char *name, int *ret_fd)
{
    int fd = openat(spool->dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        *ret_fd = fd;
        return true;
    }
    fs_clear_fd(&fd);
    return false;
}

static bool begins_as_segment(const char *file)
{
    return strlen(file) > WAL_SPOOL_SEGMENT_LEN &&
           strspn(file, "0123456789ABCDEF") == WAL_SPOOL_SEGMENT_LEN;
}

bool wal_spool_parse_sum(const char *file, uint32_t *ret_sum)
{
    const char *hex = file + WAL_SPOOL_SEGMENT_LEN + 1;

    if (!begins_as_segment(file) || file[WAL_SPOOL_SEGMENT_LEN] != '.' || strlen(hex) != SUM_LEN ||
        strspn(hex, "0123456789abcdef") != SUM_LEN)
        return false;
    *ret_sum = (uint32_t)strtoul(hex, NULL, 16);
    return true;
}

bool wal_spool_is_whole(const char *file)
{
    uint32_t sum;

    return wal_spool_parse_sum(file, &sum);
}

static bool remove_half(WalSpool *spool, const char *file, G_GNUC_UNUSED void *user)
{
    if (begins_as_segment(file) && !wal_spool_is_whole(file))
        (void)unlinkat(spool->dirfd, file, 0);
    return true;
}

bool wal_spool_claim(WalSpool *spool)
{
    if (!try_lock(spool, LOCK, &spool->lock))
        return false;
    wal_spool_each(spool, remove_half, NULL);
    return true;
}

bool wal_spool_gave_up(WalSpool *spool)
{
    struct stat st;
    int64_t ago;

    if (fstatat(spool->dirfd, GAVE_UP, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    ago = clock_now().sec - st.st_mtim.tv_sec;
    return ago >= 0 && ago < GAVE_UP_S;
}

bool wal_spool_is_idle(WalSpool *spool)
{
    fs_autoclose int fd = -1;

    return !wal_spool_gave_up(spool) && try_lock(spool, LOCK, &fd);
}

void wal_spool_give_up(WalSpool *spool)
{
    (void)fs_write_durable_at(spool->dirfd, GAVE_UP, GAVE_UP, "", 0, 0600, FS_UNSYNCED, NULL);
}

/* ---- what was asked for ---- */

void wal_spool_ask(WalSpool *spool, const WalName *name, uint32_t size)
{
    g_autofree char *text = g_strdup_printf("%s %u\n", wal_name_text(name).text, size);

    (void)fs_write_durable_at(spool->dirfd, ASKED, ASKED, text, strlen(text), 0600, FS_UNSYNCED,
                              NULL);
}

bool wal_spool_asked(WalSpool *spool, WalName *ret_name, uint32_t *ret_size)
{
    fs_autoclose int fd = openat(spool->dirfd, ASKED, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    char text[ASKED_MAX + 1] = "", name[WAL_SPOOL_SEGMENT_LEN + 1] = "";
    size_t len;
    unsigned size;

    if (fd < 0 || !fs_read_full(fd, text, ASKED_MAX, &len, ASKED, NULL) ||
        sscanf(text, "%24s %u", name, &size) != 2 || !wal_segment_size_valid(size) ||
        !wal_name_parse(name, ret_name, NULL) || ret_name->kind != WAL_SEGMENT)
        return false;
    *ret_size = size;
    return true;
}

/* ---- fetching ahead ---- */

WalSpoolBusyName wal_spool_busy_name(const WalName *name)
{
    WalSpoolBusyName busy;

    (void)g_snprintf(busy.text, sizeof busy.text, "%s.part", wal_name_text(name).text);
    return busy;
}

int wal_spool_begin(WalSpool *spool, const WalName *name)
{
    int fd = -1;

    return try_lock(spool, wal_spool_busy_name(name).text, &fd) ? fd : -1;
}

bool wal_spool_put(WalSpool *spool, const WalName *name, GBytes *content, GError **error)
{
    g_autofree char *file = NULL;
    size_t len;
    const void *data = g_bytes_get_data(content, &len);

    file = g_strdup_printf("%s.%0*x", wal_name_text(name).text, SUM_LEN, crc32c(0, data, len));
    return fs_write_durable_at(spool->dirfd, file, file, data, len, 0600, FS_REPLACE, error);
}

void wal_spool_end(WalSpool *spool, const WalName *name, int busy)
{
    (void)unlinkat(spool->dirfd, wal_spool_busy_name(name).text, 0);
    fs_clear_fd(&busy);
}

typedef struct {
    const WalName *after;
    uint64_t from, to; /* first bytes of the window and beyond it */
    uint32_t size;
} Window;

static bool is_wanted(const Window *window, const char *file)
{
    g_autofree char *text = g_strndup(file, WAL_SPOOL_SEGMENT_LEN);
    WalName name;
    uint64_t lsn;

    return window->after && wal_name_parse(text, &name, NULL) && name.kind == WAL_SEGMENT &&
           name.timeline == window->after->timeline &&
           wal_name_lsn(&name, window->size, &lsn, NULL) && lsn >= window->from && lsn < window->to;
}

static bool remove_unwanted(WalSpool *spool, const char *file, void *user)
{
    const Window *window = user;

    if (wal_spool_is_whole(file) && !is_wanted(window, file))
        (void)unlinkat(spool->dirfd, file, 0);
    return true;
}

void wal_spool_tidy(WalSpool *spool, const WalName *after, uint32_t size, unsigned n)
{
    Window window = { .after = after, .size = size };

    if (after) {
        if (!wal_name_lsn(after, size, &window.from, NULL))
            return;
        window.from += size;
        window.to = window.from + (uint64_t)n * size;
    }
    wal_spool_each(spool, remove_unwanted, &window);
}
