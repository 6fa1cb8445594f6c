/* SPDX-License-Identifier: Apache-2.0 */
/* Statements, comments and commands of a plain dump, as far as they say what it holds. */
#include "base/error.h"
#include "source/pgscanning.h"
#include <string.h>

#define STATEMENT_MAX  (1u << 20) /* of COPY: 1600 columns of 63 bytes, quoted, and more */
#define TABLES_MAX     1000000u
#define EXTENSIONS_MAX 10000u

/* ---- statements ---- */

/* "COPY schema.name (columns) FROM stdin" */
static bool begin_rows(PgScan *scan, GError **error)
{
    const char *at = scan->statement->str + strlen("COPY ");
    g_autofree char *first = NULL, *second = NULL;

    if (scan->statement_long)
        return pg_scan_corrupt(scan, error,
                               "a COPY statement is longer than any that PostgreSQL takes");
    if (scan->tables->len == TABLES_MAX)
        return pg_scan_corrupt(scan, error, "too many tables");
    first = pg_scan_take_name(&at);
    if (first && *at == '.') {
        at++;
        second = pg_scan_take_name(&at);
    }
    if (!first || (second && !*second))
        return pg_scan_corrupt(scan, error, "a COPY statement names no table");
    scan->table = g_new0(PgScanTable, 1);
    scan->table->schema = second ? g_steal_pointer(&first) : NULL;
    scan->table->name = second ? g_steal_pointer(&second) : g_steal_pointer(&first);
    scan->state = IN_COPY_LINE;
    return true;
}

/* "SET name = 'value'": the value, to be freed. */
static char *setting(const PgScan *scan, const char *name)
{
    g_autofree char *begin = g_strdup_printf("SET %s = ", name);
    const char *value = scan->statement->str + strlen(begin);

    if (!g_str_has_prefix(scan->statement->str, begin))
        return NULL;
    return g_strndup(value + (*value == '\''), strcspn(value + (*value == '\''), "'"));
}

static void note_extension(PgScan *scan)
{
    static const char begin[] = "CREATE EXTENSION IF NOT EXISTS ";
    const char *at = scan->statement->str + sizeof begin - 1;
    char *name;

    if (!g_str_has_prefix(scan->statement->str, begin) || scan->extensions->len == EXTENSIONS_MAX)
        return;
    name = pg_scan_take_name(&at);
    if (name)
        g_ptr_array_add(scan->extensions, name);
}

bool pg_scan_end_statement(PgScan *scan, GError **error)
{
    const char *text = scan->statement->str;
    g_autofree char *strings = setting(scan, "standard_conforming_strings");
    g_autofree char *encoding = setting(scan, "client_encoding");
    bool ok = true;

    // the words as pg_dump writes them; what others write is data to us, and refused at its end
    if (g_str_has_prefix(text, "COPY ") &&
        (scan->statement_long || g_str_has_suffix(text, " FROM stdin")))
        ok = begin_rows(scan, error);
    else if (g_str_has_prefix(text, "INSERT INTO "))
        scan->inserts = true;
    else if (g_str_has_prefix(text, "ALTER ROLE ") && strstr(text, " PASSWORD '"))
        scan->passwords = true;
    if (strings)
        scan->plain_escapes = strcmp(strings, "off") == 0;
    if (encoding && !scan->encoding)
        scan->encoding = g_steal_pointer(&encoding);
    note_extension(scan);
    g_string_truncate(scan->statement, 0);
    scan->statement_long = false;
    return ok;
}

void pg_scan_add(PgScan *scan, uint8_t byte)
{
    if (scan->statement->len == 0 && g_ascii_isspace(byte))
        return;
    if (scan->statement->len < STATEMENT_MAX)
        g_string_append_c(scan->statement, (char)byte);
    else
        scan->statement_long = true;
}

/* ---- comments and commands ---- */

static void note(char **ret, const PgScan *scan, const char *begin)
{
    if (!*ret && g_str_has_prefix(scan->kept->str, begin))
        *ret = g_strdup(scan->kept->str + strlen(begin));
}

void pg_scan_end_comment(PgScan *scan)
{
    note(&scan->server_version, scan, "-- Dumped from database version ");
    note(&scan->dump_version, scan, "-- Dumped by pg_dump version ");
    if (strcmp(scan->kept->str, "-- PostgreSQL database cluster dump") == 0)
        scan->cluster = true;
}

/* Those that pg_dump writes: "\connect name", and "\restrict" with a word that only it knows, which
 * makes psql refuse all others. */
bool pg_scan_end_command(PgScan *scan, GError **error)
{
    const char *text = scan->kept->str;

    if (g_str_has_prefix(text, "\\restrict ") && !scan->restricted) {
        scan->restricted = g_strdup(text + strlen("\\restrict "));
        scan->was_restricted = true;
        return true;
    }
    if (g_str_has_prefix(text, "\\unrestrict ") &&
        g_strcmp0(scan->restricted, text + strlen("\\unrestrict ")) == 0) {
        g_clear_pointer(&scan->restricted, g_free);
        return true;
    }
    if (strcmp(text, "\\encoding SQL_ASCII") == 0) // before it goes to a database with an odd name
        return true;
    if (g_str_has_prefix(text, "\\connect ")) {
        if (!scan->connects)
            scan->connects = g_strdup(text + strlen("\\connect "));
        return pg_scan_pass_connect(scan, text + strlen("\\connect "), error);
    }
    return pg_scan_corrupt(
        scan, error,
        "it holds a command of psql that pg_dump does not write; such commands can run "
        "programs");
}
