/* SPDX-License-Identifier: Apache-2.0 */
/* Key files: the master key sealed under a password (repository format, "Keys"). */
#pragma once
#include "base/clock.h"
#include "base/id.h"
#include "base/secret.h"
#include "codec/seal.h"
#include <glib.h>

#define KEYFILE_MAX (64u * 1024) /* bytes; restic's have 450 */

typedef struct {
    char *username, *hostname; /* informative, may be NULL */
    Timestamp created;
    uint64_t n;
    uint32_t r, p;
    uint8_t salt[64];
    GByteArray *data; /* sealed master key */
} KeyFile;

/* Cost of the key derivation. restic aims at half a second; tests use {16, 1, 1}. */
typedef struct {
    uint64_t n;
    uint32_t r, p;
} KeyCost;
extern const KeyCost key_cost_default; /* 32768, 8, 3 */

/* BS_ERROR_CORRUPT, BS_ERROR_UNSUPPORTED (kdf). text is the object as stored. */
KeyFile *keyfile_decode(const void *text, size_t len, GError **error);
void keyfile_free(KeyFile *keyfile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(KeyFile, keyfile_free)

/* BS_ERROR_PASSWORD when the password does not open it. */
bool keyfile_open(const KeyFile *keyfile, const Secret *password, SealKey *ret_master,
                  GError **error);

/* {"mac":{"k":"..","r":".."},"encrypt":".."}: the master key in clear, as `key export` writes it.
 * BS_ERROR_CORRUPT. */
bool keyfile_decode_master(const void *text, size_t len, SealKey *ret_master, GError **error);

/* The bytes of a new key file for this master key; repo_add_key() stores and proves one. username,
 * hostname may be NULL. */
GBytes *keyfile_encode(const SealKey *master, const Secret *password, KeyCost cost,
                       const char *username, const char *hostname, GError **error);
