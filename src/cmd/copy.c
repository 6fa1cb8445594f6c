/* SPDX-License-Identifier: Apache-2.0 */
#include "op/copy.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
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

static bool copy_run(const Context *context, void *request, char **operands, GError **error)
{
    const CopyOptions *options = request;
    g_autofree char *location = NULL;
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
    CopyWatch watch = { tell_copied, (void *)context->settings, NULL };
    bool to = options->to != NULL;

    if (options->to && options->from_repo) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "give --from-repo or --to, not both");
        return false;
    }
    if (!other_location(options, &location, error) ||
        !open_repo_using(context->settings, OPEN_SHARED, to ? MIRRORS_ALONE : MIRRORS_WRITE, false,
                         context->cancel, &mine, error) ||
        !open_repo_at(context->settings, location, &from, OPEN_SHARED,
                      to ? MIRRORS_WRITE : MIRRORS_ALONE, context->cancel, &other, error))
        return false;
    return mirrored_finish(
        context, to ? &other : &mine, false,
        op_copy(to ? &mine : &other, to ? &other : &mine, &copy, &watch, context->cancel, error),
        error);
}

const Command copy_command = {
    .name = "copy",
    .operands = "[SNAPSHOT...]",
    .summary = "copy snapshots from another repository",
    .description = "Copies snapshots (all, those that match, or those named) from --from-repo into "
                   "-r REPO. Data that is there is not\n"
                   "sent again; nothing is cut or compressed anew. The other repository may have "
                   "another password.",
    .options = copy_options,
    .request_size = sizeof(CopyOptions),
    .run = copy_run,
};
