/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes are a name: quoted and unquoted they are the same again. Any bytes may claim to be a
 * quoted name; what is accepted has a quoted form that reads back to the same bytes. */
#include "codec/quote.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void round_trip(const char *name, size_t len)
{
    g_autoptr(GString) quoted = g_string_new(NULL);
    g_autofree char *back = NULL;
    size_t back_len;

    quote_append(quoted, name, len);
    g_assert_true(unquote(quoted->str, quoted->len, &back, &back_len, NULL));
    g_assert_cmpuint(back_len, ==, len);
    g_assert_true(memcmp(back, name, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *name = NULL;
    size_t name_len;

    round_trip((const char *)data, len);
    if (unquote((const char *)data, len, &name, &name_len, NULL))
        round_trip(name, name_len);
    return 0;
}
