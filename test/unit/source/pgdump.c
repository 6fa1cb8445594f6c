/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdump.h"
#include "base/error.h"
#include "lib/pg_server.h"
#include "lib/recorded_dumps.h"
#include <string.h>

static PgServer *server;

/* Tables, so that every kind of data and name is among them. */
static const char everything[] =
    "CREATE TABLE plain(id serial PRIMARY KEY, body text, at timestamptz DEFAULT now());\n"
    "INSERT INTO plain(body) SELECT repeat(md5(i::text), i % 7) FROM generate_series(1, 20000) i;\n"
    "CREATE TABLE types(j jsonb, b bytea, a int[], t text[], n numeric, u uuid, x xml);\n"
    "INSERT INTO types SELECT jsonb_build_object('k', i, 'v', E'\\t\\n\\\\'),"
    " decode(md5(i::text), 'hex'), ARRAY[i, NULL], ARRAY[E'a\\nb', '\\.', E'\\\\.'], i / 7.0,"
    " gen_random_uuid(), '<a/>' FROM generate_series(1, 500) i;\n"
    "CREATE TABLE escapes(v text);\n"
    "INSERT INTO escapes VALUES (E'\\\\.'), (E'\\\\.\\n\\n\\n'), (E'\\n'), (''), (NULL), "
    "(E'\\r\\b\\f\\v');\n"
    "CREATE TABLE empty(v text);\n"
    "CREATE TABLE nothing();\n"
    "INSERT INTO nothing DEFAULT VALUES; INSERT INTO nothing DEFAULT VALUES;\n"
    "CREATE TABLE wide(v text);\n"
    "INSERT INTO wide SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100000) i;\n"
    "CREATE TABLE parts(k int, v text) PARTITION BY RANGE (k);\n"
    "CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);\n"
    "CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (10) TO (1000);\n"
    "INSERT INTO parts SELECT i, 'x' FROM generate_series(0, 99) i;\n"
    "CREATE TABLE parent(k int); CREATE TABLE child() INHERITS (parent);\n"
    "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2), (3);\n"
    "CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM plain;\n"
    "CREATE SCHEMA \"a b\";\n"
    "CREATE TABLE \"a b\".\"\xc3\xbc\"\"x\"(v int);\n"
    "INSERT INTO \"a b\".\"\xc3\xbc\"\"x\" SELECT generate_series(1, 3);\n"
    "CREATE TABLE \"a b\".\"new\nline\"(v int);\n"
    "INSERT INTO \"a b\".\"new\nline\" SELECT generate_series(1, 4);\n"
    "SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex')), lo_from_bytea(0, ''),"
    " lo_from_bytea(0, 'abc');\n"
    "CREATE FUNCTION f(a int, b text) RETURNS int LANGUAGE sql AS 'SELECT 1';\n"
    "ALTER DATABASE everything SET work_mem = '5MB';\n";

static GBytes *dump_of(const char *database, const char *options)
{
    g_autofree char *command = g_strdup_printf("pg_dump -Fc %s -d '%s' | cat", options, database);

    return pg_server_shell(server, command);
}

/* Fed in slices of that length. */
static bool parse(GBytes *bytes, size_t slice, PgDump **ret_dump, GError **error)
{
    g_autoptr(PgDump) dump = pgdump_new();
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);

    for (size_t at = 0; at < len; at += slice)
        if (!pgdump_feed(dump, data + at, MIN(slice, len - at), error))
            return false;
    if (!pgdump_finish(dump, error))
        return false;
    if (ret_dump)
        *ret_dump = g_steal_pointer(&dump);
    return true;
}

static char *quoted(const char *schema, const char *name)
{
    g_auto(GStrv) a = g_strsplit(schema, "\"", -1);
    g_auto(GStrv) b = g_strsplit(name, "\"", -1);
    g_autofree char *schema_doubled = g_strjoinv("\"\"", a);
    g_autofree char *name_doubled = g_strjoinv("\"\"", b);

    return g_strdup_printf("\"%s\".\"%s\"", schema_doubled, name_doubled);
}

