/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/table.h"
#include "daemon/ask.h"

#define PATIENCE_MS 10000

typedef struct {
    char *socket;
} StatusOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(StatusOptions, member))

static const GOptionEntry status_options[] = {
    { "socket", 0, 0, ARG_TEXT, AT(socket), "the control socket of the daemon", "PATH" },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
};

/* ---- for people ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

/* Of Unix ms; "-" for none. */
static char *time_text(const json_t *ms)
{
    const json_int_t value = json_integer_value(ms);

    return value > 0 ? output_time((Timestamp){ .sec = value / 1000 }) : g_strdup("-");
}

static const char *state_of(const json_t *schedule)
{
    if (!json_is_true(json_object_get(schedule, "enabled")))
        return "disabled";
    if (json_integer_value(json_object_get(schedule, "paused_until")) > clock_now().sec * 1000)
        return "paused";
    if (json_is_true(json_object_get(schedule, "running")))
        return "running";
    return "waiting";
}

/* Of a group also how near to each other the moments of its sources lie. */
static char *result_text(const json_t *last)
{
    const json_t *spread = json_object_get(last, "spread_ms");

    return json_is_integer(spread)
               ? g_strdup_printf("%s, within %" JSON_INTEGER_FORMAT " ms", text_of(last, "state"),
                                 json_integer_value(spread))
               : g_strdup(text_of(last, "state"));
}

static void print_schedules(const json_t *schedules)
{
    static const char *const headers[] = { "Schedule",    "State",        "Next run", "Last run",
                                           "Last result", "Last success", NULL };
    g_autoptr(Table) table = table_new(headers);
    const json_t *schedule;
    size_t i;

    json_array_foreach(schedules, i, schedule)
    {
        const json_t *last = json_object_get(schedule, "last");
        const json_t *success = json_object_get(schedule, "last_success");
        g_autofree char *next = time_text(json_array_get(json_object_get(schedule, "next"), 0));
        g_autofree char *ended = time_text(json_object_get(last, "ended_at"));
        g_autofree char *result = result_text(last);
        g_autofree char *succeeded = time_text(json_object_get(success, "ended_at"));
        const char *cells[] = {
            text_of(schedule, "name"), state_of(schedule), next, ended, result, succeeded, NULL
        };

        table_add(table, cells);
    }
    table_print(table, stdout);
}

static void print_runs(const json_t *runs)
{
    static const char *const headers[] = { "Run",   "Schedule", "Kind", "State",
                                           "Stage", "Since",    NULL };
    g_autoptr(Table) table = table_new(headers);
    const json_t *run;
    size_t i;

    if (json_array_size(runs) == 0)
        return;
    json_array_foreach(runs, i, run)
    {
        g_autofree char *since = time_text(json_object_get(run, "started_at"));
        const char *cells[] = { text_of(run, "id"),
                                text_of(run, "schedule_name"),
                                text_of(run, "kind"),
                                text_of(run, "state"),
                                text_of(run, "stage"),
                                since,
                                NULL };

        table_add(table, cells);
    }
    printf("\n");
    table_print(table, stdout);
}

static void print_status(const json_t *status)
{
    const char *problem = json_string_value(json_object_get(status, "problem"));

    print_schedules(json_object_get(status, "schedules"));
    print_runs(json_object_get(status, "runs"));
    if (problem)
        printf("\nThe configuration as it is now is not taken over:\n%s\n", problem);
}

static bool ask_status(const StatusOptions *options, char **operands, json_t **ret_status,
                       GError **error)
{
    return operands_between(operands, 0, 0, "", error) &&
           ask_scheduler(options->socket, json_pack("{s:s}", "op", "status"), PATIENCE_MS,
                         ret_status, error);
}

static bool status_run(const Context *context, void *request, char **operands, GError **error)
{
    json_auto_t *status = NULL;

    if (!ask_status(request, operands, &status, error))
        return false;
    json_object_del(status, "ok");
    if (context->settings->json)
        output_json(json_incref(status));
    else
        print_status(status);
    return true;
}

/* For containers and monitors: 0 or 1, whatever is wrong. */
static int health_status(G_GNUC_UNUSED char *const *argv, const GError *error, int status)
{
    return error ? 1 : status;
}

static bool healthcheck_run(const Context *context, void *request, char **operands, GError **error)
{
    json_auto_t *status = NULL;

    if (!ask_status(request, operands, &status, error))
        return false;
    if (!context->settings->quiet)
        printf("the daemon answers: %zu schedules, %zu runs under way\n",
               json_array_size(json_object_get(status, "schedules")),
               json_array_size(json_object_get(status, "runs")));
    return true;
}

const Command status_command = {
    .name = "status",
    .operands = "",
    .summary = "show the daemon's schedules, what runs, and how the last runs ended",
    .description = "Asks the daemon of this user, or of this machine, through its control socket. "
                   "Times in --json are Unix milliseconds.",
    .options = status_options,
    .request_size = sizeof(StatusOptions),
    .run = status_run,
};

const Command healthcheck_command = {
    .name = "healthcheck",
    .operands = "",
    .summary = "say whether the daemon answers and reaches its catalogue",
    .description = "Exit status 0 or 1, as container runtimes want it.",
    .options = status_options,
    .request_size = sizeof(StatusOptions),
    .run = healthcheck_run,
    .exit_status = health_status,
};
