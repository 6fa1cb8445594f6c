/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restore.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/restore.h"
#include "net/redisurl.h"
#include "op/patterns.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(RestoreOptions, member))

static const GOptionEntry restore_options[] = {
    { "target", 't', 0, ARG_TEXT, AT(target), "directory to restore to", "DIR" },
    { "to", 0, 0, ARG_TEXT, AT(to),
      "database to restore a dump into; @NAME or @NAME/DATABASE: a source of the configuration",
      "URL" },
    { "beneath", 0, G_OPTION_FLAG_HIDDEN, ARG_LIST, AT(beneath),
      "all targets are below this directory (or one of these), and no link on the way is followed",
      "DIR" },
    { "include", 'i', 0, ARG_LIST, AT(include), "only what matches", "PATTERN" },
    { "iinclude", 0, 0, ARG_LIST, AT(iinclude), "the same, ignoring case", "PATTERN" },
    { "include-file", 0, 0, ARG_LIST, AT(include_file), "patterns from a file", "FILE" },
    { "iinclude-file", 0, 0, ARG_LIST, AT(iinclude_file), "the same, ignoring case", "FILE" },
    { "exclude", 'e', 0, ARG_LIST, AT(exclude), "leave out what matches", "PATTERN" },
    { "iexclude", 0, 0, ARG_LIST, AT(iexclude), "the same, ignoring case", "PATTERN" },
    { "exclude-file", 0, 0, ARG_LIST, AT(exclude_file), "patterns from a file", "FILE" },
    { "iexclude-file", 0, 0, ARG_LIST, AT(iexclude_file), "the same, ignoring case", "FILE" },
    { "overwrite", 0, 0, ARG_TEXT, AT(overwrite),
      "existing files: always (default), if-changed, if-newer, never; refuse: only into a "
      "directory "
      "that is empty",
      "WHEN" },
    { "delete", 0, 0, ARG_FLAG, AT(delete_extra),
      "remove what the snapshot does not have from restored directories", NULL },
    { "delta", 0, 0, ARG_FLAG, AT(delta),
      "fetch only what differs from the files that are there, then remove what the snapshot does "
      "not have",
      NULL },
    { "sparse", 0, 0, ARG_FLAG, AT(sparse), "write runs of zeros as holes", NULL },
    { "verify", 0, 0, ARG_FLAG, AT(verify), "compare everything with the snapshot afterwards",
      NULL },
    { "dry-run", 'n', 0, ARG_FLAG, AT(dry_run), "only say what would be done", NULL },
    { "preview", 0, 0, ARG_FLAG, AT(preview), "the same", NULL },
    { "no-sync", 0, 0, ARG_FLAG, AT(no_sync), "do not wait until the files are on the disk", NULL },
    { "host", 'H', 0, ARG_LIST, AT(hosts), "with latest: only snapshots of this host", "NAME" },
    { "tag", 0, 0, ARG_LIST, AT(tags),
      "with latest: only snapshots with all tags of this comma list", "TAGS" },
    { "path", 0, 0, ARG_LIST, AT(paths), "with latest: only snapshots of this path", "PATH" },
    { "database", 0, 0, ARG_LIST, AT(databases), "with --to: only these databases of the snapshot",
      "NAME" },
    { "table", 0, 0, ARG_LIST, AT(tables), "with --to: only this table (schema.table)", "TABLE" },
    { "schema", 0, 0, ARG_LIST, AT(schemas), "with --to: only this schema", "SCHEMA" },
    { "clean", 0, 0, ARG_FLAG, AT(clean),
      "with --to: drop what is there before it is created again", NULL },
    { "if-exists", 0, 0, ARG_FLAG, AT(if_exists),
      "with --clean, which means it: what is absent need not be dropped", NULL },
    { "create", 0, 0, ARG_FLAG, AT(create), "with --to: create the database", NULL },
    { "no-owner", 0, 0, ARG_FLAG, AT(no_owner),
      "with --to: everything belongs to the user who restores", NULL },
    { "no-acl", 0, 0, ARG_FLAG, AT(no_acl), "with --to: without grants", NULL },
    { "jobs", 'j', 0, ARG_TEXT, AT(jobs),
      "with --to: parallel jobs; the dump is spooled to $TMPDIR first", "N" },
    { "globals", 0, 0, ARG_FLAG, AT(globals), "with --to: roles and tablespaces first", NULL },
    { "force", 0, 0, ARG_FLAG, AT(force),
      "with --to: into a database that is not empty, over another volume; with --target-...: "
      "replace what lies in DIR",
      NULL },
    { "target-time", 0, 0, ARG_TEXT, AT(target_time),
      "recover a cluster to a time: 2026-11-21T10:00:00Z (without a zone: local)", "TIME" },
    { "target-lsn", 0, 0, ARG_TEXT, AT(target_lsn), "recover a cluster to a position in its WAL",
      "LSN" },
    { "target-xid", 0, 0, ARG_TEXT, AT(target_xid), "recover a cluster to the end of a transaction",
      "XID" },
    { "target-name", 0, 0, ARG_TEXT, AT(target_name), "recover a cluster to a restore point",
      "NAME" },
    { "target-immediate", 0, 0, ARG_FLAG, AT(target_immediate),
      "recover a cluster to the end of its base backup", NULL },
    { "target-latest", 0, 0, ARG_FLAG, AT(target_latest),
      "recover a cluster to the last record of WAL that is held", NULL },
    { "target-timeline", 0, 0, ARG_TEXT, AT(target_timeline),
      "along this timeline: latest (default), current (of the base backup) or a number", "N" },
    { "target-action", 0, 0, ARG_TEXT, AT(target_action),
      "what the server does there: pause (default), promote (default with --target-latest) or "
      "shutdown",
      "ACTION" },
    { "target-exclusive", 0, 0, ARG_FLAG, AT(target_exclusive),
      "stop just before the time, position or transaction", NULL },
    { "tablespace-mapping", 0, 0, ARG_LIST, AT(tablespaces),
      "where a tablespace goes that the server had in OLD (a directory, or its oid)", "OLD=NEW" },
    { "system-id", 0, 0, ARG_TEXT, AT(system_id),
      "which cluster to recover, where the repository holds several", "ID" },
    { "config-file", 0, 0, ARG_TEXT, AT(config_file),
      "postgresql.conf to start with, where that lies outside of the data directory (Debian)",
      "FILE" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- parsing ---- */

static bool parse_overwrite(const char *text, Overwrite *ret_overwrite, GError **error)
{
    static const char *const words[] = {
        [OVERWRITE_ALWAYS] = "always",
        [OVERWRITE_IF_CHANGED] = "if-changed",
        [OVERWRITE_IF_NEWER] = "if-newer",
        [OVERWRITE_NEVER] = "never",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (!text || strcmp(text, words[i]) == 0) {
            *ret_overwrite = (Overwrite)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--overwrite %s: must be always, if-changed, if-newer, never or refuse", text);
    return false;
}

/* ---- telling ---- */

static void tell_problem(const char *path, const GError *problem, void *user)
{
    output_problem(user, "restore", path, problem);
}

static void tell_entry(const char *path, const Node *node, const char *action, void *user)
{
    const Settings *settings = user;
    g_autofree char *size = size_format(node ? node->size : 0);

    if (settings->json)
        output_json(json_pack("{s:s, s:s, s:o, s:I}", "message_type", "verbose_status", "action",
                              action, "item", json_bytes(path), "size",
                              (json_int_t)(node ? node->size : 0)));
    else if (node && S_ISREG(node->mode) && strcmp(action, "deleted") != 0)
        printf("%-9s %s with size %s\n", action, path, size);
    else
        printf("%-9s %s\n", action, path);
}

void restore_add_delta(json_t *summary, uint64_t same, uint64_t fetched)
{
    (void)json_object_set_new(summary, "bytes_same", json_integer((json_int_t)same));
    (void)json_object_set_new(summary, "bytes_fetched", json_integer((json_int_t)fetched));
}

char *restore_delta_text(uint64_t same, uint64_t fetched)
{
    g_autofree char *there = size_format(same), *came = size_format(fetched);

    return g_strdup_printf("; %s were there, %s fetched", there, came);
}

static json_t *result_json(const RestoreResult *result, const RestoreOptions *options)
{
    json_t *object = json_pack(
        "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "message_type", "summary", "total_files",
        (json_int_t)(result->files_restored + result->files_skipped), "files_restored",
        (json_int_t)result->files_restored, "files_skipped", (json_int_t)result->files_skipped,
        "files_deleted", (json_int_t)result->files_deleted, "total_bytes",
        (json_int_t)(result->bytes_restored + result->bytes_skipped), "bytes_restored",
        (json_int_t)result->bytes_restored, "bytes_skipped", (json_int_t)result->bytes_skipped);

    if (options->delta)
        restore_add_delta(object, result->bytes_same, result->bytes_fetched);
    if (result->steps)
        (void)json_object_set_new(object, "steps", json_strv(result->steps));
    return object;
}

static void tell_steps(char *const *steps)
{
    if (steps)
        printf("\nWhat is left to do:\n");
    for (unsigned n = 1; steps && *steps; steps++, n++)
        printf("%2u. %s\n", n, *steps);
}

static void tell_result(const Settings *settings, const RestoreResult *result,
                        const RestoreOptions *options)
{
    g_autofree char *bytes = size_format(result->bytes_restored);
    g_autofree char *delta = options->delta
                                 ? restore_delta_text(result->bytes_same, result->bytes_fetched)
                                 : g_strdup("");

    if (settings->json) {
        output_json(result_json(result, options));
    } else if (!settings->quiet) {
        printf("%s snapshot %s to %s: %" G_GUINT64_FORMAT " %s, %s (%" G_GUINT64_FORMAT
               " left as they were, %" G_GUINT64_FORMAT " deleted)%s%s\n",
               options->dry_run ? "would restore" : "restored", id_short(&result->snapshot).text,
               options->shown ? options->shown : options->target, result->files_restored,
               plural(result->files_restored, "file", "files"), bytes, result->files_skipped,
               result->files_deleted, delta,
               options->verify && !options->dry_run ? "; verified" : "");
        tell_steps(result->steps);
    }
}

/* ---- running ---- */

static bool restore_files(const Context *context, OpenRepo *open, const RestoreOptions *options,
                          RestoreRequest *restore, GError **error)
{
    const Settings *settings = context->settings;
    ShownProgress shown;
    RestoreWatch watch = {
        .report = settings->verbose >= 1 || options->dry_run ? tell_entry : NULL,
        .problem = tell_problem,
        .user = (void *)settings,
    };
    RestoreResult result = { 0 };
    bool ok;

    watch.progress = progress_show(&shown, settings, true);
    ok = op_restore(open, restore, &watch, context->cancel, &result, error);
    progress_hide(&shown);
    if (!ok)
        return false;
    tell_result(settings, &result, options);
    g_strfreev(result.steps);
    if (result.problems > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s not restored, or not as %s",
                    result.problems, plural(result.problems, "entry was", "entries were"),
                    plural(result.problems, "it was", "they were"));
    return result.problems == 0;
}

static bool restore_to_directory(const Context *context, const RestoreOptions *options,
                                 char **operands, GError **error)
{
    g_autoptr(PatternList) include = NULL, iinclude = NULL, exclude = NULL, iexclude = NULL;
    g_auto(OpenRepo) open = { 0 };
    const RestoreFacts facts = restore_facts_told(context, options);
    RestoreRequest restore = {
        .snapshot = operands[0],
        .filter = { options->hosts, options->tags, options->paths },
        .target = options->target,
        .target_name = options->shown,
        .sparse = options->sparse,
        .dry_run = options->dry_run,
        .delete_extra = options->delete_extra,
        .into_empty = options->overwrite && strcmp(options->overwrite, "refuse") == 0,
        .delta = options->delta,
        .verify = options->verify,
        .no_sync = options->no_sync,
        .facts = &facts,
    };

    if (!parse_overwrite(restore.into_empty ? "never" : options->overwrite, &restore.overwrite,
                         error) ||
        !patterns_compile(options->include, options->include_file, false, &include, error) ||
        !patterns_compile(options->iinclude, options->iinclude_file, true, &iinclude, error) ||
        !patterns_compile(options->exclude, options->exclude_file, false, &exclude, error) ||
        !patterns_compile(options->iexclude, options->iexclude_file, true, &iexclude, error))
        return false;
    if (restore.delta && restore.overwrite != OVERWRITE_ALWAYS) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "--delta compares content; leave --overwrite out");
        return false;
    }
    if ((include || iinclude) && (exclude || iexclude)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "give includes or excludes, not both");
        return false;
    }
    restore.include = include;
    restore.iinclude = iinclude;
    restore.exclude = exclude;
    restore.iexclude = iexclude;
    return open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           restore_files(context, &open, options, &restore, error);
}

static bool restore_there(const Context *context, RestoreOptions *options, char **operands,
                          GError **error)
{
    if (!options->target == !options->to) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "say where to: --target DIR for files, or --to URL for a database");
        return false;
    }
    if (!restore_take_named(context, options, error))
        return false;
    if (options->to && redis_url_is(options->to))
        return restore_to_redis(context, options, operands, error);
    if (options->to && g_str_has_prefix(options->to, RESTORE_VOLUME))
        return restore_to_volume(context, options, operands, error);
    if (options->to && g_str_has_prefix(options->to, RESTORE_SQLITE))
        return restore_to_sqlite(context, options, operands, error);
    return options->to ? restore_to_database(context, options, operands, error)
                       : restore_to_directory(context, options, operands, error);
}

