/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/table.h"

#include <stdbool.h>
#include <string.h>

#define BETWEEN 2 /* blanks between columns */

struct Table {
    guint n;
    GPtrArray *rows; /* of GStrv *: n cells, each as lines; the headers first */
};

static GStrv lines_of(const char *cell)
{
    g_autofree char *text = g_utf8_make_valid(cell, -1);
    GString *clean = g_string_new(NULL);

    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);

        if (c == 0xfffd || (c != '\n' && g_unichar_iscntrl(c)))
            g_string_append_c(clean, '?');
        else
            g_string_append_unichar(clean, c);
    }
    g_free(text);
    text = g_string_free(clean, FALSE);
    return *text ? g_strsplit(text, "\n", -1) : g_strdupv((char *[]){ (char *)"", NULL });
}

static void row_add(Table *table, const char *const *cells)
{
    GStrv *row = g_new0(GStrv, table->n);

    for (guint i = 0; i < table->n; i++)
        row[i] = lines_of(cells[i]);
    g_ptr_array_add(table->rows, row);
}

Table *table_new(const char *const *headers)
{
    Table *table = g_new0(Table, 1);

    table->n = g_strv_length((GStrv)headers);
    table->rows = g_ptr_array_new();
    row_add(table, headers);
    return table;
}

void table_free(Table *table)
{
    if (!table)
        return;
    for (guint i = 0; i < table->rows->len; i++) {
        GStrv *row = table->rows->pdata[i];

        for (guint k = 0; k < table->n; k++)
            g_strfreev(row[k]);
        g_free(row);
    }
    g_ptr_array_unref(table->rows);
    g_free(table);
}

void table_add(Table *table, const char *const *cells)
{
    row_add(table, cells);
}

/* Cells of a terminal. */
static size_t width_of(const char *text)
{
    size_t width = 0;

    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);

        width += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

static size_t column_width(const Table *table, guint column)
{
    size_t width = 0;

    for (guint i = 0; i < table->rows->len; i++) {
        GStrv *row = table->rows->pdata[i];

        for (char **line = row[column]; *line; line++)
            width = MAX(width, width_of(*line));
    }
    return width;
}

static guint row_height(const Table *table, GStrv *row)
{
    guint height = 0;

    for (guint i = 0; i < table->n; i++)
        height = MAX(height, g_strv_length(row[i]));
    return height;
}

/* Line k of a row; nothing stands behind its last word. */
static void print_line(const Table *table, GStrv *row, guint k, const size_t *widths, FILE *out)
{
    size_t blanks = 0;

    for (guint i = 0; i < table->n; i++) {
        const char *text = k < g_strv_length(row[i]) ? row[i][k] : "";
        size_t width = width_of(text);

        if (width > 0) {
            (void)fprintf(out, "%*s%s", (int)blanks, "", text); // output_close() asks
            blanks = 0;
        }
        blanks += widths[i] - width + BETWEEN;
    }
    (void)fputc('\n', out);
}

static void print_rule(size_t width, FILE *out)
{
    for (size_t i = 0; i < width; i++)
        (void)fputc('-', out);
    (void)fputc('\n', out);
}

void table_print(const Table *table, FILE *out)
{
    g_autofree size_t *widths = g_new0(size_t, table->n);
    size_t total = 0;
    bool tall = false;

    for (guint i = 0; i < table->n; i++) {
        widths[i] = column_width(table, i);
        total += widths[i] + (i > 0 ? BETWEEN : 0);
    }
    for (guint i = 1; i < table->rows->len; i++)
        tall = tall || row_height(table, table->rows->pdata[i]) > 1;
    for (guint i = 0; i < table->rows->len; i++) {
        GStrv *row = table->rows->pdata[i];

        if (tall && i > 1)
            (void)fputc('\n', out); // rows of several lines need one between them
        for (guint k = 0; k < row_height(table, row); k++)
            print_line(table, row, k, widths, out);
        if (i == 0)
            print_rule(total, out);
    }
    print_rule(total, out);
}
