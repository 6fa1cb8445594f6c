/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: what the scheduler starts that is no run of a schedule (op/task.h is the other side). */
#include "base/clock.h"
#include "base/error.h"
#include "daemon/rundir.h"
#include "daemon/running.h"
#include <string.h>

bool running_is_task(const Running *run)
{
    return strcmp(run->row.kind, "backup") != 0 && strcmp(run->row.kind, "sweep") != 0;
}

bool running_prepare_task(Running *run, GError **error)
{
    if (run_dir_has_spec(run->dir))
        return running_prepare_made(run, 0, error);
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                "what it was to do lies with the node that took the order");
    return false;
}

static void fill_row(const Runs *runs, const TaskOrder *order, RunRow *row)
{
    const int64_t now = clock_now_ms();

    *row = (RunRow){
        .id = g_strdup(order->id),
        .kind = g_strdup(order->kind),
        .repository = g_strdup(order->repository),
        .state = RUN_QUEUED,
        .trigger = TRIGGER_MANUAL,
        .created_at = now,
        .node = g_strdup(runs->world.node),
        .lease_until = now + LEASE_MS,
        .detail = json_pack("{s:O}", "task", order->about),
        .attempt = 1,
        .user = g_strdup(order->user),
    };
}

/* Its directory comes first: of a task that is queued it is known what it is to do. */
static bool enter(Runs *runs, const TaskOrder *order, RunRow *row, GError **error)
{
    g_autofree char *dir = places_run(runs->world.places, order->id);
    json_t *spec =
        json_pack("{s:s, s:s, s:O}", "run", order->id, "kind", order->kind, "steps", order->steps);
    bool ok = run_dir_make(dir, spec, error) && catalog_run_insert(runs->world.catalog, row, error);

    json_decref(spec);
    return ok;
}

bool runs_order_task(Runs *runs, const TaskOrder *order, GError **error)
{
    g_auto(RunRow) row = { 0 };
    unsigned n = 0;

    for (guint i = 0; i < runs->all->len; i++) {
        const Running *other = g_ptr_array_index(runs->all, i);

        n += !other->over && running_is_task(other);
    }
    if (n >= RUNS_TASKS_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                    "%u tasks are under way; try again when one has ended", n);
        return false;
    }
    fill_row(runs, order, &row);
    if (!enter(runs, order, &row, error))
        return false;
    running_begin_or_fail(running_add(runs, &row));
    runs_sweep(runs);
    return true;
}

bool runs_use(const Runs *runs, const char *repository)
{
    for (guint i = 0; i < runs->all->len; i++) {
        const Running *run = g_ptr_array_index(runs->all, i);

        if (!run->over && g_strcmp0(run->row.repository, repository) == 0)
            return true;
    }
    return false;
}

bool runs_have_target(const Runs *runs, const char *target)
{
    for (guint i = 0; i < runs->all->len; i++) {
        const Running *run = g_ptr_array_index(runs->all, i);
        const json_t *about = json_object_get(run->row.detail, "task");

        if (!run->over &&
            g_strcmp0(json_string_value(json_object_get(about, "target")), target) == 0)
            return true;
    }
    return false;
}
