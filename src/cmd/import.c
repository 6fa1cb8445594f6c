/* SPDX-License-Identifier: Apache-2.0 */
#include "op/import.h"

#include "base/error.h"
#include "cmd/backuptell.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "config/secrets.h"
#include "plan/amount.h"
#include <stdio.h>

typedef struct {
    char *source, *as, *database, *manifest, *keys, *passphrase_file, *host, *time, *max_size;
    char **tags;
    gint max_ratio, max_files;
    gboolean dry_run, allow_private;
} ImportCommand;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(ImportCommand, member))

static const GOptionEntry import_options[] = {
    { "source", 0, 0, ARG_TEXT, AT(source),
      "the source that it is a backup of (default: \"import-\" and the file's name)", "NAME" },
    { "as", 0, 0, ARG_TEXT, AT(as),
      "what it must be: dump, dir, sql, rdb, sqlite, app or tar (default: what it begins as)",
      "FORMAT" },
    { "database", 0, 0, ARG_TEXT, AT(database),
      "PostgreSQL: the database's name (default: what the file says)", "NAME" },
    { "manifest", 0, 0, ARG_TEXT, AT(manifest),
      "the manifest with its size and SHA-256 (default: FILE.manifest.json, if there is one)",
      "FILE" },
    { "decrypt-key", 0, 0, ARG_TEXT, AT(keys),
      "private OpenPGP keys, for a file that is encrypted to one of them", "FILE" },
    { "passphrase-file", 0, 0, ARG_TEXT, AT(passphrase_file),
      "the passphrase of the file, or of its private key", "FILE" },
    { "allow-private", 0, 0, ARG_FLAG, AT(allow_private),
      "URLs: also servers on this machine and in its own networks", NULL },
    { "max-size", 0, 0, ARG_TEXT, AT(max_size),
      "what it may hold when it is unpacked (default 1T; 0: anything)", "SIZE" },
    { "max-ratio", 0, 0, ARG_INT, AT(max_ratio),
      "how many times as large unpacking may make it (default 250; 0: anything)", "N" },
    { "max-files", 0, 0, ARG_INT, AT(max_files),
      "entries that an archive may have (default 1000000)", "N" },
    { "tag", 0, 0, ARG_LIST, AT(tags), "tags for the snapshot, a comma list; may be repeated",
      "TAGS" },
    { "host", 'H', 0, ARG_TEXT, AT(host), "host name to save (or $BACKSTAY_HOST)", "NAME" },
    { "time", 0, 0, ARG_TEXT, AT(time), "time to save: \"2006-01-02 15:04:05\" (default: now)",
      "TIME" },
    { "dry-run", 'n', 0, ARG_FLAG, AT(dry_run), "check it, and only say what would be stored",
      NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static void import_init(void *request)
{
    ImportCommand *options = request;

    options->max_ratio = 250;
    options->max_files = 1000000;
}

static bool set_bounds(const ImportCommand *options, InletBounds *ret_bounds, GError **error)
{
    if (options->max_ratio < 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--max-ratio %d: must not be negative",
                    options->max_ratio);
        return false;
    }
    if (options->max_files < 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--max-files %d: must be at least 1",
                    options->max_files);
        return false;
    }
    ret_bounds->ratio_max = (unsigned)options->max_ratio;
    if (size_parse(options->max_size ? options->max_size : "1T", &ret_bounds->size_max, error))
        return true;
    g_prefix_error(error, "--max-size ");
    return false;
}

static bool make_request(const ImportCommand *options, ImportRequest *request, GError **error)
{
    request->name = options->source;
    request->database = options->database;
    request->keys = options->keys;
    request->allow_private = options->allow_private;
    request->manifest = options->manifest;
    request->entries_max = (unsigned)MAX(options->max_files, 0);
    if (options->as && !import_format_parse(options->as, &request->format, error)) {
        g_prefix_error(error, "--as ");
        return false;
    }
    return set_bounds(options, &request->bounds, error);
}

static bool read_passphrase(const ImportCommand *options, Secret **ret_passphrase, GError **error)
{
    return !options->passphrase_file ||
           secret_from_private_file("passphrase", options->passphrase_file, ret_passphrase, error);
}

static bool import_one(const Context *context, OpenRepo *open, Source *source,
                       const ImportCommand *options, GError **error)
{
    const char *format = import_format_name(import_source_format(source));
    BackupRequest request = {
        .tags = options->tags,
        .host = options->host,
        .time = options->time,
        .dry_run = options->dry_run,
    };
    BackupTelling telling = { .more = json_pack("{s:s, s:s, s:o}", "format", format, "kind",
                                                source->ops->kind, "source",
                                                json_bytes(source->name)) };
    unsigned problems = 0;
    bool ok;

    if (!context->settings->json && !context->settings->quiet)
        printf("source %s, from %s\n", source->name, format);
    ok = backup_and_tell(context, open, source, &request, &telling, &problems, error) &&
         backup_complete(problems, error);
    json_decref(telling.more);
    return mirrored_finish(context, open, false, ok, error);
}

static bool import_run(const Context *context, void *options_room, char **operands, GError **error)
{
    const ImportCommand *options = options_room;
    ImportRequest request = { .from = operands[0] };
    g_autoptr(Secret) passphrase = NULL;
    Source *source = NULL;
    g_auto(OpenRepo) open = { 0 };
    bool ok;

    if (!operands_between(operands, 1, 1, "a file", error) ||
        !make_request(options, &request, error) || !read_passphrase(options, &passphrase, error))
        return false;
    request.passphrase = passphrase;
    if (!op_import_open(&request, context->settings, context->cancel, &source, error))
        return false;
    ok = open_repo(context->settings, OPEN_SHARED, options->dry_run, context->cancel, &open,
                   error) &&
         import_one(context, &open, source, options, error);
    source_free(source);
    return ok;
}

const Command import_command = {
    .name = "import",
    .operands = "FILE|URL",
    .summary = "check a portable file and save it as a snapshot",
    .description =
        "FILE is what another program or `export` left outside the repository: a dump of pg_dump "
        "in custom format or plain, a Redis database file, an SQLite database, an archive of tar; "
        "also packed by gzip or zstd, "
        "also encrypted by OpenPGP. It lies here, or is taken from https://... or s3:... Its "
        "snapshot is "
        "like that of a backup of the same thing, and `restore --to`, `export` and `dump` take "
        "it.\n\n"
        "A file that was cut off or changed is refused, and leaves no snapshot: its own end and "
        "checksums must be right, and those of FILE.manifest.json, when it lies beside it.",
    .options = import_options,
    .request_size = sizeof(ImportCommand),
    .init = import_init,
    .run = import_run,
};
