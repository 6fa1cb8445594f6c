/* SPDX-License-Identifier: Apache-2.0 */
#include "config/values.h"

#include "base/error.h"
#include <string.h>

#define RATE_KIB_MAX (G_GUINT64_CONSTANT(1) << 40)

bool value_wait(const char *text, int64_t *ret_ms, GError **error)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
    const char *at = text;
    int64_t sum = 0;

    if (strcmp(text, "0") == 0) {
        *ret_ms = 0;
        return true;
    }
    do {
        char *end;
        guint64 n = g_ascii_strtoull(at, &end, 10);
        size_t unit = 0;

        while (unit < G_N_ELEMENTS(units) && !g_str_has_prefix(end, units[unit].unit))
            unit++;
        if (!g_ascii_isdigit(*at) || unit == G_N_ELEMENTS(units) || n > 1000000) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "not a duration; write 30s, 5m or 1h");
            return false;
        }
        sum += (int64_t)n * units[unit].ms;
        at = end + strlen(units[unit].unit);
    } while (*at);
    *ret_ms = sum;
    return true;
}

bool value_deadline(const char *text, int64_t *ret_ms, GError **error)
{
    int64_t ms;

    if (!value_wait(text, &ms, error))
        return false;
    *ret_ms = ms > 0 ? ms : -1;
    return true;
}

bool value_rate(const char *text, uint64_t *ret_bytes, GError **error)
{
    guint64 kib;

    if (!g_ascii_string_to_unsigned(text, 10, 0, RATE_KIB_MAX, &kib, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "must be a number of KiB per second");
        return false;
    }
    *ret_bytes = kib * 1024;
    return true;
}
