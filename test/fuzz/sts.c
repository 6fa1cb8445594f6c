/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a token service says, reading it ends; what it gives can stand in a header. */
#include "net/awssts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void assert_word(const char *text)
{
    g_assert_nonnull(text);
    g_assert_cmpint(*text, !=, '\0');
    for (; *text; text++)
        g_assert_true(g_ascii_isgraph(*text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    g_auto(AwsKeys) keys = { 0 };

    g_byte_array_append(body, data, (guint)len);
    if (!sts_answer_parse(body, &keys, NULL)) {
        g_assert_null(keys.access_key);
        return 0;
    }
    assert_word(keys.access_key);
    assert_word(keys.secret_key);
    assert_word(keys.session_token);
    return 0;
}
