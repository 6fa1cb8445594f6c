/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/error.h"
#include "op/facts.h"
#include "op/runhistory.h"
#include "op/running.h"
#include "op/runstatus.h"
#include "op/secretsource.h"
#include <string.h>

#define WAIT_MAX_S   3600
#define PROBLEMS_MAX 1000 /* items told one by one */
#define HISTORY_MAX  10

void run_source_clear(RunSource *made)
{
    source_free(made->source);
    if (made->free_owner)
        made->free_owner(made->owner);
    *made = (RunSource){ 0 };
}

/* ---- what was told ---- */

static const char *source_tag(const Source *source)
{
    for (guint i = 0; i < source->tags->len; i++)
        if (g_str_has_prefix(source->tags->pdata[i], "source="))
            return source->tags->pdata[i];
    return NULL;
}

/* By name: retention and history ask for it, and paths change. */
static void tag_source(Source *source, const SourceConfig *config)
{
    if (!source_tag(source))
        g_ptr_array_add(source->tags, g_strconcat("source=", config->name, NULL));
}

/* Beside those that the source is configured to have. */
static char **run_tags(const Run *run, char *const *own)
{
    const RunRequest *request = run->request;
    g_autoptr(GPtrArray) tags = g_ptr_array_new();

    for (; own && *own; own++)
        g_ptr_array_add(tags, g_strdup(*own));
    g_ptr_array_add(tags, g_strconcat("run=", request->id, NULL));
    g_ptr_array_add(tags, g_strconcat("schedule=", request->schedule->name, NULL));
    g_ptr_array_add(tags, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&tags), FALSE);
}

static void tell_problem(const char *item, const GError *problem, void *user)
{
    Run *run = user;
    static const char during[] = "archival";

    if (g_atomic_int_add((volatile gint *)&run->n_told, 1) >= PROBLEMS_MAX)
        return;
    run_events_add(run->events, json_pack("{s:s, s:{s:o}, s:s, s:o}", "message_type", "error",
                                          "error", "message", run_event_text(problem->message),
                                          "during", during, "item", run_event_text(item)));
}

static void tell_finishing(void *user)
{
    Run *run = user;

    run_stage(run, "upload", run->reading);
}

static bool still_allowed(void *user, GError **error)
{
    Run *run = user;

    run_stage(run, "verify", run->reading);
    return run_control_check(run->control, error) && run_locks_check(run->locks, error);
}

static double seconds_of(const Snapshot *snapshot)
{
    const SnapshotSummary *summary = &snapshot->summary;

    return (double)(summary->backup_end.sec - summary->backup_start.sec) +
           ((double)summary->backup_end.nsec - (double)summary->backup_start.nsec) / 1e9;
}

/* Of which moment it is, when it is one of a group; what it says of the others is in the manifest.
 */
static json_t *moment_of(const Source *source)
{
    static const char *const keys[] = { "held", "instant", "within_ms", "since", "spread_ms" };
    json_t *moment = source->group ? json_object() : NULL;

    for (size_t i = 0; moment && i < G_N_ELEMENTS(keys); i++)
        if (json_object_get(source->group, keys[i]))
            json_object_set(moment, keys[i], json_object_get(source->group, keys[i]));
    return moment;
}

static void tell_saved(Run *run, const SourceConfig *config, const Source *source,
                       const BackupResult *result)
{
    const SnapshotSummary *summary = &result->snapshot->summary;
    const char *id = result->saved ? id_hex(&result->snapshot->id).text : NULL;
    g_autofree char *hex = g_strdup(id);

    run->bytes += summary->total_bytes_processed;
    run->added += summary->data_added;
    run->stored += summary->data_added_packed;
    run->files += summary->total_files_processed;
    run->n_left_out += result->problems;
    if (hex) {
        json_array_append_new(run->snapshots, json_string(hex));
        json_object_set_new(run->saved, config->name, json_string(hex));
    }
    run_events_add(run->events,
                   json_pack("{s:s, s:o, s:s, s:s?, s:I, s:I, s:I, s:I, s:f, s:s, s:i, s:n, s:o*}",
                             "message_type", "snapshot", "source", run_event_text(config->name),
                             "kind", source->ops->kind, "snapshot_id", hex, "bytes",
                             (json_int_t)summary->total_bytes_processed, "added",
                             (json_int_t)summary->data_added, "stored",
                             (json_int_t)summary->data_added_packed, "files",
                             (json_int_t)summary->total_files_processed, "seconds",
                             seconds_of(result->snapshot), "state",
                             run_state_name(result->problems ? RUN_PARTIAL : RUN_SUCCEEDED), "code",
                             result->problems ? 3 : 0, "error", "group", moment_of(source)));
}

