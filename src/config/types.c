/* SPDX-License-Identifier: Apache-2.0 */
#include "config/types.h"

#include "base/error.h"
#include "base/zone.h"
#include "codec/rfc3339.h"
#include "config/values.h"
#include "plan/amount.h"
#include "plan/cron.h"
#include "plan/duration.h"
#include <string.h>

#define REFUSED(error, ...) (g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, __VA_ARGS__), false)

/* ---- texts ---- */

static bool has_control(const char *text, const char *but)
{
    for (; *text; text++)
        if (g_ascii_iscntrl(*text) && !strchr(but, *text))
            return true;
    return false;
}

static bool parse_text(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (!*text)
        return REFUSED(error, "is empty");
    return !has_control(text, "") || REFUSED(error, "holds control characters; write one line");
}

static bool parse_command(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (!*text)
        return REFUSED(error, "is empty");
    return !has_control(text, "\n\t") || REFUSED(error, "holds control characters");
}

/* It becomes a tag, which a comma would end. */
static bool parse_title(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (*text && strlen(text) <= 64 && !has_control(text, "") && !strpbrk(text, ",/\\") &&
        !g_ascii_isspace(*text) && !g_ascii_isspace(text[strlen(text) - 1]))
        return true;
    return REFUSED(error, "is no name; write up to 64 bytes without commas, slashes and control "
                          "characters, and no blank at either end");
}

static bool parse_path(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (!parse_text(text, NULL, error))
        return false;
    return g_path_is_absolute(text) ||
           REFUSED(error, "\"%s\" is no absolute path; write /like/this", text);
}

const FieldType type_text = { "TEXT", "a text", parse_text, .copied = true };
const FieldType type_command = { "COMMAND", "a line for the shell", parse_command, .copied = true };
const FieldType type_title = { "NAME", "a name", parse_title, .copied = true };
const FieldType type_path = { "PATH", "an absolute path", parse_path, .copied = true };

/* ---- time ---- */

static bool parse_wait(const char *text, void *place, GError **error)
{
    int64_t ms;

    if (!value_wait(text, &ms, NULL) || ms % 1000 != 0)
        return REFUSED(error, "\"%s\" is no duration; write 30s, 5m, 1h30m or 2d", text);
    if (place)
        *(int64_t *)place = ms / 1000;
    return true;
}

static bool parse_span(const char *text, void *place, GError **error)
{
    int64_t ms;

    if (!value_wait(text, &ms, NULL))
        return REFUSED(error, "\"%s\" is no duration; write 500ms, 10s or 1m", text);
    if (place)
        *(int64_t *)place = ms;
    return true;
}

static bool parse_within(const char *text, void *place, GError **error)
{
    Duration duration;

    if (!duration_parse(text, &duration, error))
        return false;
    if (place)
        *(Duration *)place = duration;
    return true;
}

static bool parse_time(const char *text, void *place, GError **error)
{
    Timestamp time;

    if (!rfc3339_parse(text, strlen(text), &time, NULL) || time.sec < 0)
        return REFUSED(error, "\"%s\" is no time; write 2026-11-21T04:00:00Z", text);
    if (place)
        *(int64_t *)place = time.sec;
    return true;
}

static bool parse_clock(const char *text, void *place, GError **error)
{
    bool formed = strlen(text) == 5 && text[2] == ':' && g_ascii_isdigit(text[0]) &&
                  g_ascii_isdigit(text[1]) && g_ascii_isdigit(text[3]) && g_ascii_isdigit(text[4]);
    int hour = formed ? (text[0] - '0') * 10 + text[1] - '0' : 0;
    int minute = formed ? (text[3] - '0') * 10 + text[4] - '0' : 0;

    if (!formed || hour > 23 || minute > 59)
        return REFUSED(error, "\"%s\" is no time of the day; write 04:00", text);
    if (place)
        *(int64_t *)place = hour * 60 + minute;
    return true;
}

/* The presets name the hours when nobody works. */
static const struct {
    const char *name, *text;
} presets[] = {
    { "hourly", "0 * * * *" },
    { "daily", "0 3 * * *" },
    { "weekly", "0 3 * * 0" },
    { "monthly", "0 3 1 * *" },
};

static char *normal_cron(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(presets); i++)
        if (strcmp(text, presets[i].name) == 0)
            return g_strdup(presets[i].text);
    return g_strdup(text);
}

