/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgrestore.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/pg_server.h"
#include "source/pgglobals.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static PgServer *server;
static GBytes *shop, *parted; /* dumps */

static const char shop_sql[] =
    "CREATE EXTENSION hstore;\n"
    "CREATE TYPE state AS ENUM ('open', 'paid');\n"
    "CREATE TABLE customers(id serial PRIMARY KEY, name text NOT NULL, tags hstore);\n"
    "INSERT INTO customers(name, tags) SELECT md5(i::text), 'a=>1' FROM generate_series(1, 500) "
    "i;\n"
    "CREATE TABLE orders(id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " customer int REFERENCES customers, state state DEFAULT 'open', note text);\n"
    "CREATE INDEX orders_by_customer ON orders(customer);\n"
    "INSERT INTO orders(customer, note) SELECT 1 + i % 500, repeat('x', i % 50)"
    " FROM generate_series(1, 20000) i;\n"
    "CREATE SCHEMA \"a b\"; CREATE TABLE \"a b\".\"\xc3\xbc\"\"x\"(v int);\n"
    "INSERT INTO \"a b\".\"\xc3\xbc\"\"x\" VALUES (1), (2);\n"
    "CREATE VIEW paid AS SELECT * FROM orders WHERE state = 'paid';\n"
    "CREATE MATERIALIZED VIEW summary AS SELECT count(*) AS n FROM orders;\n"
    "SELECT lo_from_bytea(4711, 'abc');\n"
    "CREATE ROLE shopkeeper; ALTER DATABASE shop OWNER TO shopkeeper;\n"
    "ALTER DATABASE shop SET work_mem = '5MB';\n";

/* Partitions of two levels and schemas, with all that a partition inherits. */
static const char parted_sql[] =
    "CREATE TABLE item(id int PRIMARY KEY); INSERT INTO item SELECT generate_series(1, 100);\n"
    "CREATE SCHEMA cold;\n"
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';\n"
    "CREATE TABLE event(id int, day int, item int REFERENCES item, PRIMARY KEY (id, day))"
    " PARTITION BY RANGE (day);\n"
    "CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM (0) TO (10);\n"
    "CREATE TABLE cold.event_2 PARTITION OF event FOR VALUES FROM (10) TO (100)"
    " PARTITION BY RANGE (day);\n"
    "CREATE TABLE cold.event_2a PARTITION OF cold.event_2 FOR VALUES FROM (10) TO (50);\n"
    "CREATE TABLE cold.event_2b PARTITION OF cold.event_2 DEFAULT;\n"
    "CREATE INDEX event_item ON event(item);\n"
    "CREATE TRIGGER touched BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION touch();\n"
    "ALTER TABLE event_1 DISABLE TRIGGER touched;\n"
    "ALTER TABLE event_1 ADD CONSTRAINT sane CHECK (id > 0) NOT VALID;\n"
    "ALTER TABLE event ADD CONSTRAINT sane CHECK (id > 0) NOT VALID;\n"
    "INSERT INTO event SELECT i, i % 100, 1 + i % 100 FROM generate_series(1, 5000) i;\n"
    "CREATE TABLE remark(id int, day int, FOREIGN KEY (id, day) REFERENCES event);\n"
    "INSERT INTO remark VALUES (5, 5), (15, 15);\n";

static void hear(const char *text, void *user)
{
    g_string_append_printf(user, "%s\n", text);
}

/* The road of a dump: into the sink in slices. finish: as a reader does when all went well. */
static bool restore(const PgRestoreRequest *request, GBytes *dump, size_t slice, GError **error)
{
    g_autoptr(Sink) sink = pg_restore_sink_new(request, error);
    Node folder = { .name = (char *)"shop", .mode = S_IFDIR | 0700 };
    Node file = { .name = (char *)"shop.dump", .mode = S_IFREG | 0600 };
    Entry folder_entry = { .path = "/shop", .node = &folder };
    Entry file_entry = { .path = "/shop/shop.dump", .node = &file };
    void *top, *handle;
    gsize len;
    const uint8_t *data = g_bytes_get_data(dump, &len);

    if (!sink || !sink_begin(sink, &folder_entry, &top, error) ||
        !sink_begin(sink, &file_entry, &handle, error))
        return false;
    for (gsize at = 0; at < len; at += slice)
        if (!sink_write(sink, handle, at, data + at, MIN(slice, len - at), error)) {
            sink_abandon(sink, handle);
            return false;
        }
    return sink_end(sink, handle, NULL, error) && sink_end(sink, top, NULL, error) &&
           sink_finish(sink, error);
}

