/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever the bytes are, decoding ends; what was decoded encodes, and decodes again to the same
 * parameters. */
#include "repo/config.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    RepoConfig config, again;
    g_autofree char *text = NULL;

    if (!config_decode((const char *)data, len, &config, NULL))
        return 0;
    text = config_encode(&config);
    g_assert_true(config_decode(text, strlen(text), &again, NULL));
    g_assert_cmpuint(again.version, ==, config.version);
    g_assert_true(id_equal(&again.id, &config.id));
    g_assert_cmpuint(again.polynomial, ==, config.polynomial);
    return 0;
}
