/* SPDX-License-Identifier: Apache-2.0 */
#include "op/doctor.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include <stdio.h>

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

        json_array_append_new(checks, json_pack("{s:s, s:s, s:o}", "check", finding->check,
                                                "status", doctor_state_name(finding->state),
                                                "message", json_bytes(finding->message)));
    }
    output_json(json_pack("{s:s, s:o, s:s, s:o}", "message_type", "doctor", "repository",
                          json_bytes(location), "status", doctor_state_name(worst_of(findings)),
                          "checks", checks));
}

static void tell_text(const GPtrArray *findings, bool quiet)
{
    for (guint i = 0; i < findings->len; i++) {
        const DoctorFinding *finding = g_ptr_array_index(findings, i);

        if (!quiet || finding->state != DOCTOR_PASS)
            printf("%-4s  %-11s  %s\n", doctor_state_name(finding->state), finding->check,
                   finding->message);
    }
}

static bool doctor_run(const Context *context, G_GNUC_UNUSED void *request, char **operands,
                       GError **error)
{
    g_autoptr(GPtrArray) findings = NULL;
    g_autofree char *location = NULL;

    if (!operands_between(operands, 0, 1, "[REPO]", error))
        return false;
    if (operands[0])
        location = g_strdup(operands[0]);
    else if (!settings_repository(context->settings, &location, error))
        return false;
    if (!op_doctor(context->settings, location, context->cancel, &findings, error))
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
    .operands = "[REPO]",
    .summary = "look for what would destroy or hide the repository one day",
    .description =
        "Asks the store what guards it: versioning, object lock, lifecycle rules that remove or "
        "freeze objects, uploads\n"
        "that were cut off, and its clock. Reads only, and needs no password. Exit status 1: "
        "something fails; a warning\n"
        "alone is 0.",
    .run = doctor_run,
};
