/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/strays.h"

#include "base/error.h"
#include "repo/pack.h"
#include <stdlib.h>

typedef struct {
    Id id;
    BlobType type;
    BlobPlace place;
} Stray;

struct Strays {
    Repo *repo;
    const Cancel *cancel;
    BlobOpener *opener;
    GArray *files;   /* of FileInfo, sorted */
    uint8_t *listed; /* for each file: the index knows it */
    GArray *blobs;   /* of Stray, sorted */
};

static bool must_come_first(const Id *pack, const char *why, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "nothing changed: %s %s; run `backstay repair index` first",
                file_key(FILE_PACK, pack).text, why);
    return false;
}

static int compare_file(const void *id, const void *file)
{
    return id_compare(id, &((const FileInfo *)file)->id);
}

static bool fits(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    Strays *strays = user;
    const FileInfo *files = (const FileInfo *)(void *)strays->files->data;
    const FileInfo *file =
        files ? bsearch(pack, files, strays->files->len, sizeof *files, compare_file) : NULL;

    if (!file)
        return must_come_first(pack, "is in the index but does not exist", error);
    if (file->size != pack_size(blobs, n))
        return must_come_first(pack, "has another size than the index says", error);
    strays->listed[file - files] = 1;
    return cancel_check(strays->cancel, error);
}

/* A header that is damaged tells nothing, and nobody else knows what was there. */
static bool read_pack(Strays *strays, const FileInfo *file, GError **error)
{
    g_autoptr(GArray) header = NULL;
    g_autoptr(GError) problem = NULL;

    if (!pack_read_header(strays->repo, &file->id, file->size, &header, &problem)) {
        if (g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT))
            return cancel_check(strays->cancel, error);
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    for (guint i = 0; i < header->len; i++) {
        const PackBlob *blob = &g_array_index(header, PackBlob, i);
        Stray stray = { blob->id,
                        blob->type,
                        { file->id, blob->offset, blob->length, blob->plain_len } };

        g_array_append_val(strays->blobs, stray);
    }
    return cancel_check(strays->cancel, error);
}

static int compare_blob(const void *a, const void *b)
{
    const Stray *left = a, *right = b;
    int order = id_compare(&left->id, &right->id);

    return order != 0 ? order : (int)left->type - (int)right->type;
}

static bool load(Strays *strays, GError **error)
{
    if (!repo_load_index_whole(strays->repo, strays->cancel, error) ||
        !repo_list(strays->repo, FILE_PACK, &strays->files, NULL, error))
        return false;
    strays->listed = g_malloc0(MAX(strays->files->len, 1));
    if (!index_each_pack(repo_index(strays->repo), fits, strays, error))
        return false;
    for (guint i = 0; i < strays->files->len; i++)
        if (!strays->listed[i] &&
            !read_pack(strays, &g_array_index(strays->files, FileInfo, i), error))
            return false;
    g_array_sort(strays->blobs, compare_blob);
    return true;
}

bool strays_load(Repo *repo, const Cancel *cancel, Strays **ret_strays, GError **error)
{
    g_autoptr(Strays) strays = g_new0(Strays, 1);

    strays->repo = repo;
    strays->cancel = cancel;
    strays->opener = blob_opener_new(repo);
    strays->blobs = g_array_new(FALSE, FALSE, sizeof(Stray));
    if (!load(strays, error))
        return false;
    *ret_strays = g_steal_pointer(&strays);
    return true;
}

void strays_free(Strays *strays)
{
    if (!strays)
        return;
    g_clear_pointer(&strays->opener, blob_opener_free);
    g_clear_pointer(&strays->files, g_array_unref);
    g_clear_pointer(&strays->blobs, g_array_unref);
    g_free(strays->listed);
    g_free(strays);
}

bool strays_lack(Strays *strays, BlobType type, const Id *id, GError **error)
{
    Stray wanted = { .id = *id, .type = type };
    guint i = 0, end = strays->blobs->len;

    while (i < end) { // the first one that is not before it
        guint middle = i + (end - i) / 2;

        if (compare_blob(&g_array_index(strays->blobs, Stray, middle), &wanted) < 0)
            i = middle + 1;
        else
            end = middle;
    }
    for (; i < strays->blobs->len; i++) {
        const Stray *stray = &g_array_index(strays->blobs, Stray, i);
        g_autoptr(GBytes) plain = NULL;
        g_autoptr(GError) problem = NULL;

        if (compare_blob(stray, &wanted) != 0)
            break;
        if (blob_load_at(strays->repo, strays->opener, id, &stray->place, &plain, &problem))
            return must_come_first(&stray->place.pack, "is in no index, and needed", error);
        if (!g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT)) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
    }
    return true;
}
