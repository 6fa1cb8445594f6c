/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/rundir.h"
#include "daemon/running.h"

static void start_again(Running *run)
{
    g_autoptr(GError) error = NULL;

    log_info("a run that had told nothing is started again", "run", run->row.id, NULL);
    if (!running_start(run, &error))
        running_fail(run, bs_error_exit_status(error), error->message);
}

static void follow_again(Running *run)
{
    const Schedule *schedule = running_schedule(run);

    if (schedule && schedule->timeout > 0)
        run->end_by = clock_monotonic_ms() +
                      MAX(0, run->row.started_at + schedule->timeout * 1000 - clock_now_ms());
    running_read(run);
    if (run->over || run->life.ended)
        return;
    if (events_file_is_locked(run->events))
        log_info("a run goes on", "run", run->row.id, NULL);
    else
        running_gone(run, 1, RUN_DIED);
}

/* Its process may be about to begin, and must not find the file locked by who asks. */
static void await(Running *run)
{
    run->begin_by = clock_monotonic_ms() + BEGIN_MS;
}

static void adopt(Runs *runs, RunRow *row)
{
    Running *run = running_add(runs, row);
    g_autoptr(GError) error = NULL;

    if (run->by_hand && !run_dir_has_spec(run->dir)) {
        running_fail(run, 1, RUN_DIED);
        return;
    }

    if (run->row.state == RUN_QUEUED || !run_dir_has_spec(run->dir)) {
        run->waits = true; // for runs_turn(), which knows what may be beside what
        return;
    }
    if (!running_watch(run, &error))
        running_fail(run, 1, error->message);
    else if (run->by_hand && events_file_is_empty(run->events))
        await(run);
    else if (events_file_is_empty(run->events) && !events_file_is_locked(run->events))
        start_again(run);
    else
        follow_again(run);
}

bool runs_recover(Runs *runs, GError **error)
{
    const RunQuery query = { .states = RUNS_UNFINISHED, .limit = RUN_LIMIT_MAX };
    g_autoptr(GArray) rows = NULL;

    if (!catalog_runs(runs->world.catalog, &query, &rows, error) ||
        !catalog_renew(runs->world.catalog, runs->world.node, clock_now_ms() + LEASE_MS, error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        RunRow *row = &g_array_index(rows, RunRow, i);

        if (g_strcmp0(row->node, runs->world.node) == 0 && !runs_find(runs, row->id))
            adopt(runs, row);
    }
    runs->renew_at = clock_monotonic_ms() + RENEW_MS;
    runs_clean(runs);
    runs_sweep(runs);
    return true;
}

bool runs_take_over(Runs *runs, GError **error)
{
    const int64_t now = clock_now_ms();
    g_autoptr(GArray) rows = NULL;

    if (!catalog_take_over(runs->world.catalog, runs->world.node, now, now + LEASE_MS, &rows,
                           error))
        return false;
    for (guint i = 0; i < rows->len; i++) {
        RunRow *row = &g_array_index(rows, RunRow, i);
        const bool begun = row->state == RUN_RUNNING;
        Running *run;

        if (runs_find(runs, row->id))
            continue;
        log_warn("a run of a daemon that is gone is taken over", "run", row->id, NULL);
        run = running_add(runs, row);
        if (begun || run->by_hand)
            running_fail(run, 1, "the daemon that had started it is gone, and its lease is over");
        else
            running_begin_or_fail(run);
    }
    runs_sweep(runs);
    return true;
}
