/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing: AES-256-CTR and Poly1305-AES as in the repository format, "Cryptography".
 * sealed = IV (16) | ciphertext | MAC (16). A SealKey is immutable and shared; a Sealer holds the
 * OpenSSL contexts of one key for one thread, so that a blob costs no set-up.
 */
#pragma once
#include "base/secret.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define SEAL_OVERHEAD 32
#define SEAL_KEY_LEN  64 /* E 32 | k 16 | r 16 */

typedef struct {
    uint8_t encrypt[32];
    uint8_t mac_k[16];
    uint8_t mac_r[16];
} SealKey;

typedef struct Sealer Sealer;
Sealer *sealer_new(const SealKey *key); /* copies the key */
void sealer_free(Sealer *sealer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sealer, sealer_free)

/* Random IV, also after a fork. out has room for len + SEAL_OVERHEAD and does not overlap plain. */
void seal(Sealer *sealer, const void *plain, size_t len, void *out);
/* For test vectors only. */
void seal_with_iv(Sealer *sealer, const uint8_t iv[16], const void *plain, size_t len, void *out);

/* out has room for len - SEAL_OVERHEAD; may be the same as sealed + 16. BS_ERROR_CORRUPT when
 * shorter than 32 bytes, when the IV is all zero, or when the MAC is wrong; then nothing is written
 * to out. */
bool unseal(Sealer *sealer, const void *sealed, size_t len, void *out, GError **error);

void seal_key_random(SealKey *ret_key); /* with r clamped, as restic writes it */
void seal_key_from_bytes(const uint8_t bytes[SEAL_KEY_LEN], SealKey *ret_key); /* r as it is */

/* Clears the bits of r that Poly1305 does not use: stored keys hold r with or without them, so
 * clamp both before comparing or deriving. */
void seal_clamp(uint8_t mac_r[16]);
