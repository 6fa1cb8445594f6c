/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/forgetorder.h"

#include "base/error.h"
#include "daemon/backuprow.h"
#include "daemon/tasksteps.h"
#include <string.h>

#define SETTLED_MAX 100u

const char *forget_order_name(const RunRow *backup)
{
    return backup->schedule_name ? backup->schedule_name : backup->id;
}

/* ---- what must not go ---- */

/* Backups and drills of the schedule, newest first; since: of their ids, ms. */
static bool rows_of(const ForgetOrder *order, const char *kind, unsigned states, int64_t since,
                    GArray **ret_rows, GError **error)
{
    const RunQuery query = { .schedule = order->backup->schedule,
                             .kind = kind,
                             .states = states,
                             .since = since,
                             .limit = RUN_LIMIT_MAX };

    return catalog_runs(order->catalog, &query, ret_rows, error);
}

static bool is_proven(const RunRow *backup, const GArray *drills)
{
    for (guint i = 0; i < drills->len; i++)
        if (backup_row_is_proven_by(backup, &g_array_index(drills, RunRow, i)))
            return true;
    return false;
}

/* Proven, and none that is newer is. Fewer drills than there are make more backups stay, not fewer:
 * a newer one whose drill is not seen does not free it. */
static bool is_newest_proven(const ForgetOrder *order, bool *ret_is, GError **error)
{
    g_autoptr(GArray) drills = NULL, backups = NULL;

    *ret_is = false;
    if (!rows_of(order, "drill", 1u << RUN_SUCCEEDED, 0, &drills, error))
        return false;
    if (!is_proven(order->backup, drills))
        return true;
    if (!rows_of(order, "backup", BACKUP_LEFT, run_id_time(order->backup->id), &backups, error))
        return false;
    *ret_is = true;
    for (guint i = 0; i < backups->len; i++) {
        const RunRow *row = &g_array_index(backups, RunRow, i);

        if (strcmp(row->id, order->backup->id) > 0 && is_proven(row, drills))
            *ret_is = false;
    }
    return true;
}

/* The catalogue says that it is there, but anybody may have removed it with a program of his own.
 * The first step fails then, and the second is never done. */
static bool look_for(const ForgetOrder *order, const RunRow *good, json_t *steps, GError **error)
{
    g_auto(GStrv) ids = backup_row_snapshots(good);
    json_t *argv;

    if (!task_repository(order->configuration, good->repository, error))
        return false;
    if (!*ids) {
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "of the newest good backup of its schedule no snapshot is known; make another "
                    "one first");
        return false;
    }
    argv = task_argv_new(order->configuration, good->repository, "snapshots");
    task_argv_add(argv, "--");
    for (char **id = ids; *id; id++)
        task_argv_add(argv, "%s", *id);
    task_steps_add(steps, "newest", argv);
    return true;
}

static bool guard(const ForgetOrder *order, json_t *steps, GError **error)
{
    g_auto(RunRow) last = { 0 };
    g_auto(RunRow) good = { 0 };
    bool proven;

    if (order->force && g_strcmp0(order->confirm, forget_order_name(order->backup)) == 0)
        return true;
    if (order->force) {
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "\"force\" needs the name of the schedule as \"confirm\"");
        return false;
    }
    if (!order->backup->schedule)
        return true;
    if (!catalog_last(order->catalog, order->backup->schedule, &last, &good, error))
        return false;
    if (g_strcmp0(good.id, order->backup->id) == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_GUARD,
                    "it is the newest good backup of its schedule, and the last that is sure to "
                    "come back; make another one first");
        return false;
    }
    if ((good.id && !look_for(order, &good, steps, error)) ||
        !is_newest_proven(order, &proven, error))
        return false;
    if (proven)
        g_set_error(
            error, BS_ERROR, BS_ERROR_GUARD,
            "it is the newest backup of its schedule that a drill has proven; prove a newer "
            "one first");
    return !proven;
}

/* ---- the order ---- */

bool forget_order(const ForgetOrder *order, json_t **ret_steps, json_t **ret_about, GError **error)
{
    g_auto(GStrv) ids = backup_row_snapshots(order->backup);
    json_auto_t *steps = json_array();
    json_t *argv;

    if (!backup_row_is(order->backup) || !*ids) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "there is no backup of that run");
        return false;
    }
    if (!task_repository(order->configuration, order->backup->repository, error) ||
        !guard(order, steps, error))
        return false;
    argv = task_argv_new(order->configuration, order->backup->repository, "forget");
    task_argv_add(argv, "--ignore-missing");
    if (order->force)
        task_argv_add(argv, "--unsafe-allow-remove-all");
    task_argv_add(argv, "--");
    for (char **id = ids; *id; id++)
        task_argv_add(argv, "%s", *id);
    task_steps_add(steps, "forget", argv);
    *ret_steps = g_steal_pointer(&steps);
    *ret_about = json_pack("{s:s, s:b}", "backup", order->backup->id, "force", (int)order->force);
    return true;
}

bool forget_settle(Catalog *catalog, const RunRow *task, GError **error)
{
    const json_t *about = json_object_get(task->detail, "task");
    const char *backup = json_string_value(json_object_get(about, "backup"));

    return strcmp(task->kind, "forget") != 0 || task->state != RUN_SUCCEEDED || !backup ||
           catalog_run_forgotten(catalog, backup, error);
}

bool forget_settle_all(Catalog *catalog, GError **error)
{
    const RunQuery query = { .kind = "forget",
                             .states = 1u << RUN_SUCCEEDED,
                             .limit = SETTLED_MAX };
    g_autoptr(GArray) rows = NULL;

    if (!catalog_runs(catalog, &query, &rows, error))
        return false;
    for (guint i = 0; i < rows->len; i++)
        if (!forget_settle(catalog, &g_array_index(rows, RunRow, i), error))
            return false;
    return true;
}
