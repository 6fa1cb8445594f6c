/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/keyfile.h"

#include "base/error.h"
#include "codec/kdf.h"
#include "lib/vectors.h"

#define QUICK ((KeyCost){ .n = 16, .r = 1, .p = 1 })

typedef struct {
    json_t *vectors;
    const char *text; /* of the key file */
    Secret *password;
    SealKey master;
} Place;

static void copy_part(const json_t *crypto, const char *field, uint8_t *part, size_t len)
{
    g_autoptr(GByteArray) bytes = vector_bytes(crypto, field);

    g_assert_cmpuint(bytes->len, ==, len);
    memcpy(part, bytes->data, len);
}

static void place_set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    const json_t *crypto, *vector;
    const char *password;

    place->vectors = vectors_load();
    crypto = json_object_get(place->vectors, "crypto");
    vector = json_object_get(place->vectors, "key_file");
    place->text = vector_text(vector, "file_text");
    password = vector_text(vector, "password_text");
    place->password = secret_new(password, strlen(password));
    copy_part(crypto, "encrypt_key", place->master.encrypt, 32);
    copy_part(crypto, "mac_k", place->master.mac_k, 16);
    copy_part(crypto, "mac_r", place->master.mac_r, 16);
}

static void place_tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    secret_free(place->password);
    json_decref(place->vectors);
}

static void assert_opens(GBytes *bytes, const Secret *password, const SealKey *want)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyFile) keyfile =
        keyfile_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &error);
    SealKey master;

    g_assert_no_error(error);
    keyfile_open(keyfile, password, &master, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(&master, sizeof master, want, sizeof *want);
}

static void opens_the_vector(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(place->text, strlen(place->text));
    g_autoptr(KeyFile) keyfile = keyfile_decode(place->text, strlen(place->text), NULL);

    g_assert_cmpstr(keyfile->username, ==, "fixture");
    g_assert_cmpstr(keyfile->hostname, ==, "fixture-host");
    g_assert_cmpint(keyfile->created.sec, ==, 1767261600); // 2026-01-01T10:00:00Z
    g_assert_cmpuint(keyfile->n, ==, 1024);
    g_assert_cmpuint(keyfile->r, ==, 8);
    g_assert_cmpuint(keyfile->p, ==, 1);
    assert_opens(bytes, place->password, &place->master);
}

static void refuses_another_password(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(KeyFile) keyfile = keyfile_decode(place->text, strlen(place->text), NULL);
    g_autoptr(Secret) wrong = secret_new("backstay-fixtures", 17);
    g_autoptr(GError) error = NULL;
    SealKey master;

    g_assert_false(keyfile_open(keyfile, wrong, &master, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_PASSWORD);
}

/* Bytes are bytes: nothing is trimmed, and neither zeros nor bad UTF-8 end a password. */
static void any_bytes_are_a_password(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *bytes;
        size_t len;
    } passwords[] = { { "", 0 }, { " x\n", 3 }, { "a\0b", 3 }, { "\xff\xfe", 2 } };

    for (size_t i = 0; i < G_N_ELEMENTS(passwords); i++) {
        g_autoptr(Secret) password = secret_new(passwords[i].bytes, passwords[i].len);
        g_autoptr(Secret) shorter = secret_new(passwords[i].bytes, MIN(passwords[i].len, 1));
        g_autoptr(GBytes) bytes = keyfile_encode(&place->master, password, QUICK, NULL, NULL, NULL);
        g_autoptr(KeyFile) keyfile =
            keyfile_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL);
        SealKey master;

        assert_opens(bytes, password, &place->master);
        if (passwords[i].len > 1)
            g_assert_false(keyfile_open(keyfile, shorter, &master, NULL));
    }
}

/* The fields of the vector, in its order, with its form of strings and numbers. */
static void writes_the_form_of_the_vector(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GBytes) bytes =
        keyfile_encode(&place->master, place->password, (KeyCost){ .n = 1024, .r = 8, .p = 1 },
                       "fixture", "fixture-host", NULL);
    g_autofree char *ours = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autoptr(GRegex) changing = g_regex_new("(\"(?:created|salt|data)\":\")[^\"]*", 0, 0, NULL);
    g_autofree char *form = g_regex_replace(changing, ours, -1, 0, "\\1", 0, NULL);
    g_autofree char *want = g_regex_replace(changing, place->text, -1, 0, "\\1", 0, NULL);

    g_assert_cmpstr(form, ==, want);
}

static void no_two_key_files_are_alike(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GBytes) one = keyfile_encode(&place->master, place->password, QUICK, "u", "h", NULL);
    g_autoptr(GBytes) two = keyfile_encode(&place->master, place->password, QUICK, "u", "h", NULL);
    g_autoptr(KeyFile) a = keyfile_decode(g_bytes_get_data(one, NULL), g_bytes_get_size(one), NULL);
    g_autoptr(KeyFile) b = keyfile_decode(g_bytes_get_data(two, NULL), g_bytes_get_size(two), NULL);

    g_assert_cmpint(memcmp(a->salt, b->salt, sizeof a->salt), !=, 0);
}

static void default_cost_is_no_less_than_recommended(void)
{
    g_assert_cmpuint(key_cost_default.n, ==, 32768);
    g_assert_cmpuint(key_cost_default.r, ==, 8);
    g_assert_cmpuint(key_cost_default.p, ==, 3);
}

