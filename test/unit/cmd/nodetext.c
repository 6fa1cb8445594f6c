/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/nodetext.h"

#include <string.h>

/* Go documentation, fs.FileMode: "dalTLDpSugct?" and nine rights. */
static void permissions_are_in_letters_of_go(void)
{
    static const struct {
        mode_t mode;
        bool irregular;
        const char *want;
    } cases[] = {
        { S_IFREG | 0644, false, "-rw-r--r--" },    { S_IFDIR | 0755, false, "drwxr-xr-x" },
        { S_IFLNK | 0777, false, "Lrwxrwxrwx" },    { S_IFBLK | 0660, false, "Drw-rw----" },
        { S_IFCHR | 0600, false, "Dcrw-------" },   { S_IFIFO | 0400, false, "pr--------" },
        { S_IFSOCK | 0700, false, "Srwx------" },   { S_IFREG | 04755, false, "urwxr-xr-x" },
        { S_IFREG | 02755, false, "grwxr-xr-x" },   { S_IFDIR | 01777, false, "dtrwxrwxrwx" },
        { S_IFREG | 07777, false, "ugtrwxrwxrwx" }, { S_IFCHR | 04600, false, "Ducrw-------" },
        { S_IFREG | 0, false, "----------" },       { 0644, true, "?rw-r--r--" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Node) node = node_new();
        char got[16];

        node->mode = cases[i].mode;
        node->irregular = cases[i].irregular;
        node_permissions(node, got);
        g_assert_cmpstr(got, ==, cases[i].want);
    }
}

static void numbers_keep_all_their_bits(void)
{
    g_autoptr(Node) node = node_new();
    g_autoptr(GString) json = g_string_new(NULL);

    node->name = g_strdup("a<b");
    node->mode = S_IFREG | 0600;
    node->inode = UINT64_MAX;
    node->device_id = UINT64_C(0x8000000000000001);
    node->size = 3;
    node->links = 2;
    node_json(json, "/a<b", node);
    g_assert_cmpstr(json->str, ==,
                    "{\"name\":\"a\\u003cb\",\"type\":\"file\",\"path\":\"/a\\u003cb\",\"uid\":0,"
                    "\"gid\":0,\"size\":3,\"mode\":384,\"permissions\":\"-rw-------\","
                    "\"mtime\":\"1970-01-01T00:00:00Z\",\"atime\":\"1970-01-01T00:00:00Z\","
                    "\"ctime\":\"1970-01-01T00:00:00Z\",\"inode\":18446744073709551615,"
                    "\"message_type\":\"node\",\"struct_type\":\"node\"}");
    node_match_json(json, "/a<b", node);
    g_assert_nonnull(
        strstr(json->str, "\"device_id\":9223372036854775809,\"size\":3,\"links\":2}"));
}

static void names_are_harmless_on_a_terminal_only(void)
{
    g_autoptr(Node) node = node_new();
    g_autoptr(GString) line = g_string_new(NULL);
    static const char path[] = "/a\x1b[2J\n\xff\xc2\x9b\xc3\xa9";

    node->mode = S_IFREG;
    node_line(line, path, node, false, false, false);
    g_assert_cmpstr(line->str, ==, path);
    node_line(line, path, node, false, false, true);
    g_assert_cmpstr(line->str, ==, "/a?[2J???\xc3\xa9");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nodetext/permissions-are-in-letters-of-go", permissions_are_in_letters_of_go);
    g_test_add_func("/nodetext/numbers-keep-all-their-bits", numbers_keep_all_their_bits);
    g_test_add_func("/nodetext/names-are-harmless-on-a-terminal-only",
                    names_are_harmless_on_a_terminal_only);
    return g_test_run();
}
