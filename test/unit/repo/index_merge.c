/* SPDX-License-Identifier: Apache-2.0 */
/* Index images: what is merged, what is found in them, and that a damaged one is none. */
#include "repo/index_merge.h"
#include "base/fs.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const uint8_t key[INDEX_TABLE_KEY_LEN] = "a key";

static int unnamed_file(void *user)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "index-merge-XXXXXX", NULL);
    int fd = g_mkstemp(path);

    (void)user;
    g_assert_cmpint(fd, >=, 0);
    (void)unlink(path);
    return fd;
}

static int no_file(void *user)
{
    ++*(unsigned *)user;
    return -1;
}

static GBytes *contents_of(int fd)
{
    struct stat stat;
    g_autofree uint8_t *bytes = NULL;
    size_t got;

    g_assert_cmpint(fstat(fd, &stat), ==, 0);
    bytes = g_malloc((size_t)stat.st_size + 1);
    g_assert_true(fs_pread_full(fd, bytes, (size_t)stat.st_size, 0, &got, "image", NULL));
    return g_bytes_new_take(g_steal_pointer(&bytes), got);
}

/* An id with these first bytes; those after them tell ids with the same first byte apart. */
static Id id_of(uint8_t first, uint8_t last)
{
    Id id = { { first } };

    id.bytes[ID_LEN - 1] = last;
    return id;
}

typedef struct {
    uint8_t pack, first, last;
    BlobType type;
    uint32_t offset;
} Line;

/* Adds lines as one index object would say them. */
static void add_lines(IndexMerge *merge, const Line *lines, size_t n)
{
    g_autoptr(GArray) packs = g_array_new(false, false, sizeof(Id));
    g_autoptr(GArray) entries = g_array_new(false, false, sizeof(IndexEntry));
    IndexPiece piece = { packs, entries };

    for (size_t i = 0; i < n; i++) {
        Id pack = id_of(lines[i].pack, 0);
        IndexEntry entry = {
            .id = id_of(lines[i].first, lines[i].last),
            .pack = (uint32_t)i | (lines[i].type == BLOB_TREE ? INDEX_ENTRY_TREE : 0),
            .offset = lines[i].offset,
            .length = 100,
            .plain_len = 7,
        };

        g_array_append_val(packs, pack);
        g_array_append_val(entries, entry);
    }
    index_merge_add(merge, &piece);
}

/* "<first><last><d or t> in <pack>+<offset>", in the image's order */
static char *describe(const IndexTable *table)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < table->n_entries; i++) {
        const IndexEntry *entry = &table->entries[i];

        g_assert_cmpuint(index_entry_pack(entry), <, table->n_packs);
        g_string_append_printf(out, "%x%x%c in %x+%u\n", entry->id.bytes[0],
                               entry->id.bytes[ID_LEN - 1],
                               index_entry_type(entry) == BLOB_TREE ? 't' : 'd',
                               table->packs[index_entry_pack(entry)].bytes[0], entry->offset);
    }
    return g_string_free(out, false);
}

static const Line first_object[] = {
    { 0xc, 9, 1, BLOB_DATA, 0 },
    { 0xc, 1, 1, BLOB_DATA, 100 },
    { 0xa, 1, 1, BLOB_TREE, 0 },
    { 0xa, 5, 2, BLOB_DATA, 100 },
};

static const Line second_object[] = {
    { 0xb, 5, 1, BLOB_DATA, 0 },
    { 0xb, 1, 1, BLOB_DATA, 100 },
    { 0xc, 9, 1, BLOB_DATA, 0 }, // the same as in the first object
    { 0xc, 1, 1, BLOB_DATA, 700 },
};

static const char merged[] = "11d in b+100\n"
                             "11d in c+100\n"
                             "11d in c+700\n"
                             "11t in a+0\n"
                             "51d in b+0\n"
                             "52d in a+100\n"
                             "91d in c+0\n";

static void entries_are_sorted_and_repetitions_merged(void)
{
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(IndexTable) table = NULL;
    g_autofree char *text = NULL;

    add_lines(merge, first_object, G_N_ELEMENTS(first_object));
    add_lines(merge, second_object, G_N_ELEMENTS(second_object));
    table = index_merge_finish(merge, NULL, NULL, 0, -1, NULL, NULL);
    g_assert_nonnull(table);
    text = describe(table);
    g_assert_cmpstr(text, ==, merged);
    g_assert_cmpuint(table->n_packs, ==, 3);
    for (size_t i = 0; i < table->n_packs; i++)
        g_assert_cmpuint(table->packs[i].bytes[0], ==, 0xa + i);
}

static void an_empty_index_is_an_image_too(void)
{
    fs_autoclose int fd = unnamed_file(NULL);
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(IndexTable) table = index_merge_finish(merge, NULL, NULL, 0, fd, key, NULL);
    g_autoptr(IndexTable) again = index_table_open(fd, key);
    Id id = id_of(0, 0);

    g_assert_nonnull(table);
    g_assert_nonnull(again);
    g_assert_cmpuint(again->n_entries + again->n_packs + again->n_objects, ==, 0);
    g_assert_cmpuint(index_table_find(again, BLOB_DATA, &id), ==, SIZE_MAX);
}