/* The vector with one thing changed. */
static void refuses_damaged_fields(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const struct {
        const char *label, *from, *to;
        int code; /* 0: still good */
    } cases[] = {
        { "another kdf", "\"scrypt\"", "\"argon2\"", BS_ERROR_UNSUPPORTED },
        { "no kdf", "\"kdf\"", "\"xdf\"", BS_ERROR_CORRUPT },
        { "negative N", "\"N\":1024", "\"N\":-1024", BS_ERROR_CORRUPT },
        { "N with a fraction", "\"N\":1024", "\"N\":1024.5", BS_ERROR_CORRUPT },
        { "N beyond all numbers", "\"N\":1024", "\"N\":99999999999999999999", BS_ERROR_CORRUPT },
        { "small n", "\"N\"", "\"n\"", BS_ERROR_CORRUPT },
        { "r beyond 32 bits", "\"r\":8", "\"r\":4294967297", BS_ERROR_CORRUPT },
        { "p of zero", "\"p\":1", "\"p\":0", BS_ERROR_CORRUPT },
        { "salt with one byte less", "\"gIGC", "\"gIG=", BS_ERROR_CORRUPT },
        { "salt with a space", "\"gIGC", "\"gI C", BS_ERROR_CORRUPT },
        { "salt cut", "\"gIGCg4SF", "\"", BS_ERROR_CORRUPT },
        { "salt too long", "\"gIGC", "\"gIGCgIGC", BS_ERROR_CORRUPT },
        { "no data", "\"data\"", "\"date\"", BS_ERROR_CORRUPT },
        { "data as a number", "\"data\":\"", "\"data\":1,\"x\":\"", BS_ERROR_CORRUPT },
        { "an open brace", "}", "", BS_ERROR_CORRUPT },
        { "no user", "\"username\":\"fixture\",", "", 0 },
        { "a user that is a number", "\"fixture\"", "7", 0 },
        { "a time that is none", "2026-01-01T", "sometime", 0 },
        { "an unknown field", "{", "{\"new\":{\"a\":[null]},", 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) parts = g_strsplit(place->text, cases[i].from, 2);
        g_autofree char *text = g_strjoinv(cases[i].to, parts);
        g_autoptr(GError) error = NULL;
        g_autoptr(KeyFile) keyfile = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_cmpuint(g_strv_length(parts), ==, 2);
        keyfile = keyfile_decode(text, strlen(text), &error);
        if (cases[i].code == 0)
            g_assert_no_error(error);
        else
            g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_cmpint(keyfile != NULL, ==, cases[i].code == 0);
    }
}

static void refuses_costs_without_bound(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const KeyCost costs[] = {
        { 1000, 8, 1 },
        { 1, 8, 1 },
        { (uint64_t)1 << 40, 8, 1 },
        { 32768, 1u << 30, 1 },
        { 1u << 20, 8, 1u << 30 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(costs); i++) {
        g_autoptr(KeyFile) keyfile = keyfile_decode(place->text, strlen(place->text), NULL);
        g_autoptr(GError) error = NULL;
        SealKey master;

        keyfile->n = costs[i].n;
        keyfile->r = costs[i].r;
        keyfile->p = costs[i].p;
        g_assert_false(keyfile_open(keyfile, place->password, &master, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
        g_clear_error(&error);
        g_assert_null(keyfile_encode(&place->master, place->password, costs[i], "", "", &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    }
}

/* Sealed under the right password, but no master key. */
static void refuses_what_is_no_master_key(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const texts[] = {
        "",
        "{}",
        "[]",
        "{\"mac\":{\"k\":\"ICEiIyQlJicoKSorLC0uLw==\"}}",
        "{\"mac\":{\"k\":\"ICEiIyQlJicoKSorLC0uLw==\",\"r\":\"MDEyMzQ1Njc4OTo7PD0+Pw==\"},"
        "\"encrypt\":\"AAEC\"}",
        "{\"mac\":[],\"encrypt\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"}",
    };
    g_autoptr(KeyFile) keyfile = keyfile_decode(place->text, strlen(place->text), NULL);
    g_autoptr(Sealer) sealer = NULL;
    SealKey user;

    g_assert_true(kdf_scrypt(secret_data(place->password), secret_len(place->password),
                             keyfile->salt, sizeof keyfile->salt, keyfile->n, keyfile->r,
                             keyfile->p, &user, NULL));
    sealer = sealer_new(&user);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        SealKey master;

        g_byte_array_set_size(keyfile->data, strlen(texts[i]) + SEAL_OVERHEAD);
        seal(sealer, texts[i], strlen(texts[i]), keyfile->data->data);
        g_assert_false(keyfile_open(keyfile, place->password, &master, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

#define ADD(fact)                                                                                  \
    g_test_add("/repo/keyfile/" #fact, Place, NULL, place_set_up, fact, place_tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(opens_the_vector);
    ADD(refuses_another_password);
    ADD(any_bytes_are_a_password);
    ADD(writes_the_form_of_the_vector);
    ADD(no_two_key_files_are_alike);
    g_test_add_func("/repo/keyfile/default_cost_is_no_less_than_recommended",
                    default_cost_is_no_less_than_recommended);
    ADD(refuses_damaged_fields);
    ADD(refuses_costs_without_bound);
    ADD(refuses_what_is_no_master_key);
    return g_test_run();
}
