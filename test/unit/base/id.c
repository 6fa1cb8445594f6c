/* SPDX-License-Identifier: Apache-2.0 */
#include "base/id.h"

/* FIPS 180-2, appendix B.1: SHA-256 of "abc" */
#define ABC_HEX "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static const Id abc = { { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                          0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                          0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad } };

static void hex_and_back(void)
{
    Id parsed;

    g_assert_cmpstr(id_hex(&abc).text, ==, ABC_HEX);
    g_assert_cmpstr(id_short(&abc).text, ==, "ba7816bf");
    g_assert_true(id_parse(ABC_HEX, &parsed));
    g_assert_true(id_equal(&parsed, &abc));
    g_assert_true(id_parse_len(ABC_HEX "/more", ID_HEX_LEN, &parsed));
}

static void only_64_lower_case_digits_are_an_id(void)
{
    static const char *const others[] = {
        "",
        "ba7816bf",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a ",
        " a7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f2001-tmp-1",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        Id id = abc;

        g_test_message("\"%s\"", others[i]);
        g_assert_false(id_parse(others[i], &id));
        g_assert_true(id_equal(&id, &abc)); // written only on success
    }
}

static void ids_order_as_their_text(void)
{
    Id larger = abc;

    larger.bytes[31]++;
    g_assert_cmpint(id_compare(&abc, &larger), <, 0);
    g_assert_cmpint(id_compare(&larger, &abc), >, 0);
    g_assert_cmpint(id_compare(&abc, &abc), ==, 0);
}

static void a_hash_table_finds_by_value(void)
{
    g_autoptr(GHashTable) table = g_hash_table_new(id_hash, id_equal_func);
    Id same = abc, other = abc;

    other.bytes[31] ^= 1;
    g_hash_table_add(table, (gpointer)&abc);
    g_assert_true(g_hash_table_contains(table, &same));
    g_assert_false(g_hash_table_contains(table, &other));
}

static void random_bytes_fill_everything_and_differ(void)
{
    uint8_t seen[300] = { 0 }, bytes[300], again[300];

    random_bytes(bytes, sizeof bytes);
    random_bytes(again, sizeof again);
    g_assert_cmpint(memcmp(bytes, again, sizeof bytes), !=, 0);
    // a byte that stays zero eight times was not written (chance 300 / 2^64)
    for (int round = 0; round < 8; round++) {
        random_bytes(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes; i++)
            seen[i] |= bytes[i];
    }
    for (size_t i = 0; i < sizeof seen; i++)
        g_assert_cmpint(seen[i], !=, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/id/hex", hex_and_back);
    g_test_add_func("/id/parse-strict", only_64_lower_case_digits_are_an_id);
    g_test_add_func("/id/compare", ids_order_as_their_text);
    g_test_add_func("/id/hash-table", a_hash_table_finds_by_value);
    g_test_add_func("/id/random", random_bytes_fill_everything_and_differ);
    return g_test_run();
}
