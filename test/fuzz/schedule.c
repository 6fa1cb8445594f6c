/* SPDX-License-Identifier: Apache-2.0 */
/* Any JSON as a schedule of the API: what is accepted has a definition that reads back to itself.
 */
#include "config/configuration.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char file[] = "repositories: {main: {location: /srv/backup}}\n"
                           "sources: {files: {paths: /etc}, more: {paths: /srv}}\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static Configuration *configuration;
    json_auto_t *json =
        json_loadb((const char *)data, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    g_autoptr(Schedule) first = NULL, second = NULL;
    g_autoptr(GError) error = NULL;

    if (!configuration)
        g_assert_true(configuration_parse("f", file, strlen(file), &configuration, NULL));
    if (!json || !schedule_from_api(configuration, json, NULL, &first, &error))
        return 0;
    schedule_from_json(configuration, first->definition, &second, &error);
    g_assert_no_error(error);
    g_assert_true(json_equal(first->definition, second->definition));
    return 0;
}