static void rows_and_hash_are_those_of_the_server(void)
{
    static const size_t slices[] = { 1, 3, 7, 4096, 1 << 20, SIZE_MAX / 2 };
    g_autoptr(GBytes) bytes = dump_of("everything", "-Z0");
    GHashTable *sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (size_t i = 0; i < G_N_ELEMENTS(slices); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(PgDump) dump = NULL;
        const GPtrArray *entries;
        unsigned tables = 0;
        uint64_t count, size;

        g_test_message("slices of %zu bytes", slices[i]);
        parse(bytes, slices[i], &dump, &error);
        g_assert_no_error(error);
        entries = pgdump_entries(dump);
        for (guint n = 0; n < entries->len; n++) {
            const PgDumpEntry *entry = entries->pdata[n];
            g_autofree char *name = NULL, *got = NULL;
            char *want;

            if (strcmp(entry->desc, "TABLE DATA") != 0)
                continue;
            tables++;
            name = quoted(entry->schema, entry->tag);
            want = g_hash_table_lookup(sums, name);
            if (!want) {
                g_autofree char *count_sql = g_strdup_printf("SELECT count(*) FROM ONLY %s", name);
                g_autofree char *rows = pg_server_sql(server, "everything", count_sql);
                g_autofree char *copy_sql = g_strdup_printf("COPY %s TO STDOUT", name);
                g_autofree char *copy = g_shell_quote(copy_sql);
                g_autofree char *command = g_strdup_printf(
                    "psql -Xq -d everything -c %s | sha256sum | cut -c1-64 | tr -d '\\n'", copy);
                g_autoptr(GBytes) sum = pg_server_shell(server, command);

                want = g_strdup_printf("%s %.64s", rows, (const char *)g_bytes_get_data(sum, NULL));
                g_hash_table_insert(sums, g_strdup(name), want);
            }
            g_assert_true(entry->copied && entry->complete && entry->hashed);
            got = g_strdup_printf("%" G_GINT64_FORMAT " %s", entry->rows,
                                  id_hex(&entry->sha256).text);
            g_assert_cmpstr(got, ==, want);
        }
        g_assert_cmpuint(tables, ==, 12);
        pgdump_large_objects(dump, &count, &size);
        g_assert_cmpuint(count, ==, 3);
        g_assert_cmpuint(size, ==, 10003);
    }
    g_hash_table_unref(sums);
}

static const PgDumpEntry *find(const PgDump *dump, const char *desc, const char *tag)
{
    const GPtrArray *entries = pgdump_entries(dump);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, desc) == 0 && (!tag || strcmp(entry->tag, tag) == 0))
            return entry;
    }
    g_error("no %s %s", desc, tag);
}

static void header_and_entries_say_what_was_dumped(void)
{
    g_autoptr(GBytes) bytes = dump_of("everything", "-Z0");
    g_autoptr(PgDump) dump = NULL;
    g_autofree char *encoding = NULL;
    const PgDumpEntry *table, *data;

    g_assert_true(parse(bytes, 1000, &dump, NULL));
    g_assert_cmpstr(pgdump_header(dump)->database, ==, "everything");
    g_assert_cmpint(pgdump_header(dump)->compression, ==, PGDUMP_PLAIN);
    g_assert_cmpint(g_ascii_strtoll(pgdump_header(dump)->server_version, NULL, 10), >=, 9);
    g_assert_cmpint(g_ascii_strtoll(pgdump_header(dump)->dump_version, NULL, 10), >=, 9);
    encoding = pgdump_encoding(dump);
    g_assert_cmpstr(encoding, ==, "UTF8");
    table = find(dump, "TABLE", "plain");
    data = find(dump, "TABLE DATA", "plain");
    g_assert_cmpstr(table->schema, ==, "public");
    g_assert_cmpstr(table->owner, ==, "postgres");
    g_assert_false(table->has_data);
    g_assert_cmpuint(data->n_depends_on, ==, 1);
    g_assert_cmpint(data->depends_on[0], ==, table->id);
    g_assert_nonnull(strstr(find(dump, "DATABASE PROPERTIES", NULL)->definition, "work_mem"));
    g_assert_nonnull(find(dump, "FUNCTION", "f(integer, text)"));
    g_assert_nonnull(find(dump, "TABLE DATA", "new\nline"));
}

