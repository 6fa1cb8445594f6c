/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgdirread.h"
#include "base/error.h"
#include "codec/crc32c.h"
#include "lib/memory_sink.h"
#include "lib/tempdir.h"
#include "pg/pagecheck.h"
#include <string.h>

#define START  UINT64_C(0x10000001000)
#define NOW    UINT64_C(0x10000002000)
#define BEFORE (START - 1)
#define AFTER  (NOW + 1)
#define PATH   "base/5/16384"
#define PAGES  3

typedef uint8_t Page[PG_PAGE_LEN];

static void put_u32(uint8_t *at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

static void make_page(Page page, uint32_t block, uint64_t lsn, bool good)
{
    uint16_t sum;

    memset(page, (int)block + 1, PG_PAGE_LEN);
    put_u32(page, (uint32_t)(lsn >> 32));
    put_u32(page + 4, (uint32_t)lsn);
    sum = pg_page_checksum(page, block);
    sum = good ? sum : (uint16_t)(sum + 1);
    page[8] = (uint8_t)sum;
    page[9] = (uint8_t)(sum >> 8);
}

/* A file of a relation whose page in the middle is as said. */
static void write_file(const char *dir, const char *path, uint64_t lsn, bool good)
{
    Page pages[PAGES];

    for (uint32_t i = 0; i < PAGES; i++)
        make_page(pages[i], i, i == 1 ? lsn : BEFORE, i != 1 || good);
    tempdir_write(dir, path, pages, sizeof pages);
}

static int open_below(const char *dir, const char *path)
{
    g_autofree char *full = g_build_filename(dir, path, NULL);
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_DIRECTORY);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* As a reader does. */
static bool read_file(PgDirRead *read, Sink *sink, const char *dir, const char *path,
                      GError **error)
{
    g_autofree char *parent = g_path_get_dirname(path);
    g_autofree uint8_t *buffer = g_malloc(FILE_READ_SIZE);
    FileJob job = { .dir = dir_handle_new(open_below(dir, parent)), .path = (char *)path };
    Entry entry = { .path = path };
    bool ok;

    job.node = node_new();
    job.node->name = g_path_get_basename(path);
    job.node->mode = S_IFREG | 0600;
    entry.node = job.node;
    g_assert_true(sink_begin(sink, &entry, &job.handle, NULL));
    ok = pg_dir_read_file(read, &job, buffer, error);
    node_free(job.node);
    dir_handle_unref(job.dir);
    return ok;
}

static PgDirRead *reader_of(MemorySink *sink)
{
    PgDirReadOptions options = { .sink = &sink->base, .blocks_per_file = 131072 };

    return pg_dir_read_new(&options);
}

static void what_passes_is_in_the_manifest(void)
{
    char *dir = tempdir_new();
    MemorySink *sink = memory_sink_new();
    g_autoptr(PgDirRead) read = reader_of(sink);
    g_autoptr(GError) error = NULL;
    const PgDirLine *const *lines;
    const MemoryEntry *entry;
    size_t n;

    tempdir_write(dir, "pg_xact/0000", "123456789", 9);
    write_file(dir, PATH, BEFORE, true);
    (void)read_file(read, &sink->base, dir, "pg_xact/0000", &error);
    g_assert_no_error(error);
    (void)read_file(read, &sink->base, dir, PATH, &error);
    g_assert_no_error(error);
    pg_dir_read_add(read, "PG_VERSION", 3, 4, 5);
    lines = pg_dir_read_lines(read, &n);
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpstr(lines[0]->path, ==, "PG_VERSION");
    g_assert_cmpstr(lines[1]->path, ==, PATH);
    g_assert_cmpstr(lines[2]->path, ==, "pg_xact/0000");
    g_assert_cmpuint(lines[2]->crc, ==, 0xe3069283); // the check value of CRC-32C
    g_assert_cmpuint(lines[2]->size, ==, 9);
    entry = memory_sink_find(sink, PATH);
    g_assert_cmpuint(lines[1]->crc, ==, crc32c(0, entry->bytes->data, entry->bytes->len));
    g_assert_cmpuint(lines[1]->size, ==, PAGES * PG_PAGE_LEN);
    sink_free(&sink->base);
    tempdir_remove(dir);
}

static void what_was_dropped_is_nothing_to_tell_of(void)
{
    char *dir = tempdir_new();
    MemorySink *sink = memory_sink_new();
    g_autoptr(PgDirRead) read = reader_of(sink);
    g_autoptr(GError) error = NULL;
    size_t n;

    tempdir_write(dir, "base/5/1", "", 0);
    (void)read_file(read, &sink->base, dir, PATH, &error);
    g_assert_no_error(error);
    g_assert_null(memory_sink_find(sink, PATH));
    (void)pg_dir_read_lines(read, &n);
    g_assert_cmpuint(n, ==, 0);
    sink_free(&sink->base);
    tempdir_remove(dir);
}

static void what_cannot_be_read_fails_the_backup(void)
{
    char *dir = tempdir_new();
    MemorySink *sink = memory_sink_new();
    g_autoptr(PgDirRead) read = reader_of(sink);
    g_autofree char *place = g_build_filename(dir, PATH, NULL);
    g_autoptr(GError) error = NULL;

    tempdir_write(dir, "base/5/1", "", 0);
    g_assert_cmpint(symlink("1", place), ==, 0);
    g_assert_false(read_file(read, &sink->base, dir, PATH, &error));
    g_assert_nonnull(strstr(error->message, PATH));
    sink_free(&sink->base);
    tempdir_remove(dir);
}

typedef enum { STAYS, HEALS, GOES, SHRINKS } Then;

/* A page that does not fit, and what becomes of it before the backup ends. */
static void only_what_the_wal_does_not_write_anew_is_damage(void)
{
    static const struct {
        const char *label;
        uint64_t lsn; /* as it was read */
        Then then;
        uint64_t later_lsn; /* once it fits */
        bool damage;
    } cases[] = {
        { "damaged before the backup", BEFORE, STAYS, 0, true },
        { "says it comes from the future", AFTER, STAYS, 0, true },
        { "changed since the start", START, STAYS, 0, false },
        { "changed up to now", NOW, STAYS, 0, false },
        { "was just written, with an old beginning", BEFORE, HEALS, START, false },
        { "and later than the backup ends", BEFORE, HEALS, AFTER, true },
        { "heals without a change", BEFORE, HEALS, BEFORE, true },
        { "dropped", BEFORE, GOES, 0, false },
        { "cut off", BEFORE, SHRINKS, 0, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *dir = tempdir_new();
        MemorySink *sink = memory_sink_new();
        g_autoptr(PgDirRead) read = reader_of(sink);
        g_autofree char *place = g_build_filename(dir, PATH, NULL);
        g_autoptr(GError) error = NULL;
        const GArray *damage;
        int fd = open_below(dir, ".");

        g_test_message("%s", cases[i].label);
        write_file(dir, PATH, cases[i].lsn, false);
        (void)read_file(read, &sink->base, dir, PATH, &error);
        g_assert_no_error(error);
        if (cases[i].then == HEALS)
            write_file(dir, PATH, cases[i].later_lsn, true);
        else if (cases[i].then == GOES)
            g_assert_cmpint(unlink(place), ==, 0);
        else if (cases[i].then == SHRINKS)
            g_assert_cmpint(truncate(place, PG_PAGE_LEN), ==, 0);
        damage = pg_dir_read_settle(read, fd, START, NOW);
        g_assert_cmpuint(damage->len, ==, cases[i].damage);
        if (cases[i].damage) {
            const PgDirDamage *one = &g_array_index(damage, PgDirDamage, 0);

            g_assert_cmpstr(one->path, ==, PATH);
            g_assert_cmpuint(one->block, ==, 1);
            g_assert_cmpuint(one->n, ==, 1);
            g_assert_cmpuint(one->stored, !=, one->counted);
        }
        // it is in the backup as it was read, whatever it is
        g_assert_nonnull(memory_sink_find(sink, PATH));
        (void)close(fd);
        sink_free(&sink->base);
        tempdir_remove(dir);
    }
}

static void only_relations_have_pages(void)
{
    static const struct {
        const char *path;
        bool looked_at;
    } cases[] = {
        { "base/5/16384", true },
        { "base/5/16384_vm", true },
        { "global/1262", true },
        { "pg_tblspc/16390/PG_15_202209061/5/16384", true },
        { "base/5/pg_filenode.map", false },
        { "pg_xact/0000", false },
        { "base/16384", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *dir = tempdir_new();
        MemorySink *sink = memory_sink_new();
        g_autoptr(PgDirRead) read = reader_of(sink);
        g_autoptr(GError) error = NULL;
        int fd = open_below(dir, ".");

        g_test_message("%s", cases[i].path);
        write_file(dir, cases[i].path, BEFORE, false);
        (void)read_file(read, &sink->base, dir, cases[i].path, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(pg_dir_read_settle(read, fd, START, NOW)->len, ==, cases[i].looked_at);
        (void)close(fd);
        sink_free(&sink->base);
        tempdir_remove(dir);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/source/pgdirread/what-passes-is-in-the-manifest",
                    what_passes_is_in_the_manifest);
    g_test_add_func("/source/pgdirread/what-was-dropped-is-nothing-to-tell-of",
                    what_was_dropped_is_nothing_to_tell_of);
    g_test_add_func("/source/pgdirread/what-cannot-be-read-fails-the-backup",
                    what_cannot_be_read_fails_the_backup);
    g_test_add_func("/source/pgdirread/only-what-the-wal-does-not-write-anew-is-damage",
                    only_what_the_wal_does_not_write_anew_is_damage);
    g_test_add_func("/source/pgdirread/only-relations-have-pages", only_relations_have_pages);
    return g_test_run();
}
