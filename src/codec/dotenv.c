/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/dotenv.h"

#include <string.h>

#define MASK         "***"
#define NAME_MAX_LEN 64

/* One entry of a file, as spans of its text. */
typedef struct {
    const char *name;
    size_t name_len; /* 0: no variable */
    const char *value;
    size_t value_len;
    char quote; /* '\0': none */
} Entry;

static bool is_name(char c)
{
    return g_ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* Behind the closing quote; NULL: there is none. */
static const char *closing(const char *at, char quote)
{
    for (; *at && *at != quote; at++)
        if (*at == '\\' && quote == '"' && at[1])
            at++;
    return *at ? at : NULL;
}

static const char *line_end(const char *at)
{
    return at + strcspn(at, "\r\n");
}

/* A comment begins with "#" behind a blank. */
static size_t plain_len(const char *value, const char *end)
{
    const char *at = value;

    while (at < end && !(*at == '#' && (at == value || g_ascii_isspace(at[-1]))))
        at++;
    while (at > value && g_ascii_isspace(at[-1]))
        at--;
    return (size_t)(at - value);
}

static void read_value(const char *at, Entry *entry, const char **end)
{
    const char *close = *at == '"' || *at == '\'' ? closing(at + 1, *at) : NULL;

    if (close) {
        entry->quote = *at;
        entry->value = at + 1;
        entry->value_len = (size_t)(close - entry->value);
        *end = line_end(close);
        return;
    }
    *end = line_end(at);
    entry->value = at;
    entry->value_len = plain_len(at, *end);
}

/* Of what begins here; returns where it ends. */
static const char *read_entry(const char *line, Entry *entry)
{
    const char *at = skip_blanks(line), *end = line_end(line);

    *entry = (Entry){ 0 };
    if (g_str_has_prefix(at, "export ") || g_str_has_prefix(at, "export\t"))
        at = skip_blanks(at + strlen("export"));
    entry->name = at;
    while (is_name(*at))
        at++;
    entry->name_len = (size_t)(at - entry->name);
    at = skip_blanks(at);
    if (*at != '=' || entry->name_len == 0) {
        entry->name_len = 0;
        return end;
    }
    read_value(skip_blanks(at + 1), entry, &end);
    return end;
}

/* In double quotes a backslash says what it does elsewhere. */
static char *value_of(const Entry *entry)
{
    GString *value = g_string_sized_new(entry->value_len);

    for (const char *at = entry->value; at < entry->value + entry->value_len; at++) {
        if (entry->quote == '"' && *at == '\\' && at + 1 < entry->value + entry->value_len) {
            at++;
            g_string_append_c(value, *at == 'n' ? '\n' : *at == 'r' ? '\r' : *at);
        } else
            g_string_append_c(value, *at);
    }
    return g_string_free(value, FALSE);
}

char *dotenv_get(const char *text, const char *name)
{
    char *found = NULL;

    while (*text) {
        Entry entry;
        const char *end = read_entry(text, &entry);

        if (entry.name_len > 0 && strlen(name) == entry.name_len &&
            strncmp(entry.name, name, entry.name_len) == 0) {
            g_free(found);
            found = value_of(&entry);
        }
        text = *end ? end + 1 : end;
    }
    return found;
}

/* The last line of a key in base64 may look like a name without a value. */
static bool may_show_name(const Entry *entry)
{
    for (size_t i = 0; i < entry->name_len; i++)
        if (!g_ascii_isalnum(entry->name[i]) && entry->name[i] != '_')
            return false;
    return entry->name_len > 0 && entry->name_len <= NAME_MAX_LEN && entry->value_len > 0 &&
           entry->value[0] != '=';
}

GString *dotenv_mask(const char *text)
{
    GString *masked = g_string_new(NULL);

    while (*text) {
        Entry entry;
        const char *end = read_entry(text, &entry), *at = skip_blanks(text);

        if (may_show_name(&entry)) {
            g_string_append_len(masked, entry.name, (gssize)entry.name_len);
            g_string_append(masked, "=" MASK);
        } else if (at < end)
            g_string_append(masked, MASK);
        if (*end)
            g_string_append_c(masked, '\n');
        text = *end == '\r' && end[1] == '\n' ? end + 2 : *end ? end + 1 : end;
    }
    return masked;
}