static void a_cut_is_noticed_wherever_it_is(void)
{
    g_autoptr(GBytes) small = dump_of("small", "-Z0");
    g_autoptr(GBytes) large = dump_of("everything", "-Z0");
    gsize n = g_bytes_get_size(small), noticed = 0;

    g_assert_true(parse(small, 100, NULL, NULL));
    for (gsize at = 0; at < n; at++) {
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(small, 0, at);
        g_autoptr(GError) error = NULL;

        g_assert_false(parse(cut, 4096, NULL, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    n = g_bytes_get_size(large);
    for (int i = 0; i < 200; i++) {
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(large, 0, (n - 1) * i / 199);

        noticed += !parse(cut, 1 << 20, NULL, NULL);
    }
    g_assert_cmpuint(noticed, ==, 200);
}

static void bytes_after_the_end_are_noticed(void)
{
    g_autoptr(GBytes) small = dump_of("small", "-Z0");
    g_autoptr(GByteArray) longer = g_byte_array_new();
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) error = NULL;

    g_byte_array_append(longer, g_bytes_get_data(small, NULL), (guint)g_bytes_get_size(small));
    g_byte_array_append(longer, (const uint8_t *)"\1", 1);
    bytes = g_byte_array_free_to_bytes(g_steal_pointer(&longer));
    g_assert_false(parse(bytes, 4096, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void other_ways_to_dump(void)
{
    static const struct {
        const char *label, *options;
        int64_t rows;
        bool has_table;
    } cases[] = {
        { "compressed", "-Z6", 3, true },
        { "INSERT statements", "-Z0 --inserts", -1, true },
        { "schema only", "-Z0 -s", 0, false },
        { "data only", "-Z0 -a", 3, true },
        { "data left out", "-Z0 --exclude-table-data=t", 0, false },
        { "one section", "-Z0 --section=data", 3, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) bytes = dump_of("small", cases[i].options);
        g_autoptr(PgDump) dump = NULL;

        g_test_message("%s", cases[i].label);
        parse(bytes, 4096, &dump, &error);
        g_assert_no_error(error);
        if (!cases[i].has_table)
            continue;
        g_assert_cmpint(find(dump, "TABLE DATA", "t")->rows, ==, cases[i].rows);
        g_assert_cmpuint(find(dump, "TABLE DATA", "t")->bytes, >, 0);
    }
}

static bool same_entry(const PgDumpEntry *one, const PgDumpEntry *other)
{
    return strcmp(one->tag, other->tag) == 0 && one->rows == other->rows &&
           one->hashed == other->hashed &&
           (!one->hashed || (one->bytes == other->bytes && id_equal(&one->sha256, &other->sha256)));
}

/* How many are not the same in both. ret_n_hashed may be NULL: how many have a hash. */
static guint n_different(const PgDump *a, const PgDump *b, guint *ret_n_hashed)
{
    guint n = 0, n_hashed = 0;

    g_assert_cmpuint(pgdump_entries(a)->len, ==, pgdump_entries(b)->len);
    for (guint i = 0; i < pgdump_entries(a)->len; i++) {
        const PgDumpEntry *one = pgdump_entries(a)->pdata[i];

        n += !same_entry(one, pgdump_entries(b)->pdata[i]);
        n_hashed += one->hashed;
    }
    if (ret_n_hashed)
        *ret_n_hashed = n_hashed;
    return n;
}

static void compressed_data_are_read_as_others(void)
{
    g_autoptr(GBytes) plain = dump_of("everything", "-Z0");
    g_autoptr(GBytes) packed = dump_of("everything", "-Z6");
    g_autoptr(PgDump) a = NULL, b = NULL;
    guint n_hashed;

    g_assert_true(parse(plain, 4096, &a, NULL) && parse(packed, 777, &b, NULL));
    g_assert_cmpuint(n_different(a, b, &n_hashed), ==, 0);
    g_assert_cmpuint(n_hashed, >, 5);
}

/* pg_restore takes most changes for good when the data are not compressed; compressed by zlib they
 * have a checksum. It is a weak one: where the distance of a match becomes another, the three bytes
 * that it stands for may become others of the same Adler-32, as "038" and "119" are. Of this dump,
 * which is always the same, one bit is such a one; the hash of the rows shows it, and nothing else.
 */
static void every_bit_of_compressed_data_is_noticed(void)
{
    g_autofree char *path = recorded_dump("18/gzip.dump"), *copy = NULL;
    g_autoptr(PgDump) whole = NULL;
    g_autoptr(GBytes) input = NULL;
    unsigned refused = 0, shown = 0, n = 0;
    gsize len;

    g_assert_true(g_file_get_contents(path, &copy, &len, NULL));
    input = g_bytes_new_static(copy, len);
    g_assert_true(parse(input, 65536, &whole, NULL));
    for (gsize bit = pgdump_toc_len(whole) * 8; bit < len * 8; bit++, n++) {
        g_autoptr(PgDump) changed = NULL;

        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        // the number of a large object is just a number, and minus zero is zero
        if (!parse(input, 65536, &changed, NULL))
            refused++;
        else
            shown += n_different(whole, changed, NULL);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    }
    g_test_message("%u of %u are refused", refused, n);
    g_assert_cmpuint(refused, >, n * 98 / 100);
    g_assert_cmpuint(shown, ==, 1);
}

static void dumps_of_newer_releases_are_read(void)
{
    static const char *const names[] = { "16/lz4.dump", "17/zstd.dump", "18/gzip.dump",
                                         "18/lz4.dump", "18/zstd.dump", "19/zstd.dump" };
    static const size_t slices[] = { 1, 100, 65536 };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = recorded_dump(names[i]), *content = NULL;
        gsize len;

        g_test_message("%s", names[i]);
        g_assert_true(g_file_get_contents(path, &content, &len, NULL));
        for (size_t s = 0; s < G_N_ELEMENTS(slices); s++) {
            g_autoptr(GBytes) bytes = g_bytes_new_static(content, len);
            g_autoptr(GError) error = NULL;
            g_autoptr(PgDump) dump = NULL;

            parse(bytes, slices[s], &dump, &error);
            g_assert_no_error(error);
            assert_recorded_tables(dump);
        }
        for (gsize cut = 1; cut < len; cut++) {
            g_autoptr(GBytes) bytes = g_bytes_new_static(content, len - cut);

            g_assert_false(parse(bytes, 65536, NULL, NULL));
        }
    }
}

static void an_empty_database_is_a_whole_dump(void)
{
    g_autoptr(GBytes) bytes = dump_of("vacant", "-Z0");
    g_autoptr(PgDump) dump = NULL;

    g_assert_true(parse(bytes, 10, &dump, NULL));
    g_assert_cmpstr(pgdump_header(dump)->database, ==, "vacant");
}

static void garbage_is_refused(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        int code;
    } cases[] = {
        { "", 0, BS_ERROR_CORRUPT },
        { "-- PostgreSQL database dump", 27, BS_ERROR_CORRUPT },
        { "PGDMP\1\20\0\4\10\3", 11, BS_ERROR_UNSUPPORTED }, /* tar */
        { "PGDMP\1\13\0\4\10\1", 11, BS_ERROR_UNSUPPORTED }, /* 1.11 */
        { "PGDMP\1\21\0\4\10\1", 11, BS_ERROR_VERSION },     /* 1.17 */
        { "PGDMP\2\0\0\4\10\1", 11, BS_ERROR_VERSION },
        { "PGDMP\1\16\0\77\10\1", 11, BS_ERROR_CORRUPT }, /* integers of 63 bytes */
    };
    g_autoptr(GBytes) small = dump_of("small", "-Z0");
    gsize n;
    const uint8_t *bytes = g_bytes_get_data(small, &n);
    g_autofree uint8_t *copy = g_memdup2(bytes, n);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GBytes) input = g_bytes_new_static(cases[i].bytes, cases[i].len);

        g_assert_false(parse(input, 4096, NULL, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
    }
    // whatever a changed byte does, it is an answer
    for (int i = 0; i < 20000; i++) {
        gsize at = (gsize)g_rand_int_range(rand, 0, (gint32)n);
        g_autoptr(GBytes) input = NULL;

        copy[at] = (uint8_t)g_rand_int(rand);
        input = g_bytes_new_static(copy, n);
        (void)parse(input, 4096, NULL, NULL);
        copy[at] = bytes[at];
    }
}

int main(int argc, char **argv)
{
    g_autofree char *printed = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    server = pg_server_start();
    g_free(pg_server_sql(server, "postgres",
                         "CREATE DATABASE everything;\nCREATE DATABASE small;\n"
                         "CREATE DATABASE vacant;\n"));
    printed = pg_server_sql(server, "everything", everything);
    g_free(pg_server_sql(server, "small",
                         "CREATE TABLE t(v int); INSERT INTO t SELECT generate_series(1, 3);"));
    g_test_add_func("/pgdump/rows and hash are those of the server",
                    rows_and_hash_are_those_of_the_server);
    g_test_add_func("/pgdump/header and entries say what was dumped",
                    header_and_entries_say_what_was_dumped);
    g_test_add_func("/pgdump/compressed data are read as others",
                    compressed_data_are_read_as_others);
    g_test_add_func("/pgdump/every bit of compressed data",
                    every_bit_of_compressed_data_is_noticed);
    g_test_add_func("/pgdump/a cut is noticed wherever it is", a_cut_is_noticed_wherever_it_is);
    g_test_add_func("/pgdump/bytes after the end are noticed", bytes_after_the_end_are_noticed);
    g_test_add_func("/pgdump/other ways to dump", other_ways_to_dump);
    g_test_add_func("/pgdump/dumps of newer releases are read", dumps_of_newer_releases_are_read);
    g_test_add_func("/pgdump/an empty database is a whole dump", an_empty_database_is_a_whole_dump);
    g_test_add_func("/pgdump/garbage is refused", garbage_is_refused);
    status = g_test_run();
    pg_server_stop(server);
    return status;
}
