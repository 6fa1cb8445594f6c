/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirwal.h"
#include "base/error.h"
#include "base/fs.h"
#include "pg/walevent.h"
#include "pg/walname.h"
#include "pg/walreader.h"
#include "source/filereader.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define PLACED      "pgdata/pg_wal"
#define HISTORY_MAX (1u << 20)

typedef struct {
    const PgDirWal *wal;
    PgTree *tree;
    DirHandle *dir; /* pg_wal, wherever it lies */
    WalReader *reader;
    uint8_t *buffer; /* of WAL_SEGMENT_MIN, which divides all segments */
} Push;

static void push_done(Push *push)
{
    dir_handle_unref(push->dir);
    wal_reader_free(push->reader);
    g_free(push->buffer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Push, push_done)

static bool gone(const char *name, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "pg_wal/%s: the server has recycled it before the backup ended; give it a free "
                "replication slot (max_replication_slots) and the role the right to use it "
                "(REPLICATION), or raise wal_keep_size",
                name);
    return false;
}

/* ---- segments ---- */

/* Who starts the copy replays it: his server makes the tablespace at the very path where the live
 * one has it, whatever the links in the copy say. */
static bool stays_inside(const WalRecord *record, GError **error)
{
    WalEvent event;

    if (record->rmgr != WAL_RMGR_TABLESPACE)
        return true;
    if (!wal_event_decode(record, &event, error))
        return false;
    if (event.kind != WAL_TABLESPACE || !*event.location)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "a tablespace was made in %s since the checkpoint that the backup begins with: a "
                "copy of it would go to that directory; back up again",
                event.location);
    return false;
}

/* Records up to the stop; what follows it is none of ours. */
static bool prove(Push *push, const char *name, uint64_t lsn, size_t len, GError **error)
{
    g_autoptr(GError) failure = NULL;
    WalRecord record;
    WalStep step = WAL_STEP_RECORD;

    if (wal_reader_position(push->reader) >= push->wal->stop)
        return true;
    wal_reader_feed(push->reader, lsn, push->buffer, len);
    while (step == WAL_STEP_RECORD && wal_reader_position(push->reader) < push->wal->stop) {
        step = wal_reader_next(push->reader, &record, &failure);
        if (step == WAL_STEP_RECORD && !stays_inside(&record, error))
            return false;
    }
    if (step != WAL_STEP_END || wal_reader_position(push->reader) >= push->wal->stop)
        return true;
    g_propagate_prefixed_error(error, g_steal_pointer(&failure),
                               "pg_wal/%s: the WAL that the backup needs cannot be read: ", name);
    return false;
}

static bool begin_file(Push *push, const char *name, mode_t mode, GError **error)
{
    g_autofree char *placed = g_strconcat(PLACED "/", name, NULL);
    TarEntry entry = push->wal->like;

    entry.path = placed;
    entry.mode = mode;
    return pg_tree_begin(push->tree, &entry, false, 0, error);
}

/* Has the name the same file still? A segment that is recycled gets another name first, and is
 * written over then. */
static bool is_still(const Push *push, const char *name, const struct stat *st)
{
    struct stat now;

    return fstatat(dir_handle_fd(push->dir), name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_ino == st->st_ino && now.st_dev == st->st_dev;
}

static bool copy_segment(Push *push, const char *name, uint64_t lsn, int fd, GError **error)
{
    uint32_t size = push->wal->segment_size;

    for (uint32_t offset = 0; offset < size; offset += WAL_SEGMENT_MIN) {
        size_t n;

        if (!cancel_check(push->wal->cancel, error) ||
            !fs_pread_full(fd, push->buffer, WAL_SEGMENT_MIN, offset, &n, name, error))
            return false;
        if (n < WAL_SEGMENT_MIN) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pg_wal/%s: it is short", name);
            return false;
        }
        if (!prove(push, name, lsn + offset, n, error) ||
            !pg_tree_write(push->tree, push->buffer, n, error))
            return false;
    }
    return true;
}

