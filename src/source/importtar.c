/* SPDX-License-Identifier: Apache-2.0 */
#include "source/importtar.h"

#include "base/error.h"
#include "source/importname.h"
#include "source/importtarread.h"
#include "source/pgtree.h"
#include <string.h>

#define READ_LEN (1u << 18)

struct ImportTar {
    Import *import;
    ImportTarReader *reader;
    PgTree *tree;
    GHashTable *others;          /* paths of what is no directory */
    struct archive_entry *entry; /* at hand; borrowed of reader */
};

ImportTar *import_tar_new(Import *import)
{
    ImportTar *tar = g_new0(ImportTar, 1);
    ImportSource *source = import->source;

    tar->import = import;
    tar->reader =
        import_tar_reader_new(source->inlet, source->entries_max, import->push.run->cancel);
    tar->tree = pg_tree_new(import->push.sink, import->push.top);
    tar->others = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return tar;
}

void import_tar_free(ImportTar *tar)
{
    if (!tar)
        return;
    import_tar_reader_free(tar->reader);
    pg_tree_free(tar->tree);
    g_hash_table_unref(tar->others);
    g_free(tar);
}

/* ---- content for others ---- */

typedef struct {
    Inlet base;
    ImportTarReader *reader;
} EntryInlet;

static bool entry_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    return import_tar_reader_read(((EntryInlet *)base)->reader, buf, len, ret_n, error);
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
    inlet->reader = tar->reader;
    return &inlet->base;
}

bool import_tar_enter_top(ImportTar *tar, GError **error)
{
    return pg_tree_enter(tar->tree, "", error);
}

/* ---- into the tree ---- */

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
            !(import_tar_reader_count(tar->reader, error) && make_dir(tar, parent, error)))
            return false;
    }
    return true;
}

static bool copy_content(ImportTar *tar, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(READ_LEN);
    size_t n = 1;

    while (n > 0)
        if (!import_tar_reader_read(tar->reader, buffer, READ_LEN, &n, error) ||
            (n > 0 && !pg_tree_write(tar->tree, buffer, n, error)))
            return false;
    return true;
}

/* Rights beyond those of owner, group and others stay outside: a set-uid program of a stranger. */
bool import_tar_store(ImportTar *tar, const char *path, GError **error)
{
    mode_t type = archive_entry_filetype(tar->entry);
    mode_t mode = type | (archive_entry_perm(tar->entry) & 0777);

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
    if (S_ISREG(type) && !copy_content(tar, error))
        return false;
    return pg_tree_end(tar->tree, error);
}

bool import_tar_run(ImportTar *tar, ImportTarTake take, void *user, GError **error)
{
    const char *path;

    if (!make_dir(tar, "", error))
        return false;
    do {
        if (!import_tar_reader_next(tar->reader, &path, &tar->entry, error))
            return false;
        if (path && *path && !take(tar, path, archive_entry_filetype(tar->entry), user, error))
            return false;
    } while (path);
    return true;
}

bool import_tar_end(ImportTar *tar, GError **error)
{
    return pg_tree_finish(tar->tree, error);
}
