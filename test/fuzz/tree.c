/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes are, decoding ends; what was decoded encodes, and decodes again to the same
 * text. */
#include "codec/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static GString *encoded(const Tree *tree)
{
    GString *out = g_string_new(NULL);

    tree_encode((Node *const *)tree->nodes->pdata, tree->nodes->len, out);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(Tree) tree = NULL;
    g_autoptr(Tree) again = NULL;
    g_autoptr(GString) text = NULL;
    g_autoptr(GString) text_again = NULL;

    if (!tree_decode((const char *)data, size, &tree, NULL))
        return 0;
    text = encoded(tree);
    g_assert_true(tree_decode(text->str, text->len, &again, NULL));
    text_again = encoded(again);
    g_assert_true(g_string_equal(text, text_again));
    return 0;
}
