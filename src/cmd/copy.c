/* SPDX-License-Identifier: Apache-2.0 */
#include "op/copy.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/namedrepo.h"
#include "cmd/output.h"
#include "plan/amount.h"
#include <stdio.h>

typedef struct {
    char *from_repo, *from_repository_file, *from_password_file, *from_password_command;
    char *from_key_hint, *to;
    gboolean from_no_password;
    char **hosts, **tags, **paths;
} CopyOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(CopyOptions, member))

static const GOptionEntry copy_options[] = {
    { "from-repo", 0, 0, ARG_TEXT, AT(from_repo), "repository to copy from; -r is the destination",
      "REPO" },
    { "from-repository-file", 0, 0, ARG_TEXT, AT(from_repository_file),
      "file that holds its location", "FILE" },
    { "from-password-file", 0, 0, ARG_TEXT, AT(from_password_file), "its password file", "FILE" },
    { "from-password-command", 0, 0, ARG_TEXT, AT(from_password_command),
      "command that prints its password", "COMMAND" },
    { "from-key-hint", 0, 0, ARG_TEXT, AT(from_key_hint), "id of its key to try first", "ID" },
    { "from-insecure-no-password", 0, 0, ARG_FLAG, AT(from_no_password), "it has an empty password",
      NULL },
    { "to", 0, 0, ARG_TEXT, AT(to),
      "the other way round: copy from -r to this repository (its password: --from-...)", "REPO" },
    { "host", 'H', 0, ARG_LIST, AT(hosts), "only snapshots of this host", "NAME" },
    { "tag", 0, 0, ARG_LIST, AT(tags), "only snapshots with all tags of this comma list", "TAGS" },
    { "path", 0, 0, ARG_LIST, AT(paths), "only snapshots of this path", "PATH" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static void tell_copied(const Snapshot *snapshot, const Snapshot *saved, void *user)
{
    const Settings *settings = user;

    if (settings->json) {
        json_t *object = json_pack("{s:s, s:s, s:s}", "message_type", saved ? "copied" : "skipped",
                                   "source_snapshot_id", id_hex(&snapshot->id).text, "action",
                                   saved ? "copied" : "exists");

        if (saved)
            json_object_set_new(object, "snapshot_id", json_string(id_hex(&saved->id).text));
        output_json(object);
    } else if (!settings->quiet) {
        if (saved)
            printf("snapshot %s copied as %s\n", id_short(&snapshot->id).text,
                   id_short(&saved->id).text);
        else
            printf("snapshot %s is there already\n", id_short(&snapshot->id).text);
    }
}

static void tell_result(const Settings *settings, const CopyResult *result)
{
    g_autofree char *size = size_format(result->wal_bytes);

    if (settings->json)
        output_json(json_pack(
            "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "message_type", "summary",
            "snapshots_copied", (json_int_t)result->snapshots, "snapshots_existing",
            (json_int_t)result->snapshots_there, "wal_copied", (json_int_t)result->wal,
            "wal_existing", (json_int_t)result->wal_there, "wal_bytes",
            (json_int_t)result->wal_bytes, "installations_copied",
            (json_int_t)result->installations, "held_back", (json_int_t)result->held_back));
    else if (!settings->quiet && result->wal + result->wal_there > 0)
        printf("%" G_GUINT64_FORMAT " files of WAL copied (%s), %" G_GUINT64_FORMAT
               " are there already\n",
               result->wal, size, result->wal_there);
}

/* Work that was done in part is told, too. */
static bool copy_between(const Context *context, OpenRepo *from, OpenRepo *to,
                         const CopyRequest *request, GError **error)
{
    CopyWatch watch = { tell_copied, (void *)context->settings, NULL };
    CopyResult result = { 0 };
    g_autoptr(GError) failure = NULL;
    ShownProgress shown;
    bool ok;

    (void)progress_show(&shown, context->settings, true);
    watch.bytes = &shown.counters.bytes_done;
    ok = op_copy(from, to, request, &watch, context->cancel, &result, &failure);
    progress_hide(&shown);
    if (ok || g_error_matches(failure, BS_ERROR, BS_ERROR_PARTIAL))
        tell_result(context->settings, &result);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return ok;
}

static bool other_location(const CopyOptions *options, char **ret_location, GError **error)
{
    if (!settings_from_repository(options->to ? options->to : options->from_repo,
                                  options->from_repository_file, ret_location, error))
        return false;
    if (!*ret_location)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "name the other repository with --from-repo (or --to)");
    return *ret_location != NULL;
}

/* Who types a password knows better than the configuration. */
static bool open_other(const Context *context, const CopyOptions *options, const char *location,
                       const PasswordFrom *from, NamedRepo **ret_named, OpenRepo *ret_other,
                       GError **error)
{
    const MirrorUse use = options->to ? MIRRORS_WRITE : MIRRORS_ALONE;
    const bool typed = from->file || from->command || from->none;
    const Settings *named;

    if (!named_repo_find(context->settings, location, ret_named, error))
        return false;
    named = named_repo_settings(*ret_named);
    if (named && !typed)
        return open_repo_using(named, OPEN_SHARED, use, false, context->cancel, ret_other, error);
    return open_repo_at(named ? named : context->settings, named ? named->repo : location, from,
                        OPEN_SHARED, use, context->cancel, ret_other, error);
}

static bool copy_run(const Context *context, void *request, char **operands, GError **error)
{
    const CopyOptions *options = request;
    g_autofree char *location = NULL;
    g_autoptr(NamedRepo) named = NULL;
    g_auto(OpenRepo) mine = { 0 };
    g_auto(OpenRepo) other = { 0 };
    PasswordFrom from = {
        .file = options->from_password_file,
        .command = options->from_password_command,
        .key_hint = options->from_key_hint ? options->from_key_hint : settings_env("FROM_KEY_HINT"),
        .none = options->from_no_password,
        .infix = "FROM_",
        .prompt = "password of the other repository",
    };
    CopyRequest copy = { { options->hosts, options->tags, options->paths }, operands };
    bool to = options->to != NULL;

    if (options->to && options->from_repo) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "give --from-repo or --to, not both");
        return false;
    }
    if (!other_location(options, &location, error) ||
        !open_repo_using(context->settings, OPEN_SHARED, to ? MIRRORS_ALONE : MIRRORS_WRITE, false,
                         context->cancel, &mine, error) ||
        !open_other(context, options, location, &from, &named, &other, error))
        return false;
    return mirrored_finish(
        context, to ? &other : &mine, false,
        copy_between(context, to ? &mine : &other, to ? &other : &mine, &copy, error), error);
}

const Command copy_command = {
    .name = "copy",
    .operands = "[SNAPSHOT...]",
    .summary = "copy snapshots from another repository",
    .description = "Copies snapshots (all, those that match, or those named) from --from-repo into "
                   "-r REPO. Data that is there is not\n"
                   "sent again; nothing is cut or compressed anew. The other repository may have "
                   "another password.\n"
                   "With base backups of clusters goes the WAL from the oldest of them on, so that "
                   "points in time can be restored from the\n"
                   "copy, too; and the copies of configuration and catalogue, for `adopt`.",
    .options = copy_options,
    .request_size = sizeof(CopyOptions),
    .run = copy_run,
};