static void tell_failed(Run *run, const SourceConfig *config, const GError *failure, double seconds)
{
    run_events_add(run->events,
                   json_pack("{s:s, s:o, s:n, s:n, s:i, s:i, s:i, s:i, s:f, s:s, s:i, s:o}",
                             "message_type", "snapshot", "source", run_event_text(config->name),
                             "kind", "snapshot_id", "bytes", 0, "added", 0, "stored", 0, "files", 0,
                             "seconds", seconds, "state", run_state_name(RUN_FAILED), "code",
                             bs_error_exit_status(failure), "error",
                             run_event_text(failure->message)));
}

/* ---- history ---- */

static bool pass_over(G_GNUC_UNUSED const Id *id, G_GNUC_UNUSED const GError *problem,
                      G_GNUC_UNUSED void *user)
{
    return true; // the backup has told it
}

/* The newest snapshots of the same schedule and source. */
static GArray *history_found(Run *run, const Source *source, const Snapshot *fresh)
{
    g_autofree char *schedule = g_strconcat("schedule=", run->request->schedule->name, NULL);
    g_autofree char *both = g_strconcat(schedule, ",", source_tag(source), NULL);
    char *tags[] = { both, NULL };
    SnapshotFilter filter = { .tags = tags };
    g_autoptr(GPtrArray) all = NULL;
    GArray *history = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    if (!snapshot_list(run->open.repo, pass_over, NULL, &all, NULL))
        return history; // a warning is not worth a failure
    for (guint i = all->len; i-- > 0 && history->len < HISTORY_MAX;) {
        const Snapshot *snapshot = all->pdata[i];

        if (!id_equal(&snapshot->id, &fresh->id) && snapshot->has_summary &&
            snapshot_matches(snapshot, &filter))
            g_array_append_val(history, snapshot->summary.total_bytes_processed);
    }
    return history;
}

static void warn_if_small(Run *run, const SourceConfig *config, const Source *source,
                          const Snapshot *snapshot)
{
    const json_t *sizes = json_object_get(run->request->history, config->name);
    g_autoptr(GArray) history =
        sizes ? run_history_of(sizes, 0) : history_found(run, source, snapshot);
    json_t *warning =
        run_history_warning(config->name, snapshot->summary.total_bytes_processed, history);

    if (!warning)
        return;
    run->shrank |= json_integer_value(json_object_get(warning, "median")) > 0;
    run_warn(run, warning);
}

/* ---- one try ---- */

static bool back_up(Run *run, const SourceConfig *config, RunSource *made, Progress *progress,
                    GError **error)
{
    const Cancel *cancel = run_control_cancel(run->control);
    BackupWatch watch = { .progress = progress,
                          .problem = tell_problem,
                          .finishing = tell_finishing,
                          .still_allowed = still_allowed,
                          .user = run };
    g_auto(GStrv) tags = run_tags(run, made->request.tags);
    BackupResult result = { 0 };

    made->request.tags = tags;
    made->request.note_left_out = true;
    if (!op_backup(&run->open, made->source, &made->request, &watch, cancel, &result, error))
        return false;
    tell_saved(run, config, made->source, &result);
    warn_if_small(run, config, made->source, result.snapshot);
    for (guint i = 0; made->source->notes && i < made->source->notes->len; i++)
        run_log(run, "warn", "%s: %s", config->name, (const char *)made->source->notes->pdata[i]);
    backup_result_clear(&result);
    return true;
}

