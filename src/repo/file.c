/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/file.h"

#include <string.h>

static const struct {
    const char *name, *dir;
} types[] = {
    [FILE_KEY] = { "key", "keys/" },      [FILE_SNAPSHOT] = { "snapshot", "snapshots/" },
    [FILE_INDEX] = { "index", "index/" }, [FILE_LOCK] = { "lock", "locks/" },
    [FILE_PACK] = { "pack", "data/" },
};

const char *file_type_name(FileType type)
{
    return types[type].name;
}

const char *file_dir(FileType type)
{
    return types[type].dir;
}

const char *blob_type_name(BlobType type)
{
    return type == BLOB_TREE ? "tree" : "data";
}

FileKey file_key(FileType type, const Id *id)
{
    IdText hex = id_hex(id);
    FileKey key;

    if (type == FILE_PACK)
        (void)g_snprintf(key.text, sizeof key.text, "data/%.2s/%s", hex.text, hex.text);
    else
        (void)g_snprintf(key.text, sizeof key.text, "%s%s", types[type].dir, hex.text);
    return key;
}

bool file_parse_key(FileType type, const char *key, Id *ret_id)
{
    const char *slash = strrchr(key, '/');
    Id id;

    if (!slash || !id_parse(slash + 1, &id) || strcmp(file_key(type, &id).text, key) != 0)
        return false;
    *ret_id = id;
    return true;
}

/* ---- listing ---- */

typedef struct {
    FileType type;
    GArray *files;
    unsigned foreign;
} FileList;

static bool note_file(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    FileList *list = user;
    FileInfo info = { .size = object->size, .modified_at = object->modified_at };

    if (file_parse_key(list->type, object->key, &info.id))
        g_array_append_val(list->files, info);
    else
        list->foreign++;
    return true;
}

static gint compare_infos(gconstpointer a, gconstpointer b)
{
    return id_compare(&((const FileInfo *)a)->id, &((const FileInfo *)b)->id);
}

bool file_list(Store *store, FileType type, GArray **ret_files, unsigned *ret_foreign,
               GError **error)
{
    g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(FileInfo));
    FileList list = { .type = type, .files = files };

    if (!store_list(store, file_dir(type), note_file, &list, error))
        return false;
    g_array_sort(files, compare_infos);
    *ret_files = g_steal_pointer(&files);
    if (ret_foreign)
        *ret_foreign = list.foreign;
    return true;
}