static char *sql(const char *database, const char *text)
{
    return pg_server_sql(server, database, text);
}

static void assert_sql(const char *database, const char *text, const char *want)
{
    g_autofree char *got = sql(database, text);

    g_assert_cmpstr(got, ==, want);
}

static void fresh(const char *database)
{
    g_autofree char *drop = g_strdup_printf("DROP DATABASE IF EXISTS %s", database);
    g_autofree char *create = g_strdup_printf("CREATE DATABASE %s TEMPLATE template0", database);

    g_free(sql("postgres", drop));
    g_free(sql("postgres", create));
}

static bool exists(const char *database)
{
    g_autofree char *query =
        g_strdup_printf("SELECT count(*) FROM pg_database WHERE datname = '%s'", database);
    g_autofree char *count = sql("postgres", query);

    return strcmp(count, "1") == 0;
}

/* Everything that psql can show of the data, as one hash. */
static char *content_of(const char *database)
{
    g_autofree char *command =
        g_strdup_printf("pg_dump -d %s --no-owner"
                        " | grep -vE '^(ALTER DATABASE|.(un)?restrict )' | sha256sum",
                        database);
    g_autoptr(GBytes) sum = pg_server_shell(server, command);

    return g_strndup(g_bytes_get_data(sum, NULL), 64);
}

static void what_comes_back_is_what_was_dumped(void)
{
    static const struct {
        const char *label;
        size_t slice;
        unsigned jobs;
        bool clean;
    } cases[] = {
        { "one transaction", 1 << 20, 1, false },
        { "slices of 10 bytes", 10, 1, false },
        { "two jobs", 1 << 20, 2, false },
        { "clean into an empty database", 1 << 20, 1, true },
    };
    g_autofree char *want = content_of("shop");

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *url = pg_server_url(server, "back");
        PgRestoreRequest request = { .url = url, .jobs = cases[i].jobs, .clean = cases[i].clean };
        g_autofree char *got = NULL;

        g_test_message("%s", cases[i].label);
        fresh("back");
        restore(&request, shop, cases[i].slice, &error);
        g_assert_no_error(error);
        got = content_of("back");
        g_assert_cmpstr(got, ==, want);
        assert_sql("back", "SELECT lo_get(4711)", "\\x616263");
        // the planner knows the tables from the first query on
        assert_sql("back", "SELECT n_distinct FROM pg_stats WHERE attname = 'customer'", "500");
    }
}

