/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/seal.h"
#include "base/error.h"
#include "base/id.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>

#define IV_LEN  16
#define MAC_LEN 16

// one getrandom(2) for so many blobs: four pages
#define IVS_AT_ONCE 1024
#define IVS_LEN     ((size_t)IVS_AT_ONCE * IV_LEN)

// libcrypto counts in int; a multiple of the block length
#define PIECE (1u << 30)

struct Sealer {
    EVP_CIPHER_CTX *stream; /* AES-256-CTR under encrypt */
    EVP_CIPHER_CTX *nonce;  /* AES-128-ECB under mac_k */
    EVP_MAC_CTX *mac;
    uint8_t mac_key[32];    /* r | s; s changes with every blob */
    uint8_t (*ivs)[IV_LEN]; /* random and not used yet, from next_iv on */
    size_t next_iv;
};

// what fails here is memory or libcrypto itself: going on would write bytes that nobody can open
static void must(int result)
{
    if (result != 1)
        g_error("libcrypto: sealing failed");
}

static EVP_CIPHER_CTX *cipher_new(const char *name, const uint8_t *key)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

    // CTR decrypts by encrypting: one context serves both ways
    must(EVP_EncryptInit_ex2(context, cipher, key, NULL, NULL));
    must(EVP_CIPHER_CTX_set_padding(context, 0));
    EVP_CIPHER_free(cipher);
    return context;
}

static EVP_MAC_CTX *mac_new(void)
{
    EVP_MAC *poly1305 = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(poly1305);

    must(context != NULL);
    EVP_MAC_free(poly1305);
    return context;
}

/* The kernel hands a forked child zeros instead of these pages, and zeros make it fetch its own:
 * parent and child never use the same IV. */
static void *ivs_new(void)
{
    void *pages = mmap(NULL, IVS_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        g_error("out of memory");
    // before Linux 4.14 there is no such flag, and nothing of ours seals across a fork anyway
    (void)madvise(pages, IVS_LEN, MADV_WIPEONFORK);
    return pages;
}

Sealer *sealer_new(const SealKey *key)
{
    Sealer *sealer = g_new0(Sealer, 1);

    sealer->stream = cipher_new("AES-256-CTR", key->encrypt);
    sealer->nonce = cipher_new("AES-128-ECB", key->mac_k);
    sealer->mac = mac_new();
    memcpy(sealer->mac_key, key->mac_r, sizeof key->mac_r);
    sealer->ivs = ivs_new();
    sealer->next_iv = IVS_AT_ONCE;
    return sealer;
}

void sealer_free(Sealer *sealer)
{
    if (!sealer)
        return;
    EVP_CIPHER_CTX_free(sealer->stream);
    EVP_CIPHER_CTX_free(sealer->nonce);
    EVP_MAC_CTX_free(sealer->mac);
    secret_wipe(sealer->mac_key, sizeof sealer->mac_key);
    (void)munmap(sealer->ivs, IVS_LEN);
    g_free(sealer);
}

static bool is_zero(const uint8_t iv[IV_LEN])
{
    static const uint8_t zero[IV_LEN];

    return memcmp(iv, zero, IV_LEN) == 0;
}

static const uint8_t *take_iv(Sealer *sealer)
{
    for (;;) {
        if (sealer->next_iv == IVS_AT_ONCE || is_zero(sealer->ivs[sealer->next_iv])) {
            random_bytes(sealer->ivs, IVS_LEN);
            sealer->next_iv = 0;
        }
        if (!is_zero(sealer->ivs[sealer->next_iv]))
            return sealer->ivs[sealer->next_iv++];
    }
}

static void encipher(Sealer *sealer, const uint8_t iv[IV_LEN], const uint8_t *in, size_t len,
                     uint8_t *out)
{
    must(EVP_EncryptInit_ex2(sealer->stream, NULL, NULL, iv, NULL));
    for (size_t at = 0; at < len; at += PIECE) {
        int n;

        must(EVP_EncryptUpdate(sealer->stream, out + at, &n, in + at, (int)MIN(len - at, PIECE)));
    }
}

static void authenticate(Sealer *sealer, const uint8_t iv[IV_LEN], const uint8_t *text, size_t len,
                         uint8_t ret_mac[MAC_LEN])
{
    int n;

    must(EVP_EncryptUpdate(sealer->nonce, sealer->mac_key + 16, &n, iv, IV_LEN));
    must(EVP_MAC_init(sealer->mac, sealer->mac_key, sizeof sealer->mac_key, NULL));
    must(EVP_MAC_update(sealer->mac, text, len));
    must(EVP_MAC_final(sealer->mac, ret_mac, NULL, MAC_LEN));
}

void seal_with_iv(Sealer *sealer, const uint8_t iv[16], const void *plain, size_t len, void *out)
{
    uint8_t *text = (uint8_t *)out + IV_LEN;

    memcpy(out, iv, IV_LEN);
    encipher(sealer, iv, plain, len, text);
    authenticate(sealer, iv, text, len, text + len);
}

void seal(Sealer *sealer, const void *plain, size_t len, void *out)
{
    seal_with_iv(sealer, take_iv(sealer), plain, len, out);
}

bool unseal(Sealer *sealer, const void *sealed, size_t len, void *out, GError **error)
{
    const uint8_t *iv = sealed;
    const uint8_t *text = iv + IV_LEN;
    uint8_t mac[MAC_LEN];

    if (len < SEAL_OVERHEAD) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%zu bytes are too few for sealed data: it has at least %d", len,
                    SEAL_OVERHEAD);
        return false;
    }
    if (is_zero(iv)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "sealed data begins with zeros");
        return false;
    }
    len -= SEAL_OVERHEAD;
    authenticate(sealer, iv, text, len, mac);
    if (CRYPTO_memcmp(mac, text + len, MAC_LEN) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "sealed data is damaged or was sealed by another key");
        return false;
    }
    encipher(sealer, iv, text, len, out);
    return true;
}

void seal_key_random(SealKey *ret_key)
{
    uint8_t bytes[SEAL_KEY_LEN];

    random_bytes(bytes, sizeof bytes);
    seal_key_from_bytes(bytes, ret_key);
    secret_wipe(bytes, sizeof bytes);
    seal_clamp(ret_key->mac_r);
}

void seal_key_from_bytes(const uint8_t bytes[SEAL_KEY_LEN], SealKey *ret_key)
{
    memcpy(ret_key->encrypt, bytes, 32);
    memcpy(ret_key->mac_k, bytes + 32, 16);
    memcpy(ret_key->mac_r, bytes + 48, 16);
}

void seal_clamp(uint8_t mac_r[16])
{
    for (int i = 3; i < 16; i += 4)
        mac_r[i] &= 0x0f;
    for (int i = 4; i < 16; i += 4)
        mac_r[i] &= 0xfc;
}
