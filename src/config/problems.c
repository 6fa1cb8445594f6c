/* SPDX-License-Identifier: Apache-2.0 */
#include "config/problems.h"

#include "base/error.h"
#include "config/yaml.h"
#include <stdarg.h>
#include <string.h>

#define TOLD_MAX 100 /* whoever has more of them has another kind of problem */

static void problem_free(Problem *problem)
{
    g_free(problem->pointer);
    g_free(problem->text);
    g_free(problem);
}

Problems *problems_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)problem_free);
}

static void add(Problems *problems, Problem problem, const char *format, va_list values)
{
    problem.pointer = g_strdup(problem.pointer);
    problem.text = g_strdup_vprintf(format, values);
    for (char *at = problem.text; *at; at++)
        if (g_ascii_iscntrl(*at)) // a terminal would obey
            *at = '?';
    g_ptr_array_add(problems, g_memdup2(&problem, sizeof problem));
}

void problems_add(Problems *problems, const char *pointer, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    add(problems, (Problem){ .pointer = (char *)pointer }, format, values);
    va_end(values);
}

void problems_add_key(Problems *problems, const char *pointer, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    add(problems, (Problem){ .pointer = (char *)pointer, .of_key = true }, format, values);
    va_end(values);
}

void problems_add_at(Problems *problems, unsigned line, unsigned column, const char *format, ...)
{
    va_list values;

    va_start(values, format);
    add(problems, (Problem){ .line = line, .column = column }, format, values);
    va_end(values);
}

/* ---- pointers ---- */

char *pointer_join(const char *parent, const char *key)
{
    GString *pointer = g_string_new(parent);

    g_string_append_c(pointer, '/');
    for (; *key; key++) {
        if (*key == '~')
            g_string_append(pointer, "~0");
        else if (*key == '/')
            g_string_append(pointer, "~1");
        else
            g_string_append_c(pointer, *key);
    }
    return g_string_free(pointer, FALSE);
}

char *pointer_index(const char *parent, size_t index)
{
    return g_strdup_printf("%s/%zu", parent, index);
}

static void append_part(GString *text, const char *part)
{
    if (*part && part[strspn(part, "0123456789")] == '\0') {
        g_string_append_printf(text, "[%s]", part);
        return;
    }
    if (text->len > 0)
        g_string_append_c(text, '.');
    for (; *part; part++) {
        if (part[0] == '~' && (part[1] == '0' || part[1] == '1'))
            g_string_append_c(text, *++part == '0' ? '~' : '/');
        else
            g_string_append_c(text, g_ascii_iscntrl(*part) ? '?' : *part);
    }
}

char *pointer_text(const char *pointer)
{
    g_auto(GStrv) parts = g_strsplit(*pointer == '/' ? pointer + 1 : pointer, "/", -1);
    GString *text = g_string_new(NULL);

    for (char **part = parts; *part; part++)
        append_part(text, *part);
    return g_string_free(text, FALSE);
}

/* ---- telling ---- */

/* A value that stands nowhere is named by what it would stand in. */
static const Mark *nearest(GHashTable *marks, const char *pointer, bool *ret_exact)
{
    g_autofree char *at = g_strdup(pointer);
    const Mark *mark = marks_find(marks, at);

    *ret_exact = mark != NULL;
    while (!mark && *at) {
        *strrchr(at, '/') = '\0';
        mark = marks_find(marks, at);
    }
    return mark;
}

static void place(Problem *problem, GHashTable *marks)
{
    bool exact;
    const Mark *mark = nearest(marks, problem->pointer, &exact);
    bool of_key = mark && mark->key_line > 0 && (problem->of_key || !exact);

    if (!mark)
        return;
    problem->variable = mark->variable;
    problem->line = of_key ? mark->key_line : mark->line;
    problem->column = of_key ? mark->key_column : mark->column;
}

static int by_place(gconstpointer first, gconstpointer second)
{
    const Problem *a = *(const Problem *const *)first, *b = *(const Problem *const *)second;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return (a->column > b->column) - (a->column < b->column);
}

void problems_place(Problems *problems, GHashTable *marks)
{
    for (guint i = 0; marks && i < problems->len; i++) {
        Problem *problem = g_ptr_array_index(problems, i);

        if (problem->line == 0 && problem->pointer)
            place(problem, marks);
    }
    g_ptr_array_sort(problems, by_place); // stable: a merge sort
}

static void append_problem(GString *text, const Problem *problem, const char *file)
{
    g_autofree char *path = file && problem->pointer ? pointer_text(problem->pointer) : NULL;

    if (text->len > 0)
        g_string_append_c(text, '\n');
    if (file)
        g_string_append_printf(text, "%s:", file);
    if (problem->line > 0)
        g_string_append_printf(text, "%u:%u:", problem->line, problem->column);
    if (file)
        g_string_append_c(text, ' ');
    if (problem->variable)
        g_string_append_printf(text, "%s: ", problem->variable);
    else if (!file && problem->pointer && *problem->pointer)
        g_string_append_printf(text, "%s: ", problem->pointer);
    if (path && *path)
        g_string_append_printf(text, "%s: ", path);
    g_string_append(text, problem->text);
}

bool problems_tell(const Problems *problems, const char *file, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (problems->len == 0)
        return true;
    for (guint i = 0; i < MIN(problems->len, TOLD_MAX); i++)
        append_problem(text, g_ptr_array_index(problems, i), file);
    if (problems->len > TOLD_MAX)
        g_string_append_printf(text, "\nand %u more", problems->len - TOLD_MAX);
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CONFIG, text->str);
    return false;
}
