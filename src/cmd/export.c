/* SPDX-License-Identifier: Apache-2.0 */
#include "op/export.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/output.h"
#include "op/open.h"
#include "op/select.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    SnapshotFilter filter;
    char *format, *target, *database;
    gint level;
    gboolean no_manifest;
} ExportOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(ExportOptions, member))

static const GOptionEntry export_options[] = {
    FILTER_OPTIONS(ExportOptions),
    { "format", 'F', 0, ARG_TEXT, AT(format),
      "dump, sql, sql.gz, sql.zst, tar, tar.gz or tar.zst (default: what the target's name ends "
      "in)",
      "FORMAT" },
    { "target", 't', 0, ARG_TEXT, AT(target),
      "write this file, whole or not at all (default: standard output)", "FILE" },
    { "level", 0, 0, ARG_INT, AT(level), "of compression: 1 to 9 for gz, 1 to 19 for zst", "N" },
    { "database", 0, 0, ARG_TEXT, AT(database), "which one, when the snapshot holds several",
      "NAME" },
    { "no-manifest", 0, 0, ARG_FLAG, AT(no_manifest), "no TARGET.manifest.json beside it", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static bool choose_format(const ExportOptions *options, ExportFormat *ret_format, GError **error)
{
    if (options->format) {
        if (!export_format_parse(options->format, ret_format, error)) {
            g_prefix_error(error, "--format ");
            return false;
        }
    } else if (!options->target || !export_format_guess(options->target, ret_format)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "say with --format what is wanted: dump, sql, sql.gz, sql.zst, tar, tar.gz or "
                    "tar.zst");
        return false;
    }
    if (options->level == 0 || export_format_set_level(ret_format, options->level, error))
        return true;
    g_prefix_error(error, "--level ");
    return false;
}

static void tell(const Settings *settings, const Snapshot *snapshot, const ExportRequest *request,
                 const Exported *exported)
{
    g_autofree char *size = size_format(exported->size);
    const char *format = export_format_name(&request->format);

    if (!request->target) // standard output is the file itself
        return;
    if (settings->json)
        output_json(json_pack(
            "{s:s, s:s, s:o, s:s, s:I, s:s}", "message_type", "summary", "snapshot_id",
            id_hex(&snapshot->id).text, "target", json_bytes(request->target), "format", format,
            "size", (json_int_t)exported->size, "sha256", id_hex(&exported->sha256).text));
    else if (!settings->quiet)
        printf("exported snapshot %s as %s: %s, %s, SHA-256 %s\n", id_short(&snapshot->id).text,
               format, request->target, size, id_hex(&exported->sha256).text);
}

static bool export_snapshot(const Context *context, Repo *repo, const SnapshotFilter *filter,
                            const char *name, const ExportRequest *request, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL;
    Exported exported;
    unsigned unreadable;

    if (!select_snapshot(repo, name, filter, &snapshot, &subpath, &unreadable, error))
        return false;
    if (subpath) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: a snapshot is exported whole; `backstay dump` writes a part of it", name);
        return false;
    }
    if (!repo_load_index(repo, context->cancel, error) ||
        !op_export(repo, snapshot, request, context->cancel, &exported, error))
        return false;
    tell(context->settings, snapshot, request, &exported);
    return select_complete(unreadable, error);
}

static bool export_run(const Context *context, void *options_room, char **operands, GError **error)
{
    ExportOptions *options = options_room;
    ExportRequest request = { .database = options->database,
                              .target = options->target,
                              .manifest = !options->no_manifest };
    g_auto(OpenRepo) open = { 0 };
    Progress progress;
    ProgressLine *line;
    bool ok;

    if (!operands_between(operands, 1, 1, "a snapshot", error) ||
        !choose_format(options, &request.format, error))
        return false;
    filter_complete(&options->filter, operands);
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error))
        return false;
    progress_init(&progress);
    request.progress = &progress;
    line = request.target ? progress_line_start(context->settings, &progress) : NULL;
    ok = export_snapshot(context, open.repo, &options->filter, operands[0], &request, error);
    progress_line_stop(line);
    progress_done(&progress);
    return ok;
}

const Command export_command = {
    .name = "export",
    .operands = "SNAPSHOT",
    .summary = "write a snapshot as a portable file outside the repository",
    .description =
        "A snapshot of a database becomes its dump, which pg_restore takes, or the SQL script of "
        "it; any snapshot becomes a tar archive of all it holds. Standard tools read them, "
        "without Backstay and without the repository.\n\n"
        "Beside the file lies TARGET.manifest.json with its size and SHA-256, the snapshot it is "
        "of, and what was recorded when that was taken.",
    .options = export_options,
    .request_size = sizeof(ExportOptions),
    .run = export_run,
};
