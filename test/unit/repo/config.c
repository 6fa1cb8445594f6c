/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/config.h"

#include "base/error.h"
#include "lib/vectors.h"

#define ID "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

static void writes_what_it_reads(void)
{
    json_t *vectors = vectors_load();
    const char *text = vector_text(json_object_get(vectors, "config"), "plaintext_text");
    g_autofree char *again = NULL;
    g_autoptr(GError) error = NULL;
    RepoConfig config;

    config_decode(text, strlen(text), &config, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(config.version, ==, 2);
    g_assert_cmpstr(id_hex(&config.id).text, ==, ID);
    g_assert_cmpuint(config.polynomial, ==, 0x3da3358b4dc173);
    again = config_encode(&config);
    g_assert_cmpstr(again, ==, text);
    json_decref(vectors);
}

static void takes_what_it_must_and_no_more(void)
{
    static const struct {
        const char *label, *text;
        int code; /* 0: fine */
    } cases[] = {
        { "version 1, other order, unknown field, white space",
          " { \"x\":[1], \"chunker_polynomial\":\"3da3358b4dc173\", \"id\":\"" ID
          "\", \"version\":1 }\n",
          0 },
        { "version 3",
          "{\"version\":3,\"id\":\"" ID "\",\"chunker_polynomial\":\"3da3358b4dc173\"}",
          BS_ERROR_UNSUPPORTED },
        { "version 0",
          "{\"version\":0,\"id\":\"" ID "\",\"chunker_polynomial\":\"3da3358b4dc173\"}",
          BS_ERROR_CORRUPT },
        { "version as text",
          "{\"version\":\"2\",\"id\":\"" ID "\",\"chunker_polynomial\":\"3da3358b4dc173\"}",
          BS_ERROR_CORRUPT },
        { "no version", "{\"id\":\"" ID "\",\"chunker_polynomial\":\"3da3358b4dc173\"}",
          BS_ERROR_CORRUPT },
        { "short id", "{\"version\":2,\"id\":\"a0\",\"chunker_polynomial\":\"3da3358b4dc173\"}",
          BS_ERROR_CORRUPT },
        { "no id", "{\"version\":2,\"chunker_polynomial\":\"3da3358b4dc173\"}", BS_ERROR_CORRUPT },
        { "reducible polynomial",
          "{\"version\":2,\"id\":\"" ID "\",\"chunker_polynomial\":\"3da3358b4dc172\"}",
          BS_ERROR_CORRUPT },
        { "polynomial too long",
          "{\"version\":2,\"id\":\"" ID "\",\"chunker_polynomial\":\"0003da3358b4dc173\"}",
          BS_ERROR_CORRUPT },
        { "polynomial with a sign",
          "{\"version\":2,\"id\":\"" ID "\",\"chunker_polynomial\":\"+3da3358b4dc173\"}",
          BS_ERROR_CORRUPT },
        { "empty polynomial", "{\"version\":2,\"id\":\"" ID "\",\"chunker_polynomial\":\"\"}",
          BS_ERROR_CORRUPT },
        { "no polynomial", "{\"version\":2,\"id\":\"" ID "\"}", BS_ERROR_CORRUPT },
        { "an array", "[]", BS_ERROR_CORRUPT },
        { "nothing", "", BS_ERROR_CORRUPT },
        { "two texts",
          "{\"version\":2,\"id\":\"" ID "\",\"chunker_polynomial\":\"3da3358b4dc173\"}{}",
          BS_ERROR_CORRUPT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        RepoConfig config;
        bool ok = config_decode(cases[i].text, strlen(cases[i].text), &config, &error);

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(ok, ==, cases[i].code == 0);
        if (!ok)
            g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/config/writes_what_it_reads", writes_what_it_reads);
    g_test_add_func("/repo/config/takes_what_it_must_and_no_more", takes_what_it_must_and_no_more);
    return g_test_run();
}
