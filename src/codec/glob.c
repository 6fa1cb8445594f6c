/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/glob.h"
#include <glib.h>
#include <string.h>

#define NO_CHAR 0xfffd /* U+FFFD, as Go decodes it */

/* Returns NO_CHAR for a byte that is no UTF-8. */
static gunichar next_char(const char **at, const char *end)
{
    const char *c = *at;
    gunichar ch;

    if (!(*c & 0x80)) {
        (*at)++;
        return (gunichar)*c;
    }
    ch = g_utf8_get_char_validated(c, end - c);
    if (ch == (gunichar)-1 || ch == (gunichar)-2) {
        (*at)++;
        return NO_CHAR;
    }
    *at = g_utf8_next_char(c);
    return ch;
}

char *glob_lower(const char *text)
{
    GString *lowered = g_string_new(NULL);
    const char *end = text + strlen(text);

    while (text < end) {
        const char *start = text;
        gunichar ch = next_char(&text, end);

        if (ch == NO_CHAR)
            g_string_append_len(lowered, start, text - start);
        else
            g_string_append_unichar(lowered, g_unichar_tolower(ch));
    }
    return g_string_free(lowered, FALSE);
}

/* One character of the pattern against one of the name; the pattern is in lower case already. */
static bool char_matches(const char **pattern, const char *pattern_end, const char **name,
                         const char *name_end, bool ignore_case)
{
    const char *wanted = *pattern;
    const char *given = *name;

    if (!ignore_case || !((*wanted | *given) & 0x80)) {
        char byte = ignore_case ? g_ascii_tolower(*given) : *given;

        (*pattern)++;
        (*name)++;
        return *wanted == byte;
    }

    gunichar a = next_char(pattern, pattern_end);
    gunichar b = next_char(name, name_end);

    if (a == NO_CHAR || b == NO_CHAR)
        return *name - given == *pattern - wanted &&
               memcmp(wanted, given, (size_t)(*name - given)) == 0;
    return a == g_unichar_tolower(b);
}

/* One bound of a range in a class. */
static bool class_char(const char **at, const char *end, gunichar *ret_char)
{
    if (*at < end && **at == '\\')
        (*at)++;
    else if (*at < end && (**at == '-' || **at == ']'))
        return false;
    if (*at == end)
        return false;

    const char *start = *at;

    *ret_char = next_char(at, end);
    return *ret_char != NO_CHAR || *at - start > 1;
}

/* *at stands behind "["; moves it behind "]". False if the class is malformed. */
static bool class_matches(const char **at, const char *end, gunichar ch, bool *ret_matches)
{
    bool negated = *at < end && **at == '^';
    bool found = false;

    if (negated)
        (*at)++;
    do {
        gunichar low, high;

        if (!class_char(at, end, &low))
            return false;
        high = low;
        if (*at < end && **at == '-') {
            (*at)++;
            if (!class_char(at, end, &high))
                return false;
        }
        found = found || (low <= ch && ch <= high);
        if (*at == end)
            return false;
    } while (**at != ']');
    (*at)++;
    *ret_matches = found != negated;
    return true;
}

bool glob_is_valid(const char *at, const char *end)
{
    bool matches;

    while (at < end) {
        char c = *at++;

        if (c == '\\' && at++ == end)
            return false;
        if (c == '[' && !class_matches(&at, end, 0, &matches))
            return false;
    }
    return true;
}

/* The next element of the pattern, no star, against the next character of the name. */
static bool element_matches(const char **pattern, const char *pattern_end, const char **name,
                            const char *name_end, bool ignore_case)
{
    bool matches = true;

    switch (**pattern) {
    case '?':
        (*pattern)++;
        (void)next_char(name, name_end);
        return true;
    case '[': {
        gunichar ch = next_char(name, name_end);

        (*pattern)++;
        return class_matches(pattern, pattern_end, ignore_case ? g_unichar_tolower(ch) : ch,
                             &matches) &&
               matches;
    }
    case '\\':
        (*pattern)++;
        break;
    }
    return char_matches(pattern, pattern_end, name, name_end, ignore_case);
}

bool glob_matches(const char *pattern, const char *pattern_end, const char *name,
                  const char *name_end, bool ignore_case)
{
    const char *after_star = NULL; // where to go on when the last star takes one character more
    const char *star_name = NULL;

    for (;;) {
        if (pattern < pattern_end && *pattern == '*') {
            after_star = ++pattern;
            star_name = name;
            if (pattern == pattern_end)
                return true;
            continue;
        }
        if (pattern == pattern_end && name == name_end)
            return true;
        if (pattern < pattern_end && name < name_end &&
            element_matches(&pattern, pattern_end, &name, name_end, ignore_case))
            continue;
        if (!after_star || star_name == name_end)
            return false;
        (void)next_char(&star_name, name_end);
        pattern = after_star;
        name = star_name;
    }
}
