/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes are, decoding ends; what was decoded encodes, and decodes again to what
 * encodes alike from then on. */
#include "codec/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GString *encoded(const Tree *tree)
{
    GString *out = g_string_new(NULL);

    tree_encode((Node *const *)tree->nodes->pdata, tree->nodes->len, out);
    return out;
}

/* The text of the tree that a text holds. */
static GString *again(const GString *text)
{
    g_autoptr(Tree) tree = NULL;

    g_assert_true(tree_decode(text->str, text->len, &tree, NULL));
    return encoded(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(Tree) tree = NULL;
    g_autoptr(GString) first = NULL;
    g_autoptr(GString) second = NULL;
    g_autoptr(GString) third = NULL;

    if (!tree_decode((const char *)data, size, &tree, NULL))
        return 0;
    first = encoded(tree);
    second = again(first);
    // a byte that is no UTF-8 is written as the escape \ufffd, as restic does; that escape is a
    // character, which is written as it is
    third = again(second);
    g_assert_true(g_string_equal(second, third));
    return 0;
}
