/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/moment.h"

#include "base/error.h"
#include "codec/rfc3339.h"
#include <string.h>
#include <time.h>

static bool parse_local(const char *text, const char *format, Timestamp *ret_time)
{
    struct tm time = { .tm_isdst = -1 };
    const char *end = strptime(text, format, &time);
    long offset = time.tm_gmtoff;

    if (!end || *end)
        return false;
    ret_time->nsec = 0;
    ret_time->sec = strstr(format, "%z") ? (int64_t)timegm(&time) - offset : (int64_t)mktime(&time);
    return true;
}

bool moment_parse(const char *option, const char *text, Timestamp *ret_time, GError **error)
{
    static const char *const formats[] = {
        "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S %z",
        "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S %z",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (parse_local(text, formats[i], ret_time))
            return true;
    if (rfc3339_parse(text, strlen(text), ret_time, NULL))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--%s %s: write \"2006-01-02\" or \"2006-01-02 15:04:05\"", option, text);
    return false;
}
