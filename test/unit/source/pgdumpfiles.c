/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdumpfiles.h"

#include "base/error.h"
#include "flow/dirremove.h"
#include "lib/pg_server.h"
#include "lib/recorded_dumps.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static PgServer *server;
static char *place; /* of the dumps */

static void remove_place(const char *path)
{
    g_autofree char *parent = g_path_get_dirname(path), *name = g_path_get_basename(path);
    int fd = open(parent, O_RDONLY | O_DIRECTORY);

    g_assert_true(remove_tree_at(fd, name, NULL));
    close(fd);
}

typedef struct {
    char *name;
    char *bytes;
    gsize len;
} File;

static void file_free(gpointer user)
{
    File *file = user;

    g_free(file->name);
    g_free(file->bytes);
    g_free(file);
}

static GPtrArray *load_from(const char *path)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(file_free);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *full = g_build_filename(path, name, NULL);
        File *file = g_new0(File, 1);

        g_assert_true(g_file_get_contents(full, &file->bytes, &file->len, NULL));
        file->name = g_strdup(name);
        g_ptr_array_add(files, file);
    }
    return files;
}

static GPtrArray *load(const char *dump)
{
    g_autofree char *path = g_build_filename(place, dump, NULL);

    return load_from(path);
}

/* In slices of that length. */
static bool parse(const GPtrArray *files, size_t slice, PgDumpFiles **ret_files, GError **error)
{
    g_autoptr(PgDumpFiles) parsed = pgdump_files_new();

    for (guint i = 0; i < files->len; i++) {
        const File *file = files->pdata[i];

        if (!pgdump_files_begin(parsed, file->name, error))
            return false;
        for (size_t at = 0; at < file->len; at += slice)
            if (!pgdump_files_feed(parsed, file->bytes + at, MIN(slice, file->len - at), error))
                return false;
        if (!pgdump_files_end(parsed, error))
            return false;
    }
    if (!pgdump_files_finish(parsed, error))
        return false;
    if (ret_files)
        *ret_files = g_steal_pointer(&parsed);
    return true;
}

/* Rows and sum of each table, and the large objects. */
static char *summary_of(const PgDump *dump)
{
    GString *text = g_string_new(NULL);
    const GPtrArray *entries = pgdump_entries(dump);
    uint64_t count, bytes;

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (entry->has_data)
            g_assert_true(entry->complete);
        if (strcmp(entry->desc, "TABLE DATA") == 0)
            g_string_append_printf(text, "%s %" G_GINT64_FORMAT " %" G_GUINT64_FORMAT " %s\n",
                                   entry->tag, entry->rows, entry->bytes,
                                   id_hex(&entry->sha256).text);
    }
    pgdump_large_objects(dump, &count, &bytes);
    g_string_append_printf(text, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", count, bytes);
    return g_string_free(text, FALSE);
}

static char *summary_of_one_file(void)
{
    g_autoptr(GBytes) bytes = pg_server_shell(server, "pg_dump -Fc -Z0 -d app");
    g_autoptr(PgDump) dump = pgdump_new();
    g_autoptr(GError) error = NULL;

    pgdump_feed(dump, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &error);
    g_assert_no_error(error);
    pgdump_finish(dump, &error);
    g_assert_no_error(error);
    return summary_of(dump);
}

static void holds_what_a_dump_in_one_file_does(void)
{
    static const size_t slices[] = { 1, 6, 4096, 1 << 20 };
    static const char *const dumps[] = { "plain", "packed" };
    g_autofree char *want = summary_of_one_file();

    for (size_t d = 0; d < G_N_ELEMENTS(dumps); d++)
        for (size_t i = 0; i < G_N_ELEMENTS(slices); i++) {
            g_autoptr(GPtrArray) files = load(dumps[d]);
            g_autoptr(PgDumpFiles) parsed = NULL;
            g_autoptr(GError) error = NULL;
            g_autofree char *got = NULL;

            g_test_message("%s, slices of %zu bytes", dumps[d], slices[i]);
            parse(files, slices[i], &parsed, &error);
            g_assert_no_error(error);
            got = summary_of(pgdump_files_dump(parsed));
            g_assert_cmpstr(got, ==, want);
        }
}

