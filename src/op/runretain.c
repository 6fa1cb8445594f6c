/* SPDX-License-Identifier: Apache-2.0 */
/* Retention of a run: after its backup, or alone (op/running.h). */
#include "base/error.h"
#include "op/runhistory.h"
#include "op/running.h"
#include "op/runretention.h"

#define RETENTION_WAIT_MS (60 * 1000) /* for others to give up the repository */

static RunRetention retention_for(const RunRequest *request)
{
    const Schedule *schedule = request->schedule;

    return (RunRetention){ .schedule = schedule->name,
                           .policy = &schedule->keep,
                           .keep_pitr = &schedule->keep_pitr,
                           .zone = schedule->zone,
                           .guarded = request->unattended };
}

static bool retain(Run *run, GError **error)
{
    const RunRequest *request = run->request;
    RunRetention retention = retention_for(request);
    const Cancel *cancel = run_control_cancel(run->control);
    int64_t wait_ms = MAX(request->settings->retry_lock_ms, RETENTION_WAIT_MS);

    run_stage(run, "retention", NULL);
    run->retained =
        run_open(run, error) &&
        open_relock(request->settings, &run->open, OPEN_EXCLUSIVE, wait_ms, cancel, error) &&
        run_locks_check(run->locks, error) &&
        run_retention_apply(request->settings, &run->open, &retention, cancel, &run->removed,
                            error);
    return run->retained;
}

/* The newest backup beside those before it, for a sweep, which makes none. Empty ones, night after
 * night, would push out all that are worth having. */
static bool newest_shrank(const RunRequest *request)
{
    for (guint i = 0; request->history && i < request->sources->len; i++) {
        const SourceConfig *config = request->sources->pdata[i];

        if (run_history_shrank(json_object_get(request->history, config->name)))
            return true;
    }
    return false;
}

static void retain_nothing(Run *run)
{
    run_warn_text(run, "retention was not applied",
                  "the newest backup is far smaller than those before it, so none of them is "
                  "removed; if that is as it should be, apply it with --retention-only");
}

/* The backup is there in any case. Somebody else at work, or a guard, is no failure of it. */
void run_retain_after(Run *run)
{
    g_autoptr(GError) failure = NULL;

    if (run->shrank) {
        retain_nothing(run);
        return;
    }
    if (retain(run, &failure) || run_ended(run))
        return;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_LOCKED)) {
        run_warn_text(run, "retention was not applied", failure->message);
        return;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_GUARD)) {
        run_warn_condition(run, "retention", "retention was not applied", failure->message);
        return;
    }
    g_prefix_error(&failure, "retention: ");
    failure->code = BS_ERROR_PARTIAL;
    run_end_as(run, RUN_PARTIAL, g_steal_pointer(&failure));
}

/* What they keep is their own, and one that cannot be reached is no reason to leave the rest. */
static void sweep_archives(Run *run)
{
    GError *failure = NULL;

    if (run_archive_sweep(run, &failure))
        return;
    if (run_ended(run)) {
        g_error_free(failure);
        return;
    }
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_GUARD)) {
        run_warn_condition(run, "retention", "retention of archives was not applied",
                           failure->message);
        g_error_free(failure);
        return;
    }
    failure->code = BS_ERROR_DESTINATION;
    run_end_as(run, run->state == RUN_SUCCEEDED ? RUN_PARTIAL : run->state, failure);
}

void run_sweep(Run *run)
{
    GError *failure = NULL;

    run->state = RUN_SUCCEEDED;
    if (run->request->unattended && newest_shrank(run->request)) {
        retain_nothing(run);
        return;
    }
    if (!retain(run, &failure)) {
        if (run_ended(run)) {
            g_error_free(failure);
            return;
        }
        run_end_as(run, RUN_FAILED, failure);
    }
    sweep_archives(run);
}

bool op_run_preview(const RunRequest *request, const Cancel *cancel, ForgetPlan **ret_plan,
                    GError **error)
{
    RunRetention retention = retention_for(request);
    g_auto(OpenRepo) open = { 0 };

    return open_repo(request->settings, OPEN_SHARED, true, cancel, &open, error) &&
           run_retention_decide(&open, &retention, cancel, ret_plan, error);
}
