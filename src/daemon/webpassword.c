/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webpassword.h"

#include "base/error.h"
#include "base/id.h"
#include "base/secret.h"
#include "codec/scrypt.h"
#include "daemon/webtoken.h"
#include <openssl/crypto.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define SALT_LEN   16u
#define HASH_LEN   32u
#define AT_ONCE    2
#define FORMAT     "$scrypt$ln=%u,r=%u,p=%u$"
#define MEMORY_MAX (256ull * 1024 * 1024)

/* OWASP, "Password Storage Cheat Sheet": N=2^15, r=8, p=3 is one of those it takes as equal; the
 * one with the least memory that is still above 16 MiB a lane. 0.09 s on two cores here. */
#define LOG_N 15u
#define R     8u
#define P     3u

static atomic_int busy;

bool password_check(const char *name, const char *password, GError **error)
{
    size_t len = strlen(password);
    const char *problem = NULL;

    if (len < PASSWORD_MIN)
        problem = "is shorter than 12 bytes";
    else if (len > PASSWORD_MAX)
        problem = "is longer than 256 bytes";
    else if (g_ascii_strcasecmp(name, password) == 0)
        problem = "is the name";
    else if (strspn(password, (const char[]){ password[0], '\0' }) == len)
        problem = "is one letter over and over";
    if (problem)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "/password: %s", problem);
    return problem == NULL;
}

static bool derive(const char *password, const uint8_t *salt, size_t salt_len,
                   const ScryptCost *cost, uint8_t out[HASH_LEN], GError **error)
{
    bool done = false;

    if (atomic_fetch_add(&busy, 1) >= AT_ONCE) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "too many log in at once; try again");
    } else {
        done = scrypt_derive(password, strlen(password), salt, salt_len, cost, out, HASH_LEN);
        if (!done)
            g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                        "there is no memory to compare a password; try again");
    }
    atomic_fetch_sub(&busy, 1);
    return done;
}

bool password_hash(const char *password, char **ret_hash, GError **error)
{
    uint8_t salt[SALT_LEN], hash[HASH_LEN];
    g_autofree char *salt_text = NULL, *hash_text = NULL;

    random_bytes(salt, sizeof salt);
    if (!derive(password, salt, sizeof salt, &(ScryptCost){ 1u << LOG_N, R, P }, hash, error))
        return false;
    salt_text = token_text(salt, sizeof salt);
    hash_text = token_text(hash, sizeof hash);
    *ret_hash = g_strdup_printf(FORMAT "%s$%s", LOG_N, R, P, salt_text, hash_text);
    secret_wipe(hash, sizeof hash);
    return true;
}

typedef struct {
    ScryptCost cost;
    uint8_t salt[SALT_LEN], hash[HASH_LEN];
} Stored;

static bool parse(const char *text, Stored *ret_stored)
{
    unsigned log_n, r, p;
    int at = 0;
    g_auto(GStrv) parts = NULL;

    if (sscanf(text, FORMAT "%n", &log_n, &r, &p, &at) != 3 || at == 0 || log_n < 1 || log_n > 24 ||
        r < 1 || r > 64 || p < 1 || p > 16 || (128ull * r << log_n) > MEMORY_MAX)
        return false;
    parts = g_strsplit(text + at, "$", 3);
    ret_stored->cost = (ScryptCost){ 1ull << log_n, r, p };
    return g_strv_length(parts) == 2 && token_bytes(parts[0], ret_stored->salt, SALT_LEN) &&
           token_bytes(parts[1], ret_stored->hash, HASH_LEN);
}

bool password_verify(const char *password, const char *stored_text, bool *ret_fits, GError **error)
{
    Stored stored = { .cost = { 1u << LOG_N, R, P } };
    uint8_t hash[HASH_LEN];

    if (stored_text && !parse(stored_text, &stored)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "a stored password is none of ours");
        return false;
    }
    if (strlen(password) > PASSWORD_MAX)
        stored_text = NULL; // nobody has such a one
    if (!derive(strlen(password) > PASSWORD_MAX ? "" : password, stored.salt, SALT_LEN,
                &stored.cost, hash, error))
        return false;
    *ret_fits = CRYPTO_memcmp(hash, stored.hash, HASH_LEN) == 0 && stored_text != NULL;
    secret_wipe(hash, sizeof hash);
    return true;
}
