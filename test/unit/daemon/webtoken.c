/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webtoken.h"

#include <string.h>

static void only_the_very_token_fits(void)
{
    g_autoptr(Token) token = token_new("bst_"), other = token_new("bst_");
    char id[TOKEN_ID_LEN + 1];
    size_t len = strlen(token->text);

    g_assert_cmpuint(len, ==, 4 + TOKEN_ID_LEN + 1 + 43);
    g_assert_true(token_id("bst_", token->text, id));
    g_assert_cmpstr(id, ==, token->id);
    g_assert_true(token_fits(token->text, token->hash));
    g_assert_false(token_fits(other->text, token->hash));
    g_assert_cmpstr(token->id, !=, other->id);
    for (size_t i = 0; i < len; i++) {
        g_autofree char *changed = g_strdup(token->text);

        changed[i] = changed[i] == 'a' ? 'b' : 'a';
        g_assert_false(token_fits(changed, token->hash));
    }
    g_assert_null(strstr(token->hash, token->text));
}

static void what_is_no_token_has_no_id(void)
{
    static const char *const texts[] = {
        "",
        "bst_",
        "bst_0123456789abcdef",
        "bst_0123456789abcdef.",
        "bst_0123456789abcdef.AAAA",
        "0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "bst_0123456789ABCDEF.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "bst_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "bst_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
        "bst_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB", // loose bits at the end
    };
    char id[TOKEN_ID_LEN + 1];

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_assert_false(token_id("bst_", texts[i], id));
    g_assert_true(
        token_id("bst_", "bst_0123456789abcdef.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", id));
}

/* RFC 4231, test case 2. */
static void what_follows_is_hmac(void)
{
    g_autofree char *got = token_derive("Jefe", "what do ya want for nothing?");
    uint8_t bytes[32];

    g_assert_true(token_bytes(got, bytes, sizeof bytes));
    g_assert_cmpmem(bytes, 4, ((const uint8_t[]){ 0x5b, 0xdc, 0xc1, 0x46 }), 4);
    g_assert_false(token_equal(NULL, NULL));
    g_assert_false(token_equal("a", "ab"));
    g_assert_true(token_equal("ab", "ab"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webtoken/only-the-very-token-fits", only_the_very_token_fits);
    g_test_add_func("/daemon/webtoken/what-is-no-token-has-no-id", what_is_no_token_has_no_id);
    g_test_add_func("/daemon/webtoken/what-follows-is-hmac", what_follows_is_hmac);
    return g_test_run();
}
