/* SPDX-License-Identifier: Apache-2.0 */
/* Orders that take longer than an answer. {"op":"task","kind":...}: what may be asked for is
 * checked here, and made into command lines here, whatever the one who asks has checked. */
#include "base/error.h"
#include "daemon/backuprow.h"
#include "daemon/forgetorder.h"
#include "daemon/importorder.h"
#include "daemon/restoreorder.h"
#include "daemon/scheduling.h"
#include "daemon/tasksteps.h"
#include "daemon/uploads.h"
#include <string.h>

static const char *text_of(const json_t *request, const char *key)
{
    return json_string_value(json_object_get(request, key));
}

/* The backup that a task is about. */
static bool find_backup(const Scheduler *scheduler, const json_t *request, RunRow *ret_row,
                        GError **error)
{
    const char *id = text_of(request, "backup");

    if (id && run_id_is_valid(id))
        return catalog_run_get(scheduler->catalog, id, ret_row, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "\"backup\" is no id of a run");
    return false;
}

static bool restore(Scheduler *scheduler, const json_t *request, TaskOrder *task, GError **error)
{
    g_auto(RunRow) row = { 0 };
    g_auto(RestorePlan) plan = { 0 };
    RestoreOrder order = { .configuration = scheduler->configuration,
                           .backup = &row,
                           .order = json_object_get(request, "order"),
                           .run = task->id };

    if (!find_backup(scheduler, request, &row, error) || !restore_order(&order, &plan, error))
        return false;
    if (runs_have_target(scheduler->runs, plan.target.name)) {
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "a restore into %s is under way",
                    plan.target.name);
        return false;
    }
    task->repository = row.repository;
    task->steps = plan.steps;
    task->about = plan.about;
    return runs_order_task(scheduler->runs, task, error);
}

static bool forget(Scheduler *scheduler, const json_t *request, TaskOrder *task, GError **error)
{
    g_auto(RunRow) row = { 0 };
    json_auto_t *steps = NULL, *about = NULL;
    ForgetOrder order = { .configuration = scheduler->configuration,
                          .catalog = scheduler->catalog,
                          .backup = &row,
                          .force = json_is_true(json_object_get(request, "force")),
                          .confirm = text_of(request, "confirm") };

    if (!find_backup(scheduler, request, &row, error) ||
        !forget_order(&order, &steps, &about, error))
        return false;
    if (runs_use(scheduler->runs, row.repository)) {
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "something else works on the repository %s; try again when it has ended",
                    row.repository);
        return false;
    }
    task->repository = row.repository;
    task->steps = steps;
    task->about = about;
    return runs_order_task(scheduler->runs, task, error);
}

/* From here on the file is the task's, and goes when that is over. */
static bool import(Scheduler *scheduler, const json_t *request, TaskOrder *task, GError **error)
{
    const json_t *order = json_object_get(request, "order");
    const char *part = text_of(request, "upload"), *uploads = scheduler->places.uploads;
    json_auto_t *steps = NULL, *about = NULL;
    g_autofree char *path = NULL;

    if (!import_order_check(scheduler->configuration, order, error) ||
        !upload_take(uploads, part ? part : "", task->id, shape_text(order, "name"), &path, error))
        return false;
    import_order(scheduler->configuration, order, path, &steps, &about);
    task->repository = shape_text(order, "repository");
    task->steps = steps;
    task->about = about;
    if (runs_order_task(scheduler->runs, task, error))
        return true;
    upload_drop(uploads, task->id);
    return false;
}

bool scheduler_task(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error)
{
    static const struct {
        const char *kind;
        bool (*order)(Scheduler *scheduler, const json_t *request, TaskOrder *task, GError **error);
    } kinds[] = { { "restore", restore }, { "forget", forget }, { "import", import } };
    const char *kind = text_of(request, "kind");
    g_autofree char *id = run_id_new();
    TaskOrder task = { .id = id, .user = text_of(request, "user") };

    for (size_t i = 0; kind && i < G_N_ELEMENTS(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) != 0)
            continue;
        task.kind = kinds[i].kind;
        if (!kinds[i].order(scheduler, request, &task, error))
            return false;
        json_object_set_new(answer, "run", json_string(id));
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "there is no such kind of task");
    return false;
}

/* ---- a channel ---- */

bool scheduler_test(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error)
{
    const char *channel = text_of(request, "channel");
    g_autofree char *id = NULL;

    if (!teller_test(scheduler->teller, channel ? channel : "", &id, error))
        return false;
    json_object_set_new(answer, "id", json_string(id));
    return true;
}

bool scheduler_tested(Scheduler *scheduler, const json_t *request, json_t *answer, GError **error)
{
    static const char *const words[] = { [COURIER_TEST_WAITS] = "waits",
                                         [COURIER_TEST_DELIVERED] = "delivered",
                                         [COURIER_TEST_FAILED] = "failed" };
    const char *channel = text_of(request, "channel"), *id = text_of(request, "id");
    CourierTest result = COURIER_TEST_WAITS;
    g_autofree char *said = NULL, *valid = NULL;

    if (!teller_tested(scheduler->teller, channel ? channel : "", id ? id : "", &result, &said,
                       error))
        return false;
    valid = said ? g_utf8_make_valid(said, -1) : NULL;
    json_object_set_new(answer, "state", json_string(words[result]));
    json_object_set_new(answer, "said", valid ? json_string(valid) : json_null());
    return true;
}
