/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "lib/vectors.h"
#include "repo/index.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BLOB "{\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":46}"

/* What a text says, one line for each pack and blob. */
static bool describe_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user,
                          GError **error)
{
    GString *out = user;

    (void)error;
    g_string_append_printf(out, "pack %s\n", id_short(pack).text);
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(out, "%s %s %u+%u %u\n", blob_type_name(blobs[i].type),
                               id_short(&blobs[i].id).text, blobs[i].offset, blobs[i].length,
                               blobs[i].plain_len);
    return true;
}

static void the_vector_reads_as_written(void)
{
    json_auto_t *vectors = vectors_load();
    const char *text = vector_text(json_object_get(vectors, "index"), "plaintext_text");
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    g_assert_true(index_text_parse(text, strlen(text), describe_pack, out, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(out->str, ==,
                    "pack e65c37e8\n"
                    "data 1f2b793e 0+46 0\n"
                    "data a63fe7a7 46+69 800\n"
                    "pack e4d8e617\n"
                    "tree c6f5ec6f 0+447 1007\n"
                    "tree 251e33ed 447+238 322\n");
}

static bool copy_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    (void)error;
    index_text_add(user, pack, blobs, n);
    return true;
}

static void what_was_read_is_written_byte_for_byte(void)
{
    json_auto_t *vectors = vectors_load();
    const char *text = vector_text(json_object_get(vectors, "index"), "plaintext_text");
    IndexText *copy = index_text_new();
    const char *written;
    size_t len;

    g_assert_true(index_text_parse(text, strlen(text), copy_pack, copy, NULL));
    g_assert_cmpuint(index_text_n_blobs(copy), ==, 4);
    written = index_text_finish(copy, &len);
    g_assert_cmpmem(written, len, text, strlen(text));
    index_text_free(copy);
}

static void an_index_without_packs_is_an_empty_list(void)
{
    IndexText *text = index_text_new();
    size_t len;

    g_assert_cmpstr(index_text_finish(text, &len), ==, "{\"packs\":[]}\n");
    index_text_free(text);
}

static void any_legal_form_is_read(void)
{
    static const struct {
        const char *label;
        const char *text;
        const char *want;
    } cases[] = {
        { "no packs", "{\"packs\":[]}", "" },
        { "null for packs", "{\"packs\":null}", "" },
        { "packs left out", "{}", "" },
        { "null for blobs", "{\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":null}]}",
          "pack aaaaaaaa\n" },
        { "id after blobs", "{\"packs\":[{\"blobs\":[" BLOB "],\"id\":\"" ID_A "\"}]}",
          "pack aaaaaaaa\ndata bbbbbbbb 0+46 0\n" },
        { "members in another order",
          "{\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":[{\"uncompressed_length\":9,\"length\":40,"
          "\"offset\":7,\"type\":\"tree\",\"id\":\"" ID_B "\"}]}]}",
          "pack aaaaaaaa\ntree bbbbbbbb 7+40 9\n" },
        { "white space",
          " {\n\t\"packs\" : [ { \"id\" : \"" ID_A "\" , \"blobs\" : [ " BLOB " ] } ] } \n",
          "pack aaaaaaaa\ndata bbbbbbbb 0+46 0\n" },
        { "null for the length of a plain blob",
          "{\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":[{\"id\":\"" ID_B
          "\",\"type\":\"data\",\"offset\":0,\"length\":32,\"uncompressed_length\":null}]}]}",
          "pack aaaaaaaa\ndata bbbbbbbb 0+32 0\n" },
        { "supersedes is passed over",
          "{\"supersedes\":[\"" ID_B "\"],\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":[" BLOB "]}]}",
          "pack aaaaaaaa\ndata bbbbbbbb 0+46 0\n" },
        { "what rustic adds is passed over",
          "{\"packs\":[{\"id\":\"" ID_A
          "\",\"time\":\"2026-01-01T00:00:00Z\",\"size\":229,\"blobs\":[" BLOB
          "]}],\"packs_to_delete\":[{\"id\":\"" ID_B "\",\"blobs\":[" BLOB "]}]}",
          "pack aaaaaaaa\ndata bbbbbbbb 0+46 0\n" },
        { "unknown values of every kind, nested",
          "{\"a\":{\"packs\":[{\"id\":1}]},\"b\":[[null,true,-1.5e3,\"\xff\"]],\"c\":{},\"packs\":["
          "]}",
          "" },
        { "a pack twice",
          "{\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":[" BLOB "]},{\"id\":\"" ID_A
          "\",\"blobs\":[]}]}",
          "pack aaaaaaaa\ndata bbbbbbbb 0+46 0\npack aaaaaaaa\n" },
        { "the last byte below 4 GiB",
          "{\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":[{\"id\":\"" ID_B
          "\",\"type\":\"data\",\"offset\":4294967200,\"length\":95}]}]}",
          "pack aaaaaaaa\ndata bbbbbbbb 4294967200+95 0\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_true(
            index_text_parse(cases[i].text, strlen(cases[i].text), describe_pack, out, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(out->str, ==, cases[i].want);
    }
}

/* One blob with these members. */
#define WITH(members) "{\"packs\":[{\"id\":\"" ID_A "\",\"blobs\":[{" members "}]}]}"

static void what_breaks_the_format_is_corrupt(void)
{
    static const struct {
        const char *label;
        const char *text;
    } cases[] = {
        { "nothing", "" },
        { "cut off", "{\"packs\":[" },
        { "no JSON", "packs" },
        { "more after the end", "{\"packs\":[]}{}" },
        { "a list, as very old writers had", "[{\"id\":\"" ID_A "\",\"blobs\":[]}]" },
        { "a number", "7" },
        { "packs is an object", "{\"packs\":{}}" },
        { "packs is text", "{\"packs\":\"\"}" },
        { "a pack is text", "{\"packs\":[\"" ID_A "\"]}" },
        { "a pack is null", "{\"packs\":[null]}" },
        { "a pack is a list", "{\"packs\":[[]]}" },
        { "a pack without id", "{\"packs\":[{\"blobs\":[]}]}" },
        { "the second pack without id", "{\"packs\":[{\"id\":\"" ID_A "\"},{}]}" },
        { "null for an id", "{\"packs\":[{\"id\":null}]}" },
        { "a short id", "{\"packs\":[{\"id\":\"aa\"}]}" },
        { "upper-case digits",
          "{\"packs\":[{\"id\":"
          "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}" },
        { "blob without id", WITH("\"type\":\"data\",\"offset\":0,\"length\":46") },
        { "blob without type", WITH("\"id\":\"" ID_B "\",\"offset\":0,\"length\":46") },
        { "blob without offset", WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"length\":46") },
        { "blob without length", WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0") },
        { "unknown type", WITH("\"id\":\"" ID_B "\",\"type\":\"dat\",\"offset\":0,\"length\":46") },
        { "type is a number", WITH("\"id\":\"" ID_B "\",\"type\":0,\"offset\":0,\"length\":46") },
        { "shorter than a seal",
          WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":31") },
        { "negative", WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":-1,\"length\":46") },
        { "fraction", WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0.5,\"length\":46") },
        { "exponent", WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":4e3") },
        { "number as text",
          WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":\"46\"") },
        { "truth as number",
          WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":true") },
        { "length of 4 GiB",
          WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":4294967296") },
        { "more digits than 64 bits hold",
          WITH("\"id\":\"" ID_B
               "\",\"type\":\"data\",\"offset\":0,\"length\":18446744073709551662") },
        { "end at 4 GiB",
          WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":4294967200,\"length\":96") },
        { "plain length of 4 GiB",
          WITH("\"id\":\"" ID_B "\",\"type\":\"data\",\"offset\":0,\"length\":46,\"uncompressed_"
               "length\":4294967296") },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_false(
            index_text_parse(cases[i].text, strlen(cases[i].text), describe_pack, out, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void deep_nesting_costs_nothing(void)
{
    g_autoptr(GString) text = g_string_new("{\"unknown\":");
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < 1000000; i++)
        g_string_append_c(text, '[');
    g_assert_false(index_text_parse(text->str, text->len, describe_pack, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "nested too deeply"));
}

static bool refuse_pack(const Id *pack, const PackBlob *blobs, size_t n, void *user, GError **error)
{
    unsigned *calls = user;

    (void)pack;
    (void)blobs;
    (void)n;
    ++*calls;
    g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "interrupted");
    return false;
}

