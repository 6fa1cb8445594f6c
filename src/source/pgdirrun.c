/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirrun.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "pg/controlfile.h"
#include "source/pgcluster.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define READERS 2 /* as for file trees; the workers have more to do than these */
#define CONTROL "global/pg_control"

void pg_dir_run_done(PgDirRun *run)
{
    pg_dir_spaces_free(run->spaces);
    pg_dir_circumstances_clear(&run->circumstances);
    pg_dir_keep_free(run->keep);
    pg_tree_free(run->tree);
    pg_dir_read_free(run->read);
    pg_dir_stop_clear(&run->stop);
    pg_config_dir_free(run->config);
    g_clear_pointer(&run->control_bytes, g_bytes_unref);
    g_free(run->no_config);
    pg_dir_server_free(run->server);
    fs_clear_fd(&run->fd);
}
/* ---- the beginning ---- */

/* A server that ended otherwise has left files that only its own recovery makes whole. */
static bool stopped_well(const PgDirRun *run, GError **error)
{
    PgState state = run->control.state;

    if (state == PG_STATE_SHUT_DOWN || state == PG_STATE_SHUT_DOWN_IN_RECOVERY)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "no server runs on it, and it was not shut down cleanly (pg_control: %s); start "
                "the server and back up while it runs",
                pg_state_text(state));
    return false;
}

static bool open_directory(PgDirRun *run, GError **error)
{
    const char *directory = run->plan.directory;
    struct stat st;

    run->fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->fd < 0 || fstat(run->fd, &st) != 0) {
        bs_error_errno(error, errno, "open %s", directory);
        return false;
    }
    run->like = (TarEntry){
        .mode = S_IFDIR | (st.st_mode & 0777),
        .uid = st.st_uid,
        .gid = st.st_gid,
        .mtime = run->started.sec,
    };
    return pg_control_read(directory, &run->control, error) &&
           pg_dir_server_find(directory, &run->control, run->source_run->cancel, &run->server,
                              error) &&
           (run->server || stopped_well(run, error));
}

static bool enter_backup_mode(PgDirRun *run, GError **error)
{
    if (!run->server)
        return true;
    // without a slot a busy server may recycle WAL that the backup needs; that is noticed
    run->wal_held = pg_dir_server_hold_wal(run->server);
    run->config = pg_config_dir_find(pg_dir_server_show, run->server, run->control.system_id,
                                     &run->no_config);
    progress_current(run->source_run->progress,
                     run->plan.fast ? "checkpoint" : "checkpoint (spread)");
    return pg_dir_server_start(run->server, run->plan.fast, &run->start_lsn, error);
}

bool pg_dir_run_add_directory(PgDirRun *run, const char *path, GError **error)
{
    TarEntry entry = run->like;

    entry.path = path;
    return pg_tree_begin(run->tree, &entry, true, 0, error);
}

/* ---- files ---- */

static void add_note(const char *text, void *user)
{
    g_ptr_array_add(((PgDirRun *)user)->plan.notes, g_strdup(text));
}

/* How large it is decides in what it is cut. */
static bool measure(PgDirRun *run, GError **error)
{
    PgDirWalk walk = { .spaces = run->spaces, .cancel = run->source_run->cancel };
    Progress *progress = run->source_run->progress;

    if (!pg_dir_walk(&walk, &run->size, error))
        return false;
    run->cut = pgcluster_cut(run->size.bytes, run->plan.parent_cut);
    if (progress) {
        progress->files_total = run->size.files;
        progress->bytes_total = run->size.bytes;
        progress->total_known = true;
    }
    return true;
}

bool pg_dir_run_checks_pages(const PgDirRun *run)
{
    return !run->plan.no_page_checks && run->control.checksum_version != 0;
}

