/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/scrypt.h"
#include <glib.h>
#include <openssl/evp.h>
#include <string.h>

/* RFC 7914, section 12; the fourth of its vectors needs 1 GiB */
static void agrees_with_rfc_7914(void)
{
    static const struct {
        const char *password, *salt;
        ScryptCost cost;
        uint8_t want[16]; /* the first of 64 */
    } cases[] = {
        { "",
          "",
          { 16, 1, 1 },
          "\x77\xd6\x57\x62\x38\x65\x7b\x20\x3b\x19\xca\x42\xc1\x8a\x04\x97" },
        { "password",
          "NaCl",
          { 1024, 8, 16 },
          "\xfd\xba\xbe\x1c\x9d\x34\x72\x00\x78\x56\xe7\x19\x0d\x01\xe9\xfe" },
        { "pleaseletmein",
          "SodiumChloride",
          { 16384, 8, 1 },
          "\x70\x23\xbd\xcb\x3a\xfd\x73\x48\x46\x1c\x06\xcd\x81\xfd\x38\xeb" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint8_t out[64];

        g_assert_true(scrypt_derive(cases[i].password, strlen(cases[i].password),
                                    (const uint8_t *)cases[i].salt, strlen(cases[i].salt),
                                    &cases[i].cost, out, sizeof out));
        g_assert_cmpmem(out, 16, cases[i].want, 16);
    }
}

static void agrees_with_openssl(void)
{
    static const ScryptCost costs[] = { { 2, 1, 1 },     { 2, 3, 5 },   { 4, 1, 40 },
                                        { 64, 7, 2 },    { 128, 2, 3 }, { 1024, 8, 4 },
                                        { 4096, 16, 1 }, { 4096, 8, 5 } };

    for (size_t i = 0; i < G_N_ELEMENTS(costs); i++) {
        uint8_t salt[64], out[67], want[67];

        memset(salt, (int)(17 * i + 1), sizeof salt);
        g_test_message("N=%u r=%u p=%u", (unsigned)costs[i].n, costs[i].r, costs[i].p);
        g_assert_cmpint(EVP_PBE_scrypt("pass", 4, salt, sizeof salt, costs[i].n, costs[i].r,
                                       costs[i].p, 0, want, sizeof want),
                        ==, 1);
        g_assert_true(scrypt_derive("pass", 4, salt, sizeof salt, &costs[i], out, sizeof out));
        g_assert_cmpmem(out, sizeof out, want, sizeof want);
    }
}

static void says_that_memory_is_missing(void)
{
    static const ScryptCost cost = { 1ull << 31, 1u << 20, 1 }; // 256 TiB
    uint8_t out[64];

    g_assert_false(scrypt_derive("x", 1, (const uint8_t *)"salt", 4, &cost, out, sizeof out));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/scrypt/rfc-7914", agrees_with_rfc_7914);
    g_test_add_func("/scrypt/openssl", agrees_with_openssl);
    g_test_add_func("/scrypt/memory", says_that_memory_is_missing);
    return g_test_run();
}
