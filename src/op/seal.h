/* SPDX-License-Identifier: Apache-2.0 */
/* Whom archives are encrypted to, as an option or the configuration names it. */
#pragma once
#include "flow/openpgp.h"

typedef struct {
    OpenpgpTo to; /* borrows what follows */
    GBytes *keys;
    Secret *passphrase;
} Seal;

/* keys: path of a file with public keys, or NULL; recipients: fingerprints in it, borrowed; NULL:
 * all. passphrase is taken over; NULL: none. BS_ERROR_USAGE: both, or neither. */
bool seal_load(const char *keys, char *const *recipients, Secret *passphrase, Seal *ret_seal,
               GError **error);
void seal_clear(Seal *seal);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Seal, seal_clear)
