/* SPDX-License-Identifier: Apache-2.0 */
#include "source/k3s.h"

#include "base/error.h"
#include "base/fs.h"
#include "codec/hash.h"
#include "pg/url.h"
#include "source/pgcluster.h"
#include "source/pgfacts.h"
#include "source/pgpush.h"
#include "source/sqlitecopy.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define READ_LEN  ((size_t)256 << 10)
#define DEPTH_MAX 64u

typedef struct {
    Source base;
    char *path;
    size_t parent_cut; /* of state.db; 0: not known */
    SqliteCopy *held;  /* of one moment; NULL: of that of the backup */
} K3sSource;

/* One backup. */
typedef struct {
    K3sSource *source;
    PgPush push;
    SqliteCopy *copy; /* as long as it is about the server */
    json_t *manifest;
    uint64_t files;
} Backup;

static bool push_tree(Backup *backup, int dirfd, const char *path, unsigned depth, GError **error);

/* ---- entries ---- */

static bool begin(Backup *backup, const char *path, const Node *node, size_t cut, void **ret_handle,
                  GError **error)
{
    Entry entry = { .path = path, .node = node, .cut = cut };

    progress_current(backup->push.run->progress, path);
    return sink_begin(backup->push.sink, &entry, ret_handle, error);
}

/* hash: may be NULL. */
static bool push_bytes(Backup *backup, int fd, void *handle, const char *path, Hash *hash,
                       uint64_t *ret_size, GError **error)
{
    uint64_t size = 0;
    size_t n;

    do {
        if (!cancel_check(backup->push.run->cancel, error) ||
            !fs_read_full(fd, backup->push.buffer, READ_LEN, &n, path, error) ||
            (n > 0 && !sink_write(backup->push.sink, handle, size, backup->push.buffer, n, error)))
            return false;
        if (hash)
            hash_update(hash, backup->push.buffer, n);
        size += n;
    } while (n == READ_LEN);
    *ret_size = size;
    return true;
}

static bool push_content(Backup *backup, int fd, const char *path, Node *node, size_t cut,
                         Hash *hash, GError **error)
{
    uint64_t size;
    void *handle;

    if (!begin(backup, path, node, cut, &handle, error))
        return false;
    if (!push_bytes(backup, fd, handle, path, hash, &size, error)) {
        sink_abandon(backup->push.sink, handle);
        return false;
    }
    node->size = size;
    backup->files++;
    return sink_end(backup->push.sink, handle, node, error);
}

/* Certificates are renewed while k3s runs: what changed while it was read is told. */
static bool push_file(Backup *backup, int dirfd, const char *path, const struct stat *st,
                      const char *name, GError **error)
{
    fs_autoclose int fd =
        fs_open_beneath(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, error);
    g_autoptr(Node) node = node_from_stat(name, st, backup->push.names, false);
    g_autoptr(GError) problem = NULL;
    struct stat after;

    if (fd < 0 || !node_read_xattrs_fd(node, fd, error) ||
        !push_content(backup, fd, path, node, 0, NULL, error))
        return false;
    if (fstat(fd, &after) == 0 && after.st_size == st->st_size &&
        after.st_mtim.tv_sec == st->st_mtim.tv_sec && after.st_mtim.tv_nsec == st->st_mtim.tv_nsec)
        return true;
    g_set_error_literal(&problem, BS_ERROR, BS_ERROR_FAILED, "it changed while it was read");
    backup->push.run->problem(path, problem, backup->push.run->user);
    return true;
}

static bool push_link(Backup *backup, int dirfd, const char *path, const struct stat *st,
                      const char *name, GError **error)
{
    g_autoptr(Node) node = node_from_stat(name, st, backup->push.names, false);
    void *handle;

    return node_read_link(node, dirfd, name, error) &&
           begin(backup, path, node, 0, &handle, error) &&
           sink_end(backup->push.sink, handle, NULL, error);
}

static bool push_directory(Backup *backup, int dirfd, const char *path, const struct stat *st,
                           const char *name, unsigned depth, GError **error)
{
    fs_autoclose int fd = fs_open_beneath(dirfd, name, O_RDONLY | O_DIRECTORY, 0, error);
    g_autoptr(Node) node = node_from_stat(name, st, backup->push.names, false);
    void *handle;

    if (fd < 0 || !begin(backup, path, node, 0, &handle, error))
        return false;
    if (push_tree(backup, fd, path, depth + 1, error))
        return sink_end(backup->push.sink, handle, NULL, error);
    sink_abandon(backup->push.sink, handle);
    return false;
}

/* ---- state.db ---- */

