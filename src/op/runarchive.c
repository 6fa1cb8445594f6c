/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of what a run has saved (op/running.h). */
#include "base/error.h"
#include "op/archive.h"
#include "op/running.h"

static void log_line(const char *level, const char *text, void *user)
{
    run_log(user, level, "%s", text);
}

static bool load_items(Run *run, Repo *repo, GPtrArray *items, GError **error)
{
    const char *source;
    json_t *hex;

    json_object_foreach(run->saved, source, hex)
    {
        ArchiveItem *item = g_new0(ArchiveItem, 1);
        Id id;

        g_ptr_array_add(items, item);
        item->source = g_strdup(source);
        g_assert(id_parse(json_string_value(hex), &id)); // we wrote it
        if (!snapshot_load(repo, &id, &item->snapshot, error))
            return false;
    }
    return true;
}

static ArchiveRequest request_for(Run *run, const ArchiveConfig *config)
{
    const RunRequest *request = run->request;

    return (ArchiveRequest){
        .config = config,
        .settings = request->settings,
        .schedule = request->schedule->name,
        .run = request->id,
        .zone = request->schedule->zone,
        .guarded = request->unattended,
        .keep_all = run->shrank,
        .log = log_line,
        .user = run,
    };
}

/* What is done with a destination; items and repo are those of the backup, if there is one. */
typedef bool (*Handle)(Run *run, Repo *repo, const GPtrArray *items, const ArchiveConfig *config,
                       GError **error);

static bool may_go_on(Run *run, GError **error)
{
    return run_control_check(run->control, error) && run_locks_check(run->locks, error);
}

static bool write_to(Run *run, Repo *repo, const GPtrArray *items, const ArchiveConfig *config,
                     GError **error)
{
    ArchiveRequest archive = request_for(run, config);

    run_stage(run, "archive", config->to);
    return may_go_on(run, error) &&
           op_archive(repo, &archive, items, run_control_cancel(run->control), error);
}

static bool sweep_one(Run *run, G_GNUC_UNUSED Repo *repo, G_GNUC_UNUSED const GPtrArray *items,
                      const ArchiveConfig *config, GError **error)
{
    ArchiveRequest archive = request_for(run, config);

    if (retention_is_empty(&config->keep))
        return true;
    run_stage(run, "retention", config->to);
    return may_go_on(run, error) &&
           op_archive_sweep(&archive, run_control_cancel(run->control), error);
}

/* A guard only kept something back, which hides no destination that has failed. */
static bool is_worse(const GError *failure, const GError *than)
{
    return !than || (g_error_matches(than, BS_ERROR, BS_ERROR_GUARD) &&
                     !g_error_matches(failure, BS_ERROR, BS_ERROR_GUARD));
}

/* Each destination, whatever became of the others; the first failure is told. */
static bool everywhere(Run *run, Handle handle, Repo *repo, const GPtrArray *items, GError **error)
{
    g_autoptr(GError) first = NULL;
    const json_t *object;
    size_t i;

    json_array_foreach(run->request->schedule->archives, i, object)
    {
        g_autoptr(ArchiveConfig) config = archive_config_new(object);
        g_autoptr(GError) failure = NULL;

        if (handle(run, repo, items, config, &failure))
            continue;
        run_log(run, "error", "%s", failure->message);
        if (!is_worse(failure, first))
            continue;
        g_clear_error(&first);
        first = g_steal_pointer(&failure);
    }
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

bool run_archive(Run *run, GError **error)
{
    const Cancel *cancel = run_control_cancel(run->control);
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func((GDestroyNotify)archive_item_free);
    g_auto(OpenRepo) open = { 0 };

    if (json_array_size(run->request->schedule->archives) == 0 || json_object_size(run->saved) == 0)
        return true;
    // anew: what this run has added is in its index by now
    return open_repo(run->request->settings, OPEN_SHARED, true, cancel, &open, error) &&
           load_items(run, open.repo, items, error) && repo_load_index(open.repo, cancel, error) &&
           everywhere(run, write_to, open.repo, items, error);
}

bool run_archive_sweep(Run *run, GError **error)
{
    return everywhere(run, sweep_one, NULL, NULL, error);
}
