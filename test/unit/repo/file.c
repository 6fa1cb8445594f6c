/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/file.h"

#define HEX "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf"

static void names_follow_the_layout(void)
{
    static const struct {
        FileType type;
        const char *key;
    } cases[] = {
        { FILE_KEY, "keys/" HEX },     { FILE_SNAPSHOT, "snapshots/" HEX },
        { FILE_INDEX, "index/" HEX },  { FILE_LOCK, "locks/" HEX },
        { FILE_PACK, "data/a0/" HEX },
    };
    Id id, parsed;

    g_assert_true(id_parse(HEX, &id));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_assert_cmpstr(file_key(cases[i].type, &id).text, ==, cases[i].key);
        g_assert_true(g_str_has_prefix(cases[i].key, file_dir(cases[i].type)));
        g_assert_true(file_parse_key(cases[i].type, cases[i].key, &parsed));
        g_assert_true(id_equal(&parsed, &id));
    }
}

static void other_names_are_none_of_ours(void)
{
    static const struct {
        FileType type;
        const char *key;
    } cases[] = {
        { FILE_PACK, "data/" HEX },
        { FILE_PACK, "data/a1/" HEX },
        { FILE_PACK, "data/a0/" HEX "0" },
        { FILE_PACK, "data/a0/a0/" HEX },
        { FILE_INDEX, "index/" HEX "-tmp-1" },
        { FILE_INDEX, "snapshots/" HEX },
        { FILE_INDEX, "index/a0/" HEX },
        { FILE_INDEX, "index/.hidden" },
        { FILE_INDEX, "index/" },
        { FILE_INDEX, HEX },
        { FILE_INDEX, "" },
        { FILE_KEY, "keys/A0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf" },
    };
    Id id;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_test_message("'%s'", cases[i].key);
        g_assert_false(file_parse_key(cases[i].type, cases[i].key, &id));
    }
}

static void types_have_names(void)
{
    g_assert_cmpstr(file_type_name(FILE_SNAPSHOT), ==, "snapshot");
    g_assert_cmpstr(file_type_name(FILE_PACK), ==, "pack");
    g_assert_cmpstr(blob_type_name(BLOB_DATA), ==, "data");
    g_assert_cmpstr(blob_type_name(BLOB_TREE), ==, "tree");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/repo/file/names_follow_the_layout", names_follow_the_layout);
    g_test_add_func("/repo/file/other_names_are_none_of_ours", other_names_are_none_of_ours);
    g_test_add_func("/repo/file/types_have_names", types_have_names);
    return g_test_run();
}
