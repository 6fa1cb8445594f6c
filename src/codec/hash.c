/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/hash.h"
#include <openssl/evp.h>
#include <pthread.h>

struct Hash {
    EVP_MD_CTX *context;
};

// fetched once: every EVP_sha256() costs a look-up in the provider's tables
static EVP_MD *sha256, *md5;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    if (!sha256 || !md5)
        g_error("libcrypto has no SHA-256 or no MD5");
}

static void fetch_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, fetch);
}

static const EVP_MD *algorithm(void)
{
    fetch_once();
    return sha256;
}

// a hash that cannot be computed must end the process, never become a wrong id
static void must(int result)
{
    if (result != 1)
        g_error("libcrypto: a hash failed");
}

void hash_bytes(const void *data, size_t len, Id *ret_id)
{
    must(EVP_Digest(data, len, ret_id->bytes, NULL, algorithm(), NULL));
}

void hash_md5(const void *data, size_t len, uint8_t ret_md5[MD5_LEN])
{
    fetch_once();
    must(EVP_Digest(data, len, ret_md5, NULL, md5, NULL));
}

Hash *hash_new(void)
{
    Hash *hash = g_new0(Hash, 1);

    hash->context = EVP_MD_CTX_new();
    must(EVP_DigestInit_ex2(hash->context, algorithm(), NULL));
    return hash;
}

void hash_free(Hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    g_free(hash);
}

void hash_update(Hash *hash, const void *data, size_t len)
{
    must(EVP_DigestUpdate(hash->context, data, len));
}

void hash_final(Hash *hash, Id *ret_id)
{
    must(EVP_DigestFinal_ex(hash->context, ret_id->bytes, NULL));
    must(EVP_DigestInit_ex2(hash->context, NULL, NULL));
}
