/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/tree.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/vectors.h"

#define HEX_A "1f2b793e194e5810c322e8245ac6b0e2fcea7ee7e640dee7125b84ee2e28585b"

static json_t *vectors;

static Tree *decoded(const char *text)
{
    g_autoptr(GError) error = NULL;
    Tree *tree = NULL;

    g_assert_true(tree_decode(text, strlen(text), &tree, &error));
    g_assert_no_error(error);
    return tree;
}

static char *encoded(const Tree *tree)
{
    GString *out = g_string_new(NULL);

    tree_encode((Node *const *)tree->nodes->pdata, tree->nodes->len, out);
    return g_string_free(out, FALSE);
}

/* A tree of one file with these fields before the ones that it must have. */
static char *file_text(const char *extra)
{
    return g_strdup_printf("{\"nodes\":[{%s\"name\":\"f\",\"type\":\"file\",\"content\":[]}]}",
                           extra);
}

static void trees_of_the_vectors_come_back_byte_for_byte(void)
{
    static const struct {
        const char *text, *id;
    } cases[] = {
        { "empty_tree_text", "empty_tree_id" },
        { "inner_text", "inner_id" },
        { "root_text", "root_id" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const json_t *trees = json_object_get(vectors, "trees");
        const char *text = vector_text(trees, cases[i].text);
        g_autoptr(Tree) tree = decoded(text);
        g_autofree char *again = encoded(tree);
        Id id;

        g_assert_cmpstr(again, ==, text);
        hash_bytes(again, strlen(again), &id);
        g_assert_cmpstr(id_hex(&id).text, ==, vector_text(trees, cases[i].id));
    }
}

static void fields_arrive_where_they_belong(void)
{
    const json_t *trees = json_object_get(vectors, "trees");
    g_autoptr(Tree) tree = decoded(vector_text(trees, "inner_text"));
    const Node *node = tree_find(tree, "hello \"\xff\".txt");
    const NodeXattr *xattr = NULL;

    g_assert_nonnull(node);
    g_assert_cmpuint(node->mode, ==, S_IFREG | S_ISUID | 0644);
    g_assert_cmpint(node->mtime.sec, ==, 1767261600);
    g_assert_cmpuint(node->mtime.nsec, ==, 500000000);
    g_assert_cmpuint(node->inode, ==, 12);
    g_assert_cmpuint(node->device_id, ==, 2049);
    g_assert_cmpuint(node->size, ==, 814);
    g_assert_cmpuint(node->links, ==, 1);
    g_assert_cmpstr(node->user, ==, "root");
    g_assert_cmpuint(node->content->len, ==, 2);
    g_assert_cmpstr(id_hex(&g_array_index(node->content, Id, 0)).text, ==, HEX_A);
    g_assert_cmpuint(node->xattrs->len, ==, 1);
    xattr = &g_array_index(node->xattrs, NodeXattr, 0);
    g_assert_cmpstr(xattr->name, ==, "user.comment");
    g_assert_cmpmem(g_bytes_get_data(xattr->value, NULL), g_bytes_get_size(xattr->value), "hello",
                    5);
    g_assert_cmpstr(tree_find(tree, "link")->linktarget, ==, "a<b>&c");
    g_assert_null(tree_find(tree, "lin"));
    g_assert_null(tree_find(tree, "zzz"));
}

static void a_copy_says_the_same(void)
{
    const json_t *trees = json_object_get(vectors, "trees");
    g_autoptr(Tree) tree = decoded(vector_text(trees, "inner_text"));
    g_autoptr(Tree) copies = tree_new();
    g_autofree char *text = NULL;

    for (guint i = 0; i < tree->nodes->len; i++)
        g_ptr_array_add(copies->nodes, node_copy(tree->nodes->pdata[i]));
    g_clear_pointer(&tree, tree_free);
    text = encoded(copies);
    g_assert_cmpstr(text, ==, vector_text(trees, "inner_text"));
}

static void modes_are_gos(void)
{
    const json_t *test;
    size_t i;

    g_assert_cmpuint(json_array_size(json_object_get(vectors, "modes")), >=, 13);
    json_array_foreach(json_object_get(vectors, "modes"), i, test)
    {
        mode_t mode = (mode_t)g_ascii_strtoull(vector_text(test, "st_mode_octal"), NULL, 8);
        g_autoptr(Node) node = node_new();

        node->mode = mode;
        g_assert_cmpstr(node_type_name(node), ==, vector_text(test, "type"));
        g_assert_cmpuint(node_go_mode(node), ==, vector_int(test, "go_mode"));
        node_set_mode(node, vector_text(test, "type"), (uint32_t)vector_int(test, "go_mode"));
        g_assert_cmpuint(node->mode, ==, mode);
        g_assert_false(node->irregular);
    }
}

static void the_type_decides_over_the_bits(void)
{
    g_autoptr(Node) node = node_new();

    node_set_mode(node, "file", UINT32_C(1) << 31 | 0750);
    g_assert_cmpuint(node->mode, ==, S_IFREG | 0750);
    node_set_mode(node, "door", 0640);
    g_assert_true(node->irregular);
    g_assert_cmpuint(node->mode, ==, 0640);
    g_assert_cmpstr(node_type_name(node), ==, "irregular");
}

static void names_and_times_are_those_of_the_vectors(void)
{
    const json_t *test;
    size_t i;

    json_array_foreach(json_object_get(vectors, "names"), i, test)
    {
        g_autoptr(GByteArray) raw = vector_bytes(test, "raw");
        const char *name_json = vector_text(test, "json_text");
        g_autofree char *text = g_strdup_printf(
            "{\"nodes\":[{\"name\":%s,\"type\":\"file\",\"mtime\":\"1970-01-01T00:00:00Z\","
            "\"atime\":\"1970-01-01T00:00:00Z\",\"ctime\":\"1970-01-01T00:00:00Z\","
            "\"uid\":0,\"gid\":0,\"content\":[]}]}\n",
            name_json);
        g_autoptr(Tree) tree = NULL;
        g_autofree char *again = NULL;

        if (memchr(raw->data, '\0', raw->len)) {
            g_assert_false(tree_decode(text, strlen(text), &tree, NULL));
            continue;
        }
        tree = decoded(text);
        g_assert_cmpstr(((Node *)tree->nodes->pdata[0])->name, ==, (const char *)raw->data);
        again = encoded(tree);
        g_assert_cmpstr(again, ==, text);
    }
    json_array_foreach(json_object_get(vectors, "times"), i, test)
    {
        g_autofree char *field = g_strdup_printf("\"mtime\":\"%s\",", vector_text(test, "text"));
        g_autofree char *text = file_text(field);
        g_autoptr(Tree) tree = decoded(text);
        const Node *node = tree->nodes->pdata[0];
        g_autofree char *again = encoded(tree);

        g_assert_cmpint(node->mtime.sec, ==, vector_int(test, "seconds"));
        g_assert_cmpint(node->mtime.nsec, ==, vector_int(test, "nanoseconds"));
        g_assert_nonnull(strstr(again, field));
    }
}

static void numbers_use_all_their_bits(void)
{
    g_autofree char *text = file_text("\"inode\":18446744073709551615,\"device_id\":"
                                      "9223372036854775809,\"size\":9007199254740993,"
                                      "\"uid\":4294967295,");
    g_autoptr(Tree) tree = decoded(text);
    const Node *node = tree->nodes->pdata[0];

    g_assert_cmpuint(node->inode, ==, UINT64_MAX);
    g_assert_cmpuint(node->device_id, ==, UINT64_C(9223372036854775809));
    g_assert_cmpuint(node->size, ==, UINT64_C(9007199254740993));
    g_assert_cmpuint(node->uid, ==, UINT32_MAX);
}

static void any_legal_form_is_read(void)
{
    static const struct {
        const char *label, *text;
        guint n;
    } cases[] = {
        { "no list", "{}", 0 },
        { "null list", "{\"nodes\":null}", 0 },
        { "white space", " { \"nodes\" : [ ] } \n\n", 0 },
        { "unknown fields, nested",
          "{\"x\":[[{\"nodes\":[1]}]],\"nodes\":[{\"a\":{\"name\":\"no\",\"b\":[1,{}]},"
          "\"content\":[],\"type\":\"file\",\"name\":\"f\",\"generic_attributes\":{\"w\":\"x\"},"
          "\"c\":true,\"d\":1.5e3,\"e\":null}],\"nodez\":[]}",
          1 },
        { "any order, null fields",
          "{\"nodes\":[{\"subtree\":null,\"extended_attributes\":null,\"user\":null,\"mode\":null,"
          "\"content\":[],\"type\":\"file\",\"name\":\"f\"}]}",
          1 },
        { "a known name at another place",
          "{\"name\":3,\"nodes\":[{\"nodes\":7,\"value\":[],\"content\":[],\"type\":\"file\","
          "\"name\":\"f\"}]}",
          1 },
        { "an attribute whose value is null",
          "{\"nodes\":[{\"extended_attributes\":[{\"name\":\"user.x\",\"value\":null}],"
          "\"content\":[],\"type\":\"file\",\"name\":\"f\"}]}",
          1 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Tree) tree = NULL;

        g_test_message("%s", cases[i].label);
        tree = decoded(cases[i].text);
        g_assert_cmpuint(tree->nodes->len, ==, cases[i].n);
        if (cases[i].n == 1)
            g_assert_cmpstr(((Node *)tree->nodes->pdata[0])->name, ==, "f");
    }
}

static void what_is_no_tree_is_refused(void)
{
    static const struct {
        const char *label, *text;
    } cases[] = {
        { "nothing", "" },
        { "cut", "{\"nodes\":[" },
        { "more than one value", "{\"nodes\":[]}{}" },
        { "a list", "[]" },
        { "a number", "7" },
        { "nodes is a string", "{\"nodes\":\"x\"}" },
        { "nodes twice", "{\"nodes\":[],\"nodes\":[]}" },
        { "a node that is a number", "{\"nodes\":[1]}" },
        { "a node that is null", "{\"nodes\":[null]}" },
        { "no name", "{\"nodes\":[{\"type\":\"file\",\"content\":[]}]}" },
        { "no type", "{\"nodes\":[{\"name\":\"f\",\"content\":[]}]}" },
        { "a file without content", "{\"nodes\":[{\"name\":\"f\",\"type\":\"file\"}]}" },
        { "content null", "{\"nodes\":[{\"name\":\"f\",\"type\":\"file\",\"content\":null}]}" },
        { "content is no id",
          "{\"nodes\":[{\"name\":\"f\",\"type\":\"file\",\"content\":[\"12\"]}]}" },
        { "content is a number",
          "{\"nodes\":[{\"name\":\"f\",\"type\":\"file\",\"content\":[12]}]}" },
        { "a directory without subtree", "{\"nodes\":[{\"name\":\"d\",\"type\":\"dir\"}]}" },
        { "the same name twice", "{\"nodes\":[{\"name\":\"s\",\"type\":\"fifo\"},"
                                 "{\"name\":\"s\",\"type\":\"socket\"}]}" },
        { "the same name twice, quoted differently",
          "{\"nodes\":[{\"name\":\"s\",\"type\":\"fifo\"},"
          "{\"name\":\"\\\\x73\",\"type\":\"socket\"}]}" },
    };
    static const char *const bad_fields[] = {
        "\"inode\":18446744073709551616,",
        "\"inode\":-1,",
        "\"inode\":1.0,",
        "\"inode\":1e3,",
        "\"inode\":\"1\",",
        "\"uid\":4294967296,",
        "\"mode\":4294967296,",
        "\"mtime\":\"soon\",",
        "\"mtime\":5,",
        "\"user\":[],",
        "\"user\":{},",
        "\"linktarget_raw\":\"a\",",
        "\"linktarget_raw\":\"a*==\",",
        "\"linktarget_raw\":\"YQBi\",",
        "\"user\":true,",
        "\"extended_attributes\":[{\"value\":\"\"}],",
        "\"extended_attributes\":[{\"name\":\"x\",\"value\":\"====\"}],",
        "\"extended_attributes\":[5],",
        "\"name\":\"\\\\q\",",
        "\"name\":\"\xff\",",
    };
    static const char *const bad_names[] = { "",       ".",       "..",        "a/b",
                                             "/",      "\\\\x00", "a\\\\x2fb", "\\\\x2e\\\\x2e",
                                             "\\u0000" };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Tree *tree = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_false(tree_decode(cases[i].text, strlen(cases[i].text), &tree, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bad_fields); i++) {
        g_autofree char *text = file_text(bad_fields[i]);
        g_autoptr(GError) error = NULL;
        Tree *tree = NULL;

        g_test_message("%s", bad_fields[i]);
        g_assert_false(tree_decode(text, strlen(text), &tree, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bad_names); i++) {
        g_autofree char *text =
            g_strdup_printf("{\"nodes\":[{\"name\":\"%s\",\"type\":\"fifo\"}]}", bad_names[i]);
        g_autoptr(GError) error = NULL;
        Tree *tree = NULL;

        g_test_message("name %s", bad_names[i]);
        g_assert_false(tree_decode(text, strlen(text), &tree, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void nesting_without_end_is_refused(void)
{
    g_autoptr(GString) text = g_string_new("{\"x\":");
    g_autoptr(GError) error = NULL;
    Tree *tree = NULL;

    for (int i = 0; i < 1000000; i++)
        g_string_append_c(text, '[');
    g_assert_false(tree_decode(text->str, text->len, &tree, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
}

static void unsorted_nodes_are_sorted_by_their_raw_bytes(void)
{
    g_autoptr(Tree) tree = decoded("{\"nodes\":[{\"name\":\"b\",\"type\":\"fifo\"},"
                                   "{\"name\":\"\\\\xff\",\"type\":\"fifo\"},"
                                   "{\"name\":\"\u00e9\",\"type\":\"fifo\"},"
                                   "{\"name\":\"B\",\"type\":\"fifo\"}]}");
    static const char *const want[] = { "B", "b", "\u00e9", "\xff" };

    g_assert_cmpuint(tree->nodes->len, ==, G_N_ELEMENTS(want));
    for (guint i = 0; i < tree->nodes->len; i++)
        g_assert_cmpstr(((Node *)tree->nodes->pdata[i])->name, ==, want[i]);
}

static void a_link_target_keeps_its_bytes(void)
{
    static const char fields[] =
        "\"linktarget\":\"t\\ufffd\",\"linktarget_raw\":\"dOk=\",\"content\":null}]}\n";
    g_autofree char *canonical =
        g_strdup_printf("{\"nodes\":[{\"name\":\"l\",\"type\":\"symlink\",\"mode\":134218239,"
                        "\"mtime\":\"1970-01-01T00:00:00Z\",\"atime\":\"1970-01-01T00:00:00Z\","
                        "\"ctime\":\"1970-01-01T00:00:00Z\",\"uid\":0,\"gid\":0,%s",
                        fields);
    g_autoptr(Tree) raw_first = decoded("{\"nodes\":[{\"linktarget_raw\":\"dOk=\",\"linktarget\":"
                                        "\"t?\",\"type\":\"symlink\",\"name\":\"l\"}]}");
    g_autoptr(Tree) tree = decoded(canonical);
    g_autofree char *again = encoded(tree);

    g_assert_cmpstr(((Node *)tree->nodes->pdata[0])->linktarget, ==, "t\xe9");
    g_assert_cmpstr(((Node *)raw_first->nodes->pdata[0])->linktarget, ==, "t\xe9");
    g_assert_cmpstr(again, ==, canonical);
}

static void a_directory_of_80000_and_a_file_of_100000_ids_come_back(void)
{
    g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func((GDestroyNotify)node_free);
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GString) again = g_string_new(NULL);
    g_autoptr(Tree) tree = NULL;
    gint64 start;

    for (unsigned i = 0; i < 80000; i++) {
        Node *node = node_new();
        unsigned n_ids = i == 7 ? 100000 : 1;

        node->name = g_strdup_printf("file-%06u", i);
        node->mode = S_IFREG | 0644;
        node->user = g_strdup("app");
        node->group = g_strdup("app");
        node->inode = i + 1;
        node->size = i;
        node->links = 1;
        node->content = g_array_new(FALSE, FALSE, sizeof(Id));
        for (unsigned k = 0; k < n_ids; k++) {
            Id id = { { (uint8_t)i, (uint8_t)k, (uint8_t)(k >> 8) } };

            g_array_append_val(node->content, id);
        }
        g_ptr_array_add(nodes, node);
    }
    start = g_get_monotonic_time();
    tree_encode((Node *const *)nodes->pdata, nodes->len, text);
    g_test_message("encode %zu bytes: %" G_GINT64_FORMAT " ms", text->len,
                   (g_get_monotonic_time() - start) / 1000);
    start = g_get_monotonic_time();
    g_assert_true(tree_decode(text->str, text->len, &tree, NULL));
    g_test_message("decode: %" G_GINT64_FORMAT " ms", (g_get_monotonic_time() - start) / 1000);
    g_assert_cmpuint(tree_find(tree, "file-000007")->content->len, ==, 100000);
    tree_encode((Node *const *)tree->nodes->pdata, tree->nodes->len, again);
    g_assert_true(g_string_equal(text, again));
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    g_test_add_func("/tree/vectors", trees_of_the_vectors_come_back_byte_for_byte);
    g_test_add_func("/tree/fields", fields_arrive_where_they_belong);
    g_test_add_func("/tree/copy", a_copy_says_the_same);
    g_test_add_func("/tree/modes", modes_are_gos);
    g_test_add_func("/tree/type", the_type_decides_over_the_bits);
    g_test_add_func("/tree/names-and-times", names_and_times_are_those_of_the_vectors);
    g_test_add_func("/tree/numbers", numbers_use_all_their_bits);
    g_test_add_func("/tree/legal", any_legal_form_is_read);
    g_test_add_func("/tree/refused", what_is_no_tree_is_refused);
    g_test_add_func("/tree/nesting", nesting_without_end_is_refused);
    g_test_add_func("/tree/unsorted", unsorted_nodes_are_sorted_by_their_raw_bytes);
    g_test_add_func("/tree/linktarget", a_link_target_keeps_its_bytes);
    g_test_add_func("/tree/large", a_directory_of_80000_and_a_file_of_100000_ids_come_back);
    status = g_test_run();
    json_decref(vectors);
    return status;
}
