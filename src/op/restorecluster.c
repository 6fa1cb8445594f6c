/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restorecluster.h"

#include "base/error.h"
#include "base/fs.h"
#include "op/clusterfiles.h"
#include "op/reachnotes.h"
#include "op/recoverysettings.h"
#include "op/startcommand.h"
#include "op/tablespaces.h"
#include "pg/controlfile.h"
#include "pg/postmaster.h"
#include "pg/tablespaceuse.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_MAX       (16u << 20)
#define RELEASE_PREFETCH 15 /* the first that reads ahead of what it replays */

typedef struct {
    OpenRepo *open;
    const Settings *settings;
    const RestoreClusterRequest *request;
    const RestoreClusterWatch *watch;
    const Cancel *cancel;
    char *pgdata; // absolute
    char *shown;  // what people call it, and the links to it
    bool replace, replace_top;
    DirDelta delta;
    GArray *places;
    Reach reach;
    atomic_uint problems;
} Run;

static void run_done(Run *run)
{
    g_free(run->pgdata);
    g_free(run->shown);
    g_clear_pointer(&run->places, g_array_unref);
    reach_clear(&run->reach);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_done)

void restore_cluster_result_clear(RestoreClusterResult *result)
{
    g_clear_pointer(&result->pgdata, g_free);
    g_clear_pointer(&result->start_command, g_free);
}

/* ---- the places ---- */

static bool has_file(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool refuse_full(const char *path, const char *shown, GError **error)
{
    bool unfinished = has_file(path, "PG_VERSION") && !has_file(path, "global/pg_control");

    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "%s: %s; --force replaces what lies there, or restore to another directory", shown,
                unfinished ? "a restore into it was not finished" : "the directory is not empty");
    return false;
}

/* A data directory, or what an interrupted restore left of one. */
static bool is_data(const char *path)
{
    return has_file(path, "PG_VERSION") || has_file(path, DIR_SINK_MARK);
}

/* Of the server that was stopped here, and no other one, which may run. */
static bool is_tablespace_of(const char *pgdata, const TablespacePlace *place)
{
    g_autofree char *links = g_build_filename(pgdata, "pg_tblspc", NULL);
    g_autofree char *link = g_strdup_printf("%s/%u", links, place->oid);
    g_autofree char *to = g_file_read_link(link, NULL);
    g_autofree char *dir = to ? g_canonicalize_filename(to, links) : NULL;

    return has_file(place->dir, DIR_SINK_MARK) || (dir && strcmp(dir, place->dir) == 0);
}

/* serves: what lies there may be what a delta begins with. */
static bool check_place(Run *run, const char *path, const char *shown, bool serves, GError **error)
{
    bool empty;

    if (!fs_dir_is_empty(path, &empty, error))
        return false;
    if (!empty && !run->request->force && !(run->request->delta && serves))
        return refuse_full(path, shown, error);
    run->replace = run->replace || !empty;
    return true;
}

static bool refuse_running(const Run *run, GError **error)
{
    pid_t pid;

    if (!pg_postmaster_find(run->pgdata, &pid, error))
        return false;
    if (pid == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "%s: a PostgreSQL server runs in this directory (process %ld); stop it first",
                run->shown, (long)pid);
    return false;
}

static bool check_places(Run *run, GError **error)
{
    const char *shown = run->request->shown;

    run->pgdata = g_canonicalize_filename(run->request->pgdata, NULL);
    run->shown = g_canonicalize_filename(shown ? shown : run->request->pgdata, NULL);
    if (!refuse_running(run, error) ||
        !check_place(run, run->pgdata, run->shown, is_data(run->pgdata), error))
        return false;
    // a stranger's files beside are only removed from what is a data directory
    run->replace_top = run->replace && is_data(run->pgdata);
    return true;
}

/* Its files lie there without a word of the server that they are of. */
static bool refuse_live(const char *dir, GError **error)
{
    pid_t pid;

    if (!pg_tablespace_find_user(dir, &pid, error))
        return false;
    if (pid == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                "%s: it is a tablespace of a PostgreSQL server that runs (process %ld); choose "
                "another directory, or stop that server",
                dir, (long)pid);
    return false;
}

/* A delta begins with what lies there, and removes the rest: that is not for the data of another
 * cluster, which nobody may have saved. */