/* The copy, with owner and mode of the original. */
static bool push_state(Backup *backup, int dirfd, const char *path, GError **error)
{
    fs_autoclose int fd = open(sqlite_copy_path(backup->copy), O_RDONLY | O_CLOEXEC);
    json_t *facts = json_object_get(backup->manifest, "database");
    g_autoptr(Hash) hash = hash_new();
    g_autoptr(Node) node = NULL;
    struct stat st, copy;
    size_t cut;
    Id sha256;

    if (fd < 0 || fstat(fd, &copy) < 0 || fstatat(dirfd, "state.db", &st, 0) < 0) {
        bs_error_errno(error, errno, "%s", path);
        return false;
    }
    cut = MAX(pgcluster_cut((uint64_t)copy.st_size, backup->source->parent_cut),
              sqlite_copy_page_size(backup->copy));
    node = node_from_stat("state.db", &st, backup->push.names, false);
    if (!push_content(backup, fd, path, node, cut, hash, error))
        return false;
    hash_final(hash, &sha256);
    pg_facts_add_file(facts, "server/db/state.db", node->size, &sha256);
    g_ptr_array_add(backup->source->base.tags, g_strdup_printf("cut=%zuk", cut >> 10));
    return true;
}

/* Of db/ nothing else: -wal and -shm are of the original. */
static bool push_db(Backup *backup, int dirfd, const char *path, const struct stat *st,
                    GError **error)
{
    fs_autoclose int fd = fs_open_beneath(dirfd, "db", O_RDONLY | O_DIRECTORY, 0, error);
    g_autoptr(Node) node = node_from_stat("db", st, backup->push.names, false);
    g_autofree char *file = g_build_filename(path, "state.db", NULL);
    void *handle;

    if (fd < 0 || !begin(backup, path, node, 0, &handle, error))
        return false;
    if (push_state(backup, fd, file, error))
        return sink_end(backup->push.sink, handle, NULL, error);
    sink_abandon(backup->push.sink, handle);
    return false;
}

/* ---- the tree ---- */

static bool push_entry(Backup *backup, int dirfd, const char *path, const char *name,
                       unsigned depth, GError **error)
{
    g_autofree char *inner = g_build_filename(path, name, NULL);
    struct stat st;

    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return true; // it went away since the directory was read
        bs_error_errno(error, errno, "%s", inner);
        return false;
    }
    if (S_ISDIR(st.st_mode) && backup->copy && depth == 0 && strcmp(name, "db") == 0)
        return push_db(backup, dirfd, inner, &st, error);
    if (S_ISDIR(st.st_mode))
        return push_directory(backup, dirfd, inner, &st, name, depth, error);
    if (S_ISREG(st.st_mode))
        return push_file(backup, dirfd, inner, &st, name, error);
    return !S_ISLNK(st.st_mode) || push_link(backup, dirfd, inner, &st, name, error);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool push_tree(Backup *backup, int dirfd, const char *path, unsigned depth, GError **error)
{
    g_autofree char *open_path = g_strdup_printf("/proc/self/fd/%d", dirfd);
    g_autoptr(GDir) dir = g_dir_open(open_path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    const char *name;

    if (!dir || depth > DEPTH_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: cannot be read", path);
        return false;
    }
    while ((name = g_dir_read_name(dir)))
        g_ptr_array_add(names, g_strdup(name));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++)
        if (!push_entry(backup, dirfd, path, names->pdata[i], depth, error))
            return false;
    return true;
}

/* A directory of this machine as one of the top folder. */
static bool push_root(Backup *backup, const char *from, const char *name, GError **error)
{
    fs_autoclose int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autofree char *path = pg_push_path(&backup->push, name);
    g_autoptr(Node) node = NULL;
    struct stat st;
    void *handle;

    if (fd < 0 || fstat(fd, &st) < 0) {
        bs_error_errno(error, errno, "open %s", from);
        return false;
    }
    node = node_from_stat(name, &st, backup->push.names, false);
    if (!begin(backup, path, node, 0, &handle, error))
        return false;
    if (push_tree(backup, fd, path, 0, error))
        return sink_end(backup->push.sink, handle, NULL, error);
    sink_abandon(backup->push.sink, handle);
    return false;
}

/* ---- all of it ---- */

/* What makes the rest worth anything. */
static bool check_parts(const K3sSource *source, GError **error)
{
    g_autofree char *token = g_build_filename(source->path, "token", NULL);
    g_autofree char *db = g_build_filename(source->path, "db", "state.db", NULL);
    struct stat st;

    if (stat(db, &st) < 0 || !S_ISREG(st.st_mode)) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_NOT_FOUND,
            "%s is not there; k3s:... is for servers that keep their state in SQLite, not in "
            "etcd or another database",
            db);
        return false;
    }
    if (stat(token, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "%s is not there or empty; without the token nobody can use the state", token);
        return false;
    }
    return true;
}

