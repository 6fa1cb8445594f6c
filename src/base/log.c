/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

static _Atomic LogLevel threshold = LOG_WARN;

void log_set_level(LogLevel level)
{
    atomic_store(&threshold, level);
}

LogLevel log_level(void)
{
    return atomic_load(&threshold);
}

/*
 * A JSON string (RFC 8259, section 7). Control characters of both sets and DEL are escaped, so that
 * a file name cannot steer a terminal; bytes that are no UTF-8 become U+FFFD.
 */
static void append_quoted(GString *line, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);

    g_string_append_c(line, '"');
    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (c == '"' || c == '\\')
            g_string_append_printf(line, "\\%c", (char)c);
        else if (c == '\n')
            g_string_append(line, "\\n");
        else if (c == '\t')
            g_string_append(line, "\\t");
        else if (g_unichar_iscntrl(c))
            g_string_append_printf(line, "\\u%04x", c);
        else
            g_string_append_unichar(line, c);
    }
    g_string_append_c(line, '"');
}

static bool is_plain_word(const char *text)
{
    for (const char *p = text; *p; p++)
        if (!g_ascii_isgraph(*p) || strchr("\"\\=", *p))
            return false;
    return *text != '\0';
}

static void append_time(GString *line)
{
    Timestamp now = clock_now();
    time_t sec = now.sec;
    struct tm tm;
    char text[64];

    if (!gmtime_r(&sec, &tm) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        text[0] = '\0';
    g_string_append_printf(line, "\"%s.%03uZ\"", text, now.nsec / 1000000);
}

static void begin_json(GString *line, LogLevel level, const char *message)
{
    g_string_append(line, "{\"ts\":");
    append_time(line);
    g_string_append_printf(line, ",\"level\":\"%s\",\"msg\":", level_names[level]);
    append_quoted(line, message);
}

static void append_json(GString *line, const char *key, const char *value)
{
    g_string_append_c(line, ',');
    append_quoted(line, key);
    g_string_append_c(line, ':');
    append_quoted(line, value);
}

static void append_text(GString *line, const char *key, const char *value)
{
    g_string_append_printf(line, " %s=", key);
    if (is_plain_word(value))
        g_string_append(line, value);
    else
        append_quoted(line, value);
}

void log_write(LogLevel level, const char *message, ...)
{
    g_autoptr(GString) line = NULL;
    bool terminal;
    const char *key, *value;
    va_list args;

    if (level < log_level())
        return;
    line = g_string_sized_new(256);
    terminal = isatty(STDERR_FILENO);
    if (terminal)
        g_string_append_printf(line, "%s: %s", level_names[level], message);
    else
        begin_json(line, level, message);
    va_start(args, message);
    while ((key = va_arg(args, const char *)) && (value = va_arg(args, const char *))) {
        if (terminal)
            append_text(line, key, value);
        else
            append_json(line, key, value);
    }
    va_end(args);
    g_string_append(line, terminal ? "\n" : "}\n");
    // a log that cannot be written has nowhere to say so
    while (write(STDERR_FILENO, line->str, line->len) < 0 && errno == EINTR)
        ;
}
