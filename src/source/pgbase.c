/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgbase.h"
#include "base/error.h"
#include "pg/datadir.h"
#include "source/pgpassed.h"
#include "source/pgtree.h"
#include <string.h>

#define MANIFEST "pgdata/backup_manifest"
#define LINKS    "pg_tblspc/"
#define WAL      "pg_wal"

struct PgBase {
    PgBaseOptions options;
    PgTree *tree;
    PgPassed *passed;
    BackupManifest *manifest;
    /* the archive at hand */
    TarStream *tar;
    const PgTablespace *tablespace;
    bool in_file;
    /* whose the cluster is, as its first entry says */
    bool has_owner;
    uint32_t uid, gid;
    bool in_manifest;
};

PgBase *pg_base_new(Sink *sink, const PgBaseOptions *options)
{
    PgBase *base = g_new0(PgBase, 1);

    base->options = *options;
    base->tree = pg_tree_new(sink, options->top);
    base->passed = pg_passed_new(options->segment_size);
    base->manifest = backup_manifest_new(&pg_passed_receiver, base->passed);
    return base;
}

void pg_base_free(PgBase *base)
{
    if (!base)
        return;
    tar_stream_free(base->tar);
    backup_manifest_free(base->manifest);
    pg_passed_free(base->passed);
    pg_tree_free(base->tree);
    g_free(base);
}

bool pg_base_has(const PgBase *base, const char *path)
{
    return pg_passed_has(base->passed, path);
}

void pg_base_counts(const PgBase *base, uint64_t *ret_files, uint64_t *ret_bytes)
{
    pg_passed_counts(base->passed, ret_files, ret_bytes);
}

/* ---- directories of ours ---- */

static bool make_directory(PgBase *base, const char *path, bool keep, GError **error)
{
    TarEntry entry = {
        .path = path,
        .mode = S_IFDIR | base->options.mode,
        .uid = base->uid,
        .gid = base->gid,
        .mtime = base->options.time.sec,
    };

    return pg_tree_has(base->tree, path) || pg_tree_begin(base->tree, &entry, keep, 0, error);
}

/* What the entries of the archive at hand lie in; to be freed. */
static char *folder_of_archive(const PgBase *base)
{
    return base->tablespace->oid ? g_strdup_printf("tablespaces/%u", base->tablespace->oid)
                                 : g_strdup("pgdata");
}

static bool make_folders(PgBase *base, const TarEntry *first, const char *folder, GError **error)
{
    if (!base->has_owner) {
        base->has_owner = true;
        base->uid = first->uid;
        base->gid = first->gid;
    }
    return make_directory(base, "", true, error) &&
           (!base->tablespace->oid || make_directory(base, "tablespaces", true, error)) &&
           make_directory(base, folder, !base->tablespace->oid, error);
}

/* ---- entries of an archive ---- */

static bool is_wal(const char *path)
{
    return g_str_has_prefix(path, WAL) && (path[strlen(WAL)] == '/' || path[strlen(WAL)] == '\0');
}

/* The stream comes back to these after it left them. */
static bool comes_back(const PgBase *base, const char *path)
{
    return !base->tablespace->oid && (strcmp(path, "global") == 0 || is_wal(path));
}

/* Where these are links the server sends directories, but with the owner of the link: root's, where
 * an administrator made it, and the server that is restored could not write into them. */
static bool may_be_a_link(const PgBase *base, const TarEntry *entry)
{
    return !base->tablespace->oid && S_ISDIR(entry->mode) &&
           (is_wal(entry->path) || pg_take("", entry->path) == PG_TAKE_EMPTY);
}

/* The oid when path is that of a tablespace in the data directory, else 0. */
static uint32_t linked_tablespace(const PgBase *base, const char *path)
{
    const char *name = g_str_has_prefix(path, LINKS) ? path + strlen(LINKS) : "";

    for (guint i = 0; !base->tablespace->oid && i < base->options.tablespaces->len; i++) {
        uint32_t oid = g_array_index(base->options.tablespaces, PgTablespace, i).oid;
        g_autofree char *text = g_strdup_printf("%u", oid);

        if (oid && strcmp(name, text) == 0)
            return oid;
    }
    return 0;
}

