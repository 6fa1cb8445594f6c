/* SPDX-License-Identifier: Apache-2.0 */
#include "source/postgres.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/memory_sink.h"
#include "lib/pg_server.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static PgServer *server;

typedef struct {
    GString *problems; /* "item: text" lines */
    Cancel *cancel;
} Heard;

static void hear(const char *item, const GError *problem, void *user)
{
    g_string_append_printf(((Heard *)user)->problems, "%s: %s\n", item, problem->message);
}

static bool take(const char *url, const char *name, const PostgresOptions *options,
                 MemorySink *sink, char **ret_problems, GError **error)
{
    g_autoptr(Source) source = postgres_source_new(url, name, options, error);
    Heard heard = { g_string_new(NULL), NULL };
    SourceRun run = { .problem = hear, .user = &heard };
    bool ok = source && source->ops->backup(source, &sink->base, &run, error);
    char *problems = g_string_free(heard.problems, FALSE);

    if (ret_problems)
        *ret_problems = problems;
    else
        g_free(problems);
    return ok;
}

static json_t *manifest_of(const MemorySink *sink, const char *name)
{
    g_autofree char *path = g_strdup_printf("/%s/manifest.json", name);
    const MemoryEntry *entry = memory_sink_find(sink, path);
    json_t *manifest;

    g_assert_nonnull(entry);
    manifest = json_loadb((const char *)entry->bytes->data, entry->bytes->len, 0, NULL);
    g_assert_nonnull(manifest);
    return manifest;
}

static bool holds(const MemoryEntry *entry, const char *text)
{
    return entry->bytes->len > 0 &&
           memmem(entry->bytes->data, entry->bytes->len, text, strlen(text)) != NULL;
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_t *named(const json_t *list, const char *name)
{
    size_t i;
    json_t *value;

    json_array_foreach(list, i, value) if (strcmp(text_at(value, "name"), name) == 0) return value;
    g_error("no %s in the manifest", name);
}

static void one_database_is_one_dump_and_a_manifest(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "app");
    MemorySink *sink = memory_sink_new();
    const MemoryEntry *dump, *top;
    json_t *manifest, *database, *table;
    Id sha256;

    take(url, NULL, NULL, sink, NULL, &error);
    g_assert_no_error(error);
    top = memory_sink_find(sink, "/postgresql-local-app");
    g_assert_true(top && S_ISDIR(top->mode) && (top->mode & 0777) == 0700);
    dump = memory_sink_find(sink, "/postgresql-local-app/app.dump");
    g_assert_nonnull(dump);
    g_assert_cmpint(dump->mode & 07777, ==, 0600);
    g_assert_cmpuint(dump->size, ==, dump->bytes->len);
    g_assert_cmpuint(sink->entries->len, ==, 3);
    hash_bytes(dump->bytes->data, dump->bytes->len, &sha256);

    manifest = manifest_of(sink, "postgresql-local-app");
    g_assert_cmpint(json_integer_value(json_object_get(manifest, "manifest_version")), ==, 1);
    g_assert_cmpstr(text_at(json_object_get(manifest, "source"), "kind"), ==, "postgres");
    g_assert_cmpuint(json_array_size(json_object_get(manifest, "problems")), ==, 0);
    database = named(json_object_get(manifest, "databases"), "app");
    g_assert_cmpstr(text_at(database, "sha256"), ==, id_hex(&sha256).text);
    g_assert_cmpuint(json_integer_value(json_object_get(database, "size")), ==, dump->bytes->len);
    g_assert_cmpstr(text_at(database, "file"), ==, "app.dump");
    g_assert_cmpstr(text_at(database, "encoding"), ==, "UTF8");
    g_assert_nonnull(text_at(named(json_object_get(database, "extensions"), "plpgsql"), "version"));
    table = named(json_object_get(database, "tables"), "t");
    g_assert_cmpint(json_integer_value(json_object_get(table, "rows")), ==, 1000);
    g_assert_cmpint(
        json_integer_value(json_object_get(json_object_get(database, "large_objects"), "count")),
        ==, 1);
    json_decref(manifest);
    sink_free(&sink->base);
}

