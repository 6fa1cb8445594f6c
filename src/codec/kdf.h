/* SPDX-License-Identifier: Apache-2.0 */
/* Key derivation: scrypt for passwords (repository format, "Keys"), HKDF-SHA256 for what we derive
 * from the master key under a fixed label. Pure. */
#pragma once
#include "codec/seal.h"

/* False with BS_ERROR_UNSUPPORTED when n is no power of two above 1, r or p is 0, the memory
 * 128*n*r exceeds 1 GiB or the work 128*n*r*p 16 GiB (about a minute): parameters come from a key
 * file that nobody has verified. */
bool kdf_scrypt(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                uint64_t n, uint32_t r, uint32_t p, SealKey *ret_key, GError **error);

/* RFC 5869 with an empty salt: out_len bytes of okm from secret under label. */
void kdf_hkdf(const void *secret, size_t secret_len, const char *label, void *out, size_t out_len);