/* A link, or a directory: a tablespace within the data directory has none. */
static bool begin_link(PgBase *base, const TarEntry *entry, const char *path, GError **error)
{
    uint32_t oid = linked_tablespace(base, entry->path);
    g_autofree char *target = g_strdup_printf("../../tablespaces/%u", oid);
    TarEntry link = *entry;

    if (!oid || S_ISREG(entry->mode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s: a symbolic link that is none to a tablespace of this backup", entry->path);
        return false;
    }
    link.path = path;
    link.mode = S_IFLNK | 0777;
    link.target = target;
    link.size = 0;
    return pg_tree_begin(base->tree, &link, false, 0, error);
}

static void note_file(PgBase *base, const char *path)
{
    g_autofree char *named = base->tablespace->oid
                                 ? g_strdup_printf(LINKS "%u/%s", base->tablespace->oid, path)
                                 : g_strdup(path);

    base->in_file = true;
    pg_passed_begin(base->passed, named);
}

static bool begin_entry(void *user, const TarEntry *entry, GError **error)
{
    PgBase *base = user;
    g_autofree char *folder = folder_of_archive(base);
    g_autofree char *path = g_strconcat(folder, "/", entry->path, NULL);
    bool wal = !base->tablespace->oid && is_wal(entry->path);
    TarEntry placed = *entry;

    base->in_file = false;
    if (!make_folders(base, entry, folder, error))
        return false;
    if (S_ISLNK(entry->mode) || linked_tablespace(base, entry->path))
        return begin_link(base, entry, path, error);
    placed.path = path;
    if (may_be_a_link(base, entry)) {
        placed.uid = base->uid;
        placed.gid = base->gid;
    }
    if (!pg_tree_begin(base->tree, &placed, comes_back(base, entry->path),
                       wal ? 0 : base->options.cut, error))
        return false;
    if (S_ISREG(entry->mode))
        note_file(base, entry->path);
    return true;
}

static bool entry_data(void *user, const void *data, size_t len, GError **error)
{
    PgBase *base = user;

    g_assert(base->in_file);
    pg_passed_data(base->passed, data, len);
    return pg_tree_write(base->tree, data, len, error);
}

static bool end_entry(void *user, GError **error)
{
    return pg_tree_end(((PgBase *)user)->tree, error);
}

static const TarReceiver entries = { begin_entry, entry_data, end_entry };

/* ---- archives and the manifest ---- */

static bool begin_archive(void *user, const PgTablespace *tablespace, GError **error)
{
    PgBase *base = user;

    (void)error;
    tar_stream_free(base->tar);
    base->tar = tar_stream_new(&entries, base);
    base->tablespace = tablespace;
    return true;
}

static bool archive_data(void *user, const void *data, size_t len, GError **error)
{
    return tar_stream_feed(((PgBase *)user)->tar, data, len, error);
}

static bool end_archive(void *user, GError **error)
{
    PgBase *base = user;

    return tar_stream_finish(base->tar, base->options.terminated, error);
}

static bool begin_file(PgBase *base, const char *path, GError **error)
{
    TarEntry entry = {
        .path = path,
        .mode = S_IFREG | 0600,
        .uid = base->uid,
        .gid = base->gid,
        .mtime = base->options.time.sec,
    };

    return pg_tree_begin(base->tree, &entry, false, 0, error);
}

static bool take_manifest(void *user, const void *data, size_t len, GError **error)
{
    PgBase *base = user;

    if (!base->in_manifest && !begin_file(base, MANIFEST, error))
        return false;
    base->in_manifest = true;
    return backup_manifest_feed(base->manifest, data, len, error) &&
           pg_tree_write(base->tree, data, len, error);
}

const PgBackupReceiver pg_base_receiver = {
    .begin = begin_archive,
    .data = archive_data,
    .end = end_archive,
    .manifest = take_manifest,
};

/* ---- the end ---- */

static bool require(const PgBase *base, const char *path, GError **error)
{
    if (pg_tree_has(base->tree, path))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: the server did not send it", path);
    return false;
}

/* Directories that every cluster has. Where one is a symbolic link the server follows it, but
 * leaves it out of its base backups and of their manifest, without a word. */
static bool has_directories(const PgBase *base, GError **error)
{
    static const char *const names[] = { "base",    "global",      "pg_commit_ts",
                                         "pg_stat", "pg_logical",  "pg_multixact",
                                         "pg_xact", "pg_twophase", "pg_tblspc" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_strconcat("pgdata/", names[i], NULL);

        if (pg_tree_has(base->tree, path))
            continue;
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "the server did not send %s, as servers do where that is a symbolic link; save "
                    "it on its host from the data directory (pgcluster:/path), which follows the "
                    "link, or stop the server and put the directory in the link's place",
                    names[i]);
        return false;
    }
    return true;
}

/* What a server does not start without, or would start as if nothing had to be recovered. */
static bool has_all(const PgBase *base, GError **error)
{
    static const char *const needed[] = { "pgdata/PG_VERSION", "pgdata/backup_label",
                                          "pgdata/global/pg_control", MANIFEST };

    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (!require(base, needed[i], error))
            return false;
    if (!has_directories(base, error))
        return false;
    for (guint i = 0; i < base->options.tablespaces->len; i++) {
        uint32_t oid = g_array_index(base->options.tablespaces, PgTablespace, i).oid;
        g_autofree char *link = g_strdup_printf("pgdata/" LINKS "%u", oid);
        g_autofree char *folder = g_strdup_printf("tablespaces/%u", oid);

        if (oid && (!require(base, link, error) || !require(base, folder, error)))
            return false;
    }
    return true;
}

bool pg_base_complete(PgBase *base, uint64_t *ret_system_id, GError **error)
{
    if (base->in_manifest && !pg_tree_end(base->tree, error))
        return false;
    if (!has_all(base, error) || !backup_manifest_finish(base->manifest, error) ||
        !pg_passed_finish(base->passed, error))
        return false;
    *ret_system_id = backup_manifest_system_id(base->manifest);
    return true;
}

bool pg_base_add_directory(PgBase *base, const char *path, GError **error)
{
    return make_directory(base, path, false, error);
}

bool pg_base_add(PgBase *base, const char *path, const void *data, size_t len, GError **error)
{
    return begin_file(base, path, error) && pg_tree_write(base->tree, data, len, error) &&
           pg_tree_end(base->tree, error);
}

bool pg_base_finish(PgBase *base, GError **error)
{
    return pg_tree_finish(base->tree, error);
}
