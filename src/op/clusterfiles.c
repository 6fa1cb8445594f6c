/* SPDX-License-Identifier: Apache-2.0 */
#include "op/clusterfiles.h"

#include "base/error.h"
#include "base/fs.h"
#include "flow/reader.h"
#include "op/tablespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define CONTROL_MAX  (64u << 10)
#define CONTROL      "global/pg_control"
#define CONTROL_TEMP "pg_control.backstay-unfinished"

typedef struct {
    const ClusterFiles *files;
    const Cancel *cancel;
    char *prefix; // of the directory that is written, as the snapshot has it
    Node *top;    // the data directory: owner and mode of what the snapshot does not have
    pthread_mutex_t mutex;
    ClusterFilesCount count;
} Writing;

/* ---- what the snapshot has ---- */

/* Files that tell of the server that was saved, or are written here. */
static bool is_left_out(const char *name, const Node *node)
{
    static const char *const names[] = {
        CONTROL,          "postmaster.pid", "postmaster.opts",      "recovery.signal",
        "standby.signal", "tablespace_map", "postgresql.auto.conf",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    // a link of another server's is never made here
    return g_str_has_prefix(name, "pg_tblspc/") && S_ISLNK(node->mode);
}

static void select_entry(const char *path, const Node *node, bool *ret_wanted, bool *ret_descend,
                         void *user)
{
    const Writing *writing = user;

    *ret_wanted = *ret_descend = !is_left_out(path + strlen(writing->prefix) + 1, node);
}

/* A file system may begin at the directory. */
static bool may_delete(const char *path, void *user)
{
    return strcmp(path + strlen(((const Writing *)user)->prefix), "/lost+found") != 0;
}

static void entry_done(const char *path, const Node *node, const char *action, void *user)
{
    Writing *writing = user;

    (void)path;
    pthread_mutex_lock(&writing->mutex);
    if (strcmp(action, "deleted") == 0) {
        writing->count.deleted++;
    } else if (node && S_ISREG(node->mode)) {
        writing->count.files++;
        writing->count.bytes += node->size;
    }
    pthread_mutex_unlock(&writing->mutex);
}

static void metadata_problem(const char *path, const GError *problem, void *user)
{
    const ClusterFiles *files = ((const Writing *)user)->files;

    files->problem(path, problem, files->user);
}

/* A directory of the folder, and where it goes. */
typedef struct {
    const char *name, *dir;
    bool replace_top;
} Place;

static bool pass(Writing *writing, const Place *place, bool sweep, GError **error)
{
    const ClusterFiles *files = writing->files;
    DirSinkOptions to = {
        .overwrite = OVERWRITE_ALWAYS,
        .delete_extra = files->replace && (sweep || !files->delta),
        .delete_in_target = place->replace_top,
        .delta = files->delta,
        .unfinished = files->delta != NULL,
        .sweep = sweep,
        .may_delete = may_delete,
        .report = entry_done,
        .warn = metadata_problem,
        .user = writing,
    };
    ReaderOptions from = {
        .progress = files->progress,
        .select = select_entry,
        .user = writing, // no problem is passed over: a cluster is whole or worth nothing
    };
    g_autoptr(Node) node = NULL;
    g_autoptr(Sink) sink = NULL;

    if (!cluster_base_node(files->base, place->name, &node, error))
        return false;
    if (!node || !S_ISDIR(node->mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s/%s: no directory", files->base->folder,
                    place->name);
        return false;
    }
    g_free(writing->prefix);
    writing->prefix = g_strconcat(files->base->folder, "/", place->name, NULL);
    sink = dir_sink_new(place->dir, &to, error);
    return sink &&
           reader_run(files->base->repo, &node->subtree, writing->prefix, sink, &from,
                      writing->cancel, error) &&
           sink_finish(sink, error);
}

/* ---- what it does not have ---- */

static mode_t file_mode(const Writing *writing)
{
    return 0600 | (writing->top->mode & 0040);
}

/* As anyone but root one's own files are the only ones. */
static bool give_away(const Writing *writing, int dirfd, const char *name, GError **error)
{
    if (geteuid() != 0 || fchownat(dirfd, name, writing->top->uid, writing->top->gid,
                                   AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
        return true;
    bs_error_errno(error, errno, "set the owner of %s", *name ? name : "a directory");
    return false;
}

static int open_directory(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        bs_error_errno(error, errno, "open %s", path);
    return fd;
}

/* Parents that are missing are for all to pass through. */
static bool make_directory(const char *path, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);

    return fs_make_dirs(parent, 0755, error) && fs_make_dirs(path, 0700, error);
}

/* PostgreSQL starts from none that others may look into. */
static bool own_directory(const Writing *writing, const char *path, GError **error)
{
    fs_autoclose int fd = open_directory(path, error);
    g_autofree char *parent = g_build_filename(path, "..", NULL); // wherever its name is

    if (fd < 0 || !give_away(writing, fd, "", error))
        return false;
    if (fchmod(fd, 0700 | (writing->top->mode & 0050)) != 0) {
        bs_error_errno(error, errno, "set the mode of %s", path);
        return false;
    }
    if (syncfs(fd) != 0) {
        bs_error_errno(error, errno, "write %s to disk", path);
        return false;
    }
    return fs_sync_dir(parent, error);
}

/* What each place has, or, with sweep, what it has besides. */
static bool each_place(Writing *writing, bool sweep, GError **error)
{
    const ClusterFiles *files = writing->files;
    Place top = { "pgdata", files->pgdata, files->replace_top };

    if (!pass(writing, &top, sweep, error))
        return false;
    for (guint i = 0; i < files->places->len; i++) {
        const TablespacePlace *tablespace = &g_array_index(files->places, TablespacePlace, i);
        g_autofree char *name = g_strdup_printf("tablespaces/%u", tablespace->oid);
        Place place = { name, tablespace_place_path(tablespace), files->replace };

        if (!make_directory(place.dir, error) || !pass(writing, &place, sweep, error) ||
            !own_directory(writing, place.dir, error))
            return false;
    }
    return true;
}

/* Only now, when nothing is missing any more. */
static bool finish_delta(Writing *writing, GError **error)
{
    const ClusterFiles *files = writing->files;

    if (!each_place(writing, true, error) || !dir_sink_unmark(files->pgdata, error))
        return false;
    for (guint i = 0; i < files->places->len; i++)
        if (!dir_sink_unmark(
                tablespace_place_path(&g_array_index(files->places, TablespacePlace, i)), error))
            return false;
    return true;
}

/* Absolute: a server leaves tablespaces with relative links out of its base backups. */
static bool make_link(const Writing *writing, int dirfd, const TablespacePlace *place,
                      GError **error)
{
    g_autofree char *name = g_strdup_printf("%u", place->oid);

    if (unlinkat(dirfd, name, 0) != 0 && errno != ENOENT) {
        bs_error_errno(error, errno, "remove pg_tblspc/%s", name);
        return false;
    }
    if (symlinkat(place->dir, dirfd, name) != 0) {
        bs_error_errno(error, errno, "link pg_tblspc/%s", name);
        return false;
    }
    return give_away(writing, dirfd, name, error);
}

static bool make_links(const Writing *writing, int pgdata, GError **error)
{
    fs_autoclose int dirfd = fs_open_beneath(pgdata, "pg_tblspc", O_RDONLY | O_DIRECTORY, 0, error);

    if (dirfd < 0)
        return false;
    for (guint i = 0; i < writing->files->places->len; i++)
        if (!make_link(writing, dirfd, &g_array_index(writing->files->places, TablespacePlace, i),
                       error))
            return false;
    return fs_sync_dir_fd(dirfd, "pg_tblspc", error);
}

static bool write_own(const Writing *writing, int dirfd, const char *name, const char *text,
                      GError **error)
{
    return fs_write_durable_at(dirfd, name, name, text, strlen(text), file_mode(writing),
                               FS_REPLACE, error) &&
           give_away(writing, dirfd, name, error);
}

/* ---- pg_control, first away and last there ---- */

static bool remove_control(const char *pgdata, GError **error)
{
    g_autofree char *path = g_build_filename(pgdata, CONTROL, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    if (unlink(path) == 0)
        return fs_sync_dir(dir, error);
    if (errno == ENOENT || errno == ENOTDIR)
        return true;
    bs_error_errno(error, errno, "remove %s", path);
    return false;
}

static bool write_control(const Writing *writing, int pgdata, GError **error)
{
    fs_autoclose int dirfd = fs_open_beneath(pgdata, "global", O_RDONLY | O_DIRECTORY, 0, error);
    g_autoptr(GBytes) content = NULL;

    if (dirfd < 0 ||
        !cluster_base_file(writing->files->base, "pgdata/" CONTROL, CONTROL_MAX, &content, error) ||
        !fs_write_durable_at(dirfd, CONTROL_TEMP, CONTROL_TEMP, g_bytes_get_data(content, NULL),
                             g_bytes_get_size(content), file_mode(writing), FS_REPLACE, error) ||
        !give_away(writing, dirfd, CONTROL_TEMP, error) ||
        !own_directory(writing, writing->files->pgdata, error) ||
        !cancel_check(writing->cancel, error))
        return false;
    if (renameat(dirfd, CONTROL_TEMP, dirfd, "pg_control") != 0) {
        bs_error_errno(error, errno, "rename " CONTROL_TEMP " to pg_control");
        return false;
    }
    return fs_sync_dir_fd(dirfd, "global", error);
}

/* ---- all ---- */

/* What is left of a server that was there before would mislead this one. */
static bool remove_old(int pgdata, GError **error)
{
    static const char *const names[] = { "postmaster.pid", "standby.signal", "tablespace_map" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (unlinkat(pgdata, names[i], 0) != 0 && errno != ENOENT) {
            bs_error_errno(error, errno, "remove %s", names[i]);
            return false;
        }
    return true;
}

static bool write_rest(const Writing *writing, GError **error)
{
    fs_autoclose int pgdata = open_directory(writing->files->pgdata, error);

    return pgdata >= 0 && remove_old(pgdata, error) && make_links(writing, pgdata, error) &&
           write_own(writing, pgdata, "postgresql.auto.conf", writing->files->auto_config, error) &&
           write_own(writing, pgdata, "recovery.signal", "", error) &&
           write_control(writing, pgdata, error);
}

static bool write_all(Writing *writing, GError **error)
{
    const ClusterFiles *files = writing->files;

    return cluster_base_node(files->base, "pgdata", &writing->top, error) &&
           make_directory(files->pgdata, error) && remove_control(files->pgdata, error) &&
           each_place(writing, false, error) && (!files->delta || finish_delta(writing, error)) &&
           write_rest(writing, error);
}

bool cluster_files_write(const ClusterFiles *files, const Cancel *cancel,
                         ClusterFilesCount *ret_count, GError **error)
{
    Writing writing = { .files = files, .cancel = cancel };
    bool ok;

    pthread_mutex_init(&writing.mutex, NULL);
    ok = write_all(&writing, error);
    pthread_mutex_destroy(&writing.mutex);
    node_free(writing.top);
    g_free(writing.prefix);
    if (ok)
        *ret_count = writing.count;
    return ok;
}
