/* SPDX-License-Identifier: Apache-2.0 */
/* Users of the daemon's page and API, for who cannot log in there. */
#include "base/error.h"
#include "cmd/catalogplace.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/table.h"
#include "daemon/webpassword.h"
#include "daemon/webusers.h"
#include "state/audit.h"
#include "state/users.h"

#include <string.h>

typedef struct {
    char *at, *role;
    char *password_file, *password_command;
} UserOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(UserOptions, member))

static const GOptionEntry user_options[] = {
    { "role", 0, 0, ARG_TEXT, AT(role), "add: viewer (default), operator or admin", "ROLE" },
    { "new-password-file", 0, 0, ARG_TEXT, AT(password_file),
      "file that holds the new password; - for standard input", "FILE" },
    { "new-password-command", 0, 0, ARG_TEXT, AT(password_command),
      "command that prints the new password", "COMMAND" },
    CATALOG_AT_OPTION(AT(at)),
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- a new password ---- */

static bool ask_password(const UserOptions *options, const char *name, UserRow *user,
                         GError **error)
{
    const char *file = options->password_file;
    const PasswordFrom from = { .file = file && strcmp(file, "-") == 0 ? "/dev/stdin" : file,
                                .command = options->password_command,
                                .infix = "NEW_",
                                .prompt = "new password",
                                .confirm = true };
    g_autoptr(Secret) password = NULL;

    if (!password_get(&from, &password, error) ||
        !password_check(name, secret_data(password), error))
        return false;
    g_clear_pointer(&user->password, g_free);
    return password_hash(secret_data(password), &user->password, error);
}

/* ---- the words after `user` ---- */

static json_t *json_user(const UserRow *user)
{
    json_t *object = json_pack("{s:s, s:s, s:b}", "name", user->name, "role", user->role, "enabled",
                               (int)user->enabled);

    json_object_set_new(object, "created",
                        json_time((Timestamp){ .sec = user->created_at / 1000 }));
    return object;
}

static bool list(const Context *context, Catalog *catalog, GError **error)
{
    static const char *const headers[] = { "User", "Role", "Enabled", "Created", NULL };
    g_autoptr(GArray) users = NULL;
    g_autoptr(Table) table = table_new(headers);
    json_t *array = json_array();

    if (!catalog_users(catalog, &users, error)) {
        json_decref(array);
        return false;
    }
    for (guint i = 0; i < users->len; i++) {
        const UserRow *user = &g_array_index(users, UserRow, i);
        g_autofree char *created = output_time((Timestamp){ .sec = user->created_at / 1000 });

        json_array_append_new(array, json_user(user));
        table_add(table, (const char *const[]){ user->name, user->role,
                                                user->enabled ? "yes" : "no", created });
    }
    if (context->settings->json) {
        output_json(array);
        return true;
    }
    json_decref(array);
    table_print(table, stdout);
    return true;
}

static bool add(Catalog *catalog, const UserOptions *options, const char *name, GError **error)
{
    g_auto(UserRow) user = { .name = g_strdup(name),
                             .role = g_strdup(options->role ? options->role : "viewer"),
                             .enabled = true };

    if (!user_role_is_valid(user.role)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--role %s: there are viewer, operator and admin", user.role);
        return false;
    }
    return web_user_name_check(name, error) && ask_password(options, name, &user, error) &&
           catalog_user_put(catalog, &user, 0, error);
}

/* Who has tried too often must not have to wait with the new one. */
static bool set_password(Catalog *catalog, const UserOptions *options, const char *name,
                         GError **error)
{
    g_autofree char *attempts = g_strconcat("user:", name, NULL);
    g_auto(UserRow) user = { 0 };

    return catalog_user_get(catalog, name, &user, error) &&
           ask_password(options, name, &user, error) &&
           catalog_user_put(catalog, &user, user.version, error) &&
           catalog_login_succeeded(catalog, attempts, error);
}

static bool set_enabled(Catalog *catalog, const char *name, bool enabled, GError **error)
{
    g_auto(UserRow) user = { 0 };

    if (!catalog_user_get(catalog, name, &user, error))
        return false;
    user.enabled = enabled;
    return catalog_user_put(catalog, &user, user.version, error);
}

static bool enable(Catalog *catalog, G_GNUC_UNUSED const UserOptions *options, const char *name,
                   GError **error)
{
    return set_enabled(catalog, name, true, error);
}

static bool disable(Catalog *catalog, G_GNUC_UNUSED const UserOptions *options, const char *name,
                    GError **error)
{
    return set_enabled(catalog, name, false, error);
}

static bool remove_user(Catalog *catalog, G_GNUC_UNUSED const UserOptions *options,
                        const char *name, GError **error)
{
    g_auto(UserRow) user = { 0 };

    return catalog_user_get(catalog, name, &user, error) &&
           catalog_user_delete(catalog, name, user.version, error);
}

static const struct {
    const char *name, *done;
    bool (*run)(Catalog *catalog, const UserOptions *options, const char *name, GError **error);
} actions[] = {
    { "add", "may log in now", add },
    { "password", "has a new password and no session any more", set_password },
    { "enable", "may log in again", enable },
    { "disable", "may not log in any more, and has neither session nor token", disable },
    { "remove", "is gone, with sessions and tokens", remove_user },
};

/* ---- telling ---- */

/* No name of a user of the page has a blank in it. */
static bool audit(Catalog *catalog, const char *action, const char *suffix, const char *name,
                  GError **error)
{
    g_autofree char *who = g_strconcat(g_get_user_name(), " (command line)", NULL);
    g_autofree char *what = g_strconcat("user.", action, suffix, NULL);
    json_t *detail = json_object();
    bool written;

    json_object_set_new(detail, "user", json_bytes(name));
    written = catalog_audit(catalog, who, what, detail, error);
    json_decref(detail);
    return written;
}

static bool change(const Context *context, size_t i, Catalog *catalog, const UserOptions *options,
                   const char *name, GError **error)
{
    // the line first: no change is without one
    if (!audit(catalog, actions[i].name, "", name, error))
        return false;
    if (!actions[i].run(catalog, options, name, error)) {
        (void)audit(catalog, actions[i].name, ".failed", name, NULL); // that counts is told below
        return false;
    }
    if (context->settings->json)
        output_json(json_pack("{s:s, s:s, s:s}", "message_type", "user", "action", actions[i].name,
                              "user", name));
    else if (!context->settings->quiet)
        printf("%s %s\n", name, actions[i].done);
    return true;
}

static bool user_run(const Context *context, void *request, char **operands, GError **error)
{
    const UserOptions *options = request;
    const bool lists = operands[0] && strcmp(operands[0], "list") == 0;
    g_auto(CatalogPlace) place = { 0 };
    g_autoptr(Catalog) catalog = NULL;
    size_t i = 0;

    if (!operands_between(operands, lists ? 1 : 2, lists ? 1 : 2,
                          "list, or add, password, enable, disable or remove and a NAME", error))
        return false;
    while (!lists && i < G_N_ELEMENTS(actions) && strcmp(operands[0], actions[i].name) != 0)
        i++;
    if (i == G_N_ELEMENTS(actions)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "user %s: must be list, add, password, enable, disable or remove", operands[0]);
        return false;
    }
    if (!catalog_place_find(context->settings, options->at, &place, error) ||
        !catalog_place_open(&place, &catalog, error))
        return false;
    return lists ? list(context, catalog, error)
                 : change(context, i, catalog, options, operands[1], error);
}

const Command user_command = {
    .name = "user",
    .operands = "list|add NAME|password NAME|enable NAME|disable NAME|remove NAME",
    .summary = "who may use the daemon's page and API",
    .description =
        "Works on the daemon's catalogue, whether the daemon runs or not: for the first "
        "administrator, and for one who is locked out. Roles: viewer looks, operator runs, "
        "restores and schedules, admin may do everything. The last admin cannot be removed or "
        "disabled.\n\n"
        "The password is asked for twice, or comes from --new-password-file, "
        "--new-password-command or BACKSTAY_NEW_PASSWORD and its kin. A new one ends the user's "
        "sessions; disable and remove end tokens, too. Every change is a line of the audit log.",
    .options = user_options,
    .request_size = sizeof(UserOptions),
    .run = user_run,
};
