/* SPDX-License-Identifier: Apache-2.0 */
#include "op/dump.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "op/open.h"
#include "op/select.h"
#include <string.h>

typedef struct {
    SnapshotFilter filter;
    char *archive, *target;
} DumpOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(DumpOptions, member))

static const GOptionEntry dump_options[] = {
    FILTER_OPTIONS(DumpOptions),
    { "archive", 'a', 0, ARG_TEXT, AT(archive), "directories come as tar (default) or zip",
      "FORMAT" },
    { "target", 't', 0, ARG_TEXT, AT(target), "write this file, whole or not at all", "FILE" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static bool parse_archive(const char *text, ArchiveKind *ret_kind, GError **error)
{
    *ret_kind = text && strcmp(text, "zip") == 0 ? ARCHIVE_KIND_ZIP : ARCHIVE_KIND_TAR;
    if (!text || strcmp(text, "tar") == 0 || strcmp(text, "zip") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--archive %s: must be tar or zip", text);
    return false;
}

static bool dump(const Context *context, Repo *repo, const SnapshotFilter *filter, const char *name,
                 const DumpRequest *request, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL;
    unsigned unreadable;
    Id tree;

    return select_snapshot(repo, name, filter, &snapshot, &subpath, &unreadable, error) &&
           repo_load_index(repo, context->cancel, error) &&
           select_tree(repo, snapshot, subpath, &tree, error) &&
           op_dump(repo, &tree, request, context->cancel, error) &&
           select_complete(unreadable, error);
}

static bool dump_run(const Context *context, void *options_room, char **operands, GError **error)
{
    DumpOptions *options = options_room;
    DumpRequest request = { .path = operands[0] ? operands[1] : NULL, .target = options->target };
    char *name[] = { operands[0], NULL };
    g_auto(OpenRepo) open = { 0 };

    if (!operands_between(operands, 2, 2, "a snapshot and a path in it", error) ||
        !parse_archive(options->archive, &request.format, error))
        return false;
    filter_complete(&options->filter, name);
    return open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           dump(context, open.repo, &options->filter, operands[0], &request, error);
}

const Command dump_command = {
    .name = "dump",
    .operands = "SNAPSHOT[:PATH] FILE",
    .summary = "write a file of a snapshot to standard output",
    .description = "FILE is a path in the snapshot. A directory comes as an archive, \"/\" is all "
                   "of it.",
    .options = dump_options,
    .request_size = sizeof(DumpOptions),
    .run = dump_run,
};
