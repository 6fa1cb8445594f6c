/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgscan.h"

#include "base/error.h"
#include "source/pgscanning.h"
#include <string.h>

#define TAIL_LEN 256u
#define END_LEN  PG_SCAN_END_LEN

static void table_free(gpointer data)
{
    PgScanTable *table = data;

    if (!table)
        return;
    g_free(table->schema);
    g_free(table->name);
    g_free(table);
}

PgScan *pg_scan_new(void)
{
    PgScan *scan = g_new0(PgScan, 1);

    scan->line = 1;
    scan->statement = g_string_new(NULL);
    scan->kept = g_string_new(NULL);
    scan->tag = g_string_new(NULL);
    scan->tail = g_string_new(NULL);
    scan->hash = hash_new();
    scan->out = g_byte_array_new();
    scan->held = g_string_new(NULL);
    scan->tables = g_ptr_array_new_with_free_func(table_free);
    scan->extensions = g_ptr_array_new_with_free_func(g_free);
    return scan;
}

void pg_scan_free(PgScan *scan)
{
    if (!scan)
        return;
    g_string_free(scan->statement, TRUE);
    g_string_free(scan->kept, TRUE);
    g_string_free(scan->tag, TRUE);
    g_string_free(scan->tail, TRUE);
    table_free(scan->table);
    hash_free(scan->hash);
    g_byte_array_unref(scan->out);
    g_string_free(scan->held, TRUE);
    g_ptr_array_unref(scan->tables);
    g_ptr_array_unref(scan->extensions);
    g_free(scan->server_version);
    g_free(scan->dump_version);
    g_free(scan->encoding);
    g_free(scan->connects);
    g_free(scan->restricted);
    g_free(scan);
}

bool pg_scan_corrupt(PgScan *scan, GError **error, const char *what)
{
    scan->failed = true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "script: line %" G_GUINT64_FORMAT ": %s",
                scan->line, what);
    return false;
}

/* ---- rows ---- */

static void take(PgScan *scan, const void *data, size_t len)
{
    hash_update(scan->hash, data, len);
    scan->table->bytes += len;
}

static void end_rows(PgScan *scan)
{
    hash_final(scan->hash, &scan->table->sha256);
    g_ptr_array_add(scan->tables, g_steal_pointer(&scan->table));
    scan->state = IN_SCRIPT;
    scan->before = 0;
}

static void end_row(PgScan *scan)
{
    size_t waiting = MIN(scan->row_len, END_LEN);
    bool last = scan->row_len == END_LEN && memcmp(scan->row, "\\.", END_LEN) == 0;

    scan->line++;
    if (!last) {
        if (scan->row_len <= END_LEN)
            take(scan, scan->row, waiting);
        take(scan, "\n", 1);
        scan->table->rows++;
    }
    scan->row_len = 0;
    if (last)
        end_rows(scan);
}

/* At most to the end of a row; gives how many bytes. The first ones wait until there is one more.
 */
static size_t on_rows(PgScan *scan, const uint8_t *data, size_t len)
{
    const uint8_t *newline;
    size_t n;

    if (*data == '\n') {
        end_row(scan);
        return 1;
    }
    if (scan->row_len < END_LEN) {
        scan->row[scan->row_len++] = *data;
        return 1;
    }
    if (scan->row_len == END_LEN)
        take(scan, scan->row, END_LEN);
    newline = memchr(data, '\n', len);
    n = newline ? (size_t)(newline - data) : len;
    take(scan, data, n);
    scan->row_len += n;
    return n;
}

/* ---- the stream ---- */

static void keep_tail(PgScan *scan, const char *data, size_t len)
{
    size_t n = MIN(len, TAIL_LEN);

    g_string_append_len(scan->tail, data + len - n, (gssize)n);
    if (scan->tail->len > TAIL_LEN)
        g_string_erase(scan->tail, 0, (gssize)(scan->tail->len - TAIL_LEN));
}

static bool read_slice(PgScan *scan, const uint8_t *data, size_t len, GError **error)
{
    size_t at = 0, n;

    while (at < len) {
        State before = scan->state;

        if (scan->state == IN_ROWS) {
            n = on_rows(scan, data + at, len - at);
            if (scan->pass)
                g_byte_array_append(scan->out, data + at, (guint)n);
            at += n;
            continue;
        }
        if (data[at] == '\0')
            return pg_scan_corrupt(scan, error, "a zero byte");
        if (!pg_scan_on_byte(scan, data[at], error))
            return false;
        if (scan->pass)
            pg_scan_pass_byte(scan, data[at], before);
        scan->line += data[at++] == '\n';
    }
    return true;
}

bool pg_scan_feed(PgScan *scan, const void *data, size_t len, GError **error)
{
    if (scan->failed)
        return pg_scan_corrupt(scan, error, "damaged");
    g_byte_array_set_size(scan->out, 0);
    if (!read_slice(scan, data, len, error))
        return false;
    keep_tail(scan, data, len);
    return pg_scan_pass_all(scan, error);
}

/* The end as pg_dump and pg_dumpall write it, byte for byte: one that lacks its last byte has
 * another. */
static bool ends_well(PgScan *scan)
{
    const char *mark = scan->cluster ? "\n--\n-- PostgreSQL database cluster dump complete\n--\n\n"
                                     : "\n--\n-- PostgreSQL database dump complete\n--\n\n";
    const char *command;

    if (scan->was_restricted && !scan->cluster) {
        command = g_strrstr(scan->tail->str, "\\unrestrict ");
        if (!command || !g_str_has_suffix(command, "\n\n") || strchr(command, '\n')[2])
            return false;
        g_string_truncate(scan->tail, (gsize)(command - scan->tail->str));
    }
    return g_str_has_suffix(scan->tail->str, mark);
}

bool pg_scan_finish(PgScan *scan, GError **error)
{
    if (scan->failed)
        return pg_scan_corrupt(scan, error, "damaged");
    if (scan->table) {
        g_set_error(
            error, BS_ERROR, BS_ERROR_CORRUPT,
            "script: it ends early, within the rows of table %s%s%s (line %" G_GUINT64_FORMAT ")",
            scan->table->schema ? scan->table->schema : "", scan->table->schema ? "." : "",
            scan->table->name, scan->line);
        return false;
    }
    if (scan->state == IN_SCRIPT && scan->statement->len == 0 && !scan->restricted &&
        ends_well(scan))
        return true;
    return pg_scan_corrupt(
        scan, error,
        "it ends early: the comment \"PostgreSQL database dump complete\", with which "
        "pg_dump ends, is not there");
}

/* ---- answers ---- */

const GPtrArray *pg_scan_tables(const PgScan *scan)
{
    return scan->tables;
}

const GPtrArray *pg_scan_extensions(const PgScan *scan)
{
    return scan->extensions;
}

const char *pg_scan_server_version(const PgScan *scan)
{
    return scan->server_version;
}

const char *pg_scan_dump_version(const PgScan *scan)
{
    return scan->dump_version;
}

const char *pg_scan_encoding(const PgScan *scan)
{
    return scan->encoding;
}

bool pg_scan_counts_all(const PgScan *scan)
{
    return !scan->inserts;
}

const char *pg_scan_connects(const PgScan *scan)
{
    return scan->connects;
}

bool pg_scan_has_passwords(const PgScan *scan)
{
    return scan->passwords;
}

bool pg_scan_is_cluster(const PgScan *scan)
{
    return scan->cluster;
}