bool run_make_source(Run *run, const SourceConfig *config, VolumeGroup *volumes,
                     RunSource *ret_made, GError **error)
{
    const RunRequest *request = run->request;
    FactsFrom from = { .config = config,
                       .hidden = request->hidden,
                       .cancel = run_control_cancel(run->control) };

    if (!run_control_check(run->control, error) || !run_open(run, error) ||
        !request->make(config, volumes, ret_made, error))
        return false;
    from.operands = ret_made->operands;
    tag_source(ret_made->source, config);
    secret_source_mark(config, ret_made->source);
    return facts_gather(&from, ret_made->source, error);
}

bool run_read_source(Run *run, const SourceConfig *config, RunSource *made, GError **error)
{
    const RunRequest *request = run->request;
    Progress progress;
    RunStatus *status;
    bool ok;

    if (!run_control_check(run->control, error) || !run_open(run, error))
        return false;
    run->reading = config->name;
    if (made->source->ops->estimate)
        run_stage(run, "estimate", config->name);
    run_stage(run, "read", config->name);
    progress_init(&progress);
    status = run_status_start(run->events, &progress);
    if (request->reading)
        request->reading(&progress, request->user);
    ok = back_up(run, config, made, &progress, error);
    if (request->reading)
        request->reading(NULL, request->user);
    run_status_stop(status);
    progress_done(&progress);
    return ok;
}

static bool try_once(Run *run, const SourceConfig *config, GError **error)
{
    g_auto(RunSource) made = { 0 };

    return run_make_source(run, config, NULL, &made, error) &&
           run_read_source(run, config, &made, error);
}

/* ---- again ---- */

static bool may_pass(const GError *failure)
{
    static const int codes[] = { BS_ERROR_TRANSIENT, BS_ERROR_UNREACHABLE, BS_ERROR_LOCKED };

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++)
        if (g_error_matches(failure, BS_ERROR, codes[i]))
            return true;
    return false;
}

/* Doubled each time. */
static int64_t wait_before(const Schedule *schedule, int n)
{
    int64_t wait_s = schedule->retry_wait;

    for (; n > 1 && wait_s < WAIT_MAX_S; n--)
        wait_s *= 2;
    return MIN(wait_s, MAX(WAIT_MAX_S, schedule->retry_wait));
}

void run_close(Run *run)
{
    if (run->opened)
        open_done(&run->open);
    run->opened = false;
}

bool run_wait_for_next(Run *run, const char *what, int n, const GError *failure)
{
    int64_t wait_s = wait_before(run->request->schedule, n);

    if (n > run->request->schedule->retries || !may_pass(failure) ||
        !run_control_check(run->control, NULL))
        return false;
    run_log(run, "warn", "%s: try %d of %d failed, the next is in %" G_GINT64_FORMAT " s: %s", what,
            n, run->request->schedule->retries + 1, wait_s, failure->message);
    run_close(run);
    return cancel_sleep(run_control_cancel(run->control), wait_s * 1000, NULL);
}

void run_fail_source(Run *run, const SourceConfig *config, int64_t started_ms, GError *failure)
{
    g_autoptr(GError) why = NULL;

    // what ended the run says more than what it broke
    if (!run_control_check(run->control, &why)) {
        g_error_free(failure);
        failure = g_steal_pointer(&why);
    }
    tell_failed(run, config, failure, (double)(clock_monotonic_ms() - started_ms) / 1000);
    run->n_failed++;
    g_prefix_error(&failure, "%s: ", config->name);
    if (run->failure && run->failure->code != failure->code)
        run->failure->code = BS_ERROR_FAILED;
    if (run->failure)
        g_error_free(failure);
    else
        run->failure = failure;
}

bool run_source(Run *run, const SourceConfig *config)
{
    int64_t started_ms = clock_monotonic_ms();
    GError *failure = NULL;

    for (int n = 1; !try_once(run, config, &failure); n++) {
        if (!run_wait_for_next(run, config->name, n, failure)) {
            run_fail_source(run, config, started_ms, failure);
            return false;
        }
        g_clear_error(&failure);
    }
    return true;
}