static bool push_all(Backup *backup, GError **error)
{
    void *top;
    bool ok;

    if (!pg_push_begin(&backup->push, NULL, S_IFDIR | 0700, &top, error))
        return false;
    ok = push_root(backup, backup->source->path, "server", error);
    sqlite_copy_free(g_steal_pointer(&backup->copy)); // /etc has no database of ours
    ok = ok && (!g_file_test(K3S_CONFIG, G_FILE_TEST_IS_DIR) ||
                push_root(backup, K3S_CONFIG, "config", error));
    (void)json_object_set_new(backup->manifest, "files", json_integer((json_int_t)backup->files));
    if (ok && pg_push_manifest(&backup->push, backup->manifest, error))
        return sink_end(backup->push.sink, top, NULL, error);
    sink_abandon(backup->push.sink, top);
    return false;
}

static bool copy_state(Backup *backup, GError **error)
{
    const SourceRun *run = backup->push.run;
    g_autofree char *db = g_build_filename(backup->source->path, "db", "state.db", NULL);

    backup->copy = g_steal_pointer(&backup->source->held);
    if (backup->copy)
        return sqlite_copy_held(backup->copy, run->progress, error);
    backup->copy = sqlite_copy_new(db, g_get_tmp_dir(), run->progress, run->cancel, error);
    return backup->copy != NULL;
}

static bool run_backup(Backup *backup, GError **error)
{
    json_t *facts = json_object();

    (void)json_object_set_new(backup->manifest, "database", facts);
    return check_parts(backup->source, error) && copy_state(backup, error) &&
           sqlite_copy_check(backup->copy, facts, error) && push_all(backup, error);
}

static json_t *describe(const K3sSource *source)
{
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "kind", json_string("k3s"));
    (void)json_object_set_new(facts, "name", pg_facts_text(source->base.name, NULL));
    (void)json_object_set_new(facts, "path", pg_facts_text(source->path, NULL));
    return facts;
}

static bool k3s_backup(Source *base, Sink *sink, const SourceRun *run, GError **error)
{
    Backup backup = { .source = (K3sSource *)base, .manifest = json_object() };
    bool ok;

    pg_push_init(&backup.push, base->name, sink, run);
    (void)json_object_set_new(backup.manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(backup.manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(backup.manifest, "source", describe(backup.source));
    (void)json_object_set_new(backup.manifest, "started", pg_facts_time(backup.push.time));
    source_add_facts(base, backup.manifest);
    ok = run_backup(&backup, error);
    sqlite_copy_free(backup.copy);
    json_decref(backup.manifest);
    pg_push_done(&backup.push);
    if (!ok)
        g_prefix_error(error, "%s: ", base->name);
    return ok;
}

static void k3s_inherit(Source *base, const SourceParent *parent)
{
    ((K3sSource *)base)->parent_cut = pgcluster_parent_cut(parent->tags);
}

/* The state; token and certificates change when somebody renews them. */
static bool k3s_open(Source *base, const Cancel *cancel, SourceHold *ret_hold, GError **error)
{
    K3sSource *source = (K3sSource *)base;
    g_autofree char *db = g_build_filename(source->path, "db", "state.db", NULL);

    if (!check_parts(source, error))
        return false;
    source->held = sqlite_copy_hold(db, g_get_tmp_dir(), NULL, cancel, error);
    *ret_hold = SOURCE_MOMENT;
    return source->held != NULL;
}

static void k3s_free(Source *base)
{
    K3sSource *source = (K3sSource *)base;

    sqlite_copy_free(source->held);
    g_free(source->path);
    g_free(source);
}

static const SourceOps k3s_ops = {
    .kind = "k3s",
    .open = k3s_open,
    .inherit = k3s_inherit,
    .backup = k3s_backup,
    .free = k3s_free,
};

Source *k3s_source_new(const char *path, GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *plain = NULL;
    K3sSource *source;

    if (!*path || strcmp(absolute, "/") == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "no directory of a server; write k3s:/var/lib/rancher/k3s/server");
        return NULL;
    }
    plain = g_strconcat("k3s-", absolute + 1, NULL);
    source = g_new0(K3sSource, 1);
    source_init(&source->base, &k3s_ops, pg_escape_name(plain));
    source->path = g_steal_pointer(&absolute);
    return &source->base;
}