static bool push_segment(Push *push, uint64_t lsn, GError **error)
{
    WalName wanted = wal_name_of(push->wal->timeline, lsn, push->wal->segment_size);
    WalNameText text = wal_name_text(&wanted);
    fs_autoclose int fd = openat(dir_handle_fd(push->dir), text.text, O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) failure = NULL;
    struct stat st;

    if (fd < 0 && errno == ENOENT)
        return gone(text.text, error);
    if (fd < 0 || fstat(fd, &st) != 0) {
        bs_error_errno(error, errno, "open pg_wal/%s", text.text);
        return false;
    }
    if (!begin_file(push, text.text, S_IFREG | 0600, error))
        return false;
    if (copy_segment(push, text.text, lsn, fd, &failure)) {
        // pg_tree_end() is last, so that a recycled one is never ended as if it were sound
        return is_still(push, text.text, &st) ? pg_tree_end(push->tree, error)
                                              : gone(text.text, error);
    }
    if (!is_still(push, text.text, &st))
        return gone(text.text, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool push_segments(Push *push, GError **error)
{
    const PgDirWal *wal = push->wal;

    for (uint64_t lsn = wal_segment_start(wal->start, wal->segment_size); lsn < wal->stop;
         lsn += wal->segment_size)
        if (!push_segment(push, lsn, error))
            return false;
    if (wal_reader_position(push->reader) >= wal->stop)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "pg_wal: it ends before %s, where the backup does", lsn_text(wal->stop).text);
    return false;
}

/* ---- what lies beside them ---- */

static bool push_history(Push *push, const char *name, GError **error)
{
    fs_autoclose int fd = openat(dir_handle_fd(push->dir), name, O_RDONLY | O_CLOEXEC);
    size_t n;

    if (fd < 0) {
        bs_error_errno(error, errno, "open pg_wal/%s", name);
        return false;
    }
    return fs_pread_full(fd, push->buffer, HISTORY_MAX, 0, &n, name, error) &&
           begin_file(push, name, S_IFREG | 0600, error) &&
           pg_tree_write(push->tree, push->buffer, n, error) && pg_tree_end(push->tree, error);
}

static bool push_histories(Push *push, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GPtrArray) names = dir_handle_names(push->dir, &failure);

    if (failure) {
        g_propagate_prefixed_error(error, failure, "pg_wal: ");
        return false;
    }
    for (guint i = 0; i < names->len; i++) {
        WalName name;

        if (wal_name_parse(names->pdata[i], &name, NULL) && name.kind == WAL_HISTORY &&
            !push_history(push, names->pdata[i], error))
            return false;
    }
    return true;
}

/* A server whose archive holds these segments already need not be given them again. */
static bool push_status(Push *push, GError **error)
{
    const PgDirWal *wal = push->wal;

    if (!begin_file(push, "archive_status", S_IFDIR | 0700, error))
        return false;
    for (uint64_t lsn = wal_segment_start(wal->start, wal->segment_size); lsn < wal->stop;
         lsn += wal->segment_size) {
        WalName name = wal_name_of(wal->timeline, lsn, wal->segment_size);
        g_autofree char *path =
            g_strconcat("archive_status/", wal_name_text(&name).text, ".done", NULL);

        if (!begin_file(push, path, S_IFREG | 0600, error) || !pg_tree_end(push->tree, error))
            return false;
    }
    return true;
}

static bool push_open(Push *push, GError **error)
{
    const PgDirWal *wal = push->wal;
    int fd = openat(wal->directory, "pg_wal", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        bs_error_errno(error, errno, "open pg_wal");
        return false;
    }
    push->dir = dir_handle_new(fd);
    push->reader = wal_reader_new(wal->start, wal->segment_size, wal->system_id, NULL);
    push->buffer = g_malloc(WAL_SEGMENT_MIN);
    return true;
}

bool pg_dir_wal_push(const PgDirWal *wal, PgTree *tree, GError **error)
{
    g_auto(Push) push = { .wal = wal, .tree = tree };

    return push_open(&push, error) && push_segments(&push, error) && push_histories(&push, error) &&
           push_status(&push, error);
}

bool pg_dir_wal_record_end(const PgDirWal *wal, uint64_t *ret_end, GError **error)
{
    PgDirWal one = *wal;
    g_auto(Push) push = { .wal = &one };
    WalName wanted = wal_name_of(wal->timeline, wal->start, wal->segment_size);
    WalNameText text = wal_name_text(&wanted);
    uint64_t lsn = wal->start - wal->start % WAL_SEGMENT_MIN;
    fs_autoclose int fd = -1;
    size_t n;

    one.stop = wal->start + 1;
    if (!push_open(&push, error))
        return false;
    fd = openat(dir_handle_fd(push.dir), text.text, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        bs_error_errno(error, errno, "open pg_wal/%s", text.text);
        return false;
    }
    if (!fs_pread_full(fd, push.buffer, WAL_SEGMENT_MIN, wal_segment_offset(lsn, wal->segment_size),
                       &n, text.text, error) ||
        !prove(&push, text.text, lsn, n, error))
        return false;
    *ret_end = wal_reader_position(push.reader);
    if (*ret_end >= one.stop)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "pg_wal/%s: the record at %s is not whole",
                text.text, lsn_text(wal->start).text);
    return false;
}
