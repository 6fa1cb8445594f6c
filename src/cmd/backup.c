/* SPDX-License-Identifier: Apache-2.0 */
#include "op/backup.h"

#include "base/error.h"
#include "cmd/backupsource.h"
#include "cmd/backuptell.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/namedsource.h"
#include "config/reference.h"
#include "config/types.h"
#include "op/runplace.h"
#include "op/sources.h"
#include <string.h>

typedef struct {
    char **tags, **exclude, **iexclude, **exclude_file, **iexclude_file, **exclude_if_present;
    char **files_from, **files_from_verbatim, **files_from_raw;
    char *host, *time, *parent, *group_by, *exclude_larger_than, *stdin_filename, *checkpoint,
        *max_rate, *settled, *consistency, *freeze_limit, *jobs, *scratch;
    gboolean force, ignore_ctime, ignore_inode, skip_if_unchanged, dry_run, exclude_caches,
        one_file_system;
    gboolean with_atime, stdin_content, stdin_command, no_scan, no_page_checks;
    char **databases, **exclude_databases, **exclude_table_data, **exclude_schema, **tables,
        **schemas;
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
    { "exclude-database", 0, 0, ARG_LIST, AT(exclude_databases),
      "PostgreSQL: of a whole server, without databases that match (pg_dumpall)", "PATTERN" },
    { "table", 0, 0, ARG_LIST, AT(tables), "PostgreSQL: only tables that match (pg_dump)",
      "PATTERN" },
    { "schema", 0, 0, ARG_LIST, AT(schemas), "PostgreSQL: only schemas that match (pg_dump)",
      "PATTERN" },
    { "exclude-schema", 0, 0, ARG_LIST, AT(exclude_schema),
      "PostgreSQL: without schemas that match", "PATTERN" },
    { "exclude-table-data", 0, 0, ARG_LIST, AT(exclude_table_data),
      "PostgreSQL: definition without rows", "PATTERN" },
    { "jobs", 'j', 0, ARG_TEXT, AT(jobs),
      "PostgreSQL: dump so many tables at once; needs --scratch", "N" },
    { "scratch", 0, 0, ARG_TEXT, AT(scratch),
      "PostgreSQL: dump in directory format, into a directory below this one until it is saved",
      "DIR" },
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
    { "consistency", 0, 0, ARG_TEXT, AT(consistency),
      "volumes: how they hold still while they are read: auto (default), lvm (a snapshot, or "
      "fail), freeze (the file system mounted from it), hook (somebody else sees to it) or none",
      "WAY" },
    { "freeze-limit", 0, 0, ARG_TEXT, AT(freeze_limit),
      "volumes: thaw after so long in any case (default 1m)", "TIME" },
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
        .exclude_databases = options->exclude_databases,
        .scratch = options->scratch,
        .jobs = options->jobs,
        .exclude_table_data = options->exclude_table_data,
        .exclude_schema = options->exclude_schema,
        .tables = options->tables,
        .schemas = options->schemas,
        .checkpoint = options->checkpoint,
        .max_rate = options->max_rate,
        .settled = options->settled,
        .no_page_checks = options->no_page_checks,
        .consistency = options->consistency,
        .freeze_limit = options->freeze_limit,
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

static bool make(const SourceConfig *config, VolumeGroup *volumes, Made *made, RunSource *ret_made,
                 GError **error)
{
    g_auto(GStrv) arguments = source_config_arguments(config);
    g_autoptr(GPtrArray) sources = NULL;
    SourcesRequest wanted;

    if (!command_parse_request(&backup_command, arguments, (void **)&made->options, error) ||
        !run_place_operands(config, &made->operands, error))
        return false;
    wanted = sources_request(made->options);
    wanted.volumes = volumes;
    if (!sources_from_operands(made->operands, &wanted, &sources, error))
        return false;
    if (sources->len != 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, "a source is one URL, or only paths");
        return false;
    }
    ret_made->source = g_ptr_array_steal_index(sources, 0);
    ret_made->request = backup_request(made->options);
    ret_made->operands = made->operands;
    return true;
}

bool backup_make_source(const SourceConfig *config, VolumeGroup *volumes, RunSource *ret_made,
                        GError **error)
{
    Made *made = g_new0(Made, 1);
    RunSource source = { .owner = made, .free_owner = made_free };

    if (make(config, volumes, made, &source, error)) {
        *ret_made = source;
        return true;
    }
    run_source_clear(&source);
    return false;
}

/* ---- running ---- */

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

/* What a source tells has its name already; what a store tells has not. */
static void name_source(const Source *source, GError **error)
{
    if (source->name && g_str_has_prefix((*error)->message, source->name))
        g_prefix_error(error, "backup ");
    else if (source->name)
        g_prefix_error(error, "backup %s: ", source->name);
}

static bool backup_run(const Context *context, void *request, char **operands, GError **error)
{
    const BackupOptions *options = request;
    SourcesRequest wanted = sources_request(options);
    BackupRequest wish = backup_request(options);
    BackupTelling telling = { options->no_scan, NULL };
    g_autoptr(GPtrArray) sources = NULL;
    g_auto(OpenRepo) open = { 0 };
    unsigned problems = 0;
    bool ok;

    if (!give_password(context->settings, operands, error) ||
        !sources_from_operands(operands, &wanted, &sources, error) ||
        !named_source_facts(context, operands, sources, error) ||
        !open_repo(context->settings, OPEN_SHARED, options->dry_run, context->cancel, &open, error))
        return false;
    for (guint i = 0; i < sources->len; i++) {
        Source *source = g_ptr_array_index(sources, i);

        if (!backup_and_tell(context, &open, source, &wish, &telling, &problems, error)) {
            name_source(source, error);
            return false;
        }
    }
    ok = backup_complete(problems, error);
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
        "sqlite:/path/of/app.db (a database that others may write to; also a pattern), or\n"
        "volume:/dev/sdb1, volume:/path/of/disk.img (a block device or an image of one, block by "
        "block), or\n"
        "k3s:/var/lib/rancher/k3s/server (the control plane of a k3s server). "
        "Paths given together are one snapshot, every other source is one of its own. "
        "Files that did not change\n"
        "since the parent snapshot (size, mtime, ctime, inode) are not read again.\n\n"
        "Exit status 3: a snapshot was made, but some items could not be read; each is named.",
    .options = backup_options,
    .names_sources = true,
    .request_size = sizeof(BackupOptions),
    .run = backup_run,
};