static void all_databases_and_the_globals(void)
{
    g_autoptr(GError) error = NULL;
    MemorySink *sink = memory_sink_new();
    g_autofree char *problems = NULL;
    const MemoryEntry *globals;
    json_t *manifest;

    take(server->url, "db1", NULL, sink, &problems, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(problems, ==, "");
    g_assert_nonnull(memory_sink_find(sink, "/db1/app.dump"));
    g_assert_nonnull(memory_sink_find(sink, "/db1/postgres.dump"));
    g_assert_nonnull(memory_sink_find(sink, "/db1/a%20%C3%BC%2Fb%22.dump"));
    g_assert_null(memory_sink_find(sink, "/db1/template1.dump"));
    g_assert_null(memory_sink_find(sink, "/db1/closed.dump"));
    globals = memory_sink_find(sink, "/db1/globals.sql");
    g_assert_nonnull(globals);
    g_assert_true(holds(globals, "SCRAM"));
    manifest = manifest_of(sink, "db1");
    g_assert_true(
        json_is_true(json_object_get(json_object_get(manifest, "globals"), "role_passwords")));
    g_assert_nonnull(text_at(named(json_object_get(manifest, "skipped"), "closed"), "reason"));
    g_assert_nonnull(named(json_object_get(manifest, "databases"), "a \xc3\xbc/b\""));
    json_decref(manifest);
    sink_free(&sink->base);
}

static void a_database_that_cannot_be_dumped_is_a_problem_among_others(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_tcp_url(server, "weak:secret", "");
    char *list[] = { "limited", "app", "rls", NULL };
    PostgresOptions options = { .databases = list };
    MemorySink *sink = memory_sink_new();
    g_autofree char *problems = NULL;

    // limited takes no connections, rls has rows that this role may not see
    take(url, "db1", &options, sink, &problems, &error);
    g_assert_no_error(error);
    g_assert_nonnull(memory_sink_find(sink, "/db1/app.dump"));
    g_assert_null(memory_sink_find(sink, "/db1/limited.dump"));
    g_assert_null(memory_sink_find(sink, "/db1/rls.dump"));
    g_assert_nonnull(strstr(problems, "/db1/limited.dump: "));
    g_assert_nonnull(strstr(problems, "/db1/rls.dump: "));
    g_assert_null(strstr(problems, "secret"));
    sink_free(&sink->base);
}

static void a_role_without_rights_to_passwords_gets_the_rest(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_tcp_url(server, "plain:secret", "");
    MemorySink *sink = memory_sink_new();
    g_autofree char *problems = NULL;
    const MemoryEntry *globals;
    json_t *manifest;

    take(url, "db1", NULL, sink, &problems, &error);
    g_assert_no_error(error);
    globals = memory_sink_find(sink, "/db1/globals.sql");
    g_assert_nonnull(globals);
    g_assert_false(holds(globals, "SCRAM"));
    g_assert_nonnull(strstr(problems, "/db1/globals.sql: without the passwords"));
    manifest = manifest_of(sink, "db1");
    g_assert_true(
        json_is_false(json_object_get(json_object_get(manifest, "globals"), "role_passwords")));
    g_assert_cmpuint(json_array_size(json_object_get(manifest, "problems")), >=, 3);
    json_decref(manifest);
    sink_free(&sink->base);
}

static void a_single_database_that_cannot_be_dumped_fails(void)
{
    static const struct {
        const char *label, *login, *database;
        int code;
    } cases[] = {
        { "no such database", "weak:secret", "missing", BS_ERROR_NOT_FOUND },
        { "wrong password", "weak:wrong", "app", BS_ERROR_AUTH },
        { "hidden rows", "weak:secret", "rls", BS_ERROR_FAILED },
        { "no more connections", "weak:secret", "limited", BS_ERROR_TRANSIENT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *url = pg_server_tcp_url(server, cases[i].login, cases[i].database);
        MemorySink *sink = memory_sink_new();

        g_test_message("%s", cases[i].label);
        g_assert_false(take(url, "db1", NULL, sink, NULL, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_null(memory_sink_find(sink, "/db1"));
        sink_free(&sink->base);
    }
}

/* In front of the real one: passes on so many bytes, then acts. */
static char *fake_pg_dump(const char *then)
{
    char *directory = g_dir_make_tmp("fake-pg-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "pg_dump", NULL);
    g_autofree char *text =
        g_strdup_printf("#!/bin/bash\n"
                        "real=$(ls /usr/lib/postgresql/*/bin/pg_dump | sort -V | tail -n 1)\n"
                        "[ \"$1\" = --version ] && exec $real --version\n"
                        "%s\n",
                        then);

    g_assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    g_setenv("BACKSTAY_PG_BIN", directory, TRUE);
    return directory;
}

static void remove_fake(const char *directory)
{
    static const char *const names[] = { "pg_dump", "seen", "" };

    g_unsetenv("BACKSTAY_PG_BIN");
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(directory, names[i], NULL);

        (void)remove(path);
    }
}

/* Archive version 1.255. */
#define OF_THE_FUTURE                                                                              \
    "$real \"$@\" | { dd bs=1 count=6 status=none; dd bs=1 count=1 status=none of=/dev/null;"      \
    " printf '\\377'; cat; }"

static void a_dump_of_an_unknown_version_is_saved_but_not_counted(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "app");
    g_autofree char *directory = fake_pg_dump(OF_THE_FUTURE);
    g_autofree char *problems = NULL;
    MemorySink *sink = memory_sink_new();
    const MemoryEntry *dump;
    json_t *manifest, *database;
    Id sha256;

    take(url, "db1", NULL, sink, &problems, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(problems, "/db1/app.dump: saved as pg_dump gave it"));
    g_assert_nonnull(strstr(problems, "1.255"));
    dump = memory_sink_find(sink, "/db1/app.dump");
    g_assert_nonnull(dump);
    g_assert_cmpuint(dump->bytes->len, >, 10000);
    g_assert_cmpint(dump->bytes->data[6], ==, 255);
    hash_bytes(dump->bytes->data, dump->bytes->len, &sha256);
    manifest = manifest_of(sink, "db1");
    database = named(json_object_get(manifest, "databases"), "app");
    g_assert_cmpstr(text_at(database, "sha256"), ==, id_hex(&sha256).text);
    g_assert_nonnull(text_at(database, "pg_dump_version"));
    g_assert_null(json_object_get(database, "tables"));
    g_assert_null(json_object_get(database, "large_objects"));
    g_assert_cmpuint(json_array_size(json_object_get(manifest, "problems")), ==, 1);
    json_decref(manifest);
    sink_free(&sink->base);
    remove_fake(directory);
}

static void a_dump_that_ends_early_is_never_an_entry(void)
{
    static const struct {
        const char *label, *then;
        int code;
    } cases[] = {
        { "killed", "$real \"$@\" | head -c 5000; kill -KILL $$", BS_ERROR_FAILED },
        { "killed before a byte", "kill -KILL $$", BS_ERROR_FAILED },
        { "fails at its end", "$real \"$@\"; echo >&2 'no space'; exit 1", BS_ERROR_FAILED },
        { "cut, and says it is well", "$real \"$@\" | head -c 5000; exit 0", BS_ERROR_CORRUPT },
        { "empty, and says it is well", "exit 0", BS_ERROR_CORRUPT },
        { "of an unknown version, and fails at its end", OF_THE_FUTURE "; exit 1",
          BS_ERROR_FAILED },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *url = pg_server_url(server, "app");
        g_autofree char *directory = fake_pg_dump(cases[i].then);
        MemorySink *sink = memory_sink_new();

        g_test_message("%s", cases[i].label);
        g_assert_false(take(url, "db1", NULL, sink, NULL, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_null(memory_sink_find(sink, "/db1/app.dump"));
        g_assert_null(memory_sink_find(sink, "/db1/manifest.json"));
        sink_free(&sink->base);
        remove_fake(directory);
    }
}

static void a_sink_that_fails_ends_everything(void)
{
    g_autoptr(GError) error = NULL;
    MemorySink *sink = memory_sink_new();
    g_autofree char *problems = NULL;

    sink->fail_at = 3000;
    g_assert_false(take(server->url, "db1", NULL, sink, &problems, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NO_SPACE);
    g_assert_cmpstr(problems, ==, "");
    sink_free(&sink->base);
}

static void choice_of_tables_keeps_large_objects(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "app");
    char *tables[] = { "public.u", NULL };
    PostgresOptions options = { .tables = tables };
    MemorySink *sink = memory_sink_new();
    json_t *manifest, *database;

    take(url, "db1", &options, sink, NULL, &error);
    g_assert_no_error(error);
    manifest = manifest_of(sink, "db1");
    database = named(json_object_get(manifest, "databases"), "app");
    g_assert_cmpuint(json_array_size(json_object_get(database, "tables")), ==, 1);
    g_assert_cmpint(
        json_integer_value(json_object_get(json_object_get(database, "large_objects"), "count")),
        ==, 1);
    json_decref(manifest);
    sink_free(&sink->base);
}

static void partitions_in_other_schemas_are_not_left_out(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "parted");
    char *one[] = { "public", NULL }, *both[] = { "public", "cold", NULL };
    char *part[] = { "cold", NULL };
    const struct {
        const char *label;
        char **schemas;
        bool want;
    } cases[] = {
        { "the table alone", one, false },
        { "both", both, true },
        { "the partition alone has its rows", part, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        PostgresOptions options = { .schemas = cases[i].schemas };
        MemorySink *sink = memory_sink_new();

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(take(url, "db1", &options, sink, NULL, &error), ==, cases[i].want);
        if (!cases[i].want) {
            g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
            g_assert_nonnull(strstr(error->message, "cold.event_1"));
            g_clear_error(&error);
        }
        sink_free(&sink->base);
    }
}

static void the_password_is_nowhere(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_tcp_url(server, "weak:secret", "app");
    g_autofree char *directory = fake_pg_dump(
        "{ tr '\\0' '\\n' </proc/$$/cmdline; tr '\\0' '\\n' </proc/$$/environ; } >>$TMPDIR/seen\n"
        "exec $real \"$@\"");
    g_autofree char *path = g_build_filename(directory, "seen", NULL);
    g_autofree char *seen = NULL;
    MemorySink *sink = memory_sink_new();

    g_setenv("TMPDIR", directory, TRUE);
    take(url, "db1", NULL, sink, NULL, &error);
    g_unsetenv("TMPDIR");
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &seen, NULL, NULL));
    g_assert_nonnull(strstr(seen, "--dbname="));
    g_assert_null(strstr(seen, "secret"));
    remove_fake(directory);
    for (guint i = 0; i < sink->entries->len; i++) {
        const MemoryEntry *entry = sink->entries->pdata[i];

        g_assert_false(holds(entry, "secret"));
    }
    sink_free(&sink->base);
}

static void a_cancelled_backup_ends_soon(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Cancel) cancel = cancel_new();
    g_autofree char *url = pg_server_url(server, "app");
    g_autofree char *directory = fake_pg_dump("sleep 60");
    g_autoptr(Source) source = postgres_source_new(url, "db1", NULL, NULL);
    SourceRun run = { .cancel = cancel };
    MemorySink *sink = memory_sink_new();

    cancel_set(cancel);
    g_assert_false(source->ops->backup(source, &sink->base, &run, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    remove_fake(directory);
    sink_free(&sink->base);
}

static void the_estimate_is_what_the_server_holds(void)
{
    g_autofree char *url = pg_server_url(server, "app");
    g_autoptr(Source) source = postgres_source_new(url, NULL, NULL, NULL);
    Progress progress;
    SourceRun run = { .progress = &progress };

    progress_init(&progress);
    source->ops->estimate(source, &run);
    g_assert_true(progress.total_known);
    g_assert_cmpuint(progress.files_total, ==, 1);
    g_assert_cmpuint(progress.bytes_total, >, 1000000);
    progress_done(&progress);
}

/* Who writes the entries counts them: what the source added, too, would be shown twice. */
static void what_is_pushed_is_left_to_the_sink_to_count(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *url = pg_server_url(server, "app");
    g_autoptr(Source) source = postgres_source_new(url, "db1", NULL, NULL);
    MemorySink *sink = memory_sink_new();
    Progress progress;
    SourceRun run = { .progress = &progress };
    char current[512];

    progress_init(&progress);
    source->ops->backup(source, &sink->base, &run, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(progress.files_done, ==, 0);
    g_assert_cmpuint(progress.bytes_done, ==, 0);
    progress_get_current(&progress, current);
    g_assert_true(g_str_has_prefix(current, "/db1/"));
    progress_done(&progress);
    sink_free(&sink->base);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    server = pg_server_start();
    g_free(
        pg_server_sql(server, "postgres",
                      "CREATE ROLE plain LOGIN PASSWORD 'secret';"
                      "CREATE ROLE weak LOGIN PASSWORD 'secret'; GRANT pg_read_all_data TO weak;\n"
                      "CREATE DATABASE app;\nCREATE DATABASE rls;\n"
                      "CREATE DATABASE parted;\n"
                      "CREATE DATABASE \"a \xc3\xbc/b\"\"\";\n"
                      "CREATE DATABASE closed ALLOW_CONNECTIONS false;\n"
                      "CREATE DATABASE limited CONNECTION LIMIT 0;\n"));
    g_free(pg_server_sql(server, "app",
                         "CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 1000) i;"
                         "CREATE TABLE u AS SELECT 1; SELECT lo_from_bytea(4711, 'abc');"
                         "ALTER LARGE OBJECT 4711 OWNER TO weak;"));
    g_free(pg_server_sql(server, "parted",
                         "CREATE SCHEMA cold; CREATE TABLE event(v int) PARTITION BY RANGE (v);"
                         "CREATE TABLE cold.event_1 PARTITION OF event DEFAULT;"
                         "INSERT INTO event VALUES (1);"));
    g_free(pg_server_sql(server, "rls",
                         "CREATE TABLE r(v int); INSERT INTO r VALUES (1);"
                         "ALTER TABLE r ENABLE ROW LEVEL SECURITY;"));
    g_test_add_func("/postgres/one database is one dump and a manifest",
                    one_database_is_one_dump_and_a_manifest);
    g_test_add_func("/postgres/all databases and the globals", all_databases_and_the_globals);
    g_test_add_func("/postgres/a database that cannot be dumped is a problem among others",
                    a_database_that_cannot_be_dumped_is_a_problem_among_others);
    g_test_add_func("/postgres/a role without rights to passwords gets the rest",
                    a_role_without_rights_to_passwords_gets_the_rest);
    g_test_add_func("/postgres/a single database that cannot be dumped fails",
                    a_single_database_that_cannot_be_dumped_fails);
    g_test_add_func("/postgres/a dump that ends early is never an entry",
                    a_dump_that_ends_early_is_never_an_entry);
    g_test_add_func("/postgres/a dump of an unknown version is saved but not counted",
                    a_dump_of_an_unknown_version_is_saved_but_not_counted);
    g_test_add_func("/postgres/a sink that fails ends everything",
                    a_sink_that_fails_ends_everything);
    g_test_add_func("/postgres/choice of tables keeps large objects",
                    choice_of_tables_keeps_large_objects);
    g_test_add_func("/postgres/partitions in other schemas are not left out",
                    partitions_in_other_schemas_are_not_left_out);
    g_test_add_func("/postgres/the password is nowhere", the_password_is_nowhere);
    g_test_add_func("/postgres/a cancelled backup ends soon", a_cancelled_backup_ends_soon);
    g_test_add_func("/postgres/the estimate is what the server holds",
                    the_estimate_is_what_the_server_holds);
    g_test_add_func("/postgres/what is pushed is left to the sink to count",
                    what_is_pushed_is_left_to_the_sink_to_count);
    status = g_test_run();
    pg_server_stop(server);
    return status;
}
