/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the JSON of an index object. What is accepted can be written, and reads back the
 * same. */
#include "repo/index.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool write_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    (void)error;
    index_text_add(user, pack, blobs, n);
    return true;
}

/* The canonical form of a text, NULL when it is none. */
static IndexText *rewrite(const char *json, size_t len)
{
    IndexText *text = index_text_new();

    if (index_text_parse(json, len, write_pack, text, NULL))
        return text;
    index_text_free(text);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    IndexText *first = rewrite((const char *)data, len);
    IndexText *second;
    const char *first_json, *second_json;
    size_t first_len, second_len;

    if (!first)
        return 0;
    first_json = index_text_finish(first, &first_len);
    second = rewrite(first_json, first_len);
    if (!second)
        abort();
    second_json = index_text_finish(second, &second_len);
    if (first_len != second_len || memcmp(first_json, second_json, first_len) != 0)
        abort();
    index_text_free(first);
    index_text_free(second);
    return 0;
}
