/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/dotenv.h"
#include <string.h>

static const char file[] = "# of the shop\n"
                           "PLAIN=one\n"
                           "  export SPACED = two words # and a comment\n"
                           "HASH=a#b\n"
                           "SINGLE='it is # $HOME\\n'\r\n"
                           "DOUBLE=\"a\\nb \\\"c\\\"\" # comment\n"
                           "LONG=\"-----BEGIN\nQUJD=\n-----END\"\n"
                           "EMPTY=\n"
                           "PLAIN=three\n"
                           "no variable\n"
                           "c2VjcmV0=\n"
                           "c2VjcmV=abc\n"
                           "OPEN=\"never closed\n"
                           "LAST=end";

static void values(void)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        { "PLAIN", "three" },
        { "SPACED", "two words" },
        { "HASH", "a#b" },
        { "SINGLE", "it is # $HOME\\n" },
        { "DOUBLE", "a\nb \"c\"" },
        { "LONG", "-----BEGIN\nQUJD=\n-----END" },
        { "EMPTY", "" },
        { "OPEN", "\"never closed" },
        { "LAST", "end" },
        { "PLAI", NULL },
        { "variable", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *value = dotenv_get(file, cases[i].name);

        g_test_message("%s", cases[i].name);
        g_assert_cmpstr(value, ==, cases[i].want);
    }
}

static void masked(void)
{
    g_autoptr(GString) text = dotenv_mask(file);

    g_assert_cmpstr(text->str, ==,
                    "***\nPLAIN=***\nSPACED=***\nHASH=***\nSINGLE=***\nDOUBLE=***\nLONG=***\n"
                    "***\nPLAIN=***\n***\n***\nc2VjcmV=***\nOPEN=***\nLAST=***");
}

/* Whatever bytes come: no value of a variable is left. */
static void any_bytes(void)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    static const char bytes[] = "=\"'\\# \t\r\nA_b";

    for (int n = 0; n < 20000; n++) {
        char text[64];
        size_t len = (size_t)g_rand_int_range(random, 0, sizeof text - 8);
        g_autoptr(GString) out = NULL;

        for (size_t i = 0; i < len; i++)
            text[i] = bytes[g_rand_int_range(random, 0, sizeof bytes - 1)];
        memcpy(text + len, "\nZ=S3\n", 7);
        out = dotenv_mask(text);
        g_assert_null(strstr(out->str, "S3"));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dotenv/values", values);
    g_test_add_func("/dotenv/masked", masked);
    g_test_add_func("/dotenv/any-bytes", any_bytes);
    return g_test_run();
}
