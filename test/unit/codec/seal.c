/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/seal.h"
#include "base/error.h"
#include "lib/vectors.h"
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static json_t *crypto;
static SealKey key;

static void key_load(void)
{
    g_autoptr(GByteArray) encrypt = vector_bytes(crypto, "encrypt_key");
    g_autoptr(GByteArray) mac_k = vector_bytes(crypto, "mac_k");
    g_autoptr(GByteArray) mac_r = vector_bytes(crypto, "mac_r");

    memcpy(key.encrypt, encrypt->data, sizeof key.encrypt);
    memcpy(key.mac_k, mac_k->data, sizeof key.mac_k);
    memcpy(key.mac_r, mac_r->data, sizeof key.mac_r);
}

static void vectors_seal_and_unseal(void)
{
    g_autoptr(Sealer) sealer = sealer_new(&key);
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(crypto, "cases")), >=, 6);
    json_array_foreach(json_object_get(crypto, "cases"), i, test)
    {
        g_autoptr(GByteArray) iv = vector_bytes(test, "iv");
        g_autoptr(GByteArray) plain = vector_bytes(test, "plaintext");
        g_autoptr(GByteArray) want = vector_bytes(test, "sealed");
        g_autofree guint8 *sealed = g_malloc(plain->len + SEAL_OVERHEAD);
        g_autofree guint8 *opened = g_malloc(plain->len + 1);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", vector_text(test, "name"));
        seal_with_iv(sealer, iv->data, plain->data, plain->len, sealed);
        g_assert_cmpmem(sealed, plain->len + SEAL_OVERHEAD, want->data, want->len);
        g_assert_true(unseal(sealer, sealed, want->len, opened, &error));
        g_assert_no_error(error);
        g_assert_cmpmem(opened, plain->len, plain->data, plain->len);
    }
}

static void what_must_fail_fails_and_leaves_the_output_alone(void)
{
    g_autoptr(Sealer) sealer = sealer_new(&key);
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(crypto, "must_fail")), >=, 3);
    json_array_foreach(json_object_get(crypto, "must_fail"), i, test)
    {
        g_autoptr(GByteArray) sealed = vector_bytes(test, "sealed");
        g_autoptr(GError) error = NULL;
        char out[64] = "untouched";

        g_test_message("%s", vector_text(test, "why"));
        g_assert_false(unseal(sealer, sealed->data, sealed->len, out, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_cmpstr(out, ==, "untouched");
    }
}

static void every_flipped_bit_is_noticed(void)
{
    g_autoptr(Sealer) sealer = sealer_new(&key);
    const char plain[] = "four score and seven years ago our fathers";
    uint8_t sealed[sizeof plain + SEAL_OVERHEAD];
    char opened[sizeof plain];

    seal(sealer, plain, sizeof plain, sealed);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        g_assert_false(unseal(sealer, sealed, sizeof sealed, opened, NULL));
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    g_assert_true(unseal(sealer, sealed, sizeof sealed, opened, NULL));
    g_assert_cmpstr(opened, ==, plain);
    g_assert_false(unseal(sealer, sealed, sizeof sealed - 1, opened, NULL));
}

static void another_key_does_not_open(void)
{
    g_autoptr(Sealer) sealer = sealer_new(&key);
    uint8_t sealed[5 + SEAL_OVERHEAD];
    uint8_t opened[5];

    seal(sealer, "plain", 5, sealed);
    for (size_t i = 0; i < 3; i++) {
        SealKey other = key;
        g_autoptr(Sealer) stranger = NULL;

        (i == 0 ? other.encrypt : i == 1 ? other.mac_k : other.mac_r)[0] ^= 1;
        stranger = sealer_new(&other);
        // the MAC does not cover the encryption key: there the plain text is what differs
        g_assert_cmpint(unseal(stranger, sealed, sizeof sealed, opened, NULL), ==, i == 0);
        g_assert_cmpint(memcmp(opened, "plain", 5), !=, 0);
    }
}

static void any_length_opens_also_in_place(void)
{
    static const size_t lengths[] = { 0, 1, 15, 16, 17, 16383, 16384, 16385, 100000, 1 << 20 };
    g_autoptr(Sealer) sealer = sealer_new(&key);

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        size_t len = lengths[i];
        g_autofree guint8 *plain = g_malloc(len + 1);
        g_autofree guint8 *sealed = g_malloc(len + SEAL_OVERHEAD);

        for (size_t at = 0; at < len; at++)
            plain[at] = (guint8)(at * 7 + at / 251);
        seal(sealer, plain, len, sealed);
        g_assert_true(unseal(sealer, sealed, len + SEAL_OVERHEAD, sealed + 16, NULL));
        g_assert_cmpmem(sealed + 16, len, plain, len);
    }
}

