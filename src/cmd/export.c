/* SPDX-License-Identifier: Apache-2.0 */
#include "op/export.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/output.h"
#include "config/secrets.h"
#include "op/open.h"
#include "op/seal.h"
#include "op/select.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    SnapshotFilter filter;
    char *format, *target, *database, *keys, *passphrase_file, *run;
    char **recipients;
    gint level;
    gboolean no_manifest, reveal;
} ExportOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(ExportOptions, member))

static const GOptionEntry export_options[] = {
    FILTER_OPTIONS(ExportOptions),
    { "format", 'F', 0, ARG_TEXT, AT(format),
      "dump, sql, tar, rdb or db, also sql.gz, tar.zst and the like, or app (default: what the "
      "target's name ends in)",
      "FORMAT" },
    { "run", 0, 0, ARG_TEXT, AT(run), "the snapshots of this run of a schedule (--format app)",
      "ID" },
    { "target", 't', 0, ARG_TEXT, AT(target),
      "write this file, whole or not at all (default: standard output)", "FILE" },
    { "level", 0, 0, ARG_INT, AT(level), "of compression: 1 to 9 for gz, 1 to 19 for zst", "N" },
    { "database", 0, 0, ARG_TEXT, AT(database), "which one, when the snapshot holds several",
      "NAME" },
    { "encrypt-to", 0, 0, ARG_TEXT, AT(keys),
      "encrypt for the OpenPGP keys in this file; private ones are not needed", "FILE" },
    { "recipient", 0, 0, ARG_LIST, AT(recipients),
      "only for the key with this fingerprint (default: for all in the file; may be repeated)",
      "FINGERPRINT" },
    { "passphrase-file", 0, 0, ARG_TEXT, AT(passphrase_file),
      "encrypt with the passphrase in this file", "FILE" },
    { "no-manifest", 0, 0, ARG_FLAG, AT(no_manifest), "no TARGET.manifest.json beside it", NULL },
    { "reveal", 0, 0, ARG_FLAG, AT(reveal), "also of a source that is marked secret, unencrypted",
      NULL },
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
                    "say with --format what is wanted: dump, sql, tar, rdb or db, all but the "
                    "first also with .gz or .zst");
        return false;
    }
    if (options->level == 0 || export_format_set_level(ret_format, options->level, error))
        return true;
    g_prefix_error(error, "--level ");
    return false;
}

/* A name must not promise what a file is not. */
static bool check_target(const char *target, bool sealed, GError **error)
{
    if (!target || g_str_has_suffix(target, ".gpg") == sealed)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                sealed ? "%s: the name of an encrypted file ends in .gpg"
                       : "%s: the name ends in .gpg, but nothing says for whom to encrypt; use "
                         "--encrypt-to or --passphrase-file",
                target);
    return false;
}

/* *ret_sealed false: not encrypted. */
static bool load_seal(const ExportOptions *options, Seal *ret_seal, bool *ret_sealed,
                      GError **error)
{
    Secret *passphrase = NULL;

    *ret_sealed = options->keys || options->passphrase_file || options->recipients;
    return !*ret_sealed ||
           ((!options->passphrase_file ||
             secret_from_private_file("passphrase", options->passphrase_file, &passphrase,
                                      error)) &&
            seal_load(options->keys, options->recipients, passphrase, ret_seal, error));
}

static void tell(const Settings *settings, const GPtrArray *snapshots, const ExportRequest *request,
                 const Exported *exported)
{
    const Snapshot *first = snapshots->pdata[0];
    g_autofree char *size = size_format(exported->size);
    g_autofree char *what = snapshots->len == 1
                                ? g_strdup_printf("snapshot %s", id_short(&first->id).text)
                                : g_strdup_printf("%u snapshots", snapshots->len);
    const char *format = export_format_name(&request->format);

    if (!request->target) // standard output is the file itself
        return;
    if (settings->json)
        output_json(json_pack(
            "{s:s, s:s, s:o, s:s, s:I, s:s}", "message_type", "summary", "snapshot_id",
            id_hex(&first->id).text, "target", json_bytes(request->target), "format", format,
            "size", (json_int_t)exported->size, "sha256", id_hex(&exported->sha256).text));
    else if (!settings->quiet)
        printf("exported %s as %s: %s, %s, SHA-256 %s\n", what, format, request->target, size,
               id_hex(&exported->sha256).text);
}