static void a_missing_database_is_made_as_it_was(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "made");
    g_autoptr(GString) notes = g_string_new(NULL);
    json_t *recorded = json_pack("{s:s, s:s, s:s, s:s}", "encoding", "UTF8", "collate", "C.UTF-8",
                                 "ctype", "C.UTF-8", "owner", "shopkeeper");
    PgRestoreRequest request = { .url = url, .recorded = recorded, .note = hear, .user = notes };

    g_assert_false(restore(&request, shop, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_nonnull(strstr(error->message, "--create"));
    g_clear_error(&error);
    request.create = true;
    restore(&request, shop, 4096, &error);
    g_assert_no_error(error);
    assert_sql("made",
               "SELECT datcollate, pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'made'",
               "C.UTF-8|shopkeeper");
    g_assert_nonnull(strstr(notes->str, "settings of database shop"));
    json_decref(recorded);
}

static void the_same_name_gets_the_settings_too(void)
{
    g_autoptr(GError) error = NULL;
    PgRestoreRequest request = { .url = server->url, .create = true };

    g_free(sql("postgres", "ALTER DATABASE shop RENAME TO shop_away"));
    // the URL names no database: it is the one that was dumped
    restore(&request, shop, 1 << 20, &error);
    g_assert_no_error(error);
    assert_sql("shop", "SHOW work_mem", "5MB");
    g_free(sql("postgres", "DROP DATABASE shop"));
    g_free(sql("postgres", "ALTER DATABASE shop_away RENAME TO shop"));
}

static void a_database_that_holds_something_is_refused(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "filled");
    PgRestoreRequest request = { .url = url };
    g_autofree char *want = content_of("shop");
    g_autofree char *got = NULL;

    fresh("filled");
    g_free(sql("filled", "CREATE TABLE customers(id int, old int)"));
    g_assert_false(restore(&request, shop, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY);
    g_assert_nonnull(strstr(error->message, "public.customers"));
    g_clear_error(&error);
    // force goes on, meets the table, and all of it is taken back
    request.force = true;
    g_assert_false(restore(&request, shop, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "already exists"));
    assert_sql("filled", "SELECT count(*) FROM pg_class WHERE relname IN ('orders', 'customers')",
               "1");
    g_clear_error(&error);
    request.clean = true;
    request.force = false;
    restore(&request, shop, 4096, &error);
    g_assert_no_error(error);
    got = content_of("filled");
    g_assert_cmpstr(got, ==, want);
}

static void a_damaged_dump_changes_nothing(void)
{
    gsize n;
    const uint8_t *bytes = g_bytes_get_data(shop, &n);
    g_autofree uint8_t *flipped = g_memdup2(bytes, n);
    uint8_t *row = memmem(flipped, n, "xxxxxxxxxxxxxxxxxxxx", 20);
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(shop, 0, n - 1);
    g_autoptr(GBytes) half = g_bytes_new_from_bytes(shop, 0, n / 2);
    g_autoptr(GBytes) bad = NULL;
    g_autofree char *url = pg_server_url(server, "safe");
    Id sha256;
    json_t *recorded;

    *row = 'y';
    bad = g_bytes_new(flipped, n);
    hash_bytes(bytes, n, &sha256);
    recorded = json_pack("{s:s}", "sha256", id_hex(&sha256).text);
    GBytes *const dumps[] = { cut, half, bad };

    for (size_t i = 0; i < G_N_ELEMENTS(dumps); i++)
        for (unsigned jobs = 1; jobs <= 2; jobs++) {
            g_autoptr(GError) error = NULL;
            PgRestoreRequest request = { .url = url, .recorded = recorded, .jobs = jobs };

            fresh("safe");
            g_assert_false(restore(&request, dumps[i], 4096, &error));
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
            assert_sql("safe", "SELECT count(*) FROM pg_class WHERE relname = 'customers'", "0");
            g_clear_error(&error);
            g_free(sql("postgres", "DROP DATABASE safe"));
            request.create = true;
            g_assert_false(restore(&request, dumps[i], 4096, &error));
            g_assert_false(exists("safe"));
        }
    json_decref(recorded);
}

static void a_table_comes_with_what_belongs_to_it(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "part");
    g_autoptr(GString) notes = g_string_new(NULL);
    char *orders[] = { "public.orders", NULL };
    char *both[] = { "orders", "customers", NULL };
    char *missing[] = { "public.nothing", NULL };
    char *schemas[] = { "a b", NULL };
    PgRestoreRequest request = { .url = url, .tables = orders, .note = hear, .user = notes };

    fresh("part");
    restore(&request, shop, 4096, &error);
    g_assert_no_error(error);
    assert_sql("part", "SELECT count(*) FROM orders", "20000");
    assert_sql("part", "INSERT INTO orders(customer) VALUES (1) RETURNING id, state", "20001|open");
    assert_sql("part", "SELECT count(*) FROM pg_indexes WHERE tablename = 'orders'", "2");
    assert_sql("part", "SELECT to_regclass('customers')", "");
    g_assert_nonnull(strstr(notes->str, "FK CONSTRAINT public.orders orders_customer_fkey"));

    // a second one beside it, and one more schema
    request.tables = NULL;
    request.schemas = schemas;
    restore(&request, shop, 4096, &error);
    g_assert_no_error(error);
    assert_sql("part", "SELECT count(*) FROM \"a b\".\"\xc3\xbc\"\"x\"", "2");

    request.schemas = NULL;
    request.tables = both;
    g_assert_false(restore(&request, shop, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY);
    g_clear_error(&error);
    fresh("part");
    restore(&request, shop, 4096, &error);
    g_assert_no_error(error);
    assert_sql("part", "SELECT count(*) FROM pg_constraint WHERE contype = 'f'", "1");
    assert_sql("part", "INSERT INTO customers(name) VALUES ('x') RETURNING id", "501");

    request.tables = missing;
    g_assert_false(restore(&request, shop, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

static void what_a_table_needs_is_asked_for_where_something_is(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "busy");
    char *orders[] = { "public.orders", NULL };
    PgRestoreRequest request = { .url = url, .tables = orders };

    fresh("busy");
    g_free(pg_server_sql(server, "busy", "CREATE TABLE other(v int)"));
    g_assert_false(restore(&request, shop, 4096, &error));
    g_assert_nonnull(strstr(error->message, "\"public.state\" does not exist"));
    g_assert_nonnull(strstr(error->message, "; only what is chosen is brought"));
    g_clear_error(&error);
    g_free(pg_server_sql(server, "busy", "CREATE TYPE state AS ENUM ('open', 'paid')"));
    restore(&request, shop, 4096, &error);
    g_assert_no_error(error);
    assert_sql("busy", "SELECT count(*) FROM orders", "20000");
}

static void clean_replaces_partitioned_tables(void)
{
    g_autofree char *url = pg_server_url(server, "again");
    g_autofree char *want = content_of("parted");

    for (unsigned jobs = 1; jobs <= 2; jobs++) {
        g_autoptr(GError) error = NULL;
        PgRestoreRequest request = { .url = url, .jobs = jobs, .clean = true };
        g_autofree char *got = NULL;

        fresh("again");
        g_free(sql("again", parted_sql));
        g_free(sql("again", "DELETE FROM event WHERE day = 20; DROP INDEX event_item"));
        restore(&request, parted, 100, &error);
        g_assert_no_error(error);
        got = content_of("again");
        g_assert_cmpstr(got, ==, want);
    }
}

static void clean_that_fails_leaves_partitioned_tables_as_they_were(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "again");
    g_autoptr(GBytes) cut = g_bytes_new_from_bytes(parted, 0, g_bytes_get_size(parted) - 1);
    PgRestoreRequest request = { .url = url, .clean = true };
    g_autofree char *before = NULL, *after = NULL;

    fresh("again");
    g_free(sql("again", parted_sql));
    g_free(sql("again", "DELETE FROM remark; DELETE FROM event WHERE day = 20"));
    before = content_of("again");
    g_assert_false(restore(&request, cut, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_clear_error(&error);
    // met by pg_restore itself, in the midst of its drops
    g_free(sql("again", "CREATE VIEW days AS SELECT DISTINCT day FROM event"));
    g_assert_false(restore(&request, parted, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "other objects depend on it"));
    g_free(sql("again", "DROP VIEW days"));
    after = content_of("again");
    g_assert_cmpstr(after, ==, before);
}

static void a_partition_that_the_dump_lacks_is_not_dropped_unasked(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "again");
    PgRestoreRequest request = { .url = url, .clean = true };

    fresh("again");
    g_free(sql("again", parted_sql));
    g_free(sql("again", "CREATE TABLE event_3 PARTITION OF event FOR VALUES FROM (100) TO (200);"
                        "INSERT INTO event VALUES (1, 150, 1)"));
    g_assert_false(restore(&request, parted, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY);
    g_assert_nonnull(strstr(error->message, "public.event_3"));
    assert_sql("again", "SELECT count(*) FROM event", "5001");
    g_clear_error(&error);
    request.force = true;
    restore(&request, parted, 4096, &error);
    g_assert_no_error(error);
    assert_sql("again", "SELECT count(*), to_regclass('event_3') FROM event", "5000|");
}

static void a_partitioned_table_comes_with_its_partitions(void)
{
    char *event[] = { "public.event", NULL };
    char *half[] = { "cold.event_2", NULL };
    static const char *const rows[] = { "5000", "4500" };
    char **const tables[] = { event, half };
    g_autofree char *url = pg_server_url(server, "again");

    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autoptr(GError) error = NULL;
        PgRestoreRequest request = { .url = url, .tables = tables[i] };
        g_autofree char *count = g_strdup_printf("SELECT count(*) FROM %s", tables[i][0]);

        fresh("again");
        restore(&request, parted, 4096, &error);
        g_assert_no_error(error);
        assert_sql("again", count, rows[i]);
        assert_sql("again", "SELECT to_regclass('item'), to_regclass('remark')", "|");
    }
}

static GBytes *replaced(GBytes *dump, const char *from, const char *to)
{
    gsize n;
    uint8_t *copy = g_memdup2(g_bytes_get_data(dump, &n), g_bytes_get_size(dump));

    for (uint8_t *at = copy; (at = memmem(at, n - (gsize)(at - copy), from, strlen(from)));)
        memcpy(at, to, strlen(to));
    return g_bytes_new_take(copy, n);
}

static void rights_are_given_unless_they_are_left_out(void)
{
    static const char rights[] = "SELECT coalesce(string_agg(grantee, ','), '') FROM "
                                 "information_schema.table_privileges WHERE table_name = 'lent' "
                                 "AND grantee <> 'postgres'";
    g_autofree char *url = pg_server_url(server, "part");
    g_autoptr(GBytes) dump = NULL;

    g_free(sql("postgres", "CREATE ROLE borrower"));
    fresh("lender");
    g_free(sql("lender", "CREATE TABLE lent(id int); GRANT SELECT ON lent TO borrower"));
    dump = pg_server_shell(server, "pg_dump -Fc -Z0 -d lender | cat");
    for (unsigned no_acl = 0; no_acl <= 1; no_acl++) {
        PgRestoreRequest request = { .url = url, .no_acl = no_acl };
        g_autoptr(GError) error = NULL;

        fresh("part");
        restore(&request, dump, 4096, &error);
        g_assert_no_error(error);
        assert_sql("part", rights, no_acl ? "" : "borrower");
    }
    g_free(sql("postgres", "DROP DATABASE lender"));
    g_free(sql("postgres", "DROP ROLE borrower"));
}

static void what_the_server_lacks_is_said_before(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "lacks");
    g_autoptr(GBytes) foreign = replaced(shop, "hstore", "hstorx");
    g_autoptr(GBytes) newer = NULL;
    gsize n;
    const char *bytes = g_bytes_get_data(shop, &n);
    // the header holds the server's version, then pg_dump's
    const char *version = (const char *)memmem(bytes, n, "(Debian", 7);
    PgRestoreRequest request = { .url = url };

    fresh("lacks");
    g_assert_false(restore(&request, foreign, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(error->message, "hstorx"));
    g_clear_error(&error);
    if (version) {
        uint8_t *copy = g_memdup2(bytes, n);

        memcpy(copy + (version - 1 - bytes) - 5, "93", 2);
        newer = g_bytes_new_take(copy, n);
        g_assert_false(restore(&request, newer, 4096, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_VERSION);
    }
}

static void an_archive_of_the_future_is_refused_before(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "later");
    gsize len;
    const uint8_t *bytes = g_bytes_get_data(shop, &len);
    g_autofree uint8_t *copy = g_memdup2(bytes, len);
    g_autoptr(GBytes) later = g_bytes_new_static(copy, len);
    PgRestoreRequest request = { .url = url, .clean = true, .create = true };

    copy[6] = 255; // archive version 1.255
    g_assert_false(restore(&request, later, 4096, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_VERSION);
    g_assert_nonnull(strstr(error->message, "1.255"));
    g_assert_nonnull(strstr(error->message, "update Backstay"));
    g_assert_false(exists("later"));
}

static void rows_are_counted_afterwards(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "count");
    g_autofree char *directory = g_dir_make_tmp("fake-pg-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "pg_restore", NULL);
    g_autofree char *script =
        g_strdup_printf("#!/bin/bash\n"
                        "real=$(ls /usr/lib/postgresql/*/bin/pg_restore | sort -V | tail -n 1)\n"
                        "[ \"$1\" = --version ] && exec $real --version\n"
                        "$real \"$@\" && psql -qXh '%s' -p %s -U postgres -d count -c 'DELETE FROM "
                        "orders WHERE id < 11'\n",
                        server->directory, server->port);
    PgRestoreRequest request = { .url = url };

    g_assert_true(g_file_set_contents_full(path, script, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    g_setenv("BACKSTAY_PG_BIN", directory, TRUE);
    fresh("count");
    g_assert_false(restore(&request, shop, 4096, &error));
    g_unsetenv("BACKSTAY_PG_BIN");
    g_assert_error(error, BS_ERROR, BS_ERROR_MISMATCH);
    g_assert_nonnull(strstr(error->message, "public.orders has 19990 rows instead of 20000"));
    (void)remove(path);
    (void)remove(directory);
}

static void globals_come_back_and_errors_are_told(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) globals = NULL;
    g_autoptr(GString) notes = g_string_new(NULL);
    unsigned failed;

    g_free(sql("postgres", "CREATE ROLE gone"));
    globals = pg_server_shell(server, "pg_dumpall --globals-only");
    g_free(sql("postgres", "DROP ROLE gone"));
    pg_restore_globals(server->url, g_bytes_get_data(globals, NULL), g_bytes_get_size(globals),
                       hear, notes, NULL, &failed, &error);
    g_assert_no_error(error);
    assert_sql("postgres", "SELECT count(*) FROM pg_roles WHERE rolname = 'gone'", "1");
    g_assert_cmpuint(failed, ==, 2);
    g_assert_nonnull(strstr(notes->str, "shopkeeper"));
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    server = pg_server_start();
    g_free(sql("postgres", "CREATE DATABASE shop"));
    g_free(sql("shop", shop_sql));
    shop = pg_server_shell(server, "pg_dump -Fc -Z0 -d shop | cat");
    g_free(sql("postgres", "CREATE DATABASE parted"));
    g_free(sql("parted", parted_sql));
    parted = pg_server_shell(server, "pg_dump -Fc -Z0 -d parted | cat");
    g_test_add_func("/pgrestore/what comes back is what was dumped",
                    what_comes_back_is_what_was_dumped);
    g_test_add_func("/pgrestore/a missing database is made as it was",
                    a_missing_database_is_made_as_it_was);
    g_test_add_func("/pgrestore/the same name gets the settings too",
                    the_same_name_gets_the_settings_too);
    g_test_add_func("/pgrestore/a database that holds something is refused",
                    a_database_that_holds_something_is_refused);
    g_test_add_func("/pgrestore/a damaged dump changes nothing", a_damaged_dump_changes_nothing);
    g_test_add_func("/pgrestore/a table comes with what belongs to it",
                    a_table_comes_with_what_belongs_to_it);
    g_test_add_func("/pgrestore/what a table needs is asked for where something is",
                    what_a_table_needs_is_asked_for_where_something_is);
    g_test_add_func("/pgrestore/clean replaces partitioned tables",
                    clean_replaces_partitioned_tables);
    g_test_add_func("/pgrestore/clean that fails leaves partitioned tables as they were",
                    clean_that_fails_leaves_partitioned_tables_as_they_were);
    g_test_add_func("/pgrestore/a partition that the dump lacks is not dropped unasked",
                    a_partition_that_the_dump_lacks_is_not_dropped_unasked);
    g_test_add_func("/pgrestore/a partitioned table comes with its partitions",
                    a_partitioned_table_comes_with_its_partitions);
    g_test_add_func("/pgrestore/rights are given unless they are left out",
                    rights_are_given_unless_they_are_left_out);
    g_test_add_func("/pgrestore/what the server lacks is said before",
                    what_the_server_lacks_is_said_before);
    g_test_add_func("/pgrestore/an archive of the future is refused before",
                    an_archive_of_the_future_is_refused_before);
    g_test_add_func("/pgrestore/rows are counted afterwards", rows_are_counted_afterwards);
    g_test_add_func("/pgrestore/globals come back and errors are told",
                    globals_come_back_and_errors_are_told);
    status = g_test_run();
    g_bytes_unref(shop);
    g_bytes_unref(parted);
    pg_server_stop(server);
    return status;
}
