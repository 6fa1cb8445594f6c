/* SPDX-License-Identifier: Apache-2.0 */
#include "op/seal.h"

#include "base/error.h"
#include "base/fs.h"

bool seal_load(const char *keys, char *const *recipients, Secret *passphrase, Seal *ret_seal,
               GError **error)
{
    g_auto(Seal) seal = { .passphrase = passphrase };

    if (!keys == !passphrase) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "an archive is encrypted to keys, or with a passphrase, one of the two");
        return false;
    }
    if (recipients && !keys) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "recipients are chosen from a file with keys, and there is none");
        return false;
    }
    if (keys && !fs_read_file(keys, OPENPGP_KEYS_MAX, &seal.keys, error)) {
        g_prefix_error(error, "keys: ");
        return false;
    }
    seal.to = (OpenpgpTo){ seal.keys, recipients, seal.passphrase };
    *ret_seal = seal;
    seal = (Seal){ 0 };
    return true;
}

void seal_clear(Seal *seal)
{
    g_clear_pointer(&seal->keys, g_bytes_unref);
    secret_free(seal->passphrase);
    *seal = (Seal){ 0 };
}
