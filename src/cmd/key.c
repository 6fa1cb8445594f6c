/* SPDX-License-Identifier: Apache-2.0 */
#include "op/key.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "cmd/table.h"
#include <string.h>

typedef struct {
    char *password_file, *password_command, *user, *host;
    gboolean no_password;
} KeyOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(KeyOptions, member))

static const GOptionEntry key_options[] = {
    { "new-password-file", 0, 0, ARG_TEXT, AT(password_file), "file that holds the new password",
      "FILE" },
    { "new-password-command", 0, 0, ARG_TEXT, AT(password_command),
      "command that prints the new password", "COMMAND" },
    { "new-insecure-no-password", 0, 0, ARG_FLAG, AT(no_password), "the new password is empty",
      NULL },
    { "user", 0, 0, ARG_TEXT, AT(user), "user name to note with the new key", "NAME" },
    { "host", 0, 0, ARG_TEXT, AT(host), "host name to note with the new key", "NAME" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static void tell_added(const Context *context, const char *what, const Id *id)
{
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s}", "message_type", "key_saved", "id", id_hex(id).text));
    else if (!context->settings->quiet)
        printf("%s %s\n", what, id_hex(id).text);
}

static bool get_new_password(const KeyOptions *options, Secret **ret_password, GError **error)
{
    PasswordFrom from = {
        .file = options->password_file,
        .command = options->password_command,
        .none = options->no_password,
        .infix = "NEW_",
        .prompt = "new password",
        .confirm = true,
    };

    if (options->no_password && (options->password_file || options->password_command)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--new-insecure-no-password: there is a new password, too; leave one out");
        return false;
    }
    return password_get(&from, ret_password, error);
}

/* ---- the words after `key` ---- */

static json_t *json_key(const KeyInfo *key)
{
    g_autofree char *created = output_time(key->created);

    return json_pack("{s:b, s:s, s:o, s:o, s:s}", "current", key->current, "id",
                     id_hex(&key->id).text, "userName", json_bytes(key->username), "hostName",
                     json_bytes(key->hostname), "created", created);
}

static void print_keys(const GArray *keys)
{
    g_autoptr(Table) table =
        table_new((const char *const[]){ " ID", "User", "Host", "Created", NULL });

    for (guint i = 0; i < keys->len; i++) {
        const KeyInfo *key = &g_array_index(keys, KeyInfo, i);
        g_autofree char *created = output_time(key->created);
        g_autofree char *id = g_strconcat(key->current ? "*" : " ", id_short(&key->id).text, NULL);

        table_add(table, (const char *const[]){ id, key->username, key->hostname, created });
    }
    table_print(table, stdout);
}

static bool key_list(const Context *context, OpenRepo *open, const KeyOptions *options,
                     const char *operand, GError **error)
{
    g_autoptr(GArray) keys = NULL;
    unsigned unreadable;

    (void)options;
    (void)operand;
    if (!op_key_list(open->repo, &keys, &unreadable, error))
        return false;
    if (context->settings->json) {
        json_t *array = json_array();

        for (guint i = 0; i < keys->len; i++)
            json_array_append_new(array, json_key(&g_array_index(keys, KeyInfo, i)));
        output_json(array);
    } else {
        print_keys(keys);
    }
    if (unreadable > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s could not be read", unreadable,
                    plural(unreadable, "key", "keys"));
    return unreadable == 0;
}

static bool key_add(const Context *context, OpenRepo *open, const KeyOptions *options,
                    const char *operand, GError **error)
{
    g_autoptr(Secret) password = NULL;
    Id id;

    (void)operand;
    if (!get_new_password(options, &password, error) ||
        !op_key_add(open->repo, password, options->user, options->host, &id, error))
        return false;
    tell_added(context, "saved new key with ID", &id);
    return true;
}

static bool key_remove(const Context *context, OpenRepo *open, const KeyOptions *options,
                       const char *operand, GError **error)
{
    Id id;

    (void)options;
    if (!op_key_remove(open->repo, operand, &id, error))
        return false;
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s}", "message_type", "key_removed", "id", id_hex(&id).text));
    else if (!context->settings->quiet)
        printf("removed key %s\n", id_hex(&id).text);
    return true;
}

static bool key_passwd(const Context *context, OpenRepo *open, const KeyOptions *options,
                       const char *operand, GError **error)
{
    g_autoptr(Secret) password = NULL;
    Id id;

    (void)operand;
    if (!get_new_password(options, &password, error) ||
        !op_key_change(open->repo, password, options->user, options->host, &id, error))
        return false;
    tell_added(context, "saved new key as", &id);
    return true;
}

static bool key_export(const Context *context, OpenRepo *open, const KeyOptions *options,
                       const char *operand, GError **error)
{
    (void)options;
    if (!op_key_export(open->repo, operand, error)) {
        if (error && g_error_matches(*error, BS_ERROR, BS_ERROR_EXISTS))
            g_prefix_error(error, "an existing file is not overwritten: ");
        return false;
    }
    if (!context->settings->quiet)
        fprintf(stderr,
                "%s holds the master key of repository %.10s in clear: whoever has this file "
                "needs no password to read all of it,\nnow and later. Keep it off line, where "
                "the passwords are safe.\n",
                operand, repo_id(open->repo));
    return true;
}

static const struct {
    const char *name;
    const char *operand; /* what it needs, or NULL */
    OpenHow how;
    bool only_reads;
    bool (*run)(const Context *context, OpenRepo *open, const KeyOptions *options,
                const char *operand, GError **error);
} actions[] = {
    { "list", NULL, OPEN_SHARED, true, key_list },
    { "add", NULL, OPEN_SHARED, false, key_add },
    { "remove", "the id of the key", OPEN_EXCLUSIVE, false, key_remove },
    { "passwd", NULL, OPEN_EXCLUSIVE, false, key_passwd },
    { "export", "the file to write", OPEN_UNLOCKED, true, key_export },
};

static bool key_run(const Context *context, void *request, char **operands, GError **error)
{
    g_auto(OpenRepo) open = { 0 };

    if (!operands_between(operands, 1, 2, "list, add, remove, passwd or export", error))
        return false;
    for (size_t i = 0; i < G_N_ELEMENTS(actions); i++) {
        guint n = actions[i].operand ? 2 : 1;

        if (strcmp(operands[0], actions[i].name) == 0)
            return operands_between(operands, n, n, actions[i].operand, error) &&
                   open_repo(context->settings, actions[i].how, actions[i].only_reads,
                             context->cancel, &open, error) &&
                   mirrored_finish(context, &open, false,
                                   actions[i].run(context, &open, request, operands[1], error),
                                   error);
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "key %s: must be list, add, remove, passwd or export", operands[0]);
    return false;
}

const Command key_command = {
    .name = "key",
    .operands = "list|add|remove ID|passwd|export FILE",
    .summary = "manage the passwords of a repository",
    .description =
        "Each key opens the repository with its own password.\n"
        "  list    all keys; * marks the one in use\n"
        "  add     one more password\n"
        "  remove  a key, but never the one in use. Who knew its password may have kept the "
        "master key: that stays the same\n"
        "  passwd  another password in place of the one in use\n"
        "  export  the master key in clear into a new file: what decrypts everything when every "
        "password is lost\n\n"
        "The new password comes from the options, from $BACKSTAY_NEW_PASSWORD_FILE, "
        "$BACKSTAY_NEW_PASSWORD_COMMAND or\n"
        "$BACKSTAY_NEW_PASSWORD, or is asked for on the terminal.",
    .options = key_options,
    .request_size = sizeof(KeyOptions),
    .run = key_run,
};