/* One, in a new array. */
static bool choose_one(Repo *repo, const SnapshotFilter *filter, const char *name,
                       GPtrArray **ret_snapshots, unsigned *ret_unreadable, GError **error)
{
    Snapshot *snapshot;
    g_autofree char *subpath = NULL;

    if (!select_snapshot(repo, name, filter, &snapshot, &subpath, ret_unreadable, error))
        return false;
    *ret_snapshots = g_ptr_array_new_with_free_func((GDestroyNotify)snapshot_free);
    g_ptr_array_add(*ret_snapshots, snapshot);
    if (!subpath)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s: a snapshot is exported whole; `backstay dump` writes a part of it", name);
    return false;
}

/* All that are named, or those of a run. */
static bool choose_several(Repo *repo, const SnapshotFilter *filter, char **names, const char *run,
                           GPtrArray **ret_snapshots, unsigned *ret_unreadable, GError **error)
{
    g_autofree char *tag = g_strconcat("run=", run, NULL);
    char *tags[] = { tag, NULL };
    SnapshotFilter of_run = { .tags = tags };

    if (!select_snapshots(repo, names, run ? &of_run : filter, ret_snapshots, ret_unreadable,
                          error))
        return false;
    if ((*ret_snapshots)->len > 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no snapshot with the tag run=%s",
                run ? run : "");
    return false;
}

static bool export_snapshots(const Context *context, Repo *repo, const ExportOptions *options,
                             char **names, const ExportRequest *request, GError **error)
{
    g_autoptr(GPtrArray) snapshots = NULL;
    g_auto(Exported) exported = { 0 };
    unsigned unreadable;

    if (!(request->format.kind == EXPORT_APP
              ? choose_several(repo, &options->filter, names, options->run, &snapshots, &unreadable,
                               error)
              : choose_one(repo, &options->filter, names[0], &snapshots, &unreadable, error)) ||
        !repo_load_index(repo, context->cancel, error) ||
        !op_export(repo, snapshots, request, context->cancel, &exported, error))
        return false;
    tell(context->settings, snapshots, request, &exported);
    return select_complete(unreadable, error);
}

/* One; of an application at least one, or a run. */
static bool check_operands(const ExportOptions *options, const ExportFormat *format,
                           char **operands, GError **error)
{
    bool app = format->kind == EXPORT_APP;

    if (options->run && (!app || *operands)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--run names the snapshots for --format app, in place of their ids");
        return false;
    }
    return options->run || operands_between(operands, 1, app ? G_MAXUINT : 1, "a snapshot", error);
}

static bool export_run(const Context *context, void *options_room, char **operands, GError **error)
{
    ExportOptions *options = options_room;
    ExportRequest request = { .database = options->database,
                              .reveal = options->reveal,
                              .target = options->target,
                              .manifest = !options->no_manifest };
    g_auto(OpenRepo) open = { 0 };
    g_auto(Seal) seal = { 0 };
    ShownProgress shown;
    bool ok, sealed;

    if (!choose_format(options, &request.format, error) ||
        !check_operands(options, &request.format, operands, error) ||
        !load_seal(options, &seal, &sealed, error) || !check_target(options->target, sealed, error))
        return false;
    request.encrypt = sealed ? &seal.to : NULL;
    filter_complete(&options->filter, operands);
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error))
        return false;
    request.progress = progress_show(&shown, context->settings, request.target != NULL);
    ok = export_snapshots(context, open.repo, options, operands, &request, error);
    progress_hide(&shown);
    return ok;
}

const Command export_command = {
    .name = "export",
    .operands = "SNAPSHOT...",
    .summary = "write a snapshot as a portable file outside the repository",
    .description =
        "A snapshot of a database becomes its dump, which pg_restore takes, or the SQL script of "
        "it, one of a Redis server its RDB file, one of SQLite the database file; any snapshot "
        "becomes a tar archive of all it holds. Standard tools read them, "
        "without Backstay and without the repository.\n\n"
        "--format app puts several snapshots, or all of a --run, into one tar.gz: manifest.json, "
        "database/NAME.sql.gz, documents/ and what else there is.\n\n"
        "Beside the file lies TARGET.manifest.json with its size and SHA-256, the snapshot it is "
        "of, and what was recorded when that was taken.",
    .options = export_options,
    .request_size = sizeof(ExportOptions),
    .run = export_run,
};
