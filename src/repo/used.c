/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/used.h"

#include "base/error.h"
#include "codec/tree.h"
#include "repo/blob.h"

struct UsedBlobs {
    Repo *repo;
    const Index *index;
    BlobOpener *opener;
    uint64_t *bits;
    size_t count;
};

UsedBlobs *used_blobs_new(Repo *repo)
{
    UsedBlobs *used = g_new0(UsedBlobs, 1);

    used->repo = repo;
    used->index = repo_index(repo);
    used->opener = blob_opener_new(repo);
    used->bits = g_new0(uint64_t, index_n_ids(used->index) / 64 + 1);
    return used;
}

void used_blobs_free(UsedBlobs *used)
{
    if (!used)
        return;
    blob_opener_free(used->opener);
    g_free(used->bits);
    g_free(used);
}

static bool take_number(UsedBlobs *used, size_t number)
{
    uint64_t bit = (uint64_t)1 << (number % 64);
    bool fresh = !(used->bits[number / 64] & bit);

    used->bits[number / 64] |= bit;
    used->count += fresh;
    return fresh;
}

bool used_blobs_take(UsedBlobs *used, BlobType type, const Id *id)
{
    size_t number = index_number(used->index, type, id);

    return number != SIZE_MAX && take_number(used, number);
}

bool used_blobs_has(const UsedBlobs *used, BlobType type, const Id *id)
{
    size_t number = index_number(used->index, type, id);

    return number != SIZE_MAX && (used->bits[number / 64] >> (number % 64) & 1);
}

size_t used_blobs_count(const UsedBlobs *used)
{
    return used->count;
}

static bool need(UsedBlobs *used, BlobType type, const Id *id, bool *ret_fresh, GError **error)
{
    size_t number = index_number(used->index, type, id);

    if (number == SIZE_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s blob %s is needed but in no index; run `backstay check`",
                    blob_type_name(type), id_hex(id).text);
        return false;
    }
    *ret_fresh = take_number(used, number);
    return true;
}

/* Marks what a tree names; subtrees not seen before go on the list. */
static bool add_nodes(UsedBlobs *used, const Tree *tree, GArray *todo, GError **error)
{
    bool fresh;

    for (guint i = 0; i < tree->nodes->len; i++) {
        const Node *node = g_ptr_array_index(tree->nodes, i);

        if (S_ISDIR(node->mode)) {
            if (!need(used, BLOB_TREE, &node->subtree, &fresh, error))
                return false;
            if (fresh)
                g_array_append_val(todo, node->subtree);
        }
        for (guint k = 0; S_ISREG(node->mode) && node->content && k < node->content->len; k++)
            if (!need(used, BLOB_DATA, &g_array_index(node->content, Id, k), &fresh, error))
                return false;
    }
    return true;
}

static bool add_tree(UsedBlobs *used, const Id *id, GArray *todo, GError **error)
{
    g_autoptr(GBytes) text = NULL;
    g_autoptr(Tree) tree = NULL;
    const char *data;
    gsize len;

    if (!blob_load(used->repo, used->opener, BLOB_TREE, id, &text, error))
        return false;
    data = g_bytes_get_data(text, &len);
    if (!tree_decode(data, len, &tree, error) || !add_nodes(used, tree, todo, error)) {
        g_prefix_error(error, "tree %s: ", id_short(id).text);
        return false;
    }
    return true;
}

bool used_blobs_add(UsedBlobs *used, const Id *tree, const Cancel *cancel, GError **error)
{
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(Id));
    bool fresh;

    if (!need(used, BLOB_TREE, tree, &fresh, error))
        return false;
    if (fresh)
        g_array_append_vals(todo, tree, 1);
    while (todo->len > 0) {
        Id id = g_array_index(todo, Id, todo->len - 1);

        g_array_set_size(todo, todo->len - 1);
        if (!cancel_check(cancel, error) || !add_tree(used, &id, todo, error))
            return false;
    }
    return true;
}
