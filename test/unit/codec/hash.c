/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/hash.h"

/* FIPS 180-4 example messages; the last one is from the repository format, "Vectors and fixtures"
 */
static const struct {
    const char *text;
    const char *hex;
} cases[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { "hello, backup\n", "1f2b793e194e5810c322e8245ac6b0e2fcea7ee7e640dee7125b84ee2e28585b" },
};

static void whole_text_has_its_published_hash(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Id id;

        hash_bytes(cases[i].text, strlen(cases[i].text), &id);
        g_assert_cmpstr(id_hex(&id).text, ==, cases[i].hex);
    }
}

static void pieces_hash_like_the_whole_and_final_starts_again(void)
{
    g_autoptr(Hash) hash = hash_new();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Id id;

        for (const char *p = cases[i].text; *p; p++)
            hash_update(hash, p, 1);
        hash_final(hash, &id);
        g_assert_cmpstr(id_hex(&id).text, ==, cases[i].hex);
    }
}

/* RFC 1321, A.5 */
static void md5_has_its_published_values(void)
{
    static const struct {
        const char *text, *hex;
    } vectors[] = {
        { "", "d41d8cd98f00b204e9800998ecf8427e" },
        { "abc", "900150983cd24fb0d6963f7d28e17f72" },
        { "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
          "57edf4a22be3c955ac49da2e2107b67a" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
        uint8_t md5[MD5_LEN];
        g_autoptr(GString) hex = g_string_new(NULL);

        hash_md5(vectors[i].text, strlen(vectors[i].text), md5);
        for (size_t n = 0; n < MD5_LEN; n++)
            g_string_append_printf(hex, "%02x", md5[n]);
        g_assert_cmpstr(hex->str, ==, vectors[i].hex);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hash/whole", whole_text_has_its_published_hash);
    g_test_add_func("/hash/pieces", pieces_hash_like_the_whole_and_final_starts_again);
    g_test_add_func("/hash/md5", md5_has_its_published_values);
    return g_test_run();
}
