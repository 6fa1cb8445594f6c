/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/exposition.h"

#include <math.h>
#include <string.h>

#define TOTAL "_total"

bool exposition_is_name(const char *text)
{
    if (!*text || g_ascii_isdigit(*text))
        return false;
    for (; *text; text++)
        if (!g_ascii_isalnum(*text) && *text != '_')
            return false;
    return true;
}

/* OpenMetrics names the family of a counter without its suffix. */
void exposition_family(const Exposition *to, const char *name, const char *type, const char *help)
{
    bool shorter = to->openmetrics && g_str_has_suffix(name, TOTAL);
    int len = (int)strlen(name) - (shorter ? (int)strlen(TOTAL) : 0);

    g_string_append_printf(to->out, "# HELP %s_%.*s %s\n# TYPE %s_%.*s %s\n", to->prefix, len, name,
                           help, to->prefix, len, name, type);
}

/* The shortest text that is read as the same number. */
static void append_value(GString *out, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];

    if (isinf(value))
        g_string_append(out, value > 0 ? "+Inf" : "-Inf");
    else if (fabs(value) < 1e15 && value == floor(value))
        g_string_append_printf(out, "%.0f", value);
    else
        g_string_append(out, g_ascii_dtostr(text, sizeof text, value));
}

void exposition_sample(const Exposition *to, const char *name, const char *labels, double value)
{
    g_string_append_printf(to->out, "%s_%s", to->prefix, name);
    if (labels && *labels)
        g_string_append_printf(to->out, "{%s}", labels);
    g_string_append_c(to->out, ' ');
    append_value(to->out, value);
    g_string_append_c(to->out, '\n');
}

void exposition_label(GString *labels, const char *name, const char *value)
{
    g_autofree char *valid = g_utf8_make_valid(value ? value : "", -1);

    g_string_append_printf(labels, "%s%s=\"", labels->len > 0 ? "," : "", name);
    for (const char *c = valid; *c; c++) {
        if (*c == '\n')
            g_string_append(labels, "\\n");
        else if (*c == '"' || *c == '\\')
            g_string_append_printf(labels, "\\%c", *c);
        else
            g_string_append_c(labels, *c);
    }
    g_string_append_c(labels, '"');
}

void exposition_end(const Exposition *to)
{
    if (to->openmetrics)
        g_string_append(to->out, "# EOF\n");
}