static void no_iv_comes_twice(void)
{
    g_autoptr(Sealer) sealer = sealer_new(&key);
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);

    for (unsigned i = 0; i < 100000; i++) {
        uint8_t sealed[SEAL_OVERHEAD];

        seal(sealer, NULL, 0, sealed);
        g_assert_true(g_hash_table_add(seen, g_bytes_new(sealed, 16)));
    }
}

static void a_forked_child_has_ivs_of_its_own(void)
{
    g_autoptr(Sealer) sealer = sealer_new(&key);
    uint8_t ours[SEAL_OVERHEAD];
    uint8_t theirs[SEAL_OVERHEAD];
    int ends[2];
    int status;
    pid_t child;

    seal(sealer, NULL, 0, ours);
    g_assert_cmpint(pipe(ends), ==, 0);
    child = fork();
    g_assert_cmpint(child, >=, 0);
    if (child == 0) {
        seal(sealer, NULL, 0, theirs);
        _exit(write(ends[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    seal(sealer, NULL, 0, ours);
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_cmpint(status, ==, 0);
    g_assert_cmpint(read(ends[0], theirs, sizeof theirs), ==, sizeof theirs);
    g_assert_cmpint(memcmp(ours, theirs, 16), !=, 0);
    g_assert_true(unseal(sealer, theirs, sizeof theirs, NULL, NULL));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void clamping_clears_what_poly1305_ignores(void)
{
    g_autoptr(GByteArray) want = vector_bytes(crypto, "mac_r_clamped");
    SealKey clamped = key;
    g_autoptr(Sealer) plain_sealer = sealer_new(&key);
    g_autoptr(Sealer) clamped_sealer = NULL;
    uint8_t sealed[3 + SEAL_OVERHEAD];
    uint8_t opened[3];

    seal_clamp(clamped.mac_r);
    g_assert_cmpmem(clamped.mac_r, 16, want->data, want->len);
    clamped_sealer = sealer_new(&clamped);
    seal(plain_sealer, "abc", 3, sealed);
    g_assert_true(unseal(clamped_sealer, sealed, sizeof sealed, opened, NULL));
}

static void random_keys_differ_and_are_clamped(void)
{
    SealKey a;
    SealKey b;
    uint8_t r[16];

    seal_key_random(&a);
    seal_key_random(&b);
    g_assert_cmpint(memcmp(&a, &b, sizeof a), !=, 0);
    memcpy(r, a.mac_r, sizeof r);
    seal_clamp(r);
    g_assert_cmpmem(r, sizeof r, a.mac_r, sizeof a.mac_r);
}

int main(int argc, char **argv)
{
    json_t *vectors = NULL;
    int failed;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    crypto = json_object_get(vectors, "crypto");
    key_load();
    g_test_add_func("/seal/vectors", vectors_seal_and_unseal);
    g_test_add_func("/seal/must-fail", what_must_fail_fails_and_leaves_the_output_alone);
    g_test_add_func("/seal/flipped-bits", every_flipped_bit_is_noticed);
    g_test_add_func("/seal/another-key", another_key_does_not_open);
    g_test_add_func("/seal/lengths", any_length_opens_also_in_place);
    g_test_add_func("/seal/iv", no_iv_comes_twice);
    g_test_add_func("/seal/fork", a_forked_child_has_ivs_of_its_own);
    g_test_add_func("/seal/clamp", clamping_clears_what_poly1305_ignores);
    g_test_add_func("/seal/random-key", random_keys_differ_and_are_clamped);
    failed = g_test_run();
    json_decref(vectors);
    return failed;
}
