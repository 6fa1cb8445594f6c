/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/chunker.h"
#include "codec/hash.h"
#include "lib/vectors.h"

#define MIB (1024u * 1024)

static GearTable gear;

/* The counter stream of the repository format: SHA-256(le64(0)) | SHA-256(le64(1)) | ... */
static uint8_t *stream(size_t len)
{
    uint8_t *data = g_malloc(len);

    for (uint64_t i = 0; i < len / ID_LEN; i++) {
        uint64_t counter = GUINT64_TO_LE(i);
        Id id;

        hash_bytes(&counter, sizeof counter, &id);
        memcpy(data + i * ID_LEN, id.bytes, ID_LEN);
    }
    return data;
}

/* The lengths of the chunks, the unfinished one at the end too. Data is handed in as slices of 1 to
 * most bytes; most = 0: all at once. */
static GArray *cut_lengths(Chunker *chunker, const uint8_t *data, size_t len, size_t most)
{
    GArray *lengths = g_array_new(FALSE, FALSE, sizeof(size_t));
    size_t start = 0;

    for (size_t at = 0; at < len;) {
        size_t slice = most ? 1 + (size_t)g_test_rand_int_range(0, (gint32)most) : len;
        bool cut;
        size_t n = chunker_next(chunker, data + at, MIN(slice, len - at), &cut);

        g_assert_cmpuint(n, >=, 1);
        g_assert_cmpuint(n, <=, MIN(slice, len - at));
        at += n;
        if (cut || at == len) {
            size_t chunk = at - start;

            g_array_append_val(lengths, chunk);
            start = at;
        }
    }
    chunker_reset(chunker);
    return lengths;
}

static void cuts_as(const uint8_t *data, size_t len, const size_t *want, size_t n_want)
{
    Chunker chunker;
    g_autoptr(GArray) lengths = NULL;

    chunker_init_content(&chunker, &gear);
    lengths = cut_lengths(&chunker, data, len, 0);
    g_assert_cmpmem(lengths->data, lengths->len * sizeof(size_t), want, n_want * sizeof(size_t));
}

/* The numbers of doc/chunker.md, printed by test/unit/codec/chunker_reference.py. They never
 * change. */
static void the_gear_table_is_the_documented_one(void)
{
    g_assert_cmphex(gear.entries[0], ==, 0xeb67396d79ff3a60);
    g_assert_cmphex(gear.entries[1], ==, 0x5bef4c0001c3ccb6);
    g_assert_cmphex(gear.entries[255], ==, 0xd597f34e500811c7);
}

static void random_data_is_cut_as_documented(void)
{
    static const size_t want[] = { 1214817, 2020948, 1853606, 1002157, 1419760, 975333,
                                   615921,  992125,  806266,  1073853, 702414,  1309607,
                                   573558,  1212525, 714806,  619398,  1196342, 1539781,
                                   948953,  1083437, 1843230, 742417,  543157,  161413 };
    g_autofree uint8_t *data = stream(24 * MIB);

    cuts_as(data, 24 * MIB, want, G_N_ELEMENTS(want));
}

static void data_of_few_values_is_cut_as_documented(void)
{
    static const size_t want[] = { 541815,  618552,  1130462, 1310222, 1186087, 1095741, 1350675,
                                   1256537, 581242,  2978070, 778675,  1368563, 1481237, 577410,
                                   982783,  1086635, 1985461, 1265808, 1357141, 1389078, 843630 };
    g_autofree uint8_t *data = stream(24 * MIB);

    for (size_t i = 0; i < 24 * MIB; i++)
        data[i] &= 0x11;
    cuts_as(data, 24 * MIB, want, G_N_ELEMENTS(want));
}

static void zeros_are_cut_at_the_maximum(void)
{
    static const size_t want[] = { CHUNK_MAX, CHUNK_MAX, 4 * MIB };
    g_autofree uint8_t *data = g_malloc0(20 * MIB);

    cuts_as(data, 20 * MIB, want, G_N_ELEMENTS(want));
}

static void slicing_does_not_matter(void)
{
    static const size_t mosts[] = { 1, 2, 3, 100, 5000, 300000, 3 * MIB };
    const size_t len = 8 * MIB;
    g_autofree uint8_t *data = stream(len);
    g_autoptr(GArray) want = NULL;
    Chunker chunker;

    chunker_init_content(&chunker, &gear);
    want = cut_lengths(&chunker, data, len, 0);
    g_assert_cmpuint(want->len, >=, 4);
    for (size_t i = 0; i < G_N_ELEMENTS(mosts); i++) {
        g_autoptr(GArray) lengths = cut_lengths(&chunker, data, len, mosts[i]);

        g_test_message("slices of up to %zu bytes", mosts[i]);
        g_assert_cmpmem(lengths->data, lengths->len * sizeof(size_t), want->data,
                        want->len * sizeof(size_t));
    }
}

static void slicing_does_not_matter_around_the_maximum(void)
{
    g_autofree uint8_t *data = g_malloc0(CHUNK_MAX + 100);
    Chunker chunker;
    bool cut;

    chunker_init_content(&chunker, &gear);
    g_assert_cmpuint(chunker_next(&chunker, data, CHUNK_MAX - 1, &cut), ==, CHUNK_MAX - 1);
    g_assert_false(cut);
    g_assert_cmpuint(chunker_next(&chunker, data, 100, &cut), ==, 1);
    g_assert_true(cut);
    g_assert_cmpuint(chunker_next(&chunker, data, 100, &cut), ==, 100);
    g_assert_false(cut);
}