/* The image of the first object, then of both, made from it. */
static void an_older_image_brought_up_to_date_equals_a_new_one(void)
{
    const Id objects[] = { id_of(1, 0), id_of(2, 0) };
    fs_autoclose int older_fd = unnamed_file(NULL);
    fs_autoclose int grown_fd = unnamed_file(NULL);
    fs_autoclose int whole_fd = unnamed_file(NULL);
    g_autoptr(IndexMerge) first = index_merge_new(NULL, NULL);
    g_autoptr(IndexMerge) second = index_merge_new(NULL, NULL);
    g_autoptr(IndexMerge) both = index_merge_new(NULL, NULL);
    g_autoptr(IndexTable) older = NULL;
    g_autoptr(IndexTable) grown = NULL;
    g_autoptr(IndexTable) whole = NULL;
    g_autoptr(GBytes) grown_bytes = NULL;
    g_autoptr(GBytes) whole_bytes = NULL;
    g_autofree char *text = NULL;

    add_lines(first, first_object, G_N_ELEMENTS(first_object));
    older = index_merge_finish(first, NULL, objects, 1, older_fd, key, NULL);
    add_lines(second, second_object, G_N_ELEMENTS(second_object));
    grown = index_merge_finish(second, older, objects, 2, grown_fd, key, NULL);
    add_lines(both, second_object, G_N_ELEMENTS(second_object));
    add_lines(both, first_object, G_N_ELEMENTS(first_object));
    whole = index_merge_finish(both, NULL, objects, 2, whole_fd, key, NULL);
    g_assert_nonnull(grown);
    g_assert_nonnull(whole);
    text = describe(grown);
    g_assert_cmpstr(text, ==, merged);
    grown_bytes = contents_of(grown_fd);
    whole_bytes = contents_of(whole_fd);
    g_assert_true(g_bytes_equal(grown_bytes, whole_bytes));
}

static void every_blob_is_found_and_no_other(void)
{
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(IndexTable) table = NULL;

    add_lines(merge, first_object, G_N_ELEMENTS(first_object));
    add_lines(merge, second_object, G_N_ELEMENTS(second_object));
    table = index_merge_finish(merge, NULL, NULL, 0, -1, NULL, NULL);
    for (unsigned first = 0; first < 256; first++)
        for (unsigned last = 0; last < 4; last++)
            for (BlobType type = BLOB_DATA; type <= BLOB_TREE; type++) {
                Id id = id_of((uint8_t)first, (uint8_t)last);
                size_t at = index_table_find(table, type, &id);
                size_t want = 0;

                while (want < table->n_entries && !index_table_is(table, want, type, &id))
                    want++;
                g_assert_cmpuint(at, ==, want < table->n_entries ? want : SIZE_MAX);
            }
}

static GArray *random_entries(size_t n)
{
    GArray *entries = g_array_sized_new(false, false, sizeof(IndexEntry), (guint)n);

    for (size_t i = 0; i < n; i++) {
        IndexEntry entry = { .pack = (uint32_t)(i % 100), .offset = (uint32_t)i, .length = 32 };

        random_bytes(&entry.id, ID_LEN);
        g_array_append_val(entries, entry);
    }
    return entries;
}

/* More than two runs, so that full ones are sorted, put aside and merged. */
static void many_blobs_stay_sorted(IndexScratch scratch, void *user)
{
    const size_t n = 2200000;
    g_autoptr(GArray) packs = g_array_new(false, true, sizeof(Id));
    g_autoptr(GArray) entries = random_entries(n);
    IndexPiece piece = { packs, entries };
    g_autoptr(IndexMerge) merge = index_merge_new(scratch, user);
    g_autoptr(IndexTable) table = NULL;

    g_array_set_size(packs, 100);
    index_merge_add(merge, &piece);
    table = index_merge_finish(merge, NULL, NULL, 0, -1, NULL, NULL);
    g_assert_cmpuint(table->n_entries, ==, n);
    g_assert_cmpuint(table->n_packs, ==, 1); // all ids are zero
    for (size_t i = 1; i < n; i++)
        g_assert_cmpint(id_compare(&table->entries[i - 1].id, &table->entries[i].id), <, 0);
    for (size_t i = 0; i < n; i += 100) {
        const IndexEntry *entry = &g_array_index(entries, IndexEntry, i);
        size_t at = index_table_find(table, BLOB_DATA, &entry->id);

        g_assert_cmpuint(at, !=, SIZE_MAX);
        g_assert_cmpuint(table->entries[at].offset, ==, entry->offset);
    }
}

static void runs_go_to_a_scratch_file(void)
{
    many_blobs_stay_sorted(unnamed_file, NULL);
}

static void without_a_scratch_file_they_stay_in_memory(void)
{
    unsigned asked = 0;

    many_blobs_stay_sorted(no_file, &asked);
    g_assert_cmpuint(asked, ==, 2);
}

