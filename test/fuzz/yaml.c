/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file: what is accepted has a canonical form that reads back to
 * itself, and what is refused says why. Nothing outside is looked up: references would be. */
#include "config/configuration.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static bool looks_up(const char *text, size_t len)
{
    return g_strstr_len(text, (gssize)len, "//") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(Configuration) configuration = NULL, again = NULL;
    g_autoptr(GError) error = NULL;

    if (looks_up((const char *)data, len))
        return 0;
    if (!configuration_parse("f", (const char *)data, len, &configuration, &error)) {
        g_assert_true(*error->message);
        return 0;
    }
    configuration_from_json(configuration->tree, &again, &error);
    g_assert_no_error(error);
    g_assert_true(json_equal(configuration->tree, again->tree));
    return 0;
}
