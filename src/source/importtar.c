/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An archive of tar, entry by entry. libarchive reads the headers, tar's and no other's: what is
 * packed is unpacked before it (flow/inlet.h), for its gzip reader compares no checksum, and that
 * an archive has its end is looked at here, for one that is cut between two entries is whole to it.
 * What would lead out of the top folder, or is neither file, directory nor link, is refused.
 */
#include "source/importtar.h"

#include "base/error.h"
#include "source/importname.h"
#include "source/pgtree.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>

#define READ_LEN (1u << 18)
#define END_LEN  1024 /* two blocks of zeros */
#define HOLES    "a file with holes; make the archive without tar --sparse"

struct ImportTar {
    Import *import;
    struct archive *archive;
    locale_t utf8;   /* 0 where the system has none */
    GError *failure; /* of the inlet */
    uint8_t *buffer;
    PgTree *tree;
    GHashTable *others; /* paths of what is no directory */
    uint64_t entries;
    uint64_t given;      /* bytes to libarchive */
    size_t last;         /* of them with the last call */
    la_int64_t position; /* where the last entry ended */

    struct archive_entry *entry; /* at hand; borrowed of archive */
    const char *path;            /* of it; borrowed */
    uint64_t left;               /* of its content */
    const uint8_t *block;        /* of that; borrowed of archive */
    size_t block_len;
};

ImportTar *import_tar_new(Import *import)
{
    ImportTar *tar = g_new0(ImportTar, 1);

    tar->import = import;
    tar->archive = archive_read_new();
    tar->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    tar->buffer = g_malloc(READ_LEN);
    tar->tree = pg_tree_new(import->push.sink, import->push.top);
    tar->others = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return tar;
}

void import_tar_free(ImportTar *tar)
{
    if (!tar)
        return;
    (void)archive_read_free(tar->archive); // it was only read
    if (tar->utf8)
        freelocale(tar->utf8);
    g_clear_error(&tar->failure);
    g_free(tar->buffer);
    pg_tree_free(tar->tree);
    g_hash_table_unref(tar->others);
    g_free(tar);
}

/* ---- the stream ---- */

static la_ssize_t give(struct archive *archive, void *user, const void **ret_data)
{
    ImportTar *tar = user;
    size_t n;

    *ret_data = tar->buffer;
    if (cancel_check(tar->import->push.run->cancel, &tar->failure) &&
        inlet_read(tar->import->source->inlet, tar->buffer, READ_LEN, &n, &tar->failure)) {
        tar->given += n;
        tar->last = n > 0 ? n : tar->last;
        return (la_ssize_t)n;
    }
    archive_set_error(archive, EIO, "%s", tar->failure->message);
    return -1;
}

static bool fail(ImportTar *tar, GError **error)
{
    const char *why = archive_error_string(tar->archive);

    if (tar->failure)
        g_propagate_error(error, g_steal_pointer(&tar->failure));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: %s (before byte %" G_GINT64_FORMAT ")",
                    why ? why : "damaged", (gint64)archive_filter_bytes(tar->archive, 0));
    return false;
}

/* ---- entries ---- */

static Node *make_node(const ImportTar *tar, mode_t mode)
{
    struct archive_entry *entry = tar->entry;
    Node *node = node_new();

    node->mode = mode;
    node->mtime = tar->import->push.time;
    node->links = S_ISDIR(mode) ? 0 : 1;
    if (entry) {
        node->uid = (uint32_t)archive_entry_uid(entry);
        node->gid = (uint32_t)archive_entry_gid(entry);
        if (archive_entry_mtime_is_set(entry))
            node->mtime = (Timestamp){ .sec = archive_entry_mtime(entry),
                                       .nsec = (uint32_t)archive_entry_mtime_nsec(entry) };
        if (S_ISREG(mode))
            node->size = (uint64_t)archive_entry_size(entry);
        if (S_ISLNK(mode))
            node->linktarget = g_strdup(archive_entry_symlink(entry));
    }
    node->atime = node->ctime = node->mtime;
    return node;
}

static bool count_entry(ImportTar *tar, GError **error)
{
    if (++tar->entries <= tar->import->source->entries_max)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "tar: it holds more than %" G_GUINT64_FORMAT
                " entries; if that is right, allow more with --max-files",
                tar->import->source->entries_max);
    return false;
}