static void sum_is_that_of_sha256sum(void)
{
    g_autofree char *command = g_strdup_printf(
        "cd '%s/packed' && LC_ALL=C sha256sum * | sha256sum | cut -c1-64 | tr -d '\\n'", place);
    g_autoptr(GBytes) want = pg_server_shell(server, command);
    g_autoptr(GPtrArray) files = load("packed");
    g_autoptr(PgDumpFiles) parsed = NULL;
    uint64_t size;
    Id sha256;

    g_assert_true(parse(files, 4096, &parsed, NULL));
    pgdump_files_sum(parsed, &size, &sha256);
    g_assert_cmpmem(id_hex(&sha256).text, 64, g_bytes_get_data(want, NULL), g_bytes_get_size(want));
}

static void each_file_is_missed(void)
{
    g_autoptr(GPtrArray) files = load("plain");

    for (guint i = 0; i < files->len; i++) {
        g_autoptr(GPtrArray) fewer = g_ptr_array_copy(files, NULL, NULL);
        g_autoptr(GError) error = NULL;

        g_ptr_array_set_free_func(fewer, NULL);
        g_ptr_array_remove_index(fewer, i);
        g_assert_false(parse(fewer, 4096, NULL, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* But for files of large objects, which have neither mark nor length. */
static void each_cut_is_noticed(void)
{
    static const char *const dumps[] = { "plain", "packed" };

    for (size_t d = 0; d < G_N_ELEMENTS(dumps); d++) {
        g_autoptr(GPtrArray) files = load(dumps[d]);

        for (guint i = 0; i < files->len; i++) {
            File *file = files->pdata[i];
            gsize len = file->len;

            if (g_str_has_prefix(file->name, "blob_") && d == 0)
                continue;
            for (gsize cut = 1; cut <= MIN(len, 40); cut++) {
                g_autoptr(GError) error = NULL;

                file->len = len - cut;
                // a list that lacks whole lines leaves files that belong to nothing
                g_assert_false(parse(files, 4096, NULL, &error));
                g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
            }
            file->len = len;
        }
    }
}

/* Whatever a changed byte does, it is an answer. */
static void garbage_is_answered(void)
{
    g_autoptr(GPtrArray) files = load("packed");
    GRand *rand = g_rand_new_with_seed(7);

    for (int i = 0; i < 3000; i++) {
        File *file = files->pdata[g_rand_int_range(rand, 0, (gint32)files->len)];
        gsize at = (gsize)g_rand_int_range(rand, 0, (gint32)file->len);
        char old = file->bytes[at];

        file->bytes[at] = (char)g_rand_int(rand);
        (void)parse(files, 4096, NULL, NULL);
        file->bytes[at] = old;
    }
    g_rand_free(rand);
}

/* Packed by LZ4 and zstd; the one of LZ4 leaves an empty file of a large object without bytes. */
static void dumps_of_newer_releases_are_read(void)
{
    static const char *const names[] = { "16/lz4.dir", "17/zstd.dir", "18/lz4.dir" };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = recorded_dump(names[i]);
        g_autoptr(GPtrArray) loaded = load_from(path);

        for (size_t slice = 1; slice < 10000; slice = slice * 7 + 1) {
            g_autoptr(PgDumpFiles) files = NULL;
            g_autoptr(GError) error = NULL;

            g_test_message("%s in slices of %zu", names[i], slice);
            parse(loaded, slice, &files, &error);
            g_assert_no_error(error);
            assert_recorded_tables(pgdump_files_dump(files));
        }
        for (guint k = 0; k < loaded->len; k++) {
            File *file = loaded->pdata[k];
            gsize whole = file->len;

            for (file->len = whole ? 1 : 0; file->len < whole; file->len++)
                g_assert_false(parse(loaded, 4096, NULL, NULL));
            file->len = whole;
        }
    }
}

/* What no pg_restore of its release could read is of use to nobody. */
static void packings_of_newer_releases_are_refused(void)
{
    static const char *const ends[] = { ".lz4", ".zst" };

    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autoptr(GPtrArray) files = load("plain");
        g_autofree char *path =
            recorded_dump(i ? "17/zstd.dir/3270.dat.zst" : "16/lz4.dir/3270.dat.lz4");
        g_autoptr(GError) error = NULL;

        for (guint k = 0; k < files->len; k++) {
            File *file = files->pdata[k];
            g_autofree char *name = g_strconcat(file->name, ends[i], NULL);

            // the first of a table, whatever its number
            if (!g_ascii_isdigit(*file->name))
                continue;
            g_free(file->bytes);
            g_free(file->name);
            file->name = g_steal_pointer(&name);
            g_assert_true(g_file_get_contents(path, &file->bytes, &file->len, NULL));
            break;
        }
        g_assert_false(parse(files, 4096, NULL, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED);
    }
}

static void other_names_are_refused(void)
{
    static const struct {
        const char *name;
        int code;
    } cases[] = {
        { "../3012.dat", BS_ERROR_CORRUPT }, { "core", BS_ERROR_CORRUPT },
        { "toc.dat.gz", BS_ERROR_CORRUPT },  { "12345678901.dat", BS_ERROR_CORRUPT },
        { "blob_.dat", BS_ERROR_CORRUPT },   { ".dat", BS_ERROR_CORRUPT },
        { "toc.dat.lz4", BS_ERROR_CORRUPT }, { "3012.dat.lz4.gz", BS_ERROR_CORRUPT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgDumpFiles) files = pgdump_files_new();
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].name);
        g_assert_false(pgdump_files_begin(files, cases[i].name, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
    }
}

int main(int argc, char **argv)
{
    g_autofree char *command = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    server = pg_server_start();
    place = g_dir_make_tmp("backstay-test-XXXXXX", NULL);
    g_free(pg_server_sql(server, "postgres", "CREATE DATABASE app"));
    g_free(pg_server_sql(
        server, "app",
        "CREATE TABLE t(v int, s text); INSERT INTO t SELECT i, md5(i::text) FROM "
        "generate_series(1, 3000) i; CREATE TABLE empty(v int); CREATE TABLE odd(s text);"
        "INSERT INTO odd VALUES (E'\\\\.'), (E'\\n'), (''), (NULL);"
        "SELECT lo_from_bytea(0, decode(repeat('00ff', 500), 'hex')), lo_from_bytea(0, 'abc');"));
    command = g_strdup_printf("cd '%s' && pg_dump -Fd -Z0 -f plain -d app && "
                              "pg_dump -Fd -f packed -d app",
                              place);
    g_bytes_unref(pg_server_shell(server, command));
    g_test_add_func("/pgdumpfiles/holds what a dump in one file does",
                    holds_what_a_dump_in_one_file_does);
    g_test_add_func("/pgdumpfiles/sum is that of sha256sum", sum_is_that_of_sha256sum);
    g_test_add_func("/pgdumpfiles/each file is missed", each_file_is_missed);
    g_test_add_func("/pgdumpfiles/each cut is noticed", each_cut_is_noticed);
    g_test_add_func("/pgdumpfiles/garbage is answered", garbage_is_answered);
    g_test_add_func("/pgdumpfiles/dumps of newer releases are read",
                    dumps_of_newer_releases_are_read);
    g_test_add_func("/pgdumpfiles/packings of newer releases are refused",
                    packings_of_newer_releases_are_refused);
    g_test_add_func("/pgdumpfiles/other names are refused", other_names_are_refused);
    status = g_test_run();
    pg_server_stop(server);
    remove_place(place);
    g_free(place);
    return status;
}
