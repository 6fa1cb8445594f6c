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

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hash/whole", whole_text_has_its_published_hash);
    g_test_add_func("/hash/pieces", pieces_hash_like_the_whole_and_final_starts_again);
    return g_test_run();
}
