/* SPDX-License-Identifier: Apache-2.0 */
#include "op/backup.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/plural.h"
#include "cmd/backupsource.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "config/reference.h"
#include "config/types.h"
#include "op/runplace.h"
#include "op/sources.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    char **tags, **exclude, **iexclude, **exclude_file, **iexclude_file, **exclude_if_present;
    char **files_from, **files_from_verbatim, **files_from_raw;
    char *host, *time, *parent, *group_by, *exclude_larger_than, *stdin_filename, *checkpoint,
        *max_rate, *settled;
    gboolean force, ignore_ctime, ignore_inode, skip_if_unchanged, dry_run, exclude_caches,
        one_file_system;
    gboolean with_atime, stdin_content, stdin_command, no_scan, no_page_checks;
    char **databases, **exclude_table_data, **exclude_schema, **tables, **schemas;
} BackupOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(BackupOptions, member))

static const GOptionEntry backup_options[] = {
    { "tag", 0, 0, ARG_LIST, AT(tags), "tags for the snapshot, a comma list; may be repeated",
      "TAGS" },
    { "host", 'H', 0, ARG_TEXT, AT(host), "host name to save (or $BACKSTAY_HOST)", "NAME" },
    { "time", 0, 0, ARG_TEXT, AT(time), "time to save: \"2006-01-02 15:04:05\"", "TIME" },
    { "parent", 0, 0, ARG_TEXT, AT(parent),
      "snapshot to compare with (default: the last of this host and these paths)", "SNAPSHOT" },
    { "group-by", 'g', 0, ARG_TEXT, AT(group_by), "how the parent is found: host, paths, tags",
      "LIST" },
    { "force", 'f', 0, ARG_FLAG, AT(force), "read every file again", NULL },
    { "exclude", 'e', 0, ARG_LIST, AT(exclude), "leave out what matches", "PATTERN" },
    { "iexclude", 0, 0, ARG_LIST, AT(iexclude), "the same, ignoring case", "PATTERN" },
    { "exclude-file", 0, 0, ARG_LIST, AT(exclude_file), "patterns from a file", "FILE" },
    { "iexclude-file", 0, 0, ARG_LIST, AT(iexclude_file), "the same, ignoring case", "FILE" },
    { "exclude-caches", 0, 0, ARG_FLAG, AT(exclude_caches),
      "leave out directories marked by CACHEDIR.TAG", NULL },
    { "exclude-if-present", 0, 0, ARG_LIST, AT(exclude_if_present),
      "leave out directories that hold this file", "NAME[:HEADER]" },
    { "exclude-larger-than", 0, 0, ARG_TEXT, AT(exclude_larger_than),
      "leave out larger files, such as 100M", "SIZE" },
    { "one-file-system", 'x', 0, ARG_FLAG, AT(one_file_system),
      "stay on the file system of each path", NULL },
    { "files-from", 0, 0, ARG_LIST, AT(files_from), "paths from a file, a pattern a line", "FILE" },
    { "files-from-verbatim", 0, 0, ARG_LIST, AT(files_from_verbatim),
      "paths from a file, one a line", "FILE" },
    { "files-from-raw", 0, 0, ARG_LIST, AT(files_from_raw), "paths from a file, ended by NUL bytes",
      "FILE" },
    { "stdin", 0, 0, ARG_FLAG, AT(stdin_content), "back up standard input as one file", NULL },
    { "stdin-filename", 0, 0, ARG_TEXT, AT(stdin_filename), "its name (default: stdin)", "NAME" },
    { "stdin-from-command", 0, 0, ARG_FLAG, AT(stdin_command),
      "back up what a command prints; it must end with status 0", NULL },
    { "ignore-ctime", 0, 0, ARG_FLAG, AT(ignore_ctime), "a changed ctime alone is no change",
      NULL },
    { "ignore-inode", 0, 0, ARG_FLAG, AT(ignore_inode), "a changed inode alone is no change",
      NULL },
    { "with-atime", 0, 0, ARG_FLAG, AT(with_atime), "save access times", NULL },
    { "skip-if-unchanged", 0, 0, ARG_FLAG, AT(skip_if_unchanged),
      "no new snapshot when nothing changed", NULL },
    { "no-scan", 0, 0, ARG_FLAG, AT(no_scan), "do not estimate the size beforehand", NULL },
    { "dry-run", 'n', 0, ARG_FLAG, AT(dry_run), "only say what would be done", NULL },
    { "database", 0, 0, ARG_LIST, AT(databases), "PostgreSQL: only these databases", "NAME" },
    { "table", 0, 0, ARG_LIST, AT(tables), "PostgreSQL: only tables that match (pg_dump)",
      "PATTERN" },
    { "schema", 0, 0, ARG_LIST, AT(schemas), "PostgreSQL: only schemas that match (pg_dump)",
      "PATTERN" },
    { "exclude-schema", 0, 0, ARG_LIST, AT(exclude_schema),
      "PostgreSQL: without schemas that match", "PATTERN" },
    { "exclude-table-data", 0, 0, ARG_LIST, AT(exclude_table_data),
      "PostgreSQL: definition without rows", "PATTERN" },
    { "checkpoint", 0, 0, ARG_TEXT, AT(checkpoint),
      "clusters: the checkpoint at the start, spread (default) or fast", "HOW" },
    { "max-rate", 0, 0, ARG_TEXT, AT(max_rate),
      "clusters: what the server may send in a second, such as 50M", "SIZE" },
    { "settled", 0, 0, ARG_TEXT, AT(settled),
      "clusters from their directory: files that were not written for so long before the last "
      "backup, nor since, are not read again (default 1h)",
      "TIME" },
    { "no-verify-page-checksums", 0, 0, ARG_FLAG, AT(no_page_checks),
      "clusters: save damaged pages, too, instead of failing", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static SourcesRequest sources_request(const BackupOptions *options)
{
    return (SourcesRequest){
        .exclude = options->exclude,
        .iexclude = options->iexclude,
        .exclude_file = options->exclude_file,
        .iexclude_file = options->iexclude_file,
        .exclude_if_present = options->exclude_if_present,
        .files_from = options->files_from,
        .files_from_verbatim = options->files_from_verbatim,
        .files_from_raw = options->files_from_raw,
        .exclude_caches = options->exclude_caches,
        .one_file_system = options->one_file_system,
        .with_atime = options->with_atime,
        .exclude_larger_than = options->exclude_larger_than,
        .stdin_content = options->stdin_content,
        .stdin_command = options->stdin_command,
        .stdin_filename = options->stdin_filename,
        .databases = options->databases,
        .exclude_table_data = options->exclude_table_data,
        .exclude_schema = options->exclude_schema,
        .tables = options->tables,
        .schemas = options->schemas,
        .checkpoint = options->checkpoint,
        .max_rate = options->max_rate,
        .settled = options->settled,
        .no_page_checks = options->no_page_checks,
    };
}

static BackupRequest backup_request(const BackupOptions *options)
{
    return (BackupRequest){
        .tags = options->tags,
        .host = options->host,
        .time = options->time,
        .parent = options->parent,
        .excludes = options->exclude,
        .force = options->force,
        .ignore_ctime = options->ignore_ctime,
        .ignore_inode = options->ignore_inode,
        .skip_if_unchanged = options->skip_if_unchanged,
        .dry_run = options->dry_run,
        .group_by = options->group_by,
    };
}

/* ---- of the configuration ---- */

typedef struct {
    BackupOptions *options;
    char **operands; /* with passwords */
} Made;

static void made_free(void *owner)
{
    Made *made = owner;

    command_free_request(&backup_command, made->options);
    run_place_wipe(made->operands);
    g_free(made);
}

static bool make(const SourceConfig *config, Made *made, RunSource *ret_made, GError **error)
{
    g_auto(GStrv) arguments = source_config_arguments(config);
    g_autoptr(GPtrArray) sources = NULL;
    SourcesRequest wanted;

    if (!command_parse_request(&backup_command, arguments, (void **)&made->options, error) ||
        !run_place_operands(config, &made->operands, error))
        return false;
    wanted = sources_request(made->options);
    if (!sources_from_operands(made->operands, &wanted, &sources, error))
        return false;
    if (sources->len != 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "a source is one URL, or only paths");
        return false;
    }
    ret_made->source = g_ptr_array_steal_index(sources, 0);
    ret_made->request = backup_request(made->options);
    return true;
}

bool backup_make_source(const SourceConfig *config, RunSource *ret_made, GError **error)
{
    Made *made = g_new0(Made, 1);
    RunSource source = { .owner = made, .free_owner = made_free };

    if (make(config, made, &source, error)) {
        *ret_made = source;
        return true;
    }
    run_source_clear(&source);
    return false;
}

/* ---- telling ---- */

static void tell_problem(const char *item, const GError *problem, void *user)
{
    output_problem(user, "archival", item, problem);
}

static void tell_item(const char *path, const Node *node, ItemChange change, void *user)
{
    static const char *const words[] = { "new", "modified", "unchanged" };
    const Settings *settings = user;

    if (settings->json)
        output_json(json_pack("{s:s, s:s, s:o, s:I}", "message_type", "verbose_status", "action",
                              words[change], "item", json_bytes(path), "data_size",
                              (json_int_t)node->size));
    else
        printf("%-9s %s\n", words[change], path);
}

static void tell_json(const BackupResult *result, OpenRepo *open, bool dry_run)
{
    const SnapshotSummary *summary = &result->snapshot->summary;
    double seconds = (double)(summary->backup_end.sec - summary->backup_start.sec) +
                     ((double)summary->backup_end.nsec - (double)summary->backup_start.nsec) / 1e9;
    json_t *object = json_snapshot(result->snapshot);
    json_t *line = json_deep_copy(json_object_get(object, "summary"));
    json_t *mirrors = mirrored_json(open);

    json_object_set_new(line, "message_type", json_string("summary"));
    if (dry_run)
        json_object_set_new(line, "dry_run", json_true());
    json_object_set_new(line, "total_duration", json_real(seconds));
    if (result->saved)
        json_object_set_new(line, "snapshot_id", json_string(id_hex(&result->snapshot->id).text));
    if (mirrors)
        json_object_set_new(line, "mirrors", mirrors);
    json_decref(object);
    output_json(line);
}

static void tell_text(const BackupResult *result, bool dry_run)
{
    const SnapshotSummary *summary = &result->snapshot->summary;
    g_autofree char *added = size_format(summary->data_added),
                    *stored = size_format(summary->data_added_packed);
    g_autofree char *total = size_format(summary->total_bytes_processed);
    g_autofree char *time =
        output_duration((double)(summary->backup_end.sec - summary->backup_start.sec));

    printf("Files:  %" G_GUINT64_FORMAT " new, %" G_GUINT64_FORMAT " changed, %" G_GUINT64_FORMAT
           " unmodified\n",
           summary->files_new, summary->files_changed, summary->files_unmodified);
    printf("Dirs:   %" G_GUINT64_FORMAT " new, %" G_GUINT64_FORMAT " changed, %" G_GUINT64_FORMAT
           " unmodified\n",
           summary->dirs_new, summary->dirs_changed, summary->dirs_unmodified);
    printf("%s to the repository: %s (%s stored)\n", dry_run ? "Would add" : "Added", added,
           stored);
    printf("processed %" G_GUINT64_FORMAT " %s, %s in %s\n", summary->total_files_processed,
           plural(summary->total_files_processed, "file", "files"), total, time);
    if (result->saved)
        printf("snapshot %s saved\n", id_short(&result->snapshot->id).text);
    else if (!dry_run)
        printf("nothing changed since the parent snapshot, none saved\n");
}

/* ---- running ---- */

static bool backup_one(const Context *context, OpenRepo *open, Source *source,
                       const BackupOptions *options, unsigned *problems, GError **error)
{
    const Settings *settings = context->settings;
    BackupRequest request = backup_request(options);
    BackupResult result = { 0 };
    Progress progress;
    ProgressLine *line;
    BackupWatch watch = {
        .progress = progress_line_wanted(settings) && !options->no_scan ? &progress : NULL,
        .problem = tell_problem,
        .item = settings->verbose >= 2 ? tell_item : NULL,
        .user = (void *)settings,
    };
    bool ok;

    progress_init(&progress);
    line = progress_line_start(settings, watch.progress);
    ok = op_backup(open, source, &request, &watch, context->cancel, &result, error);
    progress_line_stop(line);
    progress_done(&progress);
    if (!ok)
        return false;
    *problems += result.problems;
    if (settings->json)
        tell_json(&result, open, options->dry_run);
    else if (!settings->quiet)
        tell_text(&result, options->dry_run);
    backup_result_clear(&result);
    return true;
}

/* Of the database that "@name" stands for: in our memory only, for arguments are seen by all. */
static bool give_password(const Settings *settings, char **operands, GError **error)
{
    g_autoptr(Secret) password = NULL;
    char *url;

    if (!settings->source_password)
        return true;
    if (!reference_resolve("password of the source", settings->source_password, &password, error))
        return false;
    url = url_with_password(operands[0], secret_data(password));
    g_free(operands[0]);
    operands[0] = url;
    return true;
}

static bool backup_run(const Context *context, void *request, char **operands, GError **error)
{
    const BackupOptions *options = request;
    SourcesRequest wanted = sources_request(options);
    g_autoptr(GPtrArray) sources = NULL;
    g_auto(OpenRepo) open = { 0 };
    unsigned problems = 0;
    bool ok;

    if (!give_password(context->settings, operands, error) ||
        !sources_from_operands(operands, &wanted, &sources, error) ||
        !open_repo(context->settings, OPEN_SHARED, options->dry_run, context->cancel, &open, error))
        return false;
    for (guint i = 0; i < sources->len; i++) {
        Source *source = g_ptr_array_index(sources, i);

        if (!backup_one(context, &open, source, options, &problems, error)) {
            if (source->name)
                g_prefix_error(error, "backup %s: ", source->name);
            return false;
        }
    }
    ok = problems == 0;
    if (!ok)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s could not be read, or not without damage; %s named above", problems,
                    plural(problems, "item", "items"), plural(problems, "it is", "each is"));
    return mirrored_finish(context, &open, false, ok, error);
}

const Command backup_command = {
    .name = "backup",
    .operands = "SOURCE...",
    .summary = "save files or databases as a new snapshot",
    .description =
        "SOURCE is a path, @NAME for a source of the configuration (alone), or a URL: "
        "postgresql://user@host/db (a dump; without a database all of "
        "them and the globals), or\n"
        "pgcluster:postgresql://user@host (all files of the server, over the replication "
        "protocol), or\n"
        "pgcluster:/path/of/data_directory (the same, read from the disk of the server's host), "
        "or\n"
        "redis://user:password@host, rediss://... in TLS, redis:///path/of/redis.sock (a Redis "
        "server), or\n"
        "sqlite:/path/of/app.db (a database that others may write to; also a pattern). "
        "Paths given together are one snapshot, every other source is one of its own. "
        "Files that did not change\n"
        "since the parent snapshot (size, mtime, ctime, inode) are not read again.\n\n"
        "Exit status 3: a snapshot was made, but some items could not be read; each is named.",
    .options = backup_options,
    .names_sources = true,
    .request_size = sizeof(BackupOptions),
    .run = backup_run,
};
