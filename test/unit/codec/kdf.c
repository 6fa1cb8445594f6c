/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/kdf.h"
#include "base/error.h"
#include "lib/vectors.h"
#include <string.h>

static void scrypt_gives_the_keys_of_the_vectors(void)
{
    json_t *vectors = vectors_load();
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(vectors, "scrypt")), >=, 3);
    json_array_foreach(json_object_get(vectors, "scrypt"), i, test)
    {
        const char *password = vector_text(test, "password_text");
        g_autoptr(GByteArray) salt = vector_bytes(test, "salt");
        g_autoptr(GByteArray) want = vector_bytes(test, "output64");
        g_autoptr(GError) error = NULL;
        SealKey key;

        g_assert_true(kdf_scrypt(password, strlen(password), salt->data, salt->len,
                                 (uint64_t)vector_int(test, "N"), (uint32_t)vector_int(test, "r"),
                                 (uint32_t)vector_int(test, "p"), &key, &error));
        g_assert_no_error(error);
        g_assert_cmpmem(key.encrypt, 32, want->data, 32);
        g_assert_cmpmem(key.mac_k, 16, want->data + 32, 16);
        g_assert_cmpmem(key.mac_r, 16, want->data + 48, 16);
    }
    json_decref(vectors);
}

/* RFC 7914, section 12: scrypt("", "", 16, 1, 1, 64) */
static void empty_password_and_salt_are_legal(void)
{
    g_autoptr(GByteArray) want =
        bytes_from_hex("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"
                       "fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906");
    SealKey key;

    g_assert_true(kdf_scrypt(NULL, 0, (const uint8_t *)"", 0, 16, 1, 1, &key, NULL));
    g_assert_cmpmem(&key, sizeof key, want->data, want->len);
}

static void parameters_out_of_bounds_are_refused_at_once(void)
{
    static const struct {
        const char *label;
        uint64_t n;
        uint32_t r;
        uint32_t p;
    } cases[] = {
        { "N of zero", 0, 8, 1 },
        { "N of one", 1, 8, 1 },
        { "N that is no power of two", 24, 8, 1 },
        { "r of zero", 16, 0, 1 },
        { "p of zero", 16, 8, 0 },
        { "2 GiB of memory", 1 << 21, 8, 1 },
        { "a product that wraps around", 1ull << 60, 8, 1 },
        { "N and r that wrap around together", 1ull << 32, 1u << 31, 1 },
        { "hours of work", 1 << 20, 8, 1000000 },
        { "the most of everything", 1ull << 63, UINT32_MAX, UINT32_MAX },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        SealKey key;

        g_test_message("%s", cases[i].label);
        g_assert_false(kdf_scrypt("x", 1, (const uint8_t *)"salt", 4, cases[i].n, cases[i].r,
                                  cases[i].p, &key, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    }
}

/* RFC 5869, appendix A.3: SHA-256, no salt, no info */
static void hkdf_agrees_with_rfc_5869(void)
{
    g_autoptr(GByteArray) want =
        bytes_from_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e"
                       "5f3c738d2d9d201395faa4b61a96c8");
    uint8_t secret[22];
    uint8_t out[42];

    memset(secret, 0x0b, sizeof secret);
    kdf_hkdf(secret, sizeof secret, "", out, sizeof out);
    g_assert_cmpmem(out, sizeof out, want->data, want->len);
}

static void labels_separate(void)
{
    uint8_t a[32];
    uint8_t b[32];

    kdf_hkdf("secret", 6, "one", a, sizeof a);
    kdf_hkdf("secret", 6, "two", b, sizeof b);
    g_assert_cmpint(memcmp(a, b, sizeof a), !=, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/kdf/scrypt", scrypt_gives_the_keys_of_the_vectors);
    g_test_add_func("/kdf/scrypt-empty", empty_password_and_salt_are_legal);
    g_test_add_func("/kdf/scrypt-bounds", parameters_out_of_bounds_are_refused_at_once);
    g_test_add_func("/kdf/hkdf", hkdf_agrees_with_rfc_5869);
    g_test_add_func("/kdf/labels", labels_separate);
    return g_test_run();
}
