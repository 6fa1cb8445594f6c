/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/kdf.h"
#include "base/error.h"
#include "codec/scrypt.h"
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#define SCRYPT_MEMORY_MAX (1024ull * 1024 * 1024)
#define SCRYPT_WORK_MAX   (16 * SCRYPT_MEMORY_MAX)

/* RFC 7914: N r blocks of 128 bytes are kept, and p times written and read. */
static bool scrypt_reasonable(uint64_t n, uint32_t r, uint32_t p)
{
    if (n < 2 || (n & (n - 1)) != 0 || r == 0 || p == 0)
        return false;
    if (n > SCRYPT_MEMORY_MAX / 128 / r)
        return false;
    return p <= SCRYPT_WORK_MAX / (128 * n * r);
}

bool kdf_scrypt(const void *password, size_t password_len, const uint8_t *salt, size_t salt_len,
                uint64_t n, uint32_t r, uint32_t p, SealKey *ret_key, GError **error)
{
    uint8_t derived[SEAL_KEY_LEN];
    bool done;

    if (!scrypt_reasonable(n, r, p)) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "scrypt parameters N=%" G_GUINT64_FORMAT " r=%u p=%u are outside our bounds", n,
                    r, p);
        return false;
    }
    done = scrypt_derive(password, password_len, salt, salt_len, &(ScryptCost){ n, r, p }, derived,
                         sizeof derived);
    if (done)
        seal_key_from_bytes(derived, ret_key);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "scrypt with N=%" G_GUINT64_FORMAT
                    " r=%u p=%u failed; it needs %" G_GUINT64_FORMAT " MiB of memory",
                    n, r, p, 128 * n * r >> 20);
    secret_wipe(derived, sizeof derived);
    return done;
}

void kdf_hkdf(const void *secret, size_t secret_len, const char *label, void *out, size_t out_len)
{
    EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(hkdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)label, strlen(label)),
        OSSL_PARAM_construct_end(),
    };

    if (!context || EVP_KDF_derive(context, out, out_len, params) != 1)
        g_error("libcrypto: HKDF failed");
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(hkdf);
}
