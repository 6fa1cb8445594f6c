/* SPDX-License-Identifier: Apache-2.0 */
#include "op/parentfile.h"
#include "base/error.h"
#include "repo/pack.h"
#include "repo/walk.h"

bool parent_file_load(void *user, const char *path, size_t bound, GBytes **ret_content,
                      GError **error)
{
    const ParentFiles *parent = user;
    g_autoptr(BlobOpener) opener = blob_opener_new(parent->repo);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autoptr(Node) node = NULL;
    Id ignored;

    if (!walk_find(parent->repo, &parent->snapshot->tree, path, &node, &ignored, error))
        return false;
    if (!node || !S_ISREG(node->mode) || node->size > bound) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: no file, or too large", path);
        return false;
    }
    for (guint i = 0; i < node->content->len; i++) {
        g_autoptr(GBytes) blob = NULL;

        if (!blob_load(parent->repo, opener, BLOB_DATA, &g_array_index(node->content, Id, i), &blob,
                       error))
            return false;
        g_byte_array_append(bytes, g_bytes_get_data(blob, NULL), (guint)g_bytes_get_size(blob));
    }
    *ret_content = g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
    return true;
}