/* A directory of which nothing is known but that something lies in it. */
static bool make_dir(ImportTar *tar, const char *path, GError **error)
{
    struct archive_entry *entry = g_steal_pointer(&tar->entry);
    bool ok = pg_tree_begin_node(tar->tree, path, make_node(tar, S_IFDIR | 0700), true, 0, error);

    tar->entry = entry;
    return ok;
}

static bool make_parents(ImportTar *tar, const char *path, GError **error)
{
    for (const char *end = strchr(path, '/'); end; end = strchr(end + 1, '/')) {
        g_autofree char *parent = g_strndup(path, (size_t)(end - path));

        if (g_hash_table_contains(tar->others, parent))
            return import_name_refuse(path, "it lies in what is no directory", error);
        // one header may need a hundred of them
        if (!pg_tree_has(tar->tree, parent) &&
            !(count_entry(tar, error) && make_dir(tar, parent, error)))
            return false;
    }
    return true;
}

static bool type_is_good(struct archive_entry *entry, const char *path, GError **error)
{
    const char *target = archive_entry_symlink(entry);

    if (archive_entry_hardlink(entry))
        return import_name_refuse(path,
                                  "a hard link, which is not followed; make the archive with tar "
                                  "--hard-dereference",
                                  error);
    if (archive_entry_sparse_count(entry) > 0)
        return import_name_refuse(path, HOLES, error);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
    case AE_IFDIR:
        return true;
    case AE_IFLNK:
        return (target && *target && import_name_link_stays(path, target)) ||
               import_name_refuse(path, "a symbolic link that leads out of the archive", error);
    default:
        return import_name_refuse(path, "neither a file nor a directory nor a link", error);
    }
}

static bool has_end(ImportTar *tar, GError **error)
{
    if (archive_filter_bytes(tar->archive, 0) - tar->position >= END_LEN)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "tar: it ends early: after the last entry there is no end");
    return false;
}

/* *ret_path: to be freed; NULL: there are no more. */
static bool next_entry(ImportTar *tar, char **ret_path, GError **error)
{
    locale_t before = uselocale(tar->utf8 ? tar->utf8 : LC_GLOBAL_LOCALE);
    int status = archive_read_next_header(tar->archive, &tar->entry);
    const char *name = status == ARCHIVE_OK ? archive_entry_pathname(tar->entry) : NULL;
    g_autofree char *path = name ? import_name_clean(name) : NULL;

    uselocale(before);
    *ret_path = NULL;
    if (status == ARCHIVE_EOF)
        return has_end(tar, error);
    if (!path)
        return fail(tar, error);
    tar->left = (uint64_t)MAX(archive_entry_size(tar->entry), 0);
    tar->block_len = 0;
    if (!count_entry(tar, error))
        return false;
    if (!(S_ISDIR(archive_entry_filetype(tar->entry)) && !*path) &&
        !(import_name_is_good(path, error) && type_is_good(tar->entry, path, error)))
        return false;
    *ret_path = g_steal_pointer(&path);
    return true;
}

/* Of a file with holes libarchive would make zeros without end from a header alone, and it does not
 * count a hole that is all of the file; here what stands in the archive comes, or nothing. */
static bool next_block(ImportTar *tar, GError **error)
{
    uint64_t at = (uint64_t)archive_entry_size(tar->entry) - tar->left;
    const void *data;
    la_int64_t offset;
    int status = archive_read_data_block(tar->archive, &data, &tar->block_len, &offset);

    tar->block = data;
    if (status == ARCHIVE_EOF || (status == ARCHIVE_OK && (uint64_t)offset != at))
        return import_name_refuse(tar->path, HOLES, error);
    return status == ARCHIVE_OK || fail(tar, error);
}

static bool read_content(ImportTar *tar, void *buf, size_t len, size_t *ret_n, GError **error)
{
    len = MIN(len, tar->left);
    while (len > 0 && tar->block_len == 0)
        if (!next_block(tar, error))
            return false;
    *ret_n = MIN(len, tar->block_len);
    if (*ret_n == 0)
        return true;
    memcpy(buf, tar->block, *ret_n);
    tar->block += *ret_n;
    tar->block_len -= *ret_n;
    tar->left -= *ret_n;
    return true;
}

static bool skip_rest(ImportTar *tar, GError **error)
{
    if (archive_read_data_skip(tar->archive) != ARCHIVE_OK)
        return fail(tar, error);
    tar->position = archive_filter_bytes(tar->archive, 0);
    return true;
}

/* ---- content for others ---- */

typedef struct {
    Inlet base;
    ImportTar *tar;
} EntryInlet;

