/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/scheduling.h"
#include "state/runs.h"
#include <string.h>

static const char *text_of(const json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

static bool wants(const json_t *request, const char *key, const char **ret_text, GError **error)
{
    *ret_text = text_of(request, key);
    if (*ret_text)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"%s\" is missing", key);
    return false;
}

/* ---- requests ---- */

static bool run(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error)
{
    RunOrder order = { .kind = "backup", .trigger = TRIGGER_MANUAL, .attempt = 1 };
    g_autofree char *id = NULL;
    const char *name;

    if (!wants(request, "schedule", &name, error))
        return false;
    order.schedule = schedules_find(scheduler->schedules, name);
    order.user = text_of(request, "user");
    if (!order.schedule) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no schedule \"%s\"", name);
        return false;
    }
    if (runs_has_schedule(scheduler->runs, order.schedule->id)) {
        // it is history all the same
        (void)runs_order(scheduler->runs, &order, &id, NULL);
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "concurrent: a run of \"%s\" is under way",
                    order.schedule->name);
        return false;
    }
    if (!runs_order(scheduler->runs, &order, &id, error))
        return false;
    json_object_set_new(answer, "run", json_string(id));
    return true;
}

/* `backstay run` by hand: it must be the schedule that we know by that name. */
static bool begin(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error)
{
    RunOrder order = { .trigger = TRIGGER_MANUAL, .attempt = 1 };
    g_autofree char *id = NULL, *events = NULL;
    const char *name;

    if (!wants(request, "schedule", &name, error) || !wants(request, "kind", &order.kind, error))
        return false;
    if (strcmp(order.kind, "backup") != 0 && strcmp(order.kind, "sweep") != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "there is no such kind of run");
        return false;
    }
    order.schedule = schedules_find(scheduler->schedules, name);
    order.user = text_of(request, "user");
    if (!order.schedule ||
        !json_equal(order.schedule->definition, json_object_get(request, "definition"))) {
        json_object_set_new(answer, "why",
                            json_string("the daemon has no such schedule, or another one of that "
                                        "name; `systemctl reload backstay` has it read its "
                                        "configuration again"));
        return true;
    }
    if (!runs_begin_by_hand(scheduler->runs, &order, &id, &events, error))
        return false;
    json_object_update_new(answer, json_pack("{s:s, s:s}", "run", id, "events", events));
    return true;
}

static bool cancel(Scheduler *scheduler, const json_t *request, G_GNUC_UNUSED json_t *answer,
                   GError **error)
{
    const char *id;

    return wants(request, "run", &id, error) && runs_cancel(scheduler->runs, id, error);
}

static bool reload(Scheduler *scheduler, G_GNUC_UNUSED const json_t *request,
                   G_GNUC_UNUSED json_t *answer, GError **error)
{
    return scheduler_reload(scheduler, error);
}

static bool changed(Scheduler *scheduler, const json_t *request, G_GNUC_UNUSED json_t *answer,
                    GError **error)
{
    const char *id = text_of(request, "schedule");

    if (!schedules_load(scheduler->schedules, scheduler->configuration, clock_now().sec, error))
        return false;
    scheduler->look = true;
    control_tell(scheduler->control, json_pack("{s:s, s:s?}", "event", "schedule", "schedule", id));
    return true;
}

static bool is_running(const char *schedule, void *user)
{
    return runs_has_schedule(((Scheduler *)user)->runs, schedule);
}

static bool status(Scheduler *scheduler, G_GNUC_UNUSED const json_t *request, json_t *answer,
                   GError **error)
{
    const int64_t now = clock_now().sec;

    if (!catalog_ping(scheduler->catalog, error))
        return false;
    json_object_update_new(
        answer, json_pack("{s:s, s:i, s:s, s:I, s:s, s:s?, s:b, s:o, s:o}", "version", BS_VERSION,
                          "pid", (int)getpid(), "node", scheduler->node, "started_at",
                          (json_int_t)scheduler->started_at * 1000, "catalogue",
                          catalog_name(scheduler->catalog), "problem", scheduler->problem, "web",
                          scheduler->web.pid > 0, "schedules",
                          schedules_describe(scheduler->schedules, now, is_running, scheduler),
                          "runs", runs_describe(scheduler->runs)));
    return true;
}

static bool channels(Scheduler *scheduler, G_GNUC_UNUSED const json_t *request, json_t *answer,
                     G_GNUC_UNUSED GError **error)
{
    json_object_set_new(answer, "channels", teller_channels(scheduler->teller));
    return true;
}

json_t *scheduler_answer(const json_t *request, void *user)
{
    static const struct {
        const char *op;
        bool (*answer)(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error);
    } ops[] = { { "run", run },
                { "begin", begin },
                { "cancel", cancel },
                { "reload", reload },
                { "changed", changed },
                { "task", scheduler_task },
                { "test", scheduler_test },
                { "tested", scheduler_tested },
                { "status", status },
                { "channels", channels } };
    const char *op = text_of(request, "op");
    g_autoptr(GError) error = NULL;
    json_t *answer;

    for (size_t i = 0; op && i < G_N_ELEMENTS(ops); i++) {
        if (strcmp(op, ops[i].op) != 0)
            continue;
        answer = json_pack("{s:b}", "ok", 1);
        if (ops[i].answer(user, request, answer, &error))
            return answer;
        json_decref(answer);
        return control_refusal(error);
    }
    g_set_error(&error, BS_ERROR, BS_ERROR_USAGE, "there is no such operation");
    return control_refusal(error);
}
