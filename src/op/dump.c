/* SPDX-License-Identifier: Apache-2.0 */
#include "op/dump.h"

#include "base/error.h"
#include "base/fs.h"
#include "flow/pipesink.h"
#include "flow/reader.h"
#include "repo/walk.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool dump_file(Repo *repo, const Node *node, const char *prefix, Outlet *out,
                      const Cancel *cancel, GError **error)
{
    static const ReaderOptions options = { 0 };
    g_autoptr(Sink) sink = pipe_sink_new(out);

    return reader_run_node(repo, node, prefix, sink, &options, cancel, error) &&
           sink_finish(sink, error);
}

static bool dump_directory(Repo *repo, const Id *tree, const char *path, ArchiveKind format,
                           Outlet *out, const Cancel *cancel, GError **error)
{
    static const ReaderOptions options = { 0 };
    g_autoptr(Sink) sink = archive_sink_new(format, out);

    return reader_run(repo, tree, path, sink, &options, cancel, error) && sink_finish(sink, error);
}

static bool dump_to(Repo *repo, const Id *tree, const DumpRequest *request, int fd,
                    const char *name, const Cancel *cancel, GError **error)
{
    g_autofree char *path = g_canonicalize_filename(request->path, "/"), *dir = NULL;
    g_autoptr(Outlet) out = outlet_fd_new(fd, name, cancel);
    g_autoptr(Node) node = NULL;
    Id found;

    if (!walk_find(repo, tree, path, &node, &found, error))
        return false;
    if (node && !S_ISDIR(node->mode)) {
        dir = g_path_get_dirname(path);
        return dump_file(repo, node, dir, out, cancel, error);
    }
    if (isatty(fd)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s is a directory, and its archive would go to the terminal; redirect it, or "
                    "use --target FILE",
                    node ? path : "/");
        return false;
    }
    return dump_directory(repo, &found, node ? path : "", request->format, out, cancel, error);
}

/* Into a temporary file beside it, which takes its name when it is whole. */
static bool dump_to_new_file(Repo *repo, const Id *tree, const DumpRequest *request,
                             const Cancel *cancel, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(request->target);
    g_autofree char *partial = g_strdup_printf("%s.XXXXXX", request->target);
    int fd = mkostemp(partial, O_CLOEXEC);
    bool ok;

    if (fd < 0) {
        bs_error_errno(error, errno, "create %s", partial);
        return false;
    }
    ok = dump_to(repo, tree, request, fd, request->target, cancel, error);
    if (ok && fsync(fd) != 0) {
        bs_error_errno(error, errno, "fsync %s", partial);
        ok = false;
    }
    if (!ok)
        (void)close(fd);
    else
        ok = fs_close(fd, partial, error);
    if (ok && rename(partial, request->target) != 0) {
        bs_error_errno(error, errno, "rename %s to %s", partial, request->target);
        ok = false;
    }
    if (!ok)
        (void)unlink(partial); // what is told is why it is not whole
    return ok && fs_sync_dir(dir, error);
}

/* /dev/stderr, a named pipe, a tape: written as it is. */
static bool dump_to_special(Repo *repo, const Id *tree, const DumpRequest *request,
                            const Cancel *cancel, GError **error)
{
    fs_autoclose int fd = open(request->target, O_WRONLY | O_CLOEXEC);

    if (fd < 0) {
        bs_error_errno(error, errno, "open %s", request->target);
        return false;
    }
    return dump_to(repo, tree, request, fd, request->target, cancel, error);
}

bool op_dump(Repo *repo, const Id *tree, const DumpRequest *request, const Cancel *cancel,
             GError **error)
{
    struct stat old;

    if (!request->target)
        return dump_to(repo, tree, request, STDOUT_FILENO, "standard output", cancel, error);
    if (stat(request->target, &old) != 0 || S_ISREG(old.st_mode))
        return dump_to_new_file(repo, tree, request, cancel, error);
    if (S_ISDIR(old.st_mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--target %s: is a directory",
                    request->target);
        return false;
    }
    return dump_to_special(repo, tree, request, cancel, error);
}
