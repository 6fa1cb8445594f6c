/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/fs.h"
#include "codec/crc32c.h"
#include "pg/datadir.h"
#include "source/filemeta.h"
#include "source/pgdirwalking.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define CONTROL    "global/pg_control"
#define LINKS      "pg_tblspc"
#define LINKED_MAX ((size_t)16 << 20) /* of a file that a link at the top leads to */

typedef struct {
    const PgDirWalk *walk;
    OwnerNames *names;
    PgDirSize *size;
} Walk;

/* A directory at hand, by its two names. */
typedef struct {
    DirHandle *dir;
    const char *path;   /* from the data directory: "", "base/5" */
    const char *placed; /* in the top folder: "pgdata", "pgdata/base/5" */
} Place;

static char *below(const char *path, const char *name)
{
    return *path ? g_strconcat(path, "/", name, NULL) : g_strdup(name);
}

static bool fail_errno(const char *what, const char *path, GError **error)
{
    bs_error_errno(error, errno, "%s %s", what, path);
    return false;
}

static void note(const Walk *walk, const char *path, const char *why)
{
    g_autofree char *text = g_strdup_printf("%s: %s", path, why);

    // counting comes before, and sees the same
    if (walk->walk->tree && walk->walk->note)
        walk->walk->note(text, walk->walk->user);
}

/* ---- directories ---- */

static bool begin_directory(const Walk *walk, const char *placed, const struct stat *st, bool keep,
                            GError **error)
{
    return !walk->walk->tree ||
           pg_tree_begin_node(walk->walk->tree, placed, node_from_stat("", st, walk->names, false),
                              keep, 0, error);
}

static bool walk_children(Walk *walk, const Place *place, GError **error);

static bool is_tablespace(const Walk *walk, const struct stat *st)
{
    const GArray *open = walk->walk->spaces->open;

    for (guint i = 0; i < open->len; i++) {
        const PgDirSpace *one = &g_array_index(open, PgDirSpace, i);

        if (one->st.st_dev == st->st_dev && one->st.st_ino == st->st_ino)
            return true;
    }
    return false;
}

/* fd: of the directory at path, taken over. */
static bool walk_directory(Walk *walk, const char *path, const char *placed, int fd, bool keep,
                           GError **error)
{
    DirHandle *dir = dir_handle_new(fd);
    Place place = { dir, path, placed };
    struct stat st;
    bool ok = fstat(fd, &st) == 0 || fail_errno("stat", path, error);

    // one that lies within the data directory is walked as a tablespace
    ok = ok && begin_directory(walk, placed, &st, keep, error) &&
         (is_tablespace(walk, &st) || walk_children(walk, &place, error));
    dir_handle_unref(dir);
    return ok;
}

/* follow: also when it is a link. */
static bool enter(Walk *walk, const Place *place, const char *name, bool follow, GError **error)
{
    g_autofree char *path = below(place->path, name), *placed = below(place->placed, name);
    int fd = openat(dir_handle_fd(place->dir), name,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));

    if (fd < 0)
        return errno == ENOENT || fail_errno("open directory", path, error);
    return walk_directory(walk, path, placed, fd, strcmp(path, "global") == 0, error);
}

/* ---- files ---- */

/* False without an error: it has to be read. */
static bool take_over(Walk *walk, const char *path, const struct stat *st, void *handle,
                      GError **error)
{
    const PgDirWalk *to = walk->walk;
    bool reused = false;
    uint32_t crc;

    if (!to->keep || !pg_dir_keep_may(to->keep, path, st, &crc))
        return false;
    if (!sink_reuse(to->sink, handle, &reused, error) || !reused)
        return false;
    walk->size->kept++;
    pg_dir_read_add(to->read, path, (uint64_t)st->st_size, st->st_mtim.tv_sec, crc);
    return sink_end(to->sink, handle, NULL, error);
}

static bool walk_file(Walk *walk, const Place *place, const char *name, const struct stat *st,
                      GError **error)
{
    g_autofree char *path = below(place->path, name), *placed = below(place->placed, name);
    const PgDirWalk *to = walk->walk;
    GError *failure = NULL;
    Node *node;
    void *handle;

    walk->size->files++;
    walk->size->bytes += (uint64_t)st->st_size;
    if (!to->tree || strcmp(path, CONTROL) == 0)
        return true;
    if (!pg_tree_begin_node(to->tree, placed, node_from_stat(name, st, walk->names, false), false,
                            to->cut, error))
        return false;
    handle = pg_tree_hand_over(to->tree, &node);
    if (take_over(walk, path, st, handle, &failure)) {
        node_free(node);
        return true;
    }
    if (failure) {
        sink_abandon(to->sink, handle);
        node_free(node);
        g_propagate_error(error, failure);
        return false;
    }
    file_readers_add(to->readers, place->dir, path, node, handle);
    return true;
}

