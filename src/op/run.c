/* SPDX-License-Identifier: Apache-2.0 */
#include "op/run.h"

#include "base/error.h"
#include "base/plural.h"
#include "op/runhooks.h"
#include "op/runlimits.h"
#include "op/running.h"

#define HOOK_MS (60 * 60 * 1000)
/* Schedules of one hour share it, and each has it for itself while its retention is applied. */
#define OPEN_WAIT_MS (15 * 60 * 1000)

/* ---- the state ---- */

void run_end_as(Run *run, RunState state, GError *failure)
{
    run->state = state;
    if (run->failure)
        g_error_free(failure);
    else
        run->failure = failure;
}

bool run_ended(Run *run)
{
    GError *why = NULL;
    RunState state;

    if (run_control_check(run->control, &why))
        return false;
    state = g_error_matches(why, BS_ERROR, BS_ERROR_CANCELLED) ? RUN_CANCELLED : RUN_FAILED;
    g_clear_error(&run->failure); // what it broke on the way
    run_end_as(run, state, why);
    return true;
}

static void end_partial(Run *run)
{
    g_autoptr(GError) first = g_steal_pointer(&run->failure);
    guint n = run->request->sources->len;
    GError *failure = g_error_new(BS_ERROR, BS_ERROR_PARTIAL, "%u of %u %s failed, %u %s left out",
                                  run->n_failed, n, plural(n, "source", "sources"), run->n_left_out,
                                  plural(run->n_left_out, "item was", "items were"));

    if (first) {
        g_autofree char *all = g_strdup_printf("%s: %s", failure->message, first->message);

        g_free(failure->message);
        failure->message = g_steal_pointer(&all);
    }
    run_end_as(run, RUN_PARTIAL, failure);
}

/* After the sources. */
static void judge(Run *run)
{
    if (run_ended(run))
        return;
    if (run->n_failed == run->request->sources->len)
        run->state = RUN_FAILED; // with what failed first
    else if (run->n_failed > 0 || run->n_left_out > 0)
        end_partial(run);
    else
        run->state = RUN_SUCCEEDED;
}

/* ---- hooks ---- */

static void log_line(const char *text, void *user)
{
    run_log(user, "info", "hook: %s", text);
}

static bool hook_each(Run *run, const char *which, char *const *commands, const HookRun *hook,
                      bool all, GError **error)
{
    bool ok = true;

    for (guint i = 0; commands && commands[i] && (ok || all); i++) {
        g_autofree char *what = g_strdup_printf("%s-hook %u", which, i + 1);
        g_autoptr(GError) failure = NULL;

        if (hook_run(what, commands[i], hook, &failure))
            continue;
        run_log(run, "error", "%s", failure->message);
        if (ok)
            g_propagate_error(error, g_steal_pointer(&failure));
        ok = false;
    }
    return ok;
}

HookRun run_hook_for(Run *run, int64_t timeout_ms, const Cancel *cancel)
{
    const RunRequest *request = run->request;

    return (HookRun){
        .run = request->id,
        .schedule = request->schedule->name,
        .state = run_state_name(run->state),
        .sources = request->schedule->sources,
        .hidden = request->hidden,
        .timeout_ms = timeout_ms,
        .cancel = cancel,
        .line = log_line,
        .user = run,
    };
}

static bool hooks_before(Run *run)
{
    const Schedule *schedule = run->request->schedule;
    HookRun hook = run_hook_for(run, HOOK_MS, run_control_cancel(run->control));
    GError *failure = NULL;
    bool skip;

    if (!schedule->before || !*schedule->before)
        return true;
    run_stage(run, "hook", NULL);
    if (hook_each(run, "before", schedule->before, &hook, false, &failure))
        return true;
    skip = g_error_matches(failure, BS_ERROR, BS_ERROR_SOFT_SKIP);
    if (run_ended(run))
        g_error_free(failure);
    else
        run_end_as(run, skip ? RUN_SKIPPED : RUN_FAILED, failure);
    return false;
}

/* Whatever became of the run: they undo what the first ones did. */
static void hooks_after(Run *run)
{
    const Schedule *schedule = run->request->schedule;
    HookRun hook = run_hook_for(run, RUN_LAST_HOOK_MS, NULL);
    g_autoptr(GError) failure = NULL;

    if (!schedule->after || !*schedule->after)
        return;
    run_stage(run, "hook", NULL);
    if (hook_each(run, "after", schedule->after, &hook, true, &failure))
        return;
    failure->code = BS_ERROR_FAILED; // also 75: it is too late to skip anything
    if (run->state == RUN_SUCCEEDED || run->state == RUN_PARTIAL) {
        g_clear_error(&run->failure);
        run_end_as(run, RUN_FAILED, g_steal_pointer(&failure));
    }
}

/* ---- locks ---- */

