/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/running.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "daemon/rundir.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>

/* ---- the table ---- */

Running *running_add(Runs *runs, RunRow *row)
{
    Running *run = g_new0(Running, 1);

    run->runs = runs;
    run->row = *row;
    *row = (RunRow){ 0 };
    run->watch = run->unit = -1;
    run->by_hand = json_is_true(json_object_get(run->row.detail, RUN_BY_HAND));
    run->dir = places_run(runs->world.places, run->row.id);
    g_ptr_array_add(runs->all, run);
    return run;
}

void running_free(gpointer data)
{
    Running *run = data;

    if (run->watch >= 0)
        (void)inotify_rm_watch(run->runs->inotify, run->watch);
    run_row_clear(&run->row);
    run_life_clear(&run->life);
    events_file_free(run->events);
    fs_clear_fd(&run->unit);
    g_free(run->dir);
    g_free(run->why);
    g_free(run);
}

/* ---- telling ---- */

json_t *run_describe(const RunRow *row, const json_t *status)
{
    return json_pack(
        "{s:s, s:s, s:s?, s:s?, s:s?, s:s, s:s, s:I, s:I, s:I, s:I, s:s?, s:s?, s:i, "
        "s:s?, s:i, s:O?}",
        "id", row->id, "kind", row->kind, "schedule", row->schedule, "schedule_name",
        row->schedule_name, "repository", row->repository, "state", run_state_name(row->state),
        "trigger", run_trigger_name(row->trigger), "due_at", (json_int_t)row->due_at, "created_at",
        (json_int_t)row->created_at, "started_at", (json_int_t)row->started_at, "ended_at",
        (json_int_t)row->ended_at, "node", row->node, "stage", row->stage, "exit_code",
        row->exit_code, "error", row->error, "attempt", row->attempt, "progress", status);
}

static void tell(const Running *run, const char *event)
{
    if (control_has_listeners(run->runs->world.control))
        control_tell(run->runs->world.control,
                     json_pack("{s:s, s:o}", "event", event, "run",
                               run_describe(&run->row, run->life.status)));
}

static void log_end(const RunRow *row)
{
    if (row->state == RUN_FAILED || row->state == RUN_PARTIAL)
        log_error("a run failed", "run", row->id, "schedule",
                  row->schedule_name ? row->schedule_name : "", "state", run_state_name(row->state),
                  "error", row->error ? row->error : "", NULL);
    else
        log_info("a run ended", "run", row->id, "schedule",
                 row->schedule_name ? row->schedule_name : "", "state", run_state_name(row->state),
                 NULL);
}

/* ---- the catalogue ---- */

static void saved(Running *run)
{
    run->unsaved = false;
    run->save_at = 0;
    if (run_state_ended(run->row.state)) {
        log_end(&run->row);
        tell(run, "run");
        run->over = true;
        run->runs->world.ended(&run->row, run->runs->world.user);
    } else if (run->row.state == RUN_QUEUED && run->requeue) {
        run->over = true;
    }
}

void running_save(Running *run)
{
    g_autoptr(GError) error = NULL;

    run->unsaved = true;
    if (catalog_run_update(run->runs->world.catalog, &run->row, &error)) {
        saved(run);
    } else if (g_error_matches(error, BS_ERROR, BS_ERROR_LOST)) {
        log_warn("a run is another node's now", "run", run->row.id, NULL);
        run->over = true;
    } else {
        log_warn("the state of a run cannot be written yet", "run", run->row.id, "error",
                 error->message, NULL);
        run->save_at = clock_monotonic_ms() + SAVE_AGAIN_MS;
    }
}

/* ---- following ---- */

static void requeue(Running *run)
{
    g_autoptr(GError) error = NULL;

    run->row.state = RUN_QUEUED;
    run->row.started_at = run->row.ended_at = 0;
    run->row.exit_code = 0;
    g_clear_pointer(&run->row.error, g_free);
    g_clear_pointer(&run->row.stage, g_free);
    if (!run_dir_reset(run->dir, (unsigned)run->row.attempt, &error))
        running_fail(run, 1, error->message);
    else
        running_save(run);
}

/* The row has its end. */
static void conclude(Running *run)
{
    if (run->requeue && run->row.state == RUN_CANCELLED) {
        requeue(run);
        return;
    }
    if (run->why && run->row.state == RUN_CANCELLED)
        run_tell_end(&run->row, RUN_FAILED, run->row.exit_code, run->why);
    running_save(run);
}

void running_fail(Running *run, int code, const char *error)
{
    run->requeue = false;
    run_tell_end(&run->row, RUN_FAILED, code, error);
    running_save(run);
}

typedef struct {
    Running *run;
    RunTold most;
} Reading;

