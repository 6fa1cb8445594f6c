/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/pattern.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/glob.h"
#include <string.h>

#define FILE_BOUND ((size_t)16 << 20) /* a megabyte is 30,000 patterns already */

typedef enum {
    PART_LITERAL, // equal bytes
    PART_SUFFIX,  // "*" and then equal bytes, the commonest wildcard
    PART_GLOB,    // what glob_matches reads
    PART_ANY,     // "**": any number of components
} PartKind;

typedef struct {
    PartKind kind;
    const char *text;
    const char *end;
} Part;

/* Not anchored is the same as beginning with "**", and is stored so. */
typedef struct {
    char *text; // the parts point into it
    Part *parts;
    size_t n_parts;
    bool anchored;
    bool negated;
} Pattern;

struct PatternList {
    GArray *patterns; // of Pattern
    bool ignore_case;
};

static void pattern_clear(void *data)
{
    Pattern *pattern = data;

    g_free(pattern->text);
    g_free(pattern->parts);
}

static Part part_of(const char *text, bool ignore_case)
{
    Part part = { .kind = PART_LITERAL, .text = text, .end = text + strlen(text) };
    bool star = *text == '*';

    if (strcmp(text, "**") == 0) {
        part.kind = PART_ANY;
    } else if (ignore_case || strpbrk(text + star, "\\[]*?")) {
        part.kind = PART_GLOB;
    } else if (star) {
        part.kind = PART_SUFFIX;
        part.text++;
    }
    return part;
}

static bool part_matches(const Part *part, const char *name, const char *name_end, bool ignore_case)
{
    ptrdiff_t len = part->end - part->text;

    if (part->kind == PART_GLOB)
        return glob_matches(part->text, part->end, name, name_end, ignore_case);
    return (part->kind == PART_SUFFIX ? len <= name_end - name : len == name_end - name) &&
           memcmp(part->text, name_end - len, (size_t)len) == 0;
}

/*
 * Go, path/filepath, "Clean": drops empty components and ".", takes back one for "..". Of a
 * relative pattern at least "." is left, which matches nothing: no component, behind "**", would
 * match all.
 */
static GPtrArray *split_clean(char *text, bool anchored)
{
    static char dot[] = ".";
    GPtrArray *components = g_ptr_array_new();
    char *rest = text;
    char *component;

    while ((component = strsep(&rest, "/"))) {
        bool up = strcmp(component, "..") == 0;
        bool can_go_up =
            components->len && strcmp(components->pdata[components->len - 1], "..") != 0;

        if (up && can_go_up)
            g_ptr_array_set_size(components, (int)components->len - 1);
        else if (*component && strcmp(component, ".") != 0 && !(up && anchored))
            g_ptr_array_add(components, component);
    }
    if (!anchored && !components->len)
        g_ptr_array_add(components, dot);
    return components;
}

static bool pattern_compile(const char *text, bool ignore_case, Pattern *ret_pattern)
{
    bool negated = *text == '!';
    bool anchored = text[negated] == '/';
    char *own = ignore_case ? glob_lower(text + negated) : g_strdup(text + negated);
    g_autoptr(GPtrArray) components = split_clean(own, anchored);
    Pattern pattern = {
        .text = own,
        .parts = g_new(Part, components->len + 1),
        .anchored = anchored,
        .negated = negated,
    };
    bool valid = true;

    if (!anchored)
        pattern.parts[pattern.n_parts++] = (Part){ .kind = PART_ANY };
    for (size_t i = 0; i < components->len; i++) {
        Part part = part_of(components->pdata[i], ignore_case);

        valid = valid && (part.kind != PART_GLOB || glob_is_valid(part.text, part.end));
        pattern.parts[pattern.n_parts++] = part;
    }
    if (!valid) {
        pattern_clear(&pattern);
        return false;
    }
    *ret_pattern = pattern;
    return true;
}

/* Moves *at over slashes and a component; false at the end of the path. */
static bool next_component(const char **at, const char **ret_start)
{
    const char *start = *at;

    while (*start == '/')
        start++;
    if (!*start)
        return false;
    *ret_start = start;
    *at = strchrnul(start, '/');
    return true;
}

/*
 * Walks down parts and path together. When a component does not fit, the last "**" takes one
 * component more; when the parts are used up, the path lies at or below what they name.
 */
static bool pattern_matches(const Pattern *pattern, const char *path, bool ignore_case,
                            bool *ret_child_may_match)
{
    const Part *part = pattern->parts;
    const Part *end = part + pattern->n_parts;
    const Part *after_any = NULL;
    const char *any_path = NULL;

    *ret_child_may_match = false;
    if (pattern->anchored && *path != '/')
        return false;
    for (;;) {
        const char *name;

        while (part < end && part->kind == PART_ANY) {
            after_any = ++part;
            any_path = path;
        }
        if (part == end || !next_component(&path, &name)) {
            *ret_child_may_match = true;
            return part == end;
        }
        if (part_matches(part, name, path, ignore_case)) {
            part++;
        } else if (after_any) {
            (void)next_component(&any_path, &name);
            path = any_path;
            part = after_any;
        } else {
            return false;
        }
    }
}

