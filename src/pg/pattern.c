/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/pattern.h"

#include "base/error.h"
#include <stdbool.h>
#include <string.h>

static void add_plain(GString *regex, const char *at, bool quoted)
{
    // "[]" would be an empty class; a dollar never stands for the end (PostgreSQL's
    // fe_utils/string_utils.c, patternToSQLRegex)
    if (*at == '$' || (quoted && strchr("|*+?()[]{}.^\\", *at)) || (*at == '[' && at[1] == ']'))
        g_string_append_c(regex, '\\');
    g_string_append_c(regex, quoted ? *at : g_ascii_tolower(*at));
}

static char *refuse(const char *pattern, const char *why, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "pattern %s: %s", pattern, why);
    return NULL;
}

char *pg_pattern_regex(const char *pattern, GError **error)
{
    g_autoptr(GString) regex = g_string_new("^(");
    bool quoted = false;

    if (!*pattern)
        return refuse("\"\"", "it is empty", error);
    for (const char *at = pattern; *at; at++) {
        if (*at == '"' && quoted && at[1] == '"')
            g_string_append_c(regex, *at++);
        else if (*at == '"')
            quoted = !quoted;
        else if (!quoted && *at == '*')
            g_string_append(regex, ".*");
        else if (!quoted && *at == '?')
            g_string_append_c(regex, '.');
        else if (!quoted && *at == '.')
            return refuse(pattern, "a dot separates names; write it in double quotes", error);
        else
            add_plain(regex, at, quoted);
    }
    if (quoted)
        return refuse(pattern, "a double quote is not closed", error);
    g_string_append(regex, ")$");
    return g_string_free(g_steal_pointer(&regex), FALSE);
}
