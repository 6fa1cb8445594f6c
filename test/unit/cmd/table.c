/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/table.h"

#include <stdlib.h>

static char *printed(const Table *table)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    table_print(table, out);
    fclose(out);
    return text;
}

static void columns_are_as_wide_as_their_widest_cell(void)
{
    g_autoptr(Table) table = table_new((const char *const[]){ "ID", "Host", NULL });
    g_autofree char *text = NULL;

    table_add(table, (const char *const[]){ "1", "a" });
    table_add(table, (const char *const[]){ "22222", "b" });
    text = printed(table);
    g_assert_cmpstr(text, ==,
                    "ID     Host\n"
                    "-----------\n"
                    "1      a\n"
                    "22222  b\n"
                    "-----------\n");
}

static void rows_of_several_lines_stand_apart(void)
{
    g_autoptr(Table) table = table_new((const char *const[]){ "ID", "Paths", "Size", NULL });
    g_autofree char *text = NULL;

    table_add(table, (const char *const[]){ "1", "/a\n/bb", "7 B" });
    table_add(table, (const char *const[]){ "2", "", "8 B" });
    text = printed(table);
    g_assert_cmpstr(text, ==,
                    "ID  Paths  Size\n"
                    "---------------\n"
                    "1   /a     7 B\n"
                    "    /bb\n"
                    "\n"
                    "2          8 B\n"
                    "---------------\n");
}

static void width_is_that_of_a_terminal(void)
{
    g_autoptr(Table) table = table_new((const char *const[]){ "N", "X", NULL });
    g_autofree char *text = NULL;

    table_add(table, (const char *const[]){ "\xe6\xbc\xa2", "wide" });  // one sign, two cells
    table_add(table, (const char *const[]){ "e\xcc\x81", "combined" }); // two signs, one cell
    text = printed(table);
    g_assert_cmpstr(text, ==,
                    "N   X\n"
                    "------------\n"
                    "\xe6\xbc\xa2  wide\n"
                    "e\xcc\x81   combined\n"
                    "------------\n");
}

static void cells_cannot_command_the_terminal(void)
{
    g_autoptr(Table) table = table_new((const char *const[]){ "H", NULL });
    g_autofree char *text = NULL;

    table_add(table, (const char *const[]){ "\x1b[2Ja\xc2\x9b\xff\tb" });
    text = printed(table);
    g_assert_cmpstr(text, ==, "H\n---------\n?[2Ja???b\n---------\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/table/columns-are-as-wide-as-their-widest-cell",
                    columns_are_as_wide_as_their_widest_cell);
    g_test_add_func("/table/rows-of-several-lines-stand-apart", rows_of_several_lines_stand_apart);
    g_test_add_func("/table/width-is-that-of-a-terminal", width_is_that_of_a_terminal);
    g_test_add_func("/table/cells-cannot-command-the-terminal", cells_cannot_command_the_terminal);
    return g_test_run();
}