static bool restore_run(const Context *context, void *request, char **operands, GError **error)
{
    RestoreOptions *options = request;
    g_autoptr(RestoreBeneath) beneath = NULL;
    bool ok;

    options->dry_run = options->dry_run || options->preview;
    if (!restore_take_beneath(options, &beneath, error))
        return false;
    if (restore_is_recovery(options))
        ok = restore_to_target(context, options, operands, error);
    else
        ok = operands_between(operands, 1, 1, "SNAPSHOT", error) &&
             restore_there(context, options, operands, error);
    if (!ok)
        restore_name_error(options, error);
    restore_wipe_named(options);
    return ok;
}

const Command restore_command = {
    .name = "restore",
    .operands = "[SNAPSHOT[:PATH]]",
    .summary = "bring back what a snapshot holds",
    .description = "Into a directory (--target): nothing is ever written outside of it, files "
                   "appear under their names only when whole,\n"
                   "and each content is proved against its hash. SNAPSHOT is an id, its beginning, "
                   "or latest; with :PATH the content\n"
                   "of that directory lies in the target itself. With --delta the files that are "
                   "there serve.\n"
                   "Into a PostgreSQL database (--to): by pg_restore; a database that is not empty "
                   "is refused without --clean or\n"
                   "--force, and afterwards the rows are counted and compared with the snapshot's "
                   "manifest.\n"
                   "Into a Redis server (--to redis://...): each key with its expiry; a server "
                   "that holds keys is "
                   "refused without --clean,\n"
                   "and afterwards they are counted.\n"
                   "Into a block device or an image (--to volume:PATH): only blocks that differ "
                   "are written; what is mounted, in use or\n"
                   "smaller is refused, and what holds another volume without --force. Until it is "
                   "whole its first bytes say that it is not.\n"
                   "To the place of an SQLite database (--to sqlite:PATH): whole and at once; one "
                   "that a process has open is refused, and\n"
                   "with --force one that is there is kept under another name.\n"
                   "Of a PostgreSQL cluster to a moment (--target DIR with one of the options "
                   "--target-time to --target-latest):\n"
                   "DIR becomes the data directory of a server that recovers to there. First the "
                   "WAL is read: what cannot be reached is\n"
                   "refused (26) with the latest point that can. Without SNAPSHOT the newest base "
                   "backup that reaches it is chosen.\n\n"
                   "Exit status 3: some entries could not be restored; each is named. 25: the "
                   "target is not empty. 26: the target of a\n"
                   "recovery cannot be reached. 27: what was restored differs from what was "
                   "saved.",
    .options = restore_options,
    .request_size = sizeof(RestoreOptions),
    .run = restore_run,
};
