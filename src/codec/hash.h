/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, and MD5 (OpenSSL). Pure; a Hash belongs to one thread at a time. */
#pragma once
#include "base/id.h"
#include <stddef.h>

void hash_bytes(const void *data, size_t len, Id *ret_id);

/* MD5, for services that compare it (RFC 1864); it proves nothing against people. */
#define MD5_LEN 16
void hash_md5(const void *data, size_t len, uint8_t ret_md5[MD5_LEN]);

typedef struct Hash Hash;
Hash *hash_new(void);
void hash_free(Hash *hash);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Hash, hash_free)
void hash_update(Hash *hash, const void *data, size_t len);
/* Ends and starts again from nothing. */
void hash_final(Hash *hash, Id *ret_id);