/* Such as a configuration file that is kept elsewhere: saved as what it holds. */
static bool walk_linked_file(Walk *walk, const Place *place, const char *name,
                             const struct stat *st, GError **error)
{
    g_autofree char *placed = below(place->placed, name);
    const PgDirWalk *to = walk->walk;
    int fd = openat(dir_handle_fd(place->dir), name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    g_autofree uint8_t *data = NULL;
    size_t len = 0;
    bool ok;

    if (!to->tree || (size_t)st->st_size > LINKED_MAX) {
        fs_clear_fd(&fd);
        note(walk, name, "it is a link to a large file, which is left out");
        return true;
    }
    data = g_malloc((size_t)st->st_size + 1);
    ok = (fd >= 0 || fail_errno("open", name, error)) &&
         fs_read_full(fd, data, (size_t)st->st_size, &len, name, error);
    fs_clear_fd(&fd);
    if (!ok || !pg_tree_begin_node(to->tree, placed, node_from_stat(name, st, walk->names, false),
                                   false, 0, error))
        return false;
    if (!pg_tree_write(to->tree, data, len, error) || !pg_tree_end(to->tree, error))
        return false;
    walk->size->files++;
    walk->size->bytes += len;
    pg_dir_read_add(to->read, name, len, st->st_mtim.tv_sec, crc32c(0, data, len));
    return true;
}

/* ---- links ---- */

/* Directories that every cluster has; servers follow a link in their place. path: such a one, or
 * what lies below. */
static bool is_of_server(const char *path)
{
    g_autofree char *name = g_strndup(path, strcspn(path, "/"));
    static const char *const names[] = {
        "base",    "global",    "pg_commit_ts", "pg_logical", "pg_multixact",
        "pg_stat", "pg_tblspc", "pg_twophase",  "pg_xact",    NULL,
    };

    return g_strv_contains(names, name);
}

static bool walk_link(Walk *walk, const Place *place, const char *name, GError **error)
{
    g_autofree char *path = below(place->path, name);
    struct stat st;

    if (*place->path && is_of_server(place->path)) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s: a symbolic link that no server makes; what it leads to would be missing",
                    path);
        return false;
    }
    if (!*place->path && is_of_server(name))
        return enter(walk, place, name, true, error);
    if (!*place->path && fstatat(dir_handle_fd(place->dir), name, &st, 0) == 0 &&
        S_ISREG(st.st_mode))
        return walk_linked_file(walk, place, name, &st, error);
    note(walk, path, "it is a symbolic link, and what it leads to is not in the backup");
    return true;
}

/* pg_tblspc/<oid>, each a link into the top folder. */
static bool walk_tablespace_links(Walk *walk, const struct stat *st, GError **error)
{
    const GArray *list = walk->walk->spaces->list;

    if (!begin_directory(walk, "pgdata/" LINKS, st, false, error))
        return false;
    for (guint i = 0; walk->walk->tree && i < list->len; i++) {
        uint32_t oid = g_array_index(list, PgTablespace, i).oid;
        g_autofree char *placed = g_strdup_printf("pgdata/" LINKS "/%u", oid);
        Node *link = node_from_stat("", st, walk->names, false);

        link->mode = S_IFLNK | 0777;
        link->links = 1;
        link->inode = 0;
        link->linktarget = g_strdup_printf("../../tablespaces/%u", oid);
        if (!pg_tree_begin_node(walk->walk->tree, placed, link, false, 0, error) ||
            !pg_tree_end(walk->walk->tree, error))
            return false;
    }
    return true;
}

/* ---- one entry ---- */

/* Numbers of relations in a directory that have an init fork: those are unlogged. */
static GHashTable *unlogged_of(const Walk *walk, const Place *place, const GPtrArray *names)
{
    GHashTable *unlogged = g_hash_table_new(NULL, NULL);
    PgRelationFile file;

    if (walk->walk->with_unlogged || !pg_holds_relations(place->path))
        return unlogged;
    for (guint i = 0; i < names->len; i++)
        if (pg_relation_file_parse(names->pdata[i], &file) && file.fork == PG_FORK_INIT)
            g_hash_table_add(unlogged, GUINT_TO_POINTER(file.number));
    return unlogged;
}

static bool is_unlogged(const Place *place, const char *name, GHashTable *unlogged)
{
    PgRelationFile file;

    return pg_holds_relations(place->path) && pg_relation_file_parse(name, &file) &&
           file.fork != PG_FORK_INIT &&
           g_hash_table_contains(unlogged, GUINT_TO_POINTER(file.number));
}

