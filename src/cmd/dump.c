/* SPDX-License-Identifier: Apache-2.0 */
#include "op/dump.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "codec/dotenv.h"
#include "op/open.h"
#include "op/secretsource.h"
#include "op/select.h"
#include "repo/walk.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    SnapshotFilter filter;
    char *archive, *target;
    gboolean reveal, masked, manifest;
} DumpOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(DumpOptions, member))

static const GOptionEntry dump_options[] = {
    FILTER_OPTIONS(DumpOptions),
    { "archive", 'a', 0, ARG_TEXT, AT(archive), "directories come as tar (default) or zip",
      "FORMAT" },
    { "target", 't', 0, ARG_TEXT, AT(target), "write this file, whole or not at all", "FILE" },
    { "reveal", 0, 0, ARG_FLAG, AT(reveal), "also of a source that is marked secret", NULL },
    { "masked", 0, 0, ARG_FLAG, AT(masked),
      "a file of variables such as .env, with *** in place of every value", NULL },
    { "manifest", 0, 0, ARG_FLAG, AT(manifest),
      "what was recorded of the source when it was saved, in place of a FILE", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

#define DOTENV_MAX ((size_t)1 << 20)

static bool parse_archive(const char *text, ArchiveKind *ret_kind, GError **error)
{
    *ret_kind = text && strcmp(text, "zip") == 0 ? ARCHIVE_KIND_ZIP : ARCHIVE_KIND_TAR;
    if (!text || strcmp(text, "tar") == 0 || strcmp(text, "zip") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--archive %s: must be tar or zip", text);
    return false;
}

/* What a source other than files has recorded of itself; NULL: it has not. */
static char *manifest_of(const Snapshot *snapshot)
{
    if (!snapshot_tag_value(snapshot, "kind") || !snapshot->paths[0])
        return NULL;
    return g_strconcat(snapshot->paths[0], "/manifest.json", NULL);
}

/* It is no content of the source. */
static bool is_manifest(const Snapshot *snapshot, const char *subpath, const char *path)
{
    const char *kind = snapshot_tag_value(snapshot, "kind");
    g_autofree char *manifest = manifest_of(snapshot);

    return !subpath && g_strcmp0(kind, "files") != 0 && manifest && g_strcmp0(path, manifest) == 0;
}

static bool choose_manifest(const Snapshot *snapshot, const char *subpath, char **ret_path,
                            GError **error)
{
    *ret_path = subpath ? NULL : manifest_of(snapshot);
    if (*ret_path)
        return true;
    if (subpath)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--manifest is of a whole snapshot; leave out :%s", subpath);
    else
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "nothing was recorded of it: a snapshot of files has no manifest");
    return false;
}

static bool may_show(const DumpOptions *options, const Snapshot *snapshot, const char *subpath,
                     const char *path, GError **error)
{
    return options->reveal || options->masked || is_manifest(snapshot, subpath, path) ||
           secret_source_refuse(snapshot,
                                "say --reveal to have it all the same, or --masked for the names "
                                "of its variables alone",
                                error);
}

static bool dump_masked(Repo *repo, const Id *tree, const char *path, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    g_autoptr(GString) masked = NULL;
    g_autofree char *text = NULL;

    if (!walk_read(repo, tree, path, DOTENV_MAX, &content, error))
        return false;
    text = g_strndup(g_bytes_get_data(content, NULL), g_bytes_get_size(content));
    masked = dotenv_mask(text);
    if (fwrite(masked->str, 1, masked->len, stdout) == masked->len && fflush(stdout) == 0)
        return true;
    bs_error_errno(error, errno, "standard output");
    return false;
}

static bool dump(const Context *context, Repo *repo, const DumpOptions *options, const char *name,
                 DumpRequest request, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL, *manifest = NULL;
    unsigned unreadable;
    Id tree;

    if (!select_snapshot(repo, name, &options->filter, &snapshot, &subpath, &unreadable, error) ||
        (options->manifest && !choose_manifest(snapshot, subpath, &manifest, error)))
        return false;
    if (manifest)
        request.path = manifest;
    return may_show(options, snapshot, subpath, request.path, error) &&
           repo_load_index(repo, context->cancel, error) &&
           select_tree(repo, snapshot, subpath, &tree, error) &&
           (options->masked ? dump_masked(repo, &tree, request.path, error)
                            : op_dump(repo, &tree, &request, context->cancel, error)) &&
           select_complete(unreadable, error);
}

static bool dump_run(const Context *context, void *options_room, char **operands, GError **error)
{
    DumpOptions *options = options_room;
    DumpRequest request = { .path = operands[0] ? operands[1] : NULL, .target = options->target };
    char *name[] = { operands[0], NULL };
    g_auto(OpenRepo) open = { 0 };

    if (!operands_between(operands, options->manifest ? 1 : 2, options->manifest ? 1 : 2,
                          options->manifest ? "a snapshot alone" : "a snapshot and a path in it",
                          error) ||
        !parse_archive(options->archive, &request.format, error))
        return false;
    if (options->masked &&
        (options->reveal || options->target || options->archive || options->manifest)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "--masked is for one file on standard output, without --reveal, "
                            "--target, --archive and --manifest");
        return false;
    }
    filter_complete(&options->filter, name);
    return open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           dump(context, open.repo, options, operands[0], request, error);
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