static void lock_failed(Run *run, GError *failure)
{
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_LOCKED)) {
        run_log(run, "error", "%s", failure->message);
        g_free(failure->message);
        failure->message = g_strdup("concurrent");
    }
    run_end_as(run, RUN_FAILED, failure);
}

/* ---- sources ---- */

bool run_open(Run *run, GError **error)
{
    Settings patient = *run->request->settings; // borrows of it

    if (!patient.retry_lock)
        patient.retry_lock_ms = OPEN_WAIT_MS;
    if (!run->opened)
        run->opened = open_repo(&patient, OPEN_SHARED, false, run_control_cancel(run->control),
                                &run->open, error);
    return run->opened;
}

/* Mirrors that stay behind. */
static void finish_mirrors(Run *run)
{
    MirrorFinish finish = { .remove = SYNC_REMOVE_NOTHING, .lock = run->open.lock };
    g_autoptr(GError) failure = NULL;

    if (!run->opened || mirrorset_finish(run->open.mirrors, &finish, &failure))
        return;
    if (run->state == RUN_SUCCEEDED)
        run_end_as(run, RUN_PARTIAL, g_steal_pointer(&failure));
    else
        run_warn_text(run, "mirrors", failure->message);
}

/* So that a new host can begin with the repository alone. The backup stands without. */
static void save_installation(Run *run)
{
    const InstallationPlaces *places = run->request->installation;
    g_autoptr(GError) failure = NULL;
    bool written;

    if (!places || !run->opened)
        return;
    if (!installation_save(run->open.repo, places, &written, &failure))
        run_warn_text(run, "configuration and catalogue were not copied", failure->message);
    else if (written)
        run_log(run, "info", "configuration and catalogue were copied into the repository");
}

static void save_sources(Run *run)
{
    const GPtrArray *sources = run->request->sources;

    if (run->request->schedule->group)
        run_group(run);
    for (guint i = 0; !run->request->schedule->group && i < sources->len &&
                      run_control_check(run->control, NULL);
         i++)
        (void)run_source(run, sources->pdata[i]); // it is counted and told
    judge(run);
    if (run->state != RUN_SUCCEEDED && run->state != RUN_PARTIAL)
        return;
    save_installation(run);
    finish_mirrors(run);
}

/* ---- archives ---- */

/* The backup is there in any case, but not everywhere where it should be. */
static void archive_after(Run *run)
{
    g_autoptr(GError) failure = NULL;

    if (run_archive(run, &failure) || run_ended(run))
        return;
    failure->code = BS_ERROR_DESTINATION;
    if (run->state == RUN_SUCCEEDED)
        run_end_as(run, RUN_PARTIAL, g_steal_pointer(&failure));
    else
        run_warn_text(run, "archives", failure->message);
}

/* ---- the road ---- */

static void back_up(Run *run)
{
    if (hooks_before(run))
        save_sources(run);
    hooks_after(run);
    if (run->state == RUN_SUCCEEDED || run->state == RUN_PARTIAL)
        archive_after(run);
    if (run->state == RUN_SUCCEEDED)
        run_retain_after(run);
}

static void under_locks(Run *run, void (*what)(Run *run))
{
    GError *failure = NULL;

    if (run_take_locks(run, &failure))
        what(run);
    else
        lock_failed(run, failure);
    run_close(run);
    run_give_locks(run);
}

static bool with_events(const RunRequest *request, const Cancel *cancel, void (*what)(Run *run),
                        GError **error)
{
    const Schedule *schedule = request->schedule;
    Run run = { .request = request, .state = RUN_RUNNING, .spread_ms = -1, .pause_ms = -1 };
    g_autofree char *problem = NULL;
    bool told;

    run.events =
        run_events_open(request->events, request->events_open, request->tell, request->user, error);
    if (!run.events)
        return false;
    run.snapshots = json_array();
    run.warnings = json_array();
    run.saved = json_object();
    run_event_begin(&run);
    if (!run_limits_apply(schedule->nice, schedule->ionice, schedule->memory, &problem))
        run_warn_text(&run, "a limit could not be set", problem);
    run.control = run_control_new(cancel, schedule->timeout * 1000);
    under_locks(&run, what);
    told = run_event_end(&run, run.failure ? NULL : error);
    run_control_free(run.control);
    run_events_free(run.events);
    json_decref(run.snapshots);
    json_decref(run.warnings);
    json_decref(run.saved);
    if (run.failure)
        g_propagate_error(error, run.failure);
    return !run.failure && told;
}

bool op_run(const RunRequest *request, const Cancel *cancel, GError **error)
{
    return with_events(request, cancel, back_up, error);
}

bool op_run_sweep(const RunRequest *request, const Cancel *cancel, GError **error)
{
    return with_events(request, cancel, run_sweep, error);
}