static bool walk_empty(Walk *walk, const Place *place, const char *name, GError **error)
{
    g_autofree char *placed = below(place->placed, name);
    struct stat st;

    if (fstatat(dir_handle_fd(place->dir), name, &st, 0) != 0)
        return fail_errno("stat", name, error);
    return begin_directory(walk, placed, &st, strcmp(name, "pg_wal") == 0, error);
}

static bool walk_entry(Walk *walk, const Place *place, const char *name, GError **error)
{
    g_autofree char *path = below(place->path, name);
    struct stat st;

    if (fstatat(dir_handle_fd(place->dir), name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT || fail_errno("stat", path, error);
    if (!*place->path && strcmp(name, LINKS) == 0)
        return walk_tablespace_links(walk, &st, error);
    if (S_ISDIR(st.st_mode))
        return enter(walk, place, name, false, error);
    if (S_ISREG(st.st_mode))
        return walk_file(walk, place, name, &st, error);
    return !S_ISLNK(st.st_mode) || walk_link(walk, place, name, error); // a socket, a pipe
}

static bool walk_children(Walk *walk, const Place *place, GError **error)
{
    GError *failure = NULL;
    g_autoptr(GPtrArray) names = dir_handle_names(place->dir, &failure);
    g_autoptr(GHashTable) unlogged = unlogged_of(walk, place, names);

    if (failure) {
        g_propagate_prefixed_error(error, failure, "/%s: ", place->path);
        return false;
    }
    for (guint i = 0; i < names->len; i++) {
        const char *name = names->pdata[i];
        PgTake take = pg_take(place->path, name);
        bool ok = true;

        if (!cancel_check(walk->walk->cancel, error) ||
            (walk->walk->readers && file_readers_failed(walk->walk->readers)))
            return false;
        if (take == PG_TAKE_EMPTY)
            ok = walk_empty(walk, place, name, error);
        else if (take == PG_TAKE && !is_unlogged(place, name, unlogged))
            ok = walk_entry(walk, place, name, error);
        if (!ok)
            return false;
    }
    return true;
}

/* ---- tablespaces ---- */

static bool is_dropped(const PgDirSpaces *spaces, uint32_t oid)
{
    g_autofree char *link = g_strdup_printf(LINKS "/%u", oid);
    int failed = errno;
    bool dropped = failed == ENOENT &&
                   faccessat(dir_handle_fd(spaces->top), link, F_OK, AT_SYMLINK_NOFOLLOW) != 0;

    errno = failed;
    return dropped;
}

/* The directory of this release in it; others lie there after pg_upgrade. */
static bool walk_tablespace(Walk *walk, guint i, GError **error)
{
    const PgDirSpaces *spaces = walk->walk->spaces;
    const PgDirSpace *one = &g_array_index(spaces->open, PgDirSpace, i);
    uint32_t oid = g_array_index(spaces->list, PgTablespace, i).oid;
    g_autofree char *placed = g_strdup_printf("tablespaces/%u", oid);
    g_autofree char *path = g_strdup_printf(LINKS "/%u/%s", oid, spaces->version);
    g_autofree char *inner = below(placed, spaces->version);
    int fd = openat(dir_handle_fd(one->dir), spaces->version,
                    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

    if (!begin_directory(walk, placed, &one->st, false, error)) {
        fs_clear_fd(&fd);
        return false;
    }
    if (fd < 0)
        return is_dropped(spaces, oid) || fail_errno("open directory", path, error);
    return walk_directory(walk, path, inner, fd, false, error);
}

static bool walk_all(Walk *walk, GError **error)
{
    const PgDirSpaces *spaces = walk->walk->spaces;
    Place top = { spaces->top, "", "pgdata" };
    struct stat st;

    if (fstat(dir_handle_fd(spaces->top), &st) != 0)
        return fail_errno("stat", "the data directory", error);
    if (!begin_directory(walk, "pgdata", &st, true, error) || !walk_children(walk, &top, error))
        return false;
    if (spaces->open->len && !begin_directory(walk, "tablespaces", &st, false, error))
        return false;
    for (guint i = 0; i < spaces->open->len; i++)
        if (!walk_tablespace(walk, i, error))
            return false;
    return true;
}

bool pg_dir_walk(const PgDirWalk *walk, PgDirSize *ret_size, GError **error)
{
    g_autoptr(OwnerNames) names = owner_names_new();
    PgDirSize size = { 0 };
    Walk all = { walk, names, &size };

    if (!walk_all(&all, error))
        return false;
    *ret_size = size;
    return true;
}
