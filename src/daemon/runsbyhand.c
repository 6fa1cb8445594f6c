/* SPDX-License-Identifier: Apache-2.0 */
/* Runs that are made by hand: entered, watched and shown like those that are started here. */
#include "base/clock.h"
#include "base/error.h"
#include "daemon/running.h"

static bool refuse_concurrent(Running *run, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "concurrent: a run of \"%s\" is under way",
                run->row.schedule_name);
    running_fail(run, 11, "concurrent");
    return false;
}

/* What it tells is awaited from now on. */
static bool enter(Running *run, const Schedule *schedule, GError **error)
{
    bool concurrent;

    if (!runs_find_concurrent(run->runs, &run->row, &concurrent, error))
        return false;
    if (concurrent)
        return refuse_concurrent(run, error);
    run->begin_by = clock_monotonic_ms() + BEGIN_MS;
    return running_prepare(run, schedule, error);
}

bool runs_begin_by_hand(Runs *runs, const RunOrder *order, char **ret_id, char **ret_events,
                        GError **error)
{
    g_auto(RunRow) row = { 0 };
    g_autoptr(GError) failure = NULL;
    Running *run;

    runs_fill_row(runs, order, &row);
    row.detail = json_pack("{s:b}", RUN_BY_HAND, 1);
    if (!catalog_run_insert(runs->world.catalog, &row, error))
        return false;
    run = running_add(runs, &row);
    if (enter(run, order->schedule, &failure)) {
        *ret_id = g_strdup(run->row.id);
        *ret_events = g_build_filename(run->dir, EVENTS_NAME, NULL);
    } else if (!run_state_ended(run->row.state)) {
        running_fail(run, bs_error_exit_status(failure), failure->message);
    }
    runs_sweep(runs);
    if (!failure)
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
