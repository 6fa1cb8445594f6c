/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/walk.h"
#include "base/error.h"
#include "lib/fixture.h"
#include "repo/packer.h"
#include <string.h>

#define LEN 1000u /* bytes of a blob */

/* A file of n such blobs that says that it is so long. */
static Node *file_of(Packer *packer, const char *name, unsigned n, uint64_t size)
{
    Node *node = node_new();
    uint8_t bytes[LEN];

    node->name = g_strdup(name);
    node->mode = S_IFREG | 0600;
    node->size = size;
    node->content = g_array_new(FALSE, FALSE, sizeof(Id));
    for (unsigned i = 0; i < n; i++) {
        Id id;

        memset(bytes, (int)i, sizeof bytes);
        g_assert_true(packer_store(packer, BLOB_DATA, bytes, sizeof bytes, &id, NULL));
        g_array_append_val(node->content, id);
    }
    return node;
}

static Id tree_with(Repo *repo)
{
    g_autoptr(Packer) packer = packer_new(repo, &(PackerOptions){ .workers = 1 }, NULL);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    Node *nodes[] = {
        file_of(packer, "long", 3, LEN),
        file_of(packer, "right", 3, 3 * LEN),
        file_of(packer, "short", 3, 4 * LEN),
    };
    Id tree;

    tree_encode(nodes, G_N_ELEMENTS(nodes), text);
    g_assert_true(packer_store(packer, BLOB_TREE, text->str, text->len, &tree, NULL));
    packer_finish(packer, &error);
    g_assert_no_error(error);
    for (size_t i = 0; i < G_N_ELEMENTS(nodes); i++)
        node_free(nodes[i]);
    return tree;
}

static void a_file_is_read_whole_or_refused(void)
{
    static const struct {
        const char *path;
        size_t bound;
        int code; /* 0: it is read */
    } cases[] = {
        { "/right", 3 * LEN, 0 },
        { "right", 1 << 20, 0 },
        { "/right", 3 * LEN - 1, BS_ERROR_CORRUPT },
        { "/long", 1 << 20, BS_ERROR_CORRUPT },
        { "/short", 1 << 20, BS_ERROR_CORRUPT },
        { "/", 1 << 20, BS_ERROR_CORRUPT },
        { "/none", 1 << 20, BS_ERROR_NOT_FOUND },
    };
    g_autoptr(Store) store = memory_store_new();
    g_autoptr(Repo) repo = quick_repo(store);
    Id tree;

    g_assert_true(repo_load_index(repo, NULL, NULL));
    tree = tree_with(repo);
    g_assert_true(repo_load_index(repo, NULL, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) content = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s, %zu", cases[i].path, cases[i].bound);
        if (cases[i].code) {
            g_assert_false(walk_read(repo, &tree, cases[i].path, cases[i].bound, &content, &error));
            g_assert_error(error, BS_ERROR, cases[i].code);
            continue;
        }
        walk_read(repo, &tree, cases[i].path, cases[i].bound, &content, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(g_bytes_get_size(content), ==, 3 * LEN);
        for (unsigned k = 0; k < 3 * LEN; k++)
            g_assert_cmpuint(((const uint8_t *)g_bytes_get_data(content, NULL))[k], ==, k / LEN);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walk/read", a_file_is_read_whole_or_refused);
    return g_test_run();
}
