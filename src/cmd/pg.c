/* SPDX-License-Identifier: Apache-2.0 */
#include "op/pgsetup.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char *role, *archive_command;
    gboolean apply;
} PgOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(PgOptions, member))

static const GOptionEntry pg_options[] = {
    { "apply", 0, 0, ARG_FLAG, AT(apply), "run the statements that are missing", NULL },
    { "role", 0, 0, ARG_TEXT, AT(role), "that backups are taken with (default " PG_SETUP_ROLE ")",
      "NAME" },
    { "archive-command", 0, 0, ARG_TEXT, AT(archive_command),
      "what archive_command is to be; replaces another one", "COMMAND" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- telling ---- */

static void tell_json(const GPtrArray *items, const GPtrArray *applied)
{
    json_t *checks = json_array(), *run = json_array();

    for (guint i = 0; i < items->len; i++) {
        const PgSetupItem *item = g_ptr_array_index(items, i);
        json_t *object =
            json_pack("{s:s, s:s, s:o}", "check", item->check, "status",
                      pg_setup_state_name(item->state), "message", json_bytes(item->message));

        if (item->statement)
            json_object_set_new(object, "statement", json_bytes(item->statement));
        if (item->line)
            json_object_set_new(object, "pg_hba_line", json_bytes(item->line));
        if (item->by_hand)
            json_object_set_new(object, "by_hand", json_true());
        if (item->needs)
            json_object_set_new(object, "needs", json_string(item->needs));
        json_array_append_new(checks, object);
    }
    for (guint i = 0; i < applied->len; i++)
        json_array_append_new(run, json_bytes(g_ptr_array_index(applied, i)));
    output_json(json_pack("{s:s, s:b, s:o, s:o}", "message_type", "pg_setup", "complete",
                          pg_setup_complete(items, NULL), "checks", checks, "applied", run));
}

static void print_item(const PgSetupItem *item)
{
    printf("%-7s  %s", pg_setup_state_name(item->state), item->message);
    if (item->needs && !item->statement && !item->line)
        printf(" (%s)", item->needs);
    printf("\n");
    if (item->statement)
        printf("           %s;%s%s\n", item->statement, item->needs ? "  -- " : "",
               item->needs ? item->needs : "");
    if (item->line)
        printf("           %s      # in pg_hba.conf, then reload\n", item->line);
    if (item->by_hand)
        printf("           not run by --apply: is that archive still needed?\n");
}

static void tell(const Settings *settings, const GPtrArray *items)
{
    for (guint i = 0; i < items->len && !settings->json; i++) {
        const PgSetupItem *item = g_ptr_array_index(items, i);

        if (!settings->quiet || item->state != PG_SETUP_OK)
            print_item(item);
    }
}

typedef struct {
    const Settings *settings;
    GPtrArray *statements;
} Applied;

static void note_applied(const char *statement, void *user)
{
    Applied *applied = user;

    g_ptr_array_add(applied->statements, g_strdup(statement));
    if (!applied->settings->json)
        printf("run      %s;\n", statement);
    (void)fflush(stdout); // output_close() asks whether it went well
}

/* ---- running ---- */

static bool setup_run(const Context *context, const PgSetupRequest *request, bool apply,
                      GError **error)
{
    g_autoptr(GPtrArray) items = NULL, after = NULL;
    g_autoptr(GPtrArray) statements = g_ptr_array_new_with_free_func(g_free);
    Applied applied = { context->settings, statements };

    if (!op_pg_setup(request, context->cancel, &items, error))
        return false;
    tell(context->settings, items);
    if (apply) {
        if (!op_pg_setup_apply(request, items, context->cancel, note_applied, &applied, error) ||
            !op_pg_setup(request, context->cancel, &after, error))
            return false;
        if (!context->settings->json && !context->settings->quiet)
            printf("\n");
        tell(context->settings, after);
    }
    if (context->settings->json)
        tell_json(after ? after : items, statements);
    return pg_setup_complete(after ? after : items, error);
}

static bool pg_run(const Context *context, void *request, char **operands, GError **error)
{
    const PgOptions *options = request;
    PgSetupRequest setup = { .role = options->role ? options->role : PG_SETUP_ROLE,
                             .archive_command = options->archive_command };

    if (!operands_between(operands, 2, 2, "setup URL", error))
        return false;
    if (strcmp(operands[0], "setup") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "pg %s: must be setup", operands[0]);
        return false;
    }
    setup.url = operands[1];
    return setup_run(context, &setup, options->apply, error);
}

const Command pg_command = {
    .name = "pg",
    .operands = "setup URL",
    .summary = "check what a PostgreSQL server needs to be backed up, and set it up",
    .description =
        "Looks at the settings for archiving and replication, at a role for backups and its "
        "rights, and at pg_hba.conf, and\n"
        "shows for each what is right or which statement or line is missing, and whether it needs "
        "a restart or a reload.\n"
        "URL names the server and a role that may see all of that, best a superuser.\n\n"
        "With --apply the statements (ALTER SYSTEM, CREATE ROLE, GRANT) are run after they were "
        "shown, and the configuration\n"
        "is read again. The server is never restarted, pg_hba.conf never edited, no password ever "
        "set, and an archive_command\n"
        "of somebody else is only replaced by --archive-command. Exit status 33: something is "
        "missing, or waits for a restart.",
    .options = pg_options,
    .request_size = sizeof(PgOptions),
    .run = pg_run,
};