static GBytes *small_image(int fd)
{
    const Id objects[] = { id_of(1, 0), id_of(2, 0) };
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(IndexTable) table = NULL;

    add_lines(merge, first_object, G_N_ELEMENTS(first_object));
    add_lines(merge, second_object, G_N_ELEMENTS(second_object));
    table = index_merge_finish(merge, NULL, objects, 2, fd, key, NULL);
    g_assert_nonnull(table);
    return contents_of(fd);
}

static bool opens(int fd, const uint8_t *with)
{
    g_autoptr(IndexTable) table = index_table_open(fd, with);

    return table != NULL;
}

static void a_changed_byte_makes_it_no_image(void)
{
    fs_autoclose int fd = unnamed_file(NULL);
    g_autoptr(GBytes) image = small_image(fd);
    size_t len;
    const uint8_t *bytes = g_bytes_get_data(image, &len);

    g_assert_true(opens(fd, key));
    for (size_t at = 0; at < len; at++) {
        uint8_t flipped = bytes[at] ^ (uint8_t)(1 << at % 8);

        g_assert_true(fs_pwrite_all(fd, &flipped, 1, at, "image", NULL));
        g_assert_false(opens(fd, key));
        g_assert_true(fs_pwrite_all(fd, &bytes[at], 1, at, "image", NULL));
    }
    g_assert_true(opens(fd, key));
}

static void a_cut_or_longer_file_is_no_image(void)
{
    fs_autoclose int fd = unnamed_file(NULL);
    g_autoptr(GBytes) image = small_image(fd);
    size_t len = g_bytes_get_size(image);

    g_assert_true(fs_pwrite_all(fd, "", 1, len, "image", NULL));
    g_assert_false(opens(fd, key));
    for (size_t shorter = len; shorter-- > 0;) {
        g_assert_cmpint(ftruncate(fd, (off_t)shorter), ==, 0);
        g_assert_false(opens(fd, key));
    }
}

static void another_key_opens_nothing(void)
{
    const uint8_t other[INDEX_TABLE_KEY_LEN] = "another key";
    fs_autoclose int fd = unnamed_file(NULL);
    g_autoptr(GBytes) image = small_image(fd);

    g_assert_true(opens(fd, key));
    g_assert_false(opens(fd, other));
}

static void a_failing_write_leaves_memory(void)
{
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(IndexTable) none = NULL;
    g_autoptr(IndexTable) table = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    fs_autoclose int full = open("/dev/full", O_RDWR | O_CLOEXEC);

    add_lines(merge, first_object, G_N_ELEMENTS(first_object));
    add_lines(merge, second_object, G_N_ELEMENTS(second_object));
    none = index_merge_finish(merge, NULL, NULL, 0, full, key, &error);
    g_assert_null(none);
    g_assert_nonnull(error);
    table = index_merge_finish(merge, NULL, NULL, 0, -1, NULL, NULL);
    text = describe(table);
    g_assert_cmpstr(text, ==, merged);
}

static void a_blob_costs_less_than_sixty_bytes(void)
{
    const size_t n = 100000;
    fs_autoclose int fd = unnamed_file(NULL);
    g_autoptr(IndexMerge) merge = index_merge_new(NULL, NULL);
    g_autoptr(GArray) entries = random_entries(n);
    g_autoptr(GArray) packs = g_array_new(false, false, sizeof(Id));
    IndexPiece piece = { packs, entries };
    g_autoptr(IndexTable) table = NULL;
    struct stat stat;

    for (size_t i = 0; i < n; i++) {
        if (i % 20 == 0) {
            Id pack;

            random_bytes(&pack, ID_LEN);
            g_array_append_val(packs, pack);
        }
        g_array_index(entries, IndexEntry, i).pack = packs->len - 1;
    }
    index_merge_add(merge, &piece);
    table = index_merge_finish(merge, NULL, NULL, 0, fd, key, NULL);
    g_assert_nonnull(table);
    g_assert_cmpint(fstat(fd, &stat), ==, 0);
    g_assert_cmpuint(stat.st_size, <=, n * 60);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/index_merge/sorted", entries_are_sorted_and_repetitions_merged);
    g_test_add_func("/index_merge/empty", an_empty_index_is_an_image_too);
    g_test_add_func("/index_merge/older", an_older_image_brought_up_to_date_equals_a_new_one);
    g_test_add_func("/index_merge/find", every_blob_is_found_and_no_other);
    g_test_add_func("/index_merge/many", runs_go_to_a_scratch_file);
    g_test_add_func("/index_merge/many_in_memory", without_a_scratch_file_they_stay_in_memory);
    g_test_add_func("/index_merge/flipped", a_changed_byte_makes_it_no_image);
    g_test_add_func("/index_merge/cut", a_cut_or_longer_file_is_no_image);
    g_test_add_func("/index_merge/key", another_key_opens_nothing);
    g_test_add_func("/index_merge/full", a_failing_write_leaves_memory);
    g_test_add_func("/index_merge/size", a_blob_costs_less_than_sixty_bytes);
    return g_test_run();
}