PatternList *pattern_list_new(bool ignore_case)
{
    PatternList *list = g_new(PatternList, 1);

    list->ignore_case = ignore_case;
    list->patterns = g_array_new(FALSE, FALSE, sizeof(Pattern));
    g_array_set_clear_func(list->patterns, pattern_clear);
    return list;
}

void pattern_list_free(PatternList *list)
{
    if (!list)
        return;
    g_array_unref(list->patterns);
    g_free(list);
}

bool pattern_list_add(PatternList *list, const char *text, GError **error)
{
    Pattern pattern;

    if (!*text)
        return true;
    if (!pattern_compile(text, list->ignore_case, &pattern)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "malformed pattern \"%s\"; write \\[ and \\\\ for a plain [ and \\", text);
        return false;
    }
    g_array_append_val(list->patterns, pattern);
    return true;
}

bool pattern_list_is_empty(const PatternList *list)
{
    return list->patterns->len == 0;
}

bool pattern_list_match(const PatternList *list, const char *path, bool *ret_child_may_match)
{
    bool child_may_match = false;
    bool matched = false;

    // from behind: the last pattern that matches decides for the path and all below
    for (size_t i = list->patterns->len; i-- > 0;) {
        const Pattern *pattern = &g_array_index(list->patterns, Pattern, i);
        bool below;
        bool here = pattern_matches(pattern, path, list->ignore_case, &below);

        child_may_match = child_may_match || (below && !pattern->negated);
        if (here) {
            matched = !pattern->negated;
            break;
        }
    }
    if (ret_child_may_match)
        *ret_child_may_match = child_may_match;
    return matched;
}

static size_t name_len(const char *text)
{
    return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
}

/* *at stands behind a dollar; moves it behind what belongs to that. */
static bool expand_one(const char **at, GString *expanded, GError **error)
{
    bool braced = **at == '{';
    const char *name = *at + braced;
    size_t len = braced ? strcspn(name, "}") : name_len(name);

    if (braced && (!len || !name[len])) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "\"${\" without a name and \"}\"; write $$ for a plain dollar");
        return false;
    }
    if (!len) {
        g_string_append_c(expanded, '$');
        *at += **at == '$';
        return true;
    }

    g_autofree char *variable = g_strndup(name, len);
    const char *value = g_getenv(variable);

    if (!value) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the environment has no variable %s; write $$ for a plain dollar", variable);
        return false;
    }
    g_string_append(expanded, value);
    *at = name + len + braced;
    return true;
}

static char *expand(const char *line, GError **error)
{
    g_autoptr(GString) expanded = g_string_new(NULL);

    while (*line) {
        char c = *line++;

        if (c != '$')
            g_string_append_c(expanded, c);
        else if (!expand_one(&line, expanded, error))
            return NULL;
    }
    return g_string_free(g_steal_pointer(&expanded), FALSE);
}

static bool lines_parse(char *text, GPtrArray *patterns, GError **error)
{
    char *line;

    for (unsigned n = 1; (line = strsep(&text, "\n")); n++) {
        const char *stripped = g_strstrip(line);
        char *pattern;

        if (!*stripped || *stripped == '#')
            continue;
        pattern = expand(stripped, error);
        if (!pattern) {
            g_prefix_error(error, "line %u: ", n);
            return false;
        }
        g_ptr_array_add(patterns, pattern);
    }
    return true;
}

/* Takes off a byte order mark; NULL for what is no text. */
static char *decode(GBytes *bytes)
{
    size_t len;
    const char *data = g_bytes_get_data(bytes, &len);
    g_autofree char *utf8 = NULL;

    if (len >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0)) {
        utf8 = g_convert(data, (gssize)len, "UTF-8", "UTF-16", NULL, &len, NULL);
        if (!utf8)
            return NULL;
        data = utf8;
    } else if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        len -= 3;
    }
    return len && memchr(data, 0, len) ? NULL : g_strndup(data, len);
}

bool pattern_file_read(const char *path, GPtrArray *patterns, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autofree char *text = NULL;

    if (!fs_read_file(path, FILE_BOUND, &bytes, error))
        return false;
    text = decode(bytes);
    if (!text) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: not a text file", path);
        return false;
    }
    if (!lines_parse(text, patterns, error)) {
        g_prefix_error(error, "%s: ", path);
        return false;
    }
    return true;
}