static void told(const json_t *event, void *user)
{
    Reading *reading = user;
    Running *run = reading->run;
    RunTold what;

    if (run->life.ended)
        return;
    what = run_tell(&run->row, &run->life, event);
    reading->most = MAX(reading->most, what);
    if (what == RUN_TOLD_PROGRESS)
        tell(run, "progress");
    else if (what == RUN_TOLD_MORE)
        tell(run, "stage");
    if (run->life.pid > 0) {
        run->begin_by = 0;
        fs_clear_fd(&run->unit);
    }
}

void running_read(Running *run)
{
    g_autoptr(GError) error = NULL;
    const bool had_pid = run->life.pid > 0;
    Reading reading = { .run = run };

    if (!events_file_read(run->events, told, &reading, &error))
        log_warn("the events of a run cannot be read", "run", run->row.id, "error", error->message,
                 NULL);
    if (!had_pid && run->life.pid > 0 && (run->why || run->requeue))
        running_signal(run, SIGTERM); // there was nobody to tell before
    // a child has its end when it is reaped
    if (run->life.ended && run->child == 0)
        conclude(run);
    else if (reading.most == RUN_TOLD_MORE)
        running_save(run);
}

void running_gone(Running *run, int code, const char *text)
{
    g_autoptr(GError) error = NULL;
    json_t *end;

    run->child = 0;
    if (run->life.ended)
        conclude(run);
    else if (run->events)
        running_read(run);
    // gone with its end, or followed by another process that has the lock
    if (run->life.ended || (run->events && events_file_is_locked(run->events)))
        return;
    if (run->requeue) {
        requeue(run);
        return;
    }
    end = json_pack("{s:s, s:s, s:i, s:s}", "message_type", "run_end", "state", "failed", "code",
                    code, "error", run->why ? run->why : text);
    if (run->events && !events_file_end(run->events, end, &error) &&
        g_error_matches(error, BS_ERROR, BS_ERROR_LOCKED))
        return;
    running_fail(run, code, run->why ? run->why : text);
}

void running_closed(Running *run)
{
    // our own child is reaped instead; a unit may not have opened it yet
    if (run->over || run->life.ended || run->child > 0 || (run->life.pid == 0 && !run->by_hand))
        return;
    running_gone(run, 1, RUN_DIED);
    // the kernel tells of a close before it lets the lock go, and of that it does not tell
    if (!run->over && run->row.state == RUN_RUNNING)
        run->look_at = clock_monotonic_ms() + LOOK_AGAIN_MS;
}

bool running_watch(Running *run, GError **error)
{
    g_autofree char *path = g_build_filename(run->dir, EVENTS_NAME, NULL);

    run->events = events_file_open(path, error);
    if (!run->events)
        return false;
    // it is closed by the end of the process, whatever ends that
    run->watch = inotify_add_watch(run->runs->inotify, path, IN_MODIFY | IN_CLOSE_WRITE);
    if (run->watch >= 0)
        return true;
    bs_error_errno(error, errno, "watch %s", path);
    return false;
}

/* ---- the beginning ---- */

bool running_prepare_made(Running *run, int64_t timeout, GError **error)
{
    const RunsWorld *world = &run->runs->world;

    if (!running_watch(run, error))
        return false;
    run->row.state = RUN_RUNNING;
    run->row.started_at = clock_now_ms();
    run->row.lease_until = run->row.started_at + LEASE_MS;
    // before it is started: who finds it so, and nothing told, starts it
    if (!catalog_run_update(world->catalog, &run->row, error))
        return false;
    tell(run, "run");
    world->started(&run->row, world->user);
    if (timeout > 0)
        run->end_by = clock_monotonic_ms() + timeout * 1000;
    return true;
}

bool running_prepare(Running *run, const Schedule *schedule, GError **error)
{
    const RunsWorld *world = &run->runs->world;
    json_auto_t *spec = NULL;

    return run_spec(world->configuration, schedule, world->catalog, &run->row, &spec, error) &&
           run_dir_make(run->dir, spec, error) &&
           running_prepare_made(run, schedule->timeout, error);
}

const Schedule *running_schedule(const Running *run)
{
    const RunsWorld *world = &run->runs->world;
    const char *id = run_row_schedule(&run->row);

    return id ? world->schedule(id, world->user) : NULL;
}

void running_begin_or_fail(Running *run)
{
    const bool task = running_is_task(run);
    const Schedule *schedule = task ? NULL : running_schedule(run);
    g_autoptr(GError) error = NULL;

    run->waits = false;
    if (!task && !schedule)
        running_fail(run, 20, "its schedule is gone");
    else if (!(task ? running_prepare_task(run, &error) : running_prepare(run, schedule, &error)) ||
             !running_start(run, &error))
        running_fail(run, bs_error_exit_status(error), error->message);
}
