/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (OpenSSL). Pure; a Hash belongs to one thread at a time. */
#pragma once
#include "base/id.h"
#include <stddef.h>

void hash_bytes(const void *data, size_t len, Id *ret_id);

typedef struct Hash Hash;
Hash *hash_new(void);
void hash_free(Hash *hash);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Hash, hash_free)
void hash_update(Hash *hash, const void *data, size_t len);
/* Ends and starts again from nothing. */
void hash_final(Hash *hash, Id *ret_id);
