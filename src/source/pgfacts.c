/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgfacts.h"
#include "base/error.h"
#include "codec/rfc3339.h"
#include <string.h>

json_t *pg_facts_text(const char *text, const char *encoding)
{
    g_autofree char *valid = NULL;

    if (!text)
        return json_null();
    if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0) {
        // PostgreSQL says WIN1252 where iconv says CP1252
        g_autofree char *charset = g_str_has_prefix(encoding, "WIN")
                                       ? g_strconcat("CP", encoding + 3, NULL)
                                       : g_strdup(encoding);

        valid = g_convert(text, -1, "UTF-8", charset, NULL, NULL, NULL);
    }
    if (!valid)
        valid = g_utf8_make_valid(text, -1);
    return json_string(valid);
}

json_t *pg_facts_time(Timestamp time)
{
    char text[RFC3339_MAX];

    (void)rfc3339_format(time, text);
    return json_string(text);
}

json_t *pg_facts_server(const PgConn *conn)
{
    json_t *server = json_object();

    (void)json_object_set_new(server, "version", json_integer(pg_conn_version(conn)));
    (void)json_object_set_new(server, "version_text",
                              pg_facts_text(pg_conn_version_text(conn), NULL));
    return server;
}

static json_t *list_extensions(PgConn *conn, GError **error)
{
    g_autoptr(PgRows) rows =
        pg_query(conn, "SELECT extname, extversion FROM pg_extension ORDER BY 1", NULL, error);
    json_t *extensions = rows ? json_array() : NULL;

    for (int i = 0; rows && i < pg_rows_count(rows); i++) {
        json_t *extension = json_object();

        (void)json_object_set_new(extension, "name", pg_facts_text(pg_rows_get(rows, i, 0), NULL));
        (void)json_object_set_new(extension, "version",
                                  pg_facts_text(pg_rows_get(rows, i, 1), NULL));
        (void)json_array_append_new(extensions, extension);
    }
    return extensions;
}

/* The columns of pg_database that came with later versions. */
static const char *locale_columns(int version)
{
    if (version >= 170000)
        return "datcollversion, datlocprovider, datlocale";
    if (version >= 150000)
        return "datcollversion, datlocprovider, daticulocale";
    return "NULL, 'c', NULL";
}

json_t *pg_facts_database(PgConn *conn, GError **error)
{
    static const char *const names[] = {
        "name",       "owner",           "encoding",        "collate",
        "ctype",      "collate_version", "locale_provider", "locale",
        "tablespace", // where that is another than pg_default
    };
    g_autofree char *sql = g_strdup_printf(
        "SELECT datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate,"
        " datctype, %s,"
        " (SELECT spcname FROM pg_tablespace t WHERE t.oid = dattablespace"
        " AND spcname <> 'pg_default') FROM pg_database WHERE datname = current_database()",
        locale_columns(pg_conn_version(conn)));
    g_autoptr(PgRows) rows = pg_query(conn, sql, NULL, error);
    json_t *extensions = rows ? list_extensions(conn, error) : NULL;
    json_t *facts;

    if (!extensions)
        return NULL;
    facts = json_object();
    (void)json_object_set_new(facts, "extensions", extensions);
    for (int i = 0; i < (int)G_N_ELEMENTS(names); i++)
        if (pg_rows_get(rows, 0, i))
            (void)json_object_set_new(facts, names[i],
                                      pg_facts_text(pg_rows_get(rows, 0, i), NULL));
    return facts;
}

static json_t *describe_table(const PgDumpEntry *entry, const char *encoding)
{
    json_t *table = json_object();

    (void)json_object_set_new(table, "schema", pg_facts_text(entry->schema, encoding));
    (void)json_object_set_new(table, "name", pg_facts_text(entry->tag, encoding));
    (void)json_object_set_new(table, "bytes", json_integer((json_int_t)entry->bytes));
    if (entry->rows >= 0)
        (void)json_object_set_new(table, "rows", json_integer(entry->rows));
    if (entry->hashed)
        (void)json_object_set_new(table, "sha256", json_string(id_hex(&entry->sha256).text));
    return table;
}

void pg_facts_add_dump(json_t *database, const PgDump *dump)
{
    const GPtrArray *entries = pgdump_entries(dump);
    g_autofree char *encoding = pgdump_encoding(dump);
    json_t *tables = json_array();
    json_t *objects = json_object();
    uint64_t count, bytes;

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, "TABLE DATA") == 0)
            (void)json_array_append_new(tables, describe_table(entry, encoding));
    }
    pgdump_large_objects(dump, &count, &bytes);
    (void)json_object_set_new(objects, "count", json_integer((json_int_t)count));
    (void)json_object_set_new(objects, "bytes", json_integer((json_int_t)bytes));
    (void)json_object_set_new(database, "tables", tables);
    (void)json_object_set_new(database, "large_objects", objects);
    (void)json_object_set_new(database, "pg_dump_version",
                              pg_facts_text(pgdump_header(dump)->dump_version, NULL));
}

void pg_facts_add_file(json_t *facts, const char *file, uint64_t size, const Id *sha256)
{
    (void)json_object_set_new(facts, "file", json_string(file));
    (void)json_object_set_new(facts, "size", json_integer((json_int_t)size));
    (void)json_object_set_new(facts, "sha256", json_string(id_hex(sha256).text));
}
