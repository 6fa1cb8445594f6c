/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumelayout.h"

#include <string.h>

#define GIB (UINT64_C(1) << 30)
#define KIB ((size_t)1 << 10)

static void names_segments(void)
{
    static const struct {
        const char *label;
        uint64_t size;
        size_t cut;
        uint64_t n_segments, n, len;
        const char *path;
        bool begins, ends;
    } cases[] = {
        { "less than one", 5, 16 * KIB, 1, 0, 5, "000000", false, false },
        { "exactly one", GIB, 16 * KIB, 1, 0, GIB, "000000", false, false },
        { "a byte more", GIB + 1, 16 * KIB, 2, 1, 1, "000001", false, false },
        { "the last without folders", 4 * GIB, 16 * KIB, 4, 3, GIB, "000003", false, false },
        { "small pieces: a folder each", 5 * GIB, 16 * KIB, 5, 4, GIB, "00004/000004", true, true },
        { "four a folder, its first", 10 * GIB, 64 * KIB, 10, 4, GIB, "00001/000004", true, false },
        { "four a folder, its last", 10 * GIB, 64 * KIB, 10, 7, GIB, "00001/000007", false, true },
        { "four a folder, the very last", 9 * GIB + 7, 64 * KIB, 10, 9, 7, "00002/000009", false,
          true },
        { "10 TiB", 10240 * GIB, 1024 * KIB, 10240, 10239, GIB, "00159/010239", false, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        VolumeLayout layout = volume_layout(cases[i].size, cases[i].cut);
        g_autofree char *path = volume_layout_path(&layout, cases[i].n);

        g_test_message("%s", cases[i].label);
        g_assert_cmpuint(layout.n_segments, ==, cases[i].n_segments);
        g_assert_cmpuint(volume_layout_len(&layout, cases[i].n), ==, cases[i].len);
        g_assert_cmpstr(path, ==, cases[i].path);
        g_assert_cmpint(volume_layout_begins_folder(&layout, cases[i].n), ==, cases[i].begins);
        g_assert_cmpint(volume_layout_ends_folder(&layout, cases[i].n), ==, cases[i].ends);
    }
    g_assert_cmpuint(volume_layout(0, 16 * KIB).n_segments, ==, 0);
}

/* Every segment once, in the order of its name, in folders that are opened and closed in turn. */
static void folders_hold_all(void)
{
    static const size_t cuts[] = { 16, 32, 64, 128, 256, 512, 1024 };

    for (size_t i = 0; i < G_N_ELEMENTS(cuts); i++) {
        VolumeLayout layout = volume_layout(333 * GIB + 1, cuts[i] * KIB);
        g_autofree char *last = NULL;
        bool open = false;

        for (uint64_t n = 0; n < layout.n_segments; n++) {
            char *path = volume_layout_path(&layout, n);

            g_assert_cmpint(volume_layout_begins_folder(&layout, n), ==, !open);
            open = !volume_layout_ends_folder(&layout, n);
            g_assert_true(!last || strcmp(last, path) < 0);
            g_free(last);
            last = path;
        }
        g_assert_false(open);
    }
}

static void reads_names(void)
{
    static const char *const wrong[] = {
        "", "1", "00001", "0000001a", " 000001", "-00001", "1234567890123456", "manifest.json"
    };
    uint64_t n = 0;

    g_assert_true(volume_layout_number("000007", &n));
    g_assert_cmpuint(n, ==, 7);
    g_assert_true(volume_layout_number("1000000", &n));
    g_assert_cmpuint(n, ==, 1000000);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(volume_layout_number(wrong[i], &n));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/volumelayout/names-segments", names_segments);
    g_test_add_func("/volumelayout/folders-hold-all", folders_hold_all);
    g_test_add_func("/volumelayout/reads-names", reads_names);
    return g_test_run();
}
