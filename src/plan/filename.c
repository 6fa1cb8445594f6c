/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/filename.h"

#include "base/error.h"
#include <string.h>

#define BYTES G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-"
#define ANY   "[A-Za-z0-9._-]+"

typedef enum { OF_PART, OF_UTC, OF_ZONE } From;

static const struct {
    const char *word;
    From from;
    size_t part;        /* offset in FilenameParts */
    const char *format; /* of g_date_time_format() */
    const char *fits;   /* PCRE */
    bool distinct;      /* it differs from day to day, or more often */
} words[] = {
    { "name", OF_PART, G_STRUCT_OFFSET(FilenameParts, name), NULL, ANY, false },
    { "schedule", OF_PART, G_STRUCT_OFFSET(FilenameParts, schedule), NULL, ANY, false },
    { "database", OF_PART, G_STRUCT_OFFSET(FilenameParts, database), NULL, ANY, false },
    { "run", OF_PART, G_STRUCT_OFFSET(FilenameParts, run), NULL, "[0-9a-f]{32}", true },
    { "timestamp", OF_UTC, 0, "%Y-%m-%dT%H-%M-%SZ",
      "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z", true },
    { "date", OF_ZONE, 0, "%Y-%m-%d", "[0-9]{4}-[0-9]{2}-[0-9]{2}", true },
    { "year", OF_ZONE, 0, "%Y", "[0-9]{4}", false },
    { "month", OF_ZONE, 0, "%m", "[0-9]{2}", false },
    { "day", OF_ZONE, 0, "%d", "[0-9]{2}", true },
    { "hour", OF_ZONE, 0, "%H", "[0-9]{2}", false },
    { "minute", OF_ZONE, 0, "%M", "[0-9]{2}", false },
    { "second", OF_ZONE, 0, "%S", "[0-9]{2}", false },
};

/* The placeholder that *at begins with, which moves behind it; -1: none. */
static int take_word(const char **at)
{
    size_t len = strcspn(*at + 1, "}");

    for (size_t i = 0; (*at)[len + 1] == '}' && i < G_N_ELEMENTS(words); i++)
        if (strlen(words[i].word) == len && strncmp(*at + 1, words[i].word, len) == 0) {
            *at += len + 2;
            return (int)i;
        }
    return -1;
}

static bool has_empty_part(const char *pattern)
{
    g_auto(GStrv) parts = g_strsplit(pattern, "/", -1);

    for (char **part = parts; *part; part++)
        if (!**part || strcmp(*part, ".") == 0 || strcmp(*part, "..") == 0)
            return true;
    return false;
}

bool filename_check(const char *pattern, GError **error)
{
    bool distinct = false;

    for (const char *at = pattern; *at;) {
        size_t plain = strspn(at, BYTES "/");
        int word;

        at += plain;
        if (plain > 0)
            continue;
        word = *at == '{' ? take_word(&at) : -1;
        if (word < 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                        "\"%s\" is no pattern of names; write letters, digits, \".\", \"_\", \"-\" "
                        "and \"/\", and {name}, {schedule}, {database}, {run}, {timestamp}, "
                        "{date}, {year}, {month}, {day}, {hour}, {minute}, {second}",
                        pattern);
            return false;
        }
        distinct = distinct || words[word].distinct;
    }
    if (has_empty_part(pattern)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "\"%s\": the parts between slashes must be names, no \".\" and no \"..\"",
                    pattern);
        return false;
    }
    if (distinct)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "\"%s\": each archive would replace the one before; put {timestamp}, {date}, {day} "
                "or {run} into it (\"latest\" is for a name that stays)",
                pattern);
    return false;
}

static void add_part(GString *name, const char *text)
{
    for (; text && *text; text++)
        g_string_append_c(name, strchr(BYTES, *text) ? *text : '_');
}

static void add_word(GString *name, int word, const FilenameParts *parts)
{
    g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(parts->time);
    g_autoptr(GDateTime) local = utc ? g_date_time_to_timezone(utc, parts->zone) : NULL;
    GDateTime *when = words[word].from == OF_UTC ? utc : local;
    g_autofree char *text = NULL;

    if (words[word].from == OF_PART)
        text = g_strdup(G_STRUCT_MEMBER(const char *, parts, words[word].part));
    else
        text = when ? g_date_time_format(when, words[word].format) : NULL;
    add_part(name, text);
}

char *filename_make(const char *pattern, const FilenameParts *parts)
{
    GString *name = g_string_new(NULL);

    for (const char *at = pattern; *at;) {
        int word = *at == '{' ? take_word(&at) : -1;

        if (word >= 0)
            add_word(name, word, parts);
        else
            g_string_append_c(name, *at++);
    }
    return g_string_free(name, FALSE);
}

bool filename_fits(const char *pattern, const char *name)
{
    g_autoptr(GString) expression = g_string_new("\\A");

    for (const char *at = pattern; *at;) {
        int word = *at == '{' ? take_word(&at) : -1;

        if (word >= 0)
            g_string_append(expression, words[word].fits);
        else if (*at == '.')
            g_string_append(expression, "\\."), at++;
        else
            g_string_append_c(expression, *at++);
    }
    g_string_append(expression, "\\z");
    return g_regex_match_simple(expression->str, name, 0, 0);
}

char *filename_folder(const char *pattern)
{
    size_t plain = strcspn(pattern, "{");

    while (plain > 0 && pattern[plain - 1] != '/')
        plain--;
    return g_strndup(pattern, plain);
}