static bool entry_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    return read_content(((EntryInlet *)base)->tar, buf, len, ret_n, error);
}

static void entry_free(Inlet *base)
{
    g_free(base);
}

static const InletOps entry_ops = {
    .name = "entry",
    .read = entry_read,
    .free = entry_free,
};

Inlet *import_tar_inlet(ImportTar *tar)
{
    EntryInlet *inlet = g_new0(EntryInlet, 1);

    inlet->base.ops = &entry_ops;
    inlet->tar = tar;
    return &inlet->base;
}

bool import_tar_enter_top(ImportTar *tar, GError **error)
{
    return pg_tree_enter(tar->tree, "", error);
}

/* ---- into the tree ---- */

static bool copy_content(ImportTar *tar, uint8_t *buffer, GError **error)
{
    size_t n = 0;

    while (tar->left > 0)
        if (!read_content(tar, buffer, READ_LEN, &n, error) ||
            !pg_tree_write(tar->tree, buffer, n, error))
            return false;
    return true;
}

/* Rights beyond those of owner, group and others stay outside: a set-uid program of a stranger. */
bool import_tar_store(ImportTar *tar, const char *path, GError **error)
{
    mode_t type = archive_entry_filetype(tar->entry);
    mode_t mode = type | (archive_entry_perm(tar->entry) & 0777);
    g_autofree uint8_t *buffer = NULL;

    // what is shorter than in the archive may lead out from where it lies now
    if (S_ISLNK(type) && !import_name_link_stays(path, archive_entry_symlink(tar->entry)))
        return import_name_refuse(path, "a symbolic link that leads out of the archive", error);
    if (!make_parents(tar, path, error))
        return false;
    if (S_ISDIR(type) && pg_tree_has(tar->tree, path)) // made for what came before it
        return !g_hash_table_contains(tar->others, path) ||
               import_name_refuse(path, "it came twice", error);
    progress_current(tar->import->push.run->progress, path);
    if (!pg_tree_begin_node(tar->tree, path, make_node(tar, mode), S_ISDIR(type), 0, error))
        return false;
    if (S_ISDIR(type))
        return true;
    g_hash_table_add(tar->others, g_strdup(path));
    if (S_ISREG(type)) {
        buffer = g_malloc(READ_LEN);
        if (!copy_content(tar, buffer, error))
            return false;
    }
    return pg_tree_end(tar->tree, error);
}

/* ---- all of it ---- */

static bool only_zeros(const uint8_t *data, size_t n)
{
    return n == 0 || (*data == 0 && memcmp(data, data + 1, n - 1) == 0);
}

/* tar writes zeros up to the length of a record; libarchive stops before them. */
static bool only_zeros_follow(ImportTar *tar, GError **error)
{
    Inlet *inlet = tar->import->source->inlet;
    size_t n = 1;

    while (n > 0) {
        if (!inlet_read(inlet, tar->buffer, READ_LEN, &n, error))
            return false;
        if (!only_zeros(tar->buffer, n)) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: something comes after its end");
            return false;
        }
    }
    return true;
}

/* What was read with the last block lies behind where libarchive stopped. */
static bool rest_is_zeros(ImportTar *tar, GError **error)
{
    uint64_t stopped = (uint64_t)archive_filter_bytes(tar->archive, 0);
    size_t rest = (size_t)MIN(tar->given - stopped, tar->last);

    if (only_zeros(tar->buffer + tar->last - rest, rest))
        return only_zeros_follow(tar, error);
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "tar: something comes after its end");
    return false;
}

static bool open_archive(ImportTar *tar, GError **error)
{
    return (archive_read_support_format_tar(tar->archive) == ARCHIVE_OK &&
            archive_read_open(tar->archive, tar, NULL, give, NULL) == ARCHIVE_OK) ||
           fail(tar, error);
}

bool import_tar_run(ImportTar *tar, ImportTarTake take, void *user, GError **error)
{
    if (!open_archive(tar, error) || !make_dir(tar, "", error))
        return false;
    for (;;) {
        g_autofree char *path = NULL;

        if (!next_entry(tar, &path, error))
            return false;
        if (!path)
            return rest_is_zeros(tar, error);
        tar->path = path;
        if (*path && !take(tar, path, archive_entry_filetype(tar->entry), user, error))
            return false;
        if (!skip_rest(tar, error))
            return false;
    }
}

bool import_tar_end(ImportTar *tar, GError **error)
{
    return pg_tree_finish(tar->tree, error);
}
