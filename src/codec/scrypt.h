/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scrypt (RFC 7914), its p lanes in parallel: they do not depend on each other, but OpenSSL runs
 * them one after the other. Every start of a program that opens a repository waits for this.
 * Pure; starts threads and waits for them.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t n; /* a power of two above 1, at most 2^31 */
    uint32_t r, p;
} ScryptCost;

/* As many lanes at once as there are processors and as fit into 256 MiB, at least one. False: there
 * is no memory for one (128 n r bytes). */
bool scrypt_derive(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                   const ScryptCost *cost, uint8_t *out, size_t out_len);