static bool read_files(PgDirRun *run, GError **error)
{
    PgDirReadOptions options = {
        .sink = run->sink,
        .cancel = run->source_run->cancel,
        .blocks_per_file = pg_dir_run_checks_pages(run) ? run->control.blocks_per_file : 0,
    };
    g_autoptr(FileReaders) readers = NULL;
    g_autoptr(GError) failure = NULL;
    PgDirWalk walk = {
        .spaces = run->spaces,
        .sink = run->sink,
        .keep = run->keep,
        .tree = run->tree,
        .cut = run->cut,
        .with_unlogged = !run->server && run->control.state == PG_STATE_SHUT_DOWN,
        .cancel = run->source_run->cancel,
        .note = add_note,
        .user = run,
    };
    bool walked;

    walk.read = run->read = pg_dir_read_new(&options);
    walk.readers = readers = file_readers_new(run->sink, pg_dir_read_file, run->read, READERS);
    walked = pg_dir_walk(&walk, &run->size, &failure);
    // what a reader met comes first: the walk only stopped because of it
    if (!file_readers_finish(readers, error))
        return false;
    if (!walked)
        g_propagate_error(error, g_steal_pointer(&failure));
    return walked;
}

bool pg_dir_run_add(PgDirRun *run, const char *path, const void *data, size_t len, GError **error)
{
    TarEntry entry = run->like;

    entry.path = path;
    entry.mode = S_IFREG | 0600;
    if (g_str_has_prefix(path, "pgdata/"))
        pg_dir_read_add(run->read, path + strlen("pgdata/"), len, entry.mtime,
                        crc32c(0, data, len));
    return pg_tree_begin(run->tree, &entry, false, 0, error) &&
           pg_tree_write(run->tree, data, len, error) && pg_tree_end(run->tree, error);
}

static bool add_bytes(PgDirRun *run, const char *path, GBytes *bytes, GError **error)
{
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);

    return pg_dir_run_add(run, path, data, len, error);
}

/* Last of all, for on a standby it says up to where the files before it must be recovered.
 * PostgreSQL documentation, "Making a Base Backup Using the Low Level API". */
static bool read_control(PgDirRun *run, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    PgControl control;

    if (!pg_control_load(run->plan.directory, &control, &bytes, error))
        return false;
    if (control.system_id != run->control.system_id) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    CONTROL ": meanwhile it is of another cluster");
        return false;
    }
    run->control = control;
    run->control_bytes = g_steal_pointer(&bytes);
    return add_bytes(run, "pgdata/" CONTROL, run->control_bytes, error);
}

/* ---- the end ---- */

static bool timeline_changed(const PgDirRun *run, GError **error)
{
    const PgControl *control = &run->control;

    if (control->timeline == run->stop.timeline &&
        (!run->stop.from_standby || control->min_recovery_timeline == run->stop.timeline))
        return false;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "the server went from timeline %u to %u while it was backed up; back up again",
                run->stop.timeline, MAX(control->timeline, control->min_recovery_timeline));
    return true;
}

static bool leave_backup_mode(PgDirRun *run, GError **error)
{
    uint64_t now;

    if (!pg_dir_server_position(run->server, &now, error))
        return false;
    run->damage = pg_dir_read_settle(run->read, run->fd, run->start_lsn, now);
    progress_current(run->source_run->progress, "WAL");
    return pg_dir_server_stop(run->server, &run->stop, error) && !timeline_changed(run, error) &&
           add_bytes(run, "pgdata/backup_label", run->stop.label, error);
}

PgDirWal pg_dir_run_wal(const PgDirRun *run)
{
    return (PgDirWal){
        .directory = run->fd,
        .timeline = run->stop.timeline,
        .start = run->stop.start,
        .stop = run->stop.stop,
        .segment_size = run->control.wal_segment_size,
        .system_id = run->control.system_id,
        .like = run->like,
        .cancel = run->source_run->cancel,
    };
}

/* It starts without a label, at the checkpoint of its shutdown, or a standby at the last one. */
static bool positions_of_stopped(PgDirRun *run, GError **error)
{
    const PgControl *control = &run->control;
    PgDirWal wal;
    uint64_t end;

    run->stop.timeline = control->timeline;
    run->stop.start = control->checkpoint;
    run->stop.from_standby = control->state == PG_STATE_SHUT_DOWN_IN_RECOVERY;
    wal = pg_dir_run_wal(run);
    if (timeline_changed(run, error) || !pg_dir_wal_record_end(&wal, &end, error))
        return false;
    run->stop.start = control->redo;
    run->stop.stop = MAX(end, control->min_recovery);
    return true;
}

