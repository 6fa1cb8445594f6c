/* SPDX-License-Identifier: Apache-2.0 */
#include "op/doctorserver.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include <stdio.h>

typedef struct {
    char *role;
} DoctorOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(DoctorOptions, member))

static const GOptionEntry doctor_options[] = {
    { "role", 0, 0, ARG_TEXT, AT(role),
      "that a server's backups are taken with (default " PG_SETUP_ROLE ")", "NAME" },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static DoctorState worst_of(const GPtrArray *findings)
{
    DoctorState worst = DOCTOR_PASS;

    for (guint i = 0; i < findings->len; i++)
        worst = MAX(worst, ((const DoctorFinding *)g_ptr_array_index(findings, i))->state);
    return worst;
}

static void tell_json(const char *location, const GPtrArray *findings)
{
    json_t *checks = json_array();

    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);
        json_t *check =
            json_pack("{s:s, s:s, s:o}", "check", finding->check, "status",
                      doctor_state_name(finding->state), "message", json_bytes(finding->message));

        if (finding->server)
            json_object_set_new(check, "server", json_bytes(finding->server));
        if (finding->remedy)
            json_object_set_new(check, "remedy", json_bytes(finding->remedy));
        json_array_append_new(checks, check);
    }
    output_json(json_pack("{s:s, s:o, s:s, s:o}", "message_type", "doctor", "repository",
                          location ? json_bytes(location) : json_null(), "status",
                          doctor_state_name(worst_of(findings)), "checks", checks));
}

static void tell_text(const GPtrArray *findings, bool quiet)
{
    const char *server = NULL;

    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);

        if (quiet && finding->state == DOCTOR_PASS)
            continue;
        if (finding->server && g_strcmp0(server, finding->server) != 0)
            printf("%s\n", finding->server);
        server = finding->server;
        printf("%-4s  %-11s  %s\n", doctor_state_name(finding->state), finding->check,
               finding->message);
        if (finding->remedy)
            printf("                   %s\n", finding->remedy);
    }
}

/* ---- what is asked ---- */

/* The repository that is named, or that the settings name; NULL: none is, which is right when a
 * server is. */
static bool find_location(const Settings *settings, char **operands, char **ret_location,
                          GError **error)
{
    const char *named = NULL;
    guint servers = 0;

    for (; *operands; operands++) {
        if (doctor_is_server(*operands)) {
            servers++;
        } else if (named) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "one repository at a time: %s", *operands);
            return false;
        } else {
            named = *operands;
        }
    }
    *ret_location = g_strdup(named);
    return named || (servers > 0 && !settings_has_repository(settings)) ||
           settings_repository(settings, ret_location, error);
}

static bool examine(const Context *context, const DoctorOptions *options, const char *location,
                    char **operands, GPtrArray *findings, GError **error)
{
    PgSetupRequest server = { .role = options->role ? options->role : PG_SETUP_ROLE };

    if (location && !op_doctor(context->settings, location, context->cancel, findings, error))
        return false;
    for (; *operands; operands++) {
        server.url = *operands;
        if (doctor_is_server(*operands) &&
            !op_doctor_server(&server, context->cancel, findings, error))
            return false;
    }
    return true;
}

static bool doctor_run(const Context *context, void *request, char **operands, GError **error)
{
    g_autoptr(GPtrArray) findings = doctor_findings_new();
    g_autofree char *location = NULL;

    if (!find_location(context->settings, operands, &location, error) ||
        !examine(context, request, location, operands, findings, error))
        return false;
    if (context->settings->json)
        tell_json(location, findings);
    else
        tell_text(findings, context->settings->quiet);
    if (worst_of(findings) < DOCTOR_FAIL)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "what fails above will cost data, or keeps everything from working");
    return false;
}

const Command doctor_command = {
    .name = "doctor",
    .operands = "[REPO] [URL...]",
    .summary = "look for what would destroy or hide the repository one day",
    .description =
        "Asks the store what guards it: versioning, object lock, lifecycle rules that remove or "
        "freeze objects, uploads\n"
        "that were cut off, and its clock. Of each URL, postgresql://..., it asks the PostgreSQL "
        "server what it lacks to be\n"
        "backed up, as `pg setup` does. Reads only, and needs no password of the repository. Exit "
        "status 1: something\n"
        "fails; a warning alone is 0.",
    .options = doctor_options,
    .request_size = sizeof(DoctorOptions),
    .run = doctor_run,
};
