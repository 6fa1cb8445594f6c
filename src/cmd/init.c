/* SPDX-License-Identifier: Apache-2.0 */
#include "op/init.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    gboolean copy_chunker;
    char *from_repo, *from_repository_file, *from_password_file, *from_password_command;
    char *from_key_hint, *version;
    gboolean from_no_password;
} InitOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(InitOptions, member))

static const GOptionEntry init_options[] = {
    { "copy-chunker-params", 0, 0, ARG_FLAG, AT(copy_chunker),
      "take the chunker polynomial of --from-repo", NULL },
    { "from-repo", 0, 0, ARG_TEXT, AT(from_repo), "repository to take it from", "REPO" },
    { "from-repository-file", 0, 0, ARG_TEXT, AT(from_repository_file),
      "file that holds its location", "FILE" },
    { "from-password-file", 0, 0, ARG_TEXT, AT(from_password_file), "its password file", "FILE" },
    { "from-password-command", 0, 0, ARG_TEXT, AT(from_password_command),
      "command that prints its password", "COMMAND" },
    { "from-key-hint", 0, 0, ARG_TEXT, AT(from_key_hint), "id of its key to try first", "ID" },
    { "from-insecure-no-password", 0, 0, ARG_FLAG, AT(from_no_password), "it has an empty password",
      NULL },
    { "repository-version", 0, 0, ARG_TEXT, AT(version), "format version: 2, latest or stable",
      "VERSION" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static bool check_version(const char *version, GError **error)
{
    if (!version || strcmp(version, "2") == 0 || strcmp(version, "latest") == 0 ||
        strcmp(version, "stable") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--repository-version %s: only version 2 is written", version);
    return false;
}

static bool init_run(const Context *context, void *request, char **operands, GError **error)
{
    InitOptions *options = request;
    g_autofree char *id = NULL, *location = NULL, *other = NULL;
    InitRequest init = {
        .version = 2,
        .copy_chunker = options->copy_chunker,
        .from_password = { .file = options->from_password_file,
                           .command = options->from_password_command,
                           .key_hint = options->from_key_hint ? options->from_key_hint
                                                              : settings_env("FROM_KEY_HINT"),
                           .none = options->from_no_password,
                           .infix = "FROM_",
                           .prompt = "password of the other repository" },
    };

    if (!operands_between(operands, 0, 0, "", error) || !check_version(options->version, error) ||
        !settings_from_repository(options->from_repo, options->from_repository_file, &other, error))
        return false;
    init.from = other;
    if (options->copy_chunker && !init.from) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--copy-chunker-params needs --from-repo");
        return false;
    }
    if (!op_init(context->settings, &init, context->cancel, &id, &location, error))
        return false;
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s, s:o}", "message_type", "initialized", "id", id,
                              "repository", json_bytes(location)));
    else if (!context->settings->quiet)
        printf("created repository %.10s at %s\n\n"
               "Without the password nothing in it can ever be read again; keep a copy of it "
               "elsewhere.\n",
               id, location);
    return true;
}

const Command init_command = {
    .name = "init",
    .operands = "",
    .summary = "create a repository",
    .description = "Makes a new repository (restic format, version 2) at -r REPO. An existing one "
                   "is never touched.",
    .options = init_options,
    .request_size = sizeof(InitOptions),
    .run = init_run,
};