static void insertions_move_only_nearby_cuts(void)
{
    const size_t len = 24 * MIB;
    g_autofree uint8_t *data = stream(len);
    g_autoptr(GArray) before = NULL;
    g_autoptr(GArray) after = NULL;
    Chunker chunker;
    guint same = 0;

    chunker_init_content(&chunker, &gear);
    before = cut_lengths(&chunker, data, len, 0);
    memmove(data + 5 * MIB + 7, data + 5 * MIB, len - 5 * MIB - 7);
    after = cut_lengths(&chunker, data, len, 0);
    for (guint i = 1; i < MIN(before->len, after->len); i++)
        if (g_array_index(before, size_t, before->len - 1 - i) ==
            g_array_index(after, size_t, after->len - 1 - i))
            same++;
    g_assert_cmpuint(same, >=, before->len - 8);
}

static void average_is_about_one_mib(void)
{
    const size_t len = 192 * MIB;
    g_autofree uint32_t *data = g_malloc(len);
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autoptr(GArray) lengths = NULL;
    Chunker chunker;

    for (size_t i = 0; i < len / 4; i++)
        data[i] = g_rand_int(rand);
    chunker_init_content(&chunker, &gear);
    lengths = cut_lengths(&chunker, (const uint8_t *)data, len, 0);
    for (guint i = 0; i + 1 < lengths->len; i++) {
        g_assert_cmpuint(g_array_index(lengths, size_t, i), >=, CHUNK_MIN);
        g_assert_cmpuint(g_array_index(lengths, size_t, i), <=, 4 * MIB);
    }
    g_assert_cmpfloat((double)len / lengths->len, >, 0.9 * MIB);
    g_assert_cmpfloat((double)len / lengths->len, <, 1.2 * MIB);
}

static void another_key_cuts_elsewhere_but_clamping_does_not_matter(void)
{
    const size_t len = 8 * MIB;
    g_autofree uint8_t *data = stream(len);
    uint8_t master[64];
    GearTable other;
    GearTable same;
    Chunker chunker;
    g_autoptr(GArray) ours = NULL;
    g_autoptr(GArray) theirs = NULL;

    for (size_t i = 0; i < sizeof master; i++)
        master[i] = (uint8_t)i;
    master[48 + 3] &= 0x0f;
    gear_table_derive(master, &same);
    g_assert_cmpmem(&same, sizeof same, &gear, sizeof gear);
    master[0] ^= 1;
    gear_table_derive(master, &other);
    chunker_init_content(&chunker, &gear);
    ours = cut_lengths(&chunker, data, len, 0);
    chunker_init_content(&chunker, &other);
    theirs = cut_lengths(&chunker, data, len, 0);
    g_assert_cmpuint(g_array_index(ours, size_t, 0), !=, g_array_index(theirs, size_t, 0));
}

static void fixed_cuts_are_fixed(void)
{
    g_autofree uint8_t *data = g_malloc0(1000000);
    Chunker chunker;

    for (size_t size = 4096; size <= CHUNK_MAX; size *= 2) {
        g_autoptr(GArray) lengths = NULL;

        chunker_init_fixed(&chunker, size);
        lengths = cut_lengths(&chunker, data, 1000000, 70000);
        g_assert_cmpuint(lengths->len, ==, (1000000 + size - 1) / size);
        for (guint i = 0; i + 1 < lengths->len; i++)
            g_assert_cmpuint(g_array_index(lengths, size_t, i), ==, size);
    }
}

static void reset_forgets_the_unfinished_chunk(void)
{
    const size_t len = 4 * MIB;
    g_autofree uint8_t *data = stream(len);
    g_autoptr(GArray) want = NULL;
    g_autoptr(GArray) lengths = NULL;
    Chunker chunker;
    bool cut;

    chunker_init_content(&chunker, &gear);
    want = cut_lengths(&chunker, data, len, 0);
    g_assert_cmpuint(chunker_next(&chunker, data, 700000, &cut), ==, 700000);
    chunker_reset(&chunker);
    lengths = cut_lengths(&chunker, data, len, 0);
    g_assert_cmpmem(lengths->data, lengths->len * sizeof(size_t), want->data,
                    want->len * sizeof(size_t));
}

int main(int argc, char **argv)
{
    uint8_t master[64];

    for (size_t i = 0; i < sizeof master; i++)
        master[i] = (uint8_t)i;
    gear_table_derive(master, &gear);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chunker/gear", the_gear_table_is_the_documented_one);
    g_test_add_func("/chunker/random", random_data_is_cut_as_documented);
    g_test_add_func("/chunker/few-values", data_of_few_values_is_cut_as_documented);
    g_test_add_func("/chunker/zeros", zeros_are_cut_at_the_maximum);
    g_test_add_func("/chunker/slices", slicing_does_not_matter);
    g_test_add_func("/chunker/slices-maximum", slicing_does_not_matter_around_the_maximum);
    g_test_add_func("/chunker/insertion", insertions_move_only_nearby_cuts);
    g_test_add_func("/chunker/average", average_is_about_one_mib);
    g_test_add_func("/chunker/key", another_key_cuts_elsewhere_but_clamping_does_not_matter);
    g_test_add_func("/chunker/fixed", fixed_cuts_are_fixed);
    g_test_add_func("/chunker/reset", reset_forgets_the_unfinished_chunk);
    return g_test_run();
}
