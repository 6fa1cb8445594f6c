/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes are, decoding ends; what was decoded encodes, and decodes again to the same
 * text. */
#include "repo/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autoptr(Snapshot) again = NULL;
    g_autofree char *text = NULL;
    g_autofree char *text_again = NULL;
    size_t len = 0;

    if (!snapshot_decode((const char *)data, size, &snapshot, NULL))
        return 0;
    text = snapshot_encode(snapshot, &len);
    g_assert_true(snapshot_decode(text, len, &again, NULL));
    text_again = snapshot_encode(again, &len);
    g_assert_cmpstr(text, ==, text_again);
    return 0;
}
