/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a plain dump, byte for byte, as psqlscan.l of PostgreSQL takes it. */
#include "base/error.h"
#include "source/pgscanning.h"
#include <string.h>

#define LINE_MAX_KEPT 512u /* of a comment or a command */

/* ---- lines ---- */

static bool end_line(PgScan *scan, GError **error)
{
    State state = scan->state;

    scan->state = state == IN_COPY_LINE ? IN_ROWS : IN_SCRIPT;
    scan->before = 0;
    if (state == IN_COMMENT)
        pg_scan_end_comment(scan);
    return state != IN_COMMAND || pg_scan_end_command(scan, error);
}

static bool on_line(PgScan *scan, uint8_t byte, GError **error)
{
    if (byte == '\n')
        return end_line(scan, error);
    if (scan->state == IN_COPY_LINE)
        return byte == ' ' ||
               pg_scan_corrupt(scan, error, "something stands between COPY and its rows");
    if (scan->kept->len < LINE_MAX_KEPT)
        g_string_append_c(scan->kept, (char)byte);
    else if (scan->state == IN_COMMAND)
        return pg_scan_corrupt(scan, error, "a command of psql is too long");
    return true;
}

/* ---- the script ---- */

static bool in_word(uint8_t byte)
{
    return g_ascii_isalnum(byte) || byte == '_' || byte >= 0x80;
}

static void begin_line(PgScan *scan, State state, const char *kept)
{
    scan->state = state;
    g_string_assign(scan->kept, kept);
}

static void begin_dollar_tag(PgScan *scan)
{
    scan->state = IN_DOLLAR_TAG;
    g_string_assign(scan->tag, "$");
}

/* An E of its own before the quote makes it another kind of text. */
static State kind_of_text(const PgScan *scan, uint8_t before)
{
    bool e =
        (before == 'e' || before == 'E') && !in_word(scan->before_that) && scan->before_that != '$';

    return e || scan->plain_escapes ? IN_ESCAPED_TEXT : IN_TEXT;
}

static void begin_comment(PgScan *scan, bool block)
{
    // the first of its two bytes was taken for a part of the statement
    g_string_truncate(scan->statement, MAX(scan->statement->len, 1) - 1);
    scan->before = 0;
    scan->depth = 1;
    begin_line(scan, block ? IN_BLOCK_COMMENT : IN_COMMENT, "--");
}

static bool begin_command(PgScan *scan, uint8_t before, GError **error)
{
    if (scan->statement->len > 0 || (before != '\n' && before != 0))
        return pg_scan_corrupt(scan, error, "a command of psql stands within a line");
    begin_line(scan, IN_COMMAND, "\\");
    return true;
}

static bool on_script(PgScan *scan, uint8_t byte, GError **error)
{
    uint8_t before = scan->before;

    scan->before = byte;
    if (byte == '\\')
        return begin_command(scan, before, error);
    if (byte == ';')
        return pg_scan_end_statement(scan, error);
    if ((byte == '-' && before == '-') || (byte == '*' && before == '/')) {
        begin_comment(scan, byte == '*');
        return true;
    }
    if (byte == '\'')
        scan->state = kind_of_text(scan, before);
    else if (byte == '"')
        scan->state = IN_NAME;
    else if (byte == '$' && !in_word(before) && before != '$')
        begin_dollar_tag(scan);
    scan->before_that = before;
    pg_scan_add(scan, byte);
    return true;
}

/* "$tag$" begins a text, "$1" does not. */
static bool on_dollar_tag(PgScan *scan, uint8_t byte, GError **error)
{
    bool fits = in_word(byte) && (scan->tag->len > 1 || !g_ascii_isdigit(byte));

    if (byte == '$') {
        g_string_append_c(scan->tag, '$');
        pg_scan_add(scan, byte);
        scan->state = IN_DOLLAR_TEXT;
        scan->matched = 0;
        return true;
    }
    if (!fits || scan->tag->len == PG_SCAN_TAG_MAX) {
        scan->state = IN_SCRIPT;
        scan->before = scan->tag->len > 1 ? 'x' : '$';
        return on_script(scan, byte, error);
    }
    g_string_append_c(scan->tag, (char)byte);
    pg_scan_add(scan, byte);
    return true;
}

/* No tag holds a dollar but at its ends, so a failed match can only begin anew with this byte. */
static void on_dollar_text(PgScan *scan, uint8_t byte)
{
    if (byte == (uint8_t)scan->tag->str[scan->matched])
        scan->matched++;
    else
        scan->matched = byte == '$' ? 1 : 0;
    if (scan->matched == scan->tag->len) {
        scan->state = IN_SCRIPT;
        scan->before = 0;
    }
}

/* A doubled quote is one of the text. */
static bool on_text(PgScan *scan, uint8_t byte, GError **error)
{
    bool quote = byte == (scan->state == IN_NAME ? '"' : '\'');

    if (scan->perhaps_over && !quote) {
        scan->perhaps_over = false;
        scan->before = 0;
        scan->state = IN_SCRIPT;
        return on_script(scan, byte, error);
    }
    pg_scan_add(scan, byte);
    if (scan->escaped)
        scan->escaped = false;
    else if (quote)
        scan->perhaps_over = !scan->perhaps_over;
    else
        scan->escaped = scan->state == IN_ESCAPED_TEXT && byte == '\\';
    return true;
}

static void on_block_comment(PgScan *scan, uint8_t byte)
{
    bool opens = byte == '*' && scan->before == '/', closes = byte == '/' && scan->before == '*';

    scan->depth += opens;
    scan->depth -= closes;
    scan->before = opens || closes ? 0 : byte;
    if (scan->depth == 0)
        scan->state = IN_SCRIPT;
}

bool pg_scan_on_byte(PgScan *scan, uint8_t byte, GError **error)
{
    switch (scan->state) {
    case IN_COMMENT:
    case IN_COMMAND:
    case IN_COPY_LINE:
        return on_line(scan, byte, error);
    case IN_BLOCK_COMMENT:
        on_block_comment(scan, byte);
        return true;
    case IN_TEXT:
    case IN_ESCAPED_TEXT:
    case IN_NAME:
        return on_text(scan, byte, error);
    case IN_DOLLAR_TAG:
        return on_dollar_tag(scan, byte, error);
    case IN_DOLLAR_TEXT:
        on_dollar_text(scan, byte);
        return true;
    default:
        return on_script(scan, byte, error);
    }
}