static bool refuse_foreign(const Run *run, GError **error)
{
    const uint64_t wanted = run->reach.base.system_id;
    g_autoptr(GError) failure = NULL;
    PgControl control;

    if (!run->request->delta || run->request->force || !has_file(run->pgdata, "PG_VERSION"))
        return true;
    if (!pg_control_read(run->pgdata, &control, &failure)) {
        // an interrupted restore writes it last
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            return true;
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                    "%s: nobody knows of which cluster it is (%s); --force replaces what lies "
                    "there, or restore to another directory",
                    run->shown, failure->message);
        return false;
    }
    if (control.system_id == wanted)
        return true;
    g_set_error(
        error, BS_ERROR, BS_ERROR_NOT_EMPTY,
        "%s: it is the data directory of another cluster (system identifier %" G_GUINT64_FORMAT
        ", the snapshot is of %" G_GUINT64_FORMAT "); --force replaces what lies there, or restore "
        "to another directory",
        run->shown, control.system_id, wanted);
    return false;
}

static bool check_tablespaces(Run *run, GError **error)
{
    if (!tablespaces_place(&run->reach.base, run->request->tablespaces, run->request->via,
                           run->shown, &run->places, error))
        return false;
    for (guint i = 0; i < run->places->len; i++) {
        const TablespacePlace *place = &g_array_index(run->places, TablespacePlace, i);

        if (!refuse_live(place->dir, error) ||
            !check_place(run, place->dir, place->dir, is_tablespace_of(run->pgdata, place), error))
            return false;
    }
    return true;
}

/* Debian keeps the configuration in /etc: a server that is only given the data directory would not
 * start. */
static bool check_config(const Run *run, GError **error)
{
    const ClusterBase *base = &run->reach.base;

    if (base->has_config || run->request->config_file)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "the configuration of this cluster lies outside of its data directory; say with "
                "--config-file FILE which postgresql.conf the server shall be started with (the "
                "saved one: backstay restore %s:%s/config --target DIR)",
                id_short(&base->snapshot->id).text, base->folder);
    return false;
}

/* ---- what the server is told ---- */

static char *own_program(void)
{
    g_autoptr(GError) problem = NULL;
    char *path = g_file_read_link("/proc/self/exe", &problem);

    return path ? path : g_find_program_in_path("backstay");
}

static bool load_auto_config(const ClusterBase *base, GBytes **ret_text, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (cluster_base_file(base, "pgdata/postgresql.auto.conf", CONFIG_MAX, ret_text, &failure))
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    *ret_text = g_bytes_new_static("", 0);
    return true;
}

/* As root one reads what the server's user may not: it would find out much later. */
static bool hint_at_file(const Run *run, const char *file, GError **error)
{
    g_autoptr(Node) pgdata = NULL;
    g_autofree char *text = NULL;
    struct stat st;

    if (!cluster_base_node(&run->reach.base, "pgdata", &pgdata, error))
        return false;
    if (geteuid() != 0 || stat(file, &st) != 0 || (st.st_uid == pgdata->uid && st.st_mode & 0400) ||
        (st.st_gid == pgdata->gid && st.st_mode & 0040))
        return true;
    text =
        g_strdup_printf("%s belongs to user %u and the server runs as user %u: if it cannot read "
                        "the file it gets no WAL (a key file may be owned by it, with mode 0600)",
                        file, (unsigned)st.st_uid, pgdata->uid);
    run->watch->note(text, run->watch->user);
    return true;
}

static bool make_auto_config(const Run *run, char **ret_text, GError **error)
{
    const Reach *reach = &run->reach;
    g_autofree char *program = own_program();
    g_auto(RecoveryCommand) command = { 0 };
    g_autoptr(GBytes) old = NULL;
    RecoverySettings settings = {
        .target = &reach->target,
        .timeline = reach->timeline,
        .action = run->request->reach.target->action,
        .no_prefetch = reach->next_damaged && reach->base.control.release >= RELEASE_PREFETCH,
    };
    gsize len;
    const char *text;

    if (!program) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED,
                            "cannot find out where this program lies, to name it in "
                            "restore_command");
        return false;
    }
    if (!load_auto_config(&reach->base, &old, error) ||
        !recovery_command(run->settings, program, &command, error) ||
        (command.file && !hint_at_file(run, command.file, error)))
        return false;
    if (command.hint)
        run->watch->note(command.hint, run->watch->user);
    memcpy(settings.limits, reach->limits, sizeof settings.limits);
    settings.restore_command = command.text;
    text = g_bytes_get_data(old, &len);
    *ret_text = recovery_settings_text(text ? text : "", len, &settings);
    return true;
}

