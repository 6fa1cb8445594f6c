/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgcluster.h"
#include "base/error.h"
#include "lib/memory_sink.h"
#include "source/pgpassed.h"
#include "source/pgtree.h"
#include <string.h>

#define GIB (UINT64_C(1) << 30)
#define KIB ((size_t)1024)

static void cuts_grow_with_the_cluster_and_stay_with_the_parent(void)
{
    static const struct {
        uint64_t size;
        size_t parent, want;
    } cases[] = {
        { 0, 0, 16 * KIB },
        { 16 * GIB, 0, 16 * KIB },
        { 17 * GIB, 0, 32 * KIB },
        { 100 * GIB, 0, 128 * KIB },
        { 1024 * GIB, 0, 1024 * KIB },
        { 90000 * GIB, 0, 1024 * KIB },
        { 17 * GIB, 16 * KIB, 16 * KIB },
        { 32 * GIB, 16 * KIB, 16 * KIB },
        { 33 * GIB, 16 * KIB, 64 * KIB },
        { 1 * GIB, 1024 * KIB, 1024 * KIB },
        { 90000 * GIB, 1024 * KIB, 1024 * KIB },
        { 1 * GIB, 8 * KIB, 16 * KIB },
        { 1 * GIB, 2048 * KIB, 16 * KIB },
        { 1 * GIB, 48 * KIB, 16 * KIB },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpuint(pgcluster_cut(cases[i].size, cases[i].parent), ==, cases[i].want);
}

/* ---- entries ---- */

static bool begin(PgTree *tree, const char *path, mode_t mode, bool keep, GError **error)
{
    TarEntry entry = { .path = path, .mode = mode };

    return pg_tree_begin(tree, &entry, keep, 0, error) && pg_tree_end(tree, error);
}

static void what_is_kept_can_be_come_back_to(void)
{
    MemorySink *sink = memory_sink_new();
    g_autoptr(PgTree) tree = pg_tree_new(&sink->base, "top");
    g_autoptr(GError) error = NULL;

    g_assert_true(begin(tree, "", S_IFDIR | 0700, true, &error));
    g_assert_true(begin(tree, "a", S_IFDIR | 0700, true, &error));
    g_assert_true(begin(tree, "a/b", S_IFDIR | 0700, false, &error));
    g_assert_true(begin(tree, "a/b/1", S_IFREG | 0600, false, &error));
    g_assert_true(begin(tree, "c", S_IFDIR | 0700, false, &error));
    g_assert_nonnull(memory_sink_find(sink, "/top/a/b"));
    g_assert_null(memory_sink_find(sink, "/top/a"));
    g_assert_true(begin(tree, "a/2", S_IFREG | 0600, false, &error));
    g_assert_nonnull(memory_sink_find(sink, "/top/c"));
    g_assert_true(pg_tree_finish(tree, &error));
    g_assert_nonnull(memory_sink_find(sink, "/top/a"));
    g_assert_nonnull(memory_sink_find(sink, "/top"));
    g_clear_pointer(&tree, pg_tree_free);
    sink_free(&sink->base);
}

static void what_comes_in_no_open_directory_is_corrupt(void)
{
    static const char *const cases[] = { "x/1", "a/b/2", "a/b", "a", "a/b/1", "ab/1" };
    MemorySink *sink = memory_sink_new();
    g_autoptr(PgTree) tree = pg_tree_new(&sink->base, "top");

    g_assert_true(begin(tree, "", S_IFDIR | 0700, true, NULL));
    g_assert_true(begin(tree, "a", S_IFDIR | 0700, true, NULL));
    g_assert_true(begin(tree, "a/b", S_IFDIR | 0700, false, NULL));
    g_assert_true(begin(tree, "a/b/1", S_IFREG | 0600, false, NULL));
    g_assert_true(begin(tree, "a/3", S_IFREG | 0600, false, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i]);
        g_assert_false(begin(tree, cases[i], S_IFREG | 0600, false, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    g_clear_pointer(&tree, pg_tree_free);
    sink_free(&sink->base);
}

/* ---- against the manifest ---- */

#define SEGMENT (UINT32_C(1) << 20)

static void pass(PgPassed *passed, const char *path, const void *data, size_t len)
{
    pg_passed_begin(passed, path);
    pg_passed_data(passed, data, len / 2);
    pg_passed_data(passed, (const char *)data + len / 2, len - len / 2);
}

static PgPassed *some_passed(void)
{
    PgPassed *passed = pg_passed_new(SEGMENT);
    g_autofree char *segment = g_malloc0(SEGMENT);

    pass(passed, "PG_VERSION", "123456789", 9);
    pass(passed, "pg_wal/000000010000000000000002", segment, SEGMENT);
    pass(passed, "pg_wal/000000020000000000000003", segment, SEGMENT);
    pass(passed, "pg_wal/000000020000000000000004", segment, SEGMENT - 1);
    return passed;
}

static void a_file_is_what_the_manifest_says(void)
{
    // the check value of CRC-32C
    static const struct {
        ManifestFile file;
        bool good;
    } cases[] = {
        { { "PG_VERSION", 9, true, 0xe3069283 }, true },
        { { "PG_VERSION", 9, true, 0x839206e3 }, true }, // written where bytes lie the other way
        { { "PG_VERSION", 9, true, 0xe3069282 }, false },
        { { "PG_VERSION", 9, false, 0xe3069283 }, false },
        { { "PG_VERSION", 8, true, 0xe3069283 }, false },
        { { "PG_VERSIONS", 9, true, 0xe3069283 }, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgPassed) passed = some_passed();
        g_autoptr(GError) error = NULL;

        g_assert_true(pg_passed_receiver.file(passed, &cases[i].file, &error) == cases[i].good);
        if (!cases[i].good)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void all_wal_of_a_range_must_have_come(void)
{
    static const struct {
        const char *label;
        ManifestRange range;
        bool good;
    } cases[] = {
        { "one segment", { 1, 0x200028, 0x200100 }, true },
        { "to its last byte", { 1, 0x200028, 0x300000 }, true },
        { "one byte more, which lies on the next timeline", { 1, 0x200028, 0x300001 }, true },
        { "a segment that is short", { 2, 0x300028, 0x400001 }, false },
        { "one that did not come", { 2, 0x500028, 0x500100 }, false },
        { "of an older timeline", { 3, 0x300028, 0x300100 }, false },
        { "nothing", { 1, 0x200028, 0x200028 }, false },
        { "backwards", { 1, 0x200100, 0x200028 }, false },
        { "no timeline", { 0, 0x200028, 0x200100 }, false },
        { "to the end of all", { 1, 0x200028, UINT64_MAX }, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(PgPassed) passed = some_passed();
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_true(pg_passed_receiver.range(passed, &cases[i].range, &error) == cases[i].good);
        if (!cases[i].good)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void nothing_comes_that_the_manifest_does_not_name(void)
{
    const ManifestFile file = { "PG_VERSION", 9, true, 0xe3069283 };
    const ManifestRange range = { 1, 0x200028, 0x200100 };

    for (int without = 0; without < 3; without++) {
        g_autoptr(PgPassed) passed = some_passed();
        g_autoptr(GError) error = NULL;

        if (without != 1)
            g_assert_true(pg_passed_receiver.file(passed, &file, &error));
        if (without != 2)
            g_assert_true(pg_passed_receiver.range(passed, &range, &error));
        g_assert_true(pg_passed_finish(passed, &error) == (without == 0));
        if (without)
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

/* ---- options ---- */

static void what_makes_no_sense_is_a_usage_error(void)
{
    static const struct {
        const char *url;
        PgClusterOptions options;
    } cases[] = {
        { "postgresql://h/", { "slow", 0, false } },
        { "postgresql://h/", { NULL, 31, false } },
        { "postgresql://h/", { NULL, 1048577, false } },
        { "nonsense", { 0 } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(pgcluster_source_new(cases[i].url, NULL, &cases[i].options, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

static void a_source_is_named_after_host_and_port(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        { "postgresql://u@db1.example:5433/app", "pgcluster-db1.example-5433" },
        { "postgresql://db1", "pgcluster-db1-5432" },
        { "postgresql:///?host=/run/postgresql", "pgcluster-local-5432" },
        { "postgresql://[::1]:7/", "pgcluster-%3A%3A1-7" },
    };

    g_unsetenv("PGHOST");
    g_unsetenv("PGPORT");
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Source) source = pgcluster_source_new(cases[i].url, NULL, NULL, NULL);

        g_assert_cmpstr(source->name, ==, cases[i].want);
        g_assert_cmpstr(source->tags->pdata[1], ==, "kind=pgcluster");
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pgcluster/cut", cuts_grow_with_the_cluster_and_stay_with_the_parent);
    g_test_add_func("/pgcluster/kept", what_is_kept_can_be_come_back_to);
    g_test_add_func("/pgcluster/no-directory", what_comes_in_no_open_directory_is_corrupt);
    g_test_add_func("/pgcluster/file", a_file_is_what_the_manifest_says);
    g_test_add_func("/pgcluster/range", all_wal_of_a_range_must_have_come);
    g_test_add_func("/pgcluster/unnamed", nothing_comes_that_the_manifest_does_not_name);
    g_test_add_func("/pgcluster/usage", what_makes_no_sense_is_a_usage_error);
    g_test_add_func("/pgcluster/name", a_source_is_named_after_host_and_port);
    return g_test_run();
}
