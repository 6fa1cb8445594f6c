/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walspool.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "codec/hash.h"
#include "pg/walpage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define LOCK     "lock"
#define ASKED    "asked"
#define GAVE_UP  "gave-up"
#define BUSY_END ".part"

#define SUM_LEN       8   /* hexadecimal digits */
#define SEGMENT_LEN   24u /* of a name */
#define ASKED_MAX     64u
#define GAVE_UP_S     30    /* an outage is not asked about more often */
#define BUSY_WAIT_MS  60000 /* a store that takes longer is asked once more */
#define BUSY_PAUSE_MS 3
#define PIECE_LEN     (256u * 1024)

struct WalSpool {
    char *path;
    uint64_t system_id;
    int dirfd, lock;
};

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

typedef bool (*Each)(WalSpool *spool, const char *name, void *user); /* false: that will do */

static void each_file(WalSpool *spool, Each each, void *user)
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
    return strlen(file) > SEGMENT_LEN && strspn(file, "0123456789ABCDEF") == SEGMENT_LEN;
}

/* The checksum in the name. */
static bool parse_sum(const char *file, uint32_t *ret_sum)
{
    const char *hex = file + SEGMENT_LEN + 1;

    if (!begins_as_segment(file) || file[SEGMENT_LEN] != '.' || strlen(hex) != SUM_LEN ||
        strspn(hex, "0123456789abcdef") != SUM_LEN)
        return false;
    *ret_sum = (uint32_t)strtoul(hex, NULL, 16);
    return true;
}

static bool is_whole(const char *file)
{
    uint32_t sum;

    return parse_sum(file, &sum);
}

static bool remove_half(WalSpool *spool, const char *file, G_GNUC_UNUSED void *user)
{
    if (begins_as_segment(file) && !is_whole(file))
        (void)unlinkat(spool->dirfd, file, 0);
    return true;
}

bool wal_spool_claim(WalSpool *spool)
{
    if (!try_lock(spool, LOCK, &spool->lock))
        return false;
    each_file(spool, remove_half, NULL);
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
    char text[ASKED_MAX + 1] = "", name[SEGMENT_LEN + 1] = "";
    size_t len;
    unsigned size;

    if (fd < 0 || !fs_read_full(fd, text, ASKED_MAX, &len, ASKED, NULL) ||
        sscanf(text, "%24s %u", name, &size) != 2 || !wal_segment_size_valid(size) ||
        !wal_name_parse(name, ret_name, NULL) || ret_name->kind != WAL_SEGMENT)
        return false;
    *ret_size = size;
    return true;
}

/* ---- taking ---- */

typedef struct {
    const char *prefix;
    char *name;
} Search;

static bool matches(G_GNUC_UNUSED WalSpool *spool, const char *name, void *user)
{
    Search *search = user;

    if (strncmp(name, search->prefix, SEGMENT_LEN) == 0 && is_whole(name))
        search->name = g_strdup(name);
    return !search->name;
}

/* NULL: there is none. */
static char *find(WalSpool *spool, const WalName *name)
{
    WalNameText text = wal_name_text(name);
    Search search = { .prefix = text.text };

    each_file(spool, matches, &search);
    return search.name;
}

bool wal_spool_has(WalSpool *spool, const WalName *name)
{
    g_autofree char *found = find(spool, name);

    return found != NULL;
}

typedef struct {
    char text[SEGMENT_LEN + sizeof BUSY_END];
} BusyName;

static BusyName busy_name(const WalName *name)
{
    BusyName busy;

    (void)g_snprintf(busy.text, sizeof busy.text, "%s" BUSY_END, wal_name_text(name).text);
    return busy;
}

static bool is_busy(WalSpool *spool, const WalName *name)
{
    fs_autoclose int fd =
        openat(spool->dirfd, busy_name(name).text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

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
    return parse_sum(file, &want) && want == got;
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

/* ---- fetching ahead ---- */

int wal_spool_begin(WalSpool *spool, const WalName *name)
{
    int fd = -1;

    return try_lock(spool, busy_name(name).text, &fd) ? fd : -1;
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
    (void)unlinkat(spool->dirfd, busy_name(name).text, 0);
    fs_clear_fd(&busy);
}

typedef struct {
    const WalName *after;
    uint64_t from, to; /* first bytes of the window and beyond it */
    uint32_t size;
} Window;

static bool is_wanted(const Window *window, const char *file)
{
    g_autofree char *text = g_strndup(file, SEGMENT_LEN);
    WalName name;
    uint64_t lsn;

    return window->after && wal_name_parse(text, &name, NULL) && name.kind == WAL_SEGMENT &&
           name.timeline == window->after->timeline &&
           wal_name_lsn(&name, window->size, &lsn, NULL) && lsn >= window->from && lsn < window->to;
}

static bool remove_unwanted(WalSpool *spool, const char *file, void *user)
{
    const Window *window = user;

    if (is_whole(file) && !is_wanted(window, file))
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
    each_file(spool, remove_unwanted, &window);
}