static bool make_start_command(const Run *run, char **ret_command, GError **error)
{
    const ClusterBase *base = &run->reach.base;
    g_autofree char *file = NULL, *named = NULL, *note = NULL;
    g_autoptr(GBytes) text = NULL;
    bool name_data;

    if (!base->has_config) {
        file = g_canonicalize_filename(run->request->config_file, NULL);
        *ret_command = start_command(run->shown, file, true);
        return true;
    }
    if (!cluster_base_file(base, "pgdata/postgresql.conf", CONFIG_MAX, &text, error))
        return false;
    name_data =
        start_config_names_data(g_bytes_get_data(text, NULL), g_bytes_get_size(text), &named);
    note = named ? start_note(run->shown, named) : NULL;
    if (note)
        run->watch->note(note, run->watch->user);
    *ret_command = start_command(run->shown, NULL, name_data);
    return true;
}

/* ---- running ---- */

static void count_problem(const char *path, const GError *problem, void *user)
{
    Run *run = user;

    atomic_fetch_add(&run->problems, 1);
    run->watch->problem(path, problem, run->watch->user);
}

static bool write_files(Run *run, const char *auto_config, ClusterFilesCount *ret_count,
                        GError **error)
{
    ClusterFiles files = {
        .base = &run->reach.base,
        .pgdata = run->pgdata,
        .places = run->places,
        .auto_config = auto_config,
        .replace = run->replace,
        .replace_top = run->replace_top,
        .delta = run->request->delta ? &run->delta : NULL,
        .progress = run->watch->progress,
        .problem = count_problem,
        .user = run,
    };

    if (cluster_files_write(&files, run->cancel, ret_count, error))
        return true;
    g_prefix_error(error,
                   "%s is not complete and does not start (it has no global/pg_control; the same "
                   "command %s): ",
                   run->shown,
                   run->request->delta ? "goes on from there" : "with --force begins anew");
    return false;
}

/* Reading the WAL may have taken hours, and who starts a server that is down does not ask us. From
 * the first file on it has no pg_control to start with. */
static bool still_rests(const Run *run, GError **error)
{
    if (!refuse_running(run, error))
        return false;
    for (guint i = 0; i < run->places->len; i++)
        if (!refuse_live(g_array_index(run->places, TablespacePlace, i).dir, error))
            return false;
    return tablespaces_can_be_made(&run->reach, error);
}

bool op_restore_cluster(OpenRepo *open, const Settings *settings,
                        const RestoreClusterRequest *request, const RestoreClusterWatch *watch,
                        const Cancel *cancel, RestoreClusterResult *ret_result, GError **error)
{
    g_auto(Run) run = {
        .open = open, .settings = settings, .request = request, .watch = watch, .cancel = cancel
    };
    g_autofree char *auto_config = NULL, *start = NULL;
    ClusterFilesCount count = { 0 };

    // what is wrong with the place is known at once, the WAL may take long to read
    if (!check_places(&run, error) || !repo_load_index(open->repo, cancel, error) ||
        !op_reach(open->repo, &request->reach, cancel, &run.reach, error) ||
        !refuse_foreign(&run, error) || !check_tablespaces(&run, error) ||
        !tablespaces_can_be_made(&run.reach, error) || !check_config(&run, error))
        return false;
    watch->reached(&run.reach, watch->user);
    reach_tell_notes(&run.reach, watch->note, watch->user);
    if (!restore_facts_of(request->facts, open->repo, run.reach.base.snapshot, cancel, error) ||
        !make_auto_config(&run, &auto_config, error) || !make_start_command(&run, &start, error))
        return false;
    if (!request->dry_run &&
        (!still_rests(&run, error) || !write_files(&run, auto_config, &count, error)))
        return false;
    *ret_result = (RestoreClusterResult){
        .snapshot = run.reach.base.snapshot->id,
        .pgdata = g_strdup(run.shown),
        .start_command = g_steal_pointer(&start),
        .files = count.files,
        .bytes = count.bytes,
        .deleted = count.deleted,
        .bytes_same = run.delta.same,
        .bytes_fetched = run.delta.fetched,
        .problems = run.problems,
    };
    return true;
}
