/* SPDX-License-Identifier: Apache-2.0 */
/* A stream as a source: standard input, or the standard output of a command. */
#include "base/child.h"
#include "base/error.h"
#include "source/files.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (1024u * 1024)

typedef struct {
    Source base;
    int fd;      /* stdin; -1 with a command */
    GStrv argv;  /* command */
    GStrv parts; /* of the name in the snapshot */
} StreamSource;

static Node *stream_node(const char *name, mode_t mode)
{
    Node *node = node_new();

    node->name = g_strdup(name);
    node->mode = mode;
    node->mtime = node->atime = node->ctime = clock_now();
    node->uid = getuid();
    node->gid = getgid();
    node->links = S_ISREG(mode) ? 1 : 0;
    return node;
}

static bool copy_stream(int fd, Sink *sink, void *handle, const SourceRun *run, uint64_t *ret_size,
                        GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(READ_SIZE);
    uint64_t offset = 0;
    ssize_t n;

    (void)fcntl(fd, F_SETPIPE_SZ, READ_SIZE); // fewer switches; may be refused, may be no pipe
    while ((n = cancel_read(run->cancel, fd, buffer, READ_SIZE, error)) > 0) {
        if (!sink_write(sink, handle, offset, buffer, (size_t)n, error))
            return false;
        offset += (uint64_t)n;
    }
    if (n < 0)
        return false;
    *ret_size = offset;
    return true;
}

static bool stream_file(StreamSource *stream, Sink *sink, const char *path, const char *name,
                        const SourceRun *run, GError **error)
{
    g_autoptr(Node) node = stream_node(name, S_IFREG | 0644);
    g_autoptr(Child) child = NULL;
    Entry entry = { .path = path, .node = node };
    void *handle;
    bool ok;

    if (stream->argv) {
        child = child_spawn((const char *const *)stream->argv, NULL, CHILD_STDOUT_PIPE, error);
        if (!child)
            return false;
    }
    if (!sink_begin(sink, &entry, &handle, error))
        return false;
    ok = copy_stream(child ? child_stdout(child) : stream->fd, sink, handle, run, &node->size,
                     error);
    // the producer's success decides, not that its output ended
    if (ok && child)
        ok = child_wait(child, run->cancel, NULL, error);
    if (!ok) {
        sink_abandon(sink, handle);
        return false;
    }
    return sink_end(sink, handle, node, error);
}

static bool stream_level(StreamSource *stream, Sink *sink, GString *path, char **parts,
                         const SourceRun *run, GError **error)
{
    g_autoptr(Node) node = NULL;
    Entry entry;
    void *handle;

    g_string_append_printf(path, "/%s", parts[0]);
    if (!parts[1])
        return stream_file(stream, sink, path->str, parts[0], run, error);
    node = stream_node(parts[0], S_IFDIR | 0755);
    entry = (Entry){ .path = path->str, .node = node };
    if (!sink_begin(sink, &entry, &handle, error))
        return false;
    if (!stream_level(stream, sink, path, parts + 1, run, error)) {
        sink_abandon(sink, handle);
        return false;
    }
    return sink_end(sink, handle, NULL, error);
}

static bool stream_backup(Source *source, Sink *sink, const SourceRun *run, GError **error)
{
    StreamSource *stream = (StreamSource *)source;
    g_autoptr(GString) path = g_string_new(NULL);

    return stream_level(stream, sink, path, stream->parts, run, error);
}

static void stream_free(Source *source)
{
    StreamSource *stream = (StreamSource *)source;

    g_strfreev(stream->argv);
    g_strfreev(stream->parts);
    g_free(stream);
}

static const SourceOps stream_ops = {
    .kind = "files",
    .backup = stream_backup,
    .free = stream_free,
};

static Source *stream_new(int fd, const char *const *argv, const char *name, GError **error)
{
    g_autofree char *path = g_canonicalize_filename(name, "/");
    StreamSource *stream;

    if (strcmp(path, "/") == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"%s\" is no file name for the stream", name);
        return NULL;
    }
    stream = g_new0(StreamSource, 1);
    stream->base.ops = &stream_ops;
    stream->base.tags = g_ptr_array_new_with_free_func(g_free);
    stream->base.paths = g_strdupv((char *[]){ path, NULL });
    stream->fd = fd;
    stream->argv = g_strdupv((char **)argv);
    stream->parts = g_strsplit(path + 1, "/", -1);
    return &stream->base;
}

Source *stream_source_new(int fd, const char *name, GError **error)
{
    return stream_new(fd, NULL, name, error);
}

Source *command_source_new(const char *const *argv, const char *name, GError **error)
{
    return stream_new(-1, argv, name, error);
}