/* A server that was started meanwhile has written; it begins with postmaster.pid. */
static bool still_stopped(const PgDirRun *run, GError **error)
{
    g_autoptr(GBytes) now = NULL;
    PgControl control;

    if (!pg_control_load(run->plan.directory, &control, &now, error))
        return false;
    if (faccessat(run->fd, "postmaster.pid", F_OK, 0) != 0 && errno == ENOENT &&
        g_bytes_equal(now, run->control_bytes))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "the server was started while its files were read; back up again");
    return false;
}

static bool end_of_stopped(PgDirRun *run, GError **error)
{
    // nobody writes, so what did not fit is damaged
    run->damage = pg_dir_read_settle(run->read, run->fd, 1, 0);
    return stopped_well(run, error) && positions_of_stopped(run, error);
}

bool pg_dir_run_has(const PgDirRun *run, const char *name)
{
    g_autofree char *path = g_strconcat("pgdata/", name, NULL);

    return pg_tree_has(run->tree, path);
}

static bool has_all(const PgDirRun *run, GError **error)
{
    static const char *const needed[] = { "PG_VERSION", "base", "global/pg_filenode.map",
                                          "pg_xact" };

    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!pg_dir_run_has(run, needed[i])) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s/%s: it is not there",
                        run->plan.directory, needed[i]);
            return false;
        }
    return true;
}

/* What the server has must have been found, unless it was dropped just now. */
static bool tablespaces_are_all(const PgDirRun *run, GError **error)
{
    g_autoptr(GArray) oids = pg_dir_server_tablespaces(run->server, error);

    for (guint i = 0; oids && i < oids->len; i++) {
        uint32_t oid = g_array_index(oids, uint32_t, i);
        g_autofree char *link = g_strdup_printf("pg_tblspc/%u", oid);

        if (pg_dir_spaces_has(run->spaces, oid) ||
            faccessat(run->fd, link, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "tablespace %u was made just now and is not in the backup; back up again", oid);
        return false;
    }
    return oids != NULL;
}

bool pg_dir_run_read(PgDirRun *run, GError **error)
{
    run->spaces = pg_dir_spaces_open(run->fd, &run->control, error);
    run->tree = pg_tree_new(run->sink, run->plan.name);
    return run->spaces && (!run->server || tablespaces_are_all(run, error)) &&
           measure(run, error) && pg_dir_run_add_directory(run, "", error) &&
           read_files(run, error) && has_all(run, error) && read_control(run, error);
}

/* Before anything is read, so that what is written from here on is later. */
static bool look_back(PgDirRun *run, GError **error)
{
    const PgDirPlan *plan = &run->plan;
    PgDirCircumstances *now = &run->circumstances;

    now->system_id = run->control.system_id;
    now->pages_checked = pg_dir_run_checks_pages(run);
    pg_dir_circumstances_see(run->fd, now);
    if (run->server && !pg_dir_server_started(run->server, &now->server_started, error))
        return false;
    if (plan->parent_facts && plan->parent_manifest)
        run->keep = pg_dir_keep_new(plan->parent_facts, plan->parent_manifest, now, plan->settled,
                                    &run->no_keep);
    return true;
}

bool pg_dir_run_begin(PgDirRun *run, GError **error)
{
    return open_directory(run, error) && look_back(run, error) && enter_backup_mode(run, error);
}

bool pg_dir_run_end(PgDirRun *run, GError **error)
{
    PgDirWal wal;

    if (!(run->server ? leave_backup_mode(run, error) : end_of_stopped(run, error)))
        return false;
    wal = pg_dir_run_wal(run);
    return pg_dir_wal_push(&wal, run->tree, error) && (run->server || still_stopped(run, error));
}
