/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a key file: they lie unencrypted in the repository, so anybody may have written
 * them. Nothing is derived here; that the cost has a bound is for codec/kdf to see to. */
#include "repo/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(KeyFile) keyfile = keyfile_decode(data, len, NULL);

    if (keyfile)
        g_assert_cmpuint(keyfile->data->len, <=, len);
    return 0;
}