static bool parse_cron(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    g_autofree char *fields = normal_cron(text);
    int64_t at;
    Cron cron;

    if (!cron_parse(fields, &cron, error))
        return false;
    return cron_next(&cron, NULL, 0, &at) ||
           REFUSED(error, "\"%s\" is never due; see the days of the month", text);
}

/* GLib would also take a path, and offsets. */
static bool parse_zone(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    g_autoptr(GTimeZone) zone = NULL;

    if (g_ascii_isalpha(*text) && !strstr(text, "..") &&
        strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/_+-") == strlen(text))
        zone = zone_find(text);
    return zone || REFUSED(error,
                           "\"%s\" is no time zone that is known here; write Etc/UTC or "
                           "Europe/Berlin",
                           text);
}

static bool parse_catch_up(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    int64_t seconds;

    if (strcmp(text, "always") == 0 || strcmp(text, "never") == 0)
        return true;
    return (parse_wait(text, &seconds, NULL) && seconds > 0) ||
           REFUSED(error, "\"%s\" is not known; write always, never, or a duration such as 6h",
                   text);
}

#define WAIT "a duration such as 30s, 5m, 1h30m or 2d"
const FieldType type_wait = { "DURATION", WAIT, parse_wait, .number = true };
const FieldType type_wait_text = { "DURATION", WAIT, parse_wait, .copied = true, .number = true };
const FieldType type_span = { "SPAN", "a duration such as 500ms, 10s or 1m", parse_span,
                              .number = true };
const FieldType type_within = { "PERIOD", "a period such as 1y5m7d2h", parse_within };
const FieldType type_time = { "TIME", "a time such as 2026-11-21T04:00:00Z", parse_time };
const FieldType type_clock = { "CLOCK", "a time of the day such as 04:00", parse_clock };
const FieldType type_cron = { "CRON",
                              "five fields such as 0 3 * * *, or hourly, daily, weekly, "
                              "monthly",
                              parse_cron, normal_cron, .copied = true };
const FieldType type_zone = { "ZONE", "a time zone such as Etc/UTC", parse_zone, .copied = true };
const FieldType type_catch_up = { "CATCH-UP", "always, never, or a duration such as 6h",
                                  parse_catch_up, .copied = true };

/* ---- amounts ---- */

static bool parse_size(const char *text, void *place, GError **error)
{
    uint64_t bytes;

    if (!size_parse(text, &bytes, error))
        return false;
    if (place)
        *(uint64_t *)place = bytes;
    return true;
}

static bool parse_compression(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    static const char *const words[] = { "off", "auto", "max", NULL };

    return g_strv_contains(words, text) ||
           g_ascii_string_to_unsigned(text, 10, 1, 19, NULL, NULL) ||
           REFUSED(error, "\"%s\" is not known; write off, auto, max or a zstd level from 1 to 19",
                   text);
}

static bool parse_pack_size(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return g_ascii_string_to_unsigned(text, 10, 4, 128, NULL, NULL) ||
           REFUSED(error, "\"%s\" is no pack size; write a number of MiB from 4 to 128", text);
}

static bool parse_rate(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    uint64_t bytes;

    return value_rate(text, &bytes, error);
}

static bool parse_ionice(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    static const char *const words[] = { "idle", "best-effort", NULL };
    const char *level = strchr(text, ':');

    return g_strv_contains(words, text) ||
           (g_str_has_prefix(text, "best-effort:") &&
            g_ascii_string_to_unsigned(level + 1, 10, 0, 7, NULL, NULL)) ||
           REFUSED(error,
                   "\"%s\" is not known; write idle, best-effort or best-effort:0 to "
                   "best-effort:7",
                   text);
}

#define SIZE "a size such as 512M or 2G"
const FieldType type_size = { "SIZE", SIZE, parse_size, .number = true };
const FieldType type_size_text = { "SIZE", SIZE, parse_size, .copied = true, .number = true };
const FieldType type_compression = { "COMPRESSION", "off, auto, max or a zstd level from 1 to 19",
                                     parse_compression, .copied = true, .number = true };
const FieldType type_pack_size = { "MIB", "a number of MiB from 4 to 128", parse_pack_size,
                                   .copied = true, .number = true };
const FieldType type_rate = { "KIB", "a number of KiB per second", parse_rate, .copied = true,
                              .number = true };
const FieldType type_ionice = { "IONICE", "idle, best-effort or best-effort:7", parse_ionice,
                                .copied = true };