static void the_caller_can_stop_it(void)
{
    const char *text = "{\"packs\":[{\"id\":\"" ID_A "\"},{\"id\":\"" ID_B "\"}]}";
    g_autoptr(GError) error = NULL;
    unsigned calls = 0;

    g_assert_false(index_text_parse(text, strlen(text), refuse_pack, &calls, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
    g_assert_cmpstr(error->message, ==, "interrupted");
    g_assert_cmpuint(calls, ==, 1);
}

static void errors_tell_the_place(void)
{
    const char *text = "{\"packs\":[{\"id\":\"" ID_A "\"},{\"id\":7}]}";
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) out = g_string_new(NULL);

    g_assert_false(index_text_parse(text, strlen(text), describe_pack, out, &error));
    g_assert_cmpstr(error->message, ==, "index text, byte 91: unexpected number");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/index_text/vector", the_vector_reads_as_written);
    g_test_add_func("/index_text/rewrite", what_was_read_is_written_byte_for_byte);
    g_test_add_func("/index_text/empty", an_index_without_packs_is_an_empty_list);
    g_test_add_func("/index_text/legal", any_legal_form_is_read);
    g_test_add_func("/index_text/corrupt", what_breaks_the_format_is_corrupt);
    g_test_add_func("/index_text/deep", deep_nesting_costs_nothing);
    g_test_add_func("/index_text/stop", the_caller_can_stop_it);
    g_test_add_func("/index_text/place", errors_tell_the_place);
    return g_test_run();
}
