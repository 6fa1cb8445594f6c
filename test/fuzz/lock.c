/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes are, decoding ends; what was decoded encodes, and decodes again to the same
 * text. */
#include "repo/locktext.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    LockText lock, again;
    g_autofree char *text = NULL;
    g_autofree char *text_again = NULL;

    if (!locktext_decode((const char *)data, len, &lock, NULL))
        return 0;
    text = locktext_encode(&lock);
    g_assert_true(locktext_decode(text, strlen(text), &again, NULL));
    text_again = locktext_encode(&again);
    g_assert_cmpstr(text, ==, text_again);
    locktext_done(&lock);
    locktext_done(&again);
    return 0;
}
