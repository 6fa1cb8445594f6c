/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restoredb.h"

#include "base/error.h"
#include "base/log.h"
#include "op/dbsnapshot.h"
#include "pg/url.h"
#include "source/pgglobals.h"
#include "source/pgreplay.h"
#include <string.h>

#define GLOBALS_MAX (256u * 1024 * 1024)

typedef struct {
    OpenRepo *open;
    const RestoreDbRequest *request;
    const RestoreDbWatch *watch;
    const Cancel *cancel;
    DbSnapshot databases;
} Run;

static bool one_target(const Run *run, const GPtrArray *chosen, GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(run->request->url, error);

    if (!url)
        return false;
    if (chosen->len > 1 && pg_url_database(url)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%u databases cannot go into one; choose with --database, or give a URL "
                    "without a database",
                    chosen->len);
        return false;
    }
    return true;
}

/* ---- restoring ---- */

static RestoredDb describe(const RestoreDbRequest *request, const json_t *database)
{
    RestoredDb result = { .name = db_snapshot_text(database, "name"),
                          .counted = json_object_get(database, "tables") != NULL,
                          .partial = request->tables || request->schemas,
                          .size = (uint64_t)json_integer_value(json_object_get(database, "size")) };
    size_t i;
    json_t *table;

    json_array_foreach(json_object_get(database, "tables"), i, table)
    {
        result.tables++;
        result.rows += (uint64_t)MAX(json_integer_value(json_object_get(table, "rows")), 0);
    }
    return result;
}

static bool push_dump(const Run *run, const char *file, Sink *sink, GError **error)
{
    return db_snapshot_push(&run->databases, file, sink, run->watch->progress, run->cancel,
                            error) &&
           sink_finish(sink, error);
}

static Sink *way_back(const Run *run, const PgRestoreRequest *restore, GError **error)
{
    g_autoptr(GBytes) toc = NULL;

    if (db_snapshot_is_directory(restore->recorded))
        return db_snapshot_read_toc(&run->databases, restore->recorded, &toc, error)
                   ? pg_restore_files_sink_new(restore, toc, error)
                   : NULL;
    return json_object_get(restore->recorded, "script") ? pg_replay_sink_new(restore, error)
                                                        : pg_restore_sink_new(restore, error);
}

/* All that a restore looks at before its first change. */
static bool look(Run *run, PgRestoreRequest *restore, const char *file, RestoredDb *result,
                 GError **error)
{
    PgPreview preview = { 0 };
    g_autoptr(GError) end = NULL;
    g_autoptr(Sink) sink = NULL;

    restore->preview = &preview;
    sink = way_back(run, restore, error);
    if (!sink)
        return false;
    if (!push_dump(run, file, sink, &end) && !g_error_matches(end, BS_ERROR, BS_ERROR_SOFT_SKIP)) {
        g_propagate_error(error, g_steal_pointer(&end));
        return false;
    }
    result->target_absent = preview.absent;
    result->target_objects = preview.objects;
    return true;
}

static bool restore_into(Run *run, PgRestoreRequest *restore, const char *file, GError **error)
{
    g_autoptr(Sink) sink = way_back(run, restore, error);

    return sink && push_dump(run, file, sink, error);
}

/* A script that makes and enters its databases itself: it is looked at as a whole, then run. */
static bool restore_server(Run *run, PgRestoreRequest *restore, const char *file,
                           RestoredDb *result, GError **error)
{
    PgPreview preview = { 0 };
    g_autoptr(Sink) sink = NULL;

    restore->preview = &preview;
    sink = pg_replay_server_sink_new(restore, false, error);
    if (!sink || !push_dump(run, file, sink, error))
        return false;
    result->target_objects = preview.objects;
    result->tables = preview.tables;
    result->rows = preview.rows;
    result->counted = preview.counted;
    g_clear_pointer(&sink, sink_free);
    if (run->request->preview)
        return true;
    sink = pg_replay_server_sink_new(restore, true, error);
    if (!sink || !push_dump(run, file, sink, error))
        return false;
    result->counted = preview.counted;
    return true;
}

