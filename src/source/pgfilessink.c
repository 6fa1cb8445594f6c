/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgfilessink.h"

#include "base/error.h"
#include "base/fs.h"
#include "flow/scratch.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define ZEROS_LEN (64u << 10)

typedef struct {
    Sink base;
    const PgFilesUse *use;
    void *user;
    GBytes *toc;
    const json_t *recorded;
    PgDumpFiles *files;
    Scratch *scratch;
    char *directory; /* in it */
    bool started;

    bool open; /* a file is; toc.dat without fd, for it came before */
    int fd;
    char *path;
    uint64_t position;
} FilesSink;

static bool write_file(const FilesSink *sink, const char *name, const GByteArray *bytes,
                       GError **error)
{
    g_autofree char *path = g_build_filename(sink->directory, name, NULL);

    return fs_write_durable(path, bytes->data, bytes->len, 0600, FS_UNSYNCED, error);
}

static bool make_room(FilesSink *sink, GError **error)
{
    json_int_t size = json_integer_value(json_object_get(sink->recorded, "size"));

    sink->scratch = scratch_new(g_get_tmp_dir(), error);
    if (!sink->scratch || !scratch_check_room(sink->scratch, (uint64_t)MAX(size, 0), error))
        return false;
    sink->directory = g_build_filename(scratch_path(sink->scratch), "dump", NULL);
    return fs_make_dirs(sink->directory, 0700, error);
}

static bool read_toc(FilesSink *sink, GByteArray *toc, GError **error)
{
    return pgdump_files_begin(sink->files, PGDUMP_TOC, error) &&
           pgdump_files_feed(sink->files, toc->data, toc->len, error) &&
           pgdump_files_end(sink->files, error);
}

static bool start(FilesSink *sink, GError **error)
{
    g_autoptr(GByteArray) toc = g_byte_array_new();

    g_byte_array_append(toc, g_bytes_get_data(sink->toc, NULL), (guint)g_bytes_get_size(sink->toc));
    sink->started = true;
    return read_toc(sink, toc, error) &&
           (!sink->use->start ||
            sink->use->start(sink->user, pgdump_files_dump(sink->files), &toc, error)) &&
           make_room(sink, error) && write_file(sink, PGDUMP_TOC, toc, error);
}

static bool begin_file(FilesSink *sink, const char *name, GError **error)
{
    if (strcmp(name, PGDUMP_TOC) == 0)
        return true;
    if (!pgdump_files_begin(sink->files, name, error))
        return false;
    sink->path = g_build_filename(sink->directory, name, NULL);
    sink->fd = open(sink->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (sink->fd >= 0)
        return true;
    bs_error_errno(error, errno, "create %s", sink->path);
    return false;
}

static bool files_begin(Sink *base, const Entry *entry, void **ret_handle, GError **error)
{
    FilesSink *sink = (FilesSink *)base;

    *ret_handle = NULL;
    if (S_ISDIR(entry->node->mode))
        return true;
    if (!S_ISREG(entry->node->mode) || sink->open) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "dump: %s is no file of it", entry->path);
        return false;
    }
    if (!sink->use->only_look && !sink->started && !start(sink, error))
        return false;
    sink->position = 0;
    sink->open = true;
    *ret_handle = sink;
    return sink->use->only_look || begin_file(sink, strrchr(entry->path, '/') + 1, error);
}

static bool take(FilesSink *sink, const void *data, size_t len, GError **error)
{
    sink->position += len;
    return sink->fd < 0 || (pgdump_files_feed(sink->files, data, len, error) &&
                            fs_write_all(sink->fd, data, len, sink->path, error));
}

static bool take_zeros(FilesSink *sink, uint64_t until, GError **error)
{
    static const uint8_t zeros[ZEROS_LEN];

    while (sink->position < until)
        if (!take(sink, zeros, (size_t)MIN(until - sink->position, ZEROS_LEN), error))
            return false;
    return true;
}

static bool files_write(Sink *base, G_GNUC_UNUSED void *handle, uint64_t offset, const void *data,
                        size_t len, GError **error)
{
    FilesSink *sink = (FilesSink *)base;

    if (!sink->started && !start(sink, error))
        return false;
    return take_zeros(sink, offset, error) && take(sink, data, len, error);
}

static bool close_file(FilesSink *sink, GError **error)
{
    int fd = sink->fd;

    sink->fd = -1;
    return pgdump_files_end(sink->files, error) && fs_close(fd, sink->path, error);
}

static bool files_end(Sink *base, void *handle, const Node *node, GError **error)
{
    FilesSink *sink = (FilesSink *)base;
    bool ok;

    if (!handle)
        return true;
    ok =
        (!node || take_zeros(sink, node->size, error)) && (sink->fd < 0 || close_file(sink, error));
    sink->open = false;
    g_clear_pointer(&sink->path, g_free);
    return ok;
}

static void files_abandon(G_GNUC_UNUSED Sink *base, G_GNUC_UNUSED void *handle)
{
    // a file that is cut short fails finish, which counts
}

/* The bytes were those that the backup saw. */
static bool check_recorded(FilesSink *sink, GError **error)
{
    const char *want = json_string_value(json_object_get(sink->recorded, "sha256"));
    uint64_t size;
    Id sha256;

    pgdump_files_sum(sink->files, &size, &sha256);
    if (want && strcmp(want, id_hex(&sha256).text) == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "the dump is not the one that the manifest records (SHA-256 %s instead of %s)",
                id_hex(&sha256).text, want ? want : "none");
    return false;
}

static bool files_finish(Sink *base, GError **error)
{
    FilesSink *sink = (FilesSink *)base;

    if (!sink->started || sink->open) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no whole dump came to be restored");
        return false;
    }
    return pgdump_files_finish(sink->files, error) && check_recorded(sink, error) &&
           sink->use->run(sink->user, sink->directory, error) &&
           scratch_remove(sink->scratch, error);
}

static void files_free(Sink *base)
{
    FilesSink *sink = (FilesSink *)base;

    sink->use->free(sink->user);
    fs_clear_fd(&sink->fd);
    scratch_free(sink->scratch);
    pgdump_files_free(sink->files);
    g_bytes_unref(sink->toc);
    g_free(sink->directory);
    g_free(sink->path);
    g_free(sink);
}

static const SinkOps files_ops = {
    .name = "directory dump",
    .begin = files_begin,
    .write = files_write,
    .end = files_end,
    .abandon = files_abandon,
    .finish = files_finish,
    .free = files_free,
};

Sink *pg_files_sink_new(const PgFilesUse *use, void *user, GBytes *toc, const json_t *recorded)
{
    FilesSink *sink = g_new0(FilesSink, 1);

    sink->base.ops = &files_ops;
    sink->use = use;
    sink->user = user;
    sink->toc = g_bytes_ref(toc);
    sink->recorded = recorded;
    sink->files = pgdump_files_new();
    sink->fd = -1;
    return &sink->base;
}
