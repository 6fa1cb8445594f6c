/* SPDX-License-Identifier: Apache-2.0 */
#include "op/dump.h"

#include "base/error.h"
#include "flow/pipesink.h"
#include "flow/reader.h"
#include "op/outfile.h"
#include "repo/walk.h"
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

typedef struct {
    Repo *repo;
    const Id *tree;
    const DumpRequest *request;
    const Cancel *cancel;
} Dump;

static bool dump_to(int fd, const char *name, void *user, GError **error)
{
    const Dump *dump = user;
    g_autofree char *path = g_canonicalize_filename(dump->request->path, "/"), *dir = NULL;
    g_autoptr(Outlet) out = outlet_fd_new(fd, name, dump->cancel);
    g_autoptr(Node) node = NULL;
    Id found;

    if (!walk_find(dump->repo, dump->tree, path, &node, &found, error))
        return false;
    if (node && !S_ISDIR(node->mode)) {
        dir = g_path_get_dirname(path);
        return dump_file(dump->repo, node, dir, out, dump->cancel, error);
    }
    if (isatty(fd)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s is a directory, and its archive would go to the terminal; redirect it, or "
                    "use --target FILE",
                    node ? path : "/");
        return false;
    }
    return dump_directory(dump->repo, &found, node ? path : "", dump->request->format, out,
                          dump->cancel, error);
}

bool op_dump(Repo *repo, const Id *tree, const DumpRequest *request, const Cancel *cancel,
             GError **error)
{
    Dump dump = { repo, tree, request, cancel };

    return outfile_write(request->target, dump_to, &dump, error);
}
