/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "codec/tree.h"
#include "repo/blob.h"
#include "repo/checking.h"
#include "repo/snapshot.h"
#include <string.h>

/* A stack of trees to look at; each tree is looked at once. */
typedef struct {
    Checking *checking;
    BlobOpener *opener;
    GHashTable *seen, *missing; /* of Id */
    GArray *todo;               /* of Id */
} TreeCheck;

static void push_tree(TreeCheck *check, const Id *id)
{
    if (g_hash_table_contains(check->seen, id))
        return;
    g_hash_table_add(check->seen, g_memdup2(id, sizeof *id));
    g_array_append_vals(check->todo, id, 1);
}

/* Each missing blob once, however many files want it. */
static void report_missing(TreeCheck *check, BlobType type, const Id *id)
{
    if (g_hash_table_contains(check->missing, id))
        return;
    g_hash_table_add(check->missing, g_memdup2(id, sizeof *id));
    checking_bad_blob(check->checking, type, id);
    checking_report(check->checking, true, "blob-missing", id_hex(id).text,
                    "%s blob is needed but in no index", blob_type_name(type));
}

static void report_unreadable(TreeCheck *check, const Id *id, const GError *problem)
{
    // what the packs were found to lack, or to hold damaged, was named already
    bool known = checking_is_bad(check->checking, BLOB_TREE, id);

    checking_bad_blob(check->checking, BLOB_TREE, id);
    if (!known)
        checking_report(check->checking, true, checking_blob_code(blob_open_fault(check->opener)),
                        id_hex(id).text, "tree: %s", problem->message);
}

static void check_nodes(TreeCheck *check, const Tree *tree)
{
    const Index *index = repo_index(check->checking->repo);
    BlobPlace place;

    for (guint i = 0; i < tree->nodes->len; i++) {
        const Node *node = g_ptr_array_index(tree->nodes, i);

        if (S_ISDIR(node->mode))
            push_tree(check, &node->subtree);
        for (guint k = 0; S_ISREG(node->mode) && node->content && k < node->content->len; k++) {
            const Id *id = &g_array_index(node->content, Id, k);

            if (!index_find(index, BLOB_DATA, id, &place))
                report_missing(check, BLOB_DATA, id);
        }
    }
}

static void check_tree(TreeCheck *check, const Id *id)
{
    g_autoptr(GError) problem = NULL;
    g_autoptr(GBytes) text = NULL;
    g_autoptr(Tree) tree = NULL;
    BlobPlace place;
    const char *data;
    gsize len;

    if (!index_find(repo_index(check->checking->repo), BLOB_TREE, id, &place)) {
        report_missing(check, BLOB_TREE, id);
        return;
    }
    if (!blob_load(check->checking->repo, check->opener, BLOB_TREE, id, &text, &problem)) {
        if (!checking_unread(check->checking, problem))
            report_unreadable(check, id, problem);
        return;
    }
    data = g_bytes_get_data(text, &len);
    if (!tree_decode(data, len, &tree, &problem)) {
        checking_bad_blob(check->checking, BLOB_TREE, id);
        checking_report(check->checking, true, "tree-invalid", id_hex(id).text, "%s",
                        problem->message);
        return;
    }
    check_nodes(check, tree);
}

bool check_trees(Checking *checking, const GPtrArray *snapshots, GError **error)
{
    g_autoptr(BlobOpener) opener = blob_opener_new(checking->repo);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    g_autoptr(GHashTable) missing = g_hash_table_new_full(id_hash, id_equal_func, g_free, NULL);
    g_autoptr(GArray) todo = g_array_new(FALSE, FALSE, sizeof(Id));
    TreeCheck check = { checking, opener, seen, missing, todo };

    for (guint i = 0; i < snapshots->len; i++)
        push_tree(&check, &((const Snapshot *)g_ptr_array_index(snapshots, i))->tree);
    while (todo->len > 0) {
        Id id = g_array_index(todo, Id, todo->len - 1);

        g_array_set_size(todo, todo->len - 1);
        if (!checking_goes_on(checking, error))
            return false;
        check_tree(&check, &id);
    }
    return checking_goes_on(checking, error);
}