static bool enters_databases(const json_t *database)
{
    return json_is_true(json_object_get(json_object_get(database, "script"), "connects"));
}

/* That it cannot be compared is no reason not to look at the rest. */
static void compare(const Run *run, const json_t *database, const RestoredDb *result)
{
    const RestoreDbWatch *watch = run->watch;
    g_autoptr(GError) failure = NULL;

    if (!run->request->preview || result->target_absent || enters_databases(database) ||
        restore_compare_database(run->request->url, result->name, run->databases.manifest, database,
                                 run->cancel, watch->differs, watch->user, &failure))
        return;
    g_prefix_error(&failure, "the target is not compared with the snapshot: ");
    watch->note(failure->message, watch->user);
}

static bool restore_one(Run *run, const json_t *database, GError **error)
{
    const RestoreDbRequest *request = run->request;
    const char *file = db_snapshot_text(database, "file");
    RestoredDb result = describe(request, database);
    PgRestoreRequest restore = {
        .url = request->url,
        .clean = request->clean,
        .create = request->create,
        .force = request->force,
        .no_owner = request->no_owner,
        .no_acl = request->no_acl,
        .jobs = request->jobs,
        .tables = request->tables,
        .schemas = request->schemas,
        .recorded = database,
        .note = run->watch->note,
        .user = run->watch->user,
        .cancel = run->cancel,
    };

    if (!(enters_databases(database) ? restore_server(run, &restore, file, &result, error)
          : request->preview         ? look(run, &restore, file, &result, error)
                                     : restore_into(run, &restore, file, error))) {
        g_prefix_error(error, "restore %s: ", result.name);
        return false;
    }
    run->watch->restored(&result, run->watch->user);
    compare(run, database, &result);
    return true;
}

static bool restore_globals(Run *run, GError **error)
{
    g_autoptr(GBytes) sql = NULL;
    unsigned failed = 0;

    if (!run->request->globals || run->request->preview)
        return true;
    if (!db_snapshot_read(&run->databases, "globals.sql", GLOBALS_MAX, &sql, error) ||
        !pg_restore_globals(run->request->url, g_bytes_get_data(sql, NULL), g_bytes_get_size(sql),
                            run->watch->note, run->watch->user, run->cancel, &failed, error)) {
        g_prefix_error(error, "restore roles and tablespaces: ");
        return false;
    }
    return true;
}

static bool restore_all(Run *run, const Snapshot *snapshot, const char *file, GError **error)
{
    g_autoptr(GPtrArray) chosen =
        db_snapshot_choose(&run->databases, run->request->databases, file, error);

    if (!chosen || !one_target(run, chosen, error) ||
        !restore_facts(run->request->facts, snapshot, run->databases.manifest, run->cancel,
                       error) ||
        !restore_globals(run, error))
        return false;
    for (guint i = 0; i < chosen->len; i++)
        if (!cancel_check(run->cancel, error) ||
            !restore_one(run, g_ptr_array_index(chosen, i), error))
            return false;
    return true;
}

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

bool op_restore_db(OpenRepo *open, const RestoreDbRequest *request, const RestoreDbWatch *watch,
                   const Cancel *cancel, Id *ret_snapshot, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *path = NULL;
    Run run = { .open = open, .request = request, .watch = watch, .cancel = cancel };
    const char *file;
    bool ok;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &path, error) ||
        !repo_load_index(open->repo, cancel, error))
        return false;
    file = path ? strrchr(path, '/') : NULL;
    ok = db_snapshot_open(open->repo, snapshot, &run.databases, error) &&
         restore_all(&run, snapshot, file ? file + 1 : path, error);
    db_snapshot_done(&run.databases);
    if (ok)
        *ret_snapshot = snapshot->id;
    return ok;
}
