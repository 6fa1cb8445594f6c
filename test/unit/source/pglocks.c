/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pglocks.h"
#include "lib/pg_server.h"
#include <string.h>

static PgServer *server;

static const char family_sql[] =
    "CREATE TABLE item(id int PRIMARY KEY);\n"
    "CREATE TABLE event(id int, day int, item int REFERENCES item, PRIMARY KEY (id, day))"
    " PARTITION BY RANGE (day);\n"
    "CREATE TABLE early PARTITION OF event FOR VALUES FROM (0) TO (10);\n"
    "CREATE TABLE late PARTITION OF event FOR VALUES FROM (10) TO (100)"
    " PARTITION BY RANGE (day);\n"
    "CREATE TABLE later PARTITION OF late DEFAULT;\n"
    "CREATE INDEX event_item ON event(item);\n"
    "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';\n"
    "CREATE TRIGGER touched BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION touch();\n"
    "ALTER TABLE event ADD CONSTRAINT sane CHECK (id > 0) NOT VALID;\n"
    "CREATE TABLE remark(id int, day int, FOREIGN KEY (id, day) REFERENCES event);\n"
    "INSERT INTO event VALUES (1, 5), (2, 50);\n";

static GByteArray *dump_of(const char *database, const char *to)
{
    g_autofree char *command = g_strdup_printf("pg_dump -Fc -Z0 -d %s %s", database, to);
    g_autoptr(GBytes) bytes = pg_server_shell(server, command);

    return g_bytes_unref_to_array(g_steal_pointer(&bytes));
}

static PgDump *parse(const GByteArray *bytes)
{
    g_autoptr(GError) error = NULL;
    PgDump *dump = pgdump_new();

    pgdump_feed(dump, bytes->data, bytes->len, &error);
    g_assert_no_error(error);
    pgdump_finish(dump, &error);
    g_assert_no_error(error);
    return dump;
}

static const PgDumpEntry *find(const PgDump *dump, const char *desc, const char *tag)
{
    const GPtrArray *entries = pgdump_entries(dump);

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, desc) == 0 && strcmp(entry->tag, tag) == 0)
            return entry;
    }
    g_error("the dump has no %s %s", desc, tag);
}

/* The names of the tables that an entry depends on, sorted: "early event". */
static void assert_tables(const PgDump *dump, const char *desc, const char *tag, const char *want)
{
    static const char *const all[] = { "early", "event", "item", "late", "later", "remark" };
    const PgDumpEntry *entry = find(dump, desc, tag);
    g_autoptr(GString) got = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        const int id = find(dump, "TABLE", all[i])->id;
        bool found = false;

        for (size_t j = 0; j < entry->n_depends_on; j++)
            found = found || entry->depends_on[j] == id;
        if (found)
            g_string_append_printf(got, "%s%s", got->len ? " " : "", all[i]);
    }
    g_assert_cmpstr(got->str, ==, want);
}

/* With all that its statements lock. */
static PgDump *completed_family(void)
{
    GByteArray *bytes = dump_of("family", "| cat");
    g_autoptr(PgDump) before = parse(bytes);
    g_autoptr(GByteArray) whole = pg_locks_complete(before, bytes);

    assert_tables(before, "CHECK CONSTRAINT", "event sane", "event");
    return parse(whole);
}

static void a_statement_depends_on_all_that_it_locks(void)
{
    g_autoptr(PgDump) dump = completed_family();

    assert_tables(dump, "CHECK CONSTRAINT", "event sane", "early event late later");
    assert_tables(dump, "TRIGGER", "event touched", "early event late later");
    assert_tables(dump, "CONSTRAINT", "event event_pkey", "early event late later");
    assert_tables(dump, "CONSTRAINT", "late late_pkey", "event late later");
    assert_tables(dump, "FK CONSTRAINT", "event event_item_fkey", "early event item late later");
    assert_tables(dump, "FK CONSTRAINT", "remark remark_id_day_fkey",
                  "early event late later remark");
    assert_tables(dump, "INDEX ATTACH", "later_item_idx", "event late later");
}

static void indexes_of_partitions_are_built_side_by_side(void)
{
    g_autoptr(PgDump) dump = completed_family();

    assert_tables(dump, "CONSTRAINT", "later later_pkey", "later");
    assert_tables(dump, "CONSTRAINT", "early early_pkey", "early");
    assert_tables(dump, "INDEX", "later_item_idx", "later");
    assert_tables(dump, "CONSTRAINT", "item item_pkey", "item");
}

static void the_data_stay_as_they_were(void)
{
    GByteArray *bytes = dump_of("family", "| cat");
    g_autoptr(PgDump) before = parse(bytes);
    g_autoptr(GBytes) data =
        g_bytes_new(bytes->data + pgdump_toc_len(before), bytes->len - pgdump_toc_len(before));
    g_autoptr(GByteArray) whole = pg_locks_complete(before, bytes);
    g_autoptr(PgDump) dump = parse(whole);

    g_assert_cmpuint(whole->len, >, pgdump_toc_len(before) + g_bytes_get_size(data));
    g_assert_cmpmem(whole->data + pgdump_toc_len(dump), whole->len - pgdump_toc_len(dump),
                    g_bytes_get_data(data, NULL), g_bytes_get_size(data));
}

static void assert_left_alone(const char *database, const char *to)
{
    GByteArray *bytes = dump_of(database, to);
    g_autoptr(PgDump) dump = parse(bytes);
    g_autoptr(GByteArray) whole = pg_locks_complete(dump, bytes);

    g_assert_true(whole == bytes);
}

static void other_archives_are_left_alone(void)
{
    assert_left_alone("plain", "| cat");
    // pg_dump has gone back in the file and says where each table lies
    assert_left_alone("family", "-f dump && cat dump && rm dump");
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    server = pg_server_start();
    g_free(pg_server_sql(server, "postgres", "CREATE DATABASE family"));
    g_free(pg_server_sql(server, "family", family_sql));
    g_free(pg_server_sql(server, "postgres", "CREATE DATABASE plain"));
    g_free(pg_server_sql(server, "plain", "CREATE TABLE one(id int PRIMARY KEY)"));
    g_test_add_func("/pglocks/a statement depends on all that it locks",
                    a_statement_depends_on_all_that_it_locks);
    g_test_add_func("/pglocks/indexes of partitions are built side by side",
                    indexes_of_partitions_are_built_side_by_side);
    g_test_add_func("/pglocks/the data stay as they were", the_data_stay_as_they_were);
    g_test_add_func("/pglocks/other archives are left alone", other_archives_are_left_alone);
    status = g_test_run();
    pg_server_stop(server);
    return status;
}
