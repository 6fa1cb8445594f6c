/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/snapshot.h"
#include "base/error.h"
#include "lib/vectors.h"

#define TREE "251e33edb298e27fe78b419a1e739db1fd9ca08abd760c524d0c47baca72a16b"

static json_t *vectors;

static Snapshot *decoded(const char *text)
{
    g_autoptr(GError) error = NULL;
    Snapshot *snapshot = NULL;

    g_assert_true(snapshot_decode(text, strlen(text), &snapshot, &error));
    g_assert_no_error(error);
    return snapshot;
}

static void assert_comes_back(const char *text)
{
    g_autoptr(Snapshot) snapshot = decoded(text);
    size_t len = 0;
    g_autofree char *again = snapshot_encode(snapshot, &len);

    g_assert_cmpstr(again, ==, text);
    g_assert_cmpuint(len, ==, strlen(text));
}

static void snapshots_of_the_vectors_come_back_byte_for_byte(void)
{
    assert_comes_back(vector_text(json_object_get(vectors, "snapshot"), "plaintext_text"));
    assert_comes_back(
        vector_text(json_object_get(vectors, "snapshot_plain_json"), "plaintext_text"));
}

/* The order of fields is that of repository-format.md, "Snapshots". */
static void every_field_comes_back(void)
{
    assert_comes_back(
        "{\"time\":\"2026-01-02T11:00:00.123456789+05:30\",\"parent\":\"" TREE "\",\"tree\":\"" TREE
        "\",\"paths\":[\"/a\",\"/\\u003cb\"],\"hostname\":\"h\",\"username\":\"u\",\"uid\":1000,"
        "\"gid\":1001,\"excludes\":[\"*.tmp\"],\"tags\":[\"a\",\"b=c\"],\"original\":\"" TREE
        "\",\"program_version\":\"restic 0.17.3\",\"summary\":{\"backup_start\":"
        "\"2026-01-02T05:30:00.1Z\",\"backup_end\":\"2026-01-02T05:31:00Z\",\"files_new\":1,"
        "\"files_changed\":2,\"files_unmodified\":3,\"dirs_new\":4,\"dirs_changed\":5,"
        "\"dirs_unmodified\":6,\"data_blobs\":7,\"tree_blobs\":8,\"data_added\":9,"
        "\"data_added_packed\":10,\"total_files_processed\":11,\"total_bytes_processed\":12}}");
    assert_comes_back("{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\",\"paths\":[]}");
}

static void a_change_of_tags_leaves_the_time_as_it_was_written(void)
{
    g_autoptr(Snapshot) snapshot = decoded(
        "{\"time\":\"2026-01-02T11:00:00.10+01:00\",\"tree\":\"" TREE "\",\"paths\":[\"/a\"]}");
    size_t len = 0;
    g_autofree char *text = NULL;

    g_strfreev(snapshot->tags);
    snapshot->tags = g_strsplit("new", ",", -1);
    text = snapshot_encode(snapshot, &len);
    g_assert_cmpstr(text, ==,
                    "{\"time\":\"2026-01-02T11:00:00.10+01:00\",\"tree\":\"" TREE
                    "\",\"paths\":[\"/a\"],\"tags\":[\"new\"]}");
    g_assert_cmpint(snapshot->time.sec, ==, 1767348000);
    g_assert_cmpint(snapshot->time.nsec, ==, 100000000);
}

static void absent_and_null_fields_are_empty(void)
{
    g_autoptr(Snapshot) snapshot = decoded(
        "{\"unknown\":{\"a\":[1.5]},\"tags\":null,\"parent\":null,\"paths\":null,"
        "\"tree\":\"" TREE "\",\"time\":\"2026-01-02T11:00:00Z\",\"summary\":{\"files_new\":"
        "\"many\"}}");

    g_assert_cmpstr(snapshot->hostname, ==, "");
    g_assert_cmpuint(g_strv_length(snapshot->tags), ==, 0);
    g_assert_cmpuint(g_strv_length(snapshot->paths), ==, 0);
    g_assert_false(snapshot->has_parent);
    g_assert_false(snapshot->has_original);
    g_assert_true(snapshot->has_summary);
    g_assert_cmpuint(snapshot->summary.files_new, ==, 0);
    g_assert_null(snapshot->program_version);
}

static void what_is_no_snapshot_is_refused(void)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{}",
        "{\"time\":\"2026-01-02T11:00:00Z\"}",
        "{\"tree\":\"" TREE "\"}",
        "{\"time\":\"yesterday\",\"tree\":\"" TREE "\"}",
        "{\"time\":5,\"tree\":\"" TREE "\"}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"12\"}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":7}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\",\"tags\":\"a\"}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\",\"tags\":[1]}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\",\"uid\":-1}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\",\"uid\":4294967296}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\",\"hostname\":\"a\\u0000b\"}",
        "{\"time\":\"2026-01-02T11:00:00Z\",\"tree\":\"" TREE "\"} x",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        Snapshot *snapshot = NULL;

        g_test_message("%s", texts[i]);
        g_assert_false(snapshot_decode(texts[i], strlen(texts[i]), &snapshot, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_null(snapshot);
    }
}

static void a_tag_can_carry_a_value(void)
{
    g_autoptr(Snapshot) snapshot = snapshot_new();

    g_strfreev(snapshot->tags);
    snapshot->tags = g_strsplit("daily,cut=64k,cutter=x,empty=", ",", -1);
    g_assert_true(snapshot_has_tag(snapshot, "daily"));
    g_assert_false(snapshot_has_tag(snapshot, "dail"));
    g_assert_cmpstr(snapshot_tag_value(snapshot, "cut"), ==, "64k");
    g_assert_cmpstr(snapshot_tag_value(snapshot, "empty"), ==, "");
    g_assert_null(snapshot_tag_value(snapshot, "daily"));
}

static void filters_mean_what_restic_means(void)
{
    static const struct {
        const char *label, *hosts, *tags, *paths;
        bool want;
    } cases[] = {
        { "no filter", NULL, NULL, NULL, true },
        { "one of the hosts", "x|h", NULL, NULL, true },
        { "none of the hosts", "x|y", NULL, NULL, false },
        { "a tag it has", NULL, "a", NULL, true },
        { "a list holds whole", NULL, "a,b", NULL, true },
        { "a list holds in part", NULL, "a,z", NULL, false },
        { "one of the lists", NULL, "z|b", NULL, true },
        { "blanks around a tag", NULL, "a, b", NULL, true },
        { "the empty tag does not mean any", NULL, ",", NULL, false },
        { "all of the paths", NULL, NULL, "/p|/q", true },
        { "not all of the paths", NULL, NULL, "/p|/r", false },
        { "a path's parent is another path", NULL, NULL, "/", false },
        { "host and tag", "h", "z", NULL, false },
    };
    g_autoptr(Snapshot) snapshot = snapshot_new();
    g_autoptr(Snapshot) untagged = snapshot_new();
    char *empty_tag[] = { (char *)"", NULL }, *other_tag[] = { (char *)"a", NULL };

    g_free(snapshot->hostname);
    snapshot->hostname = g_strdup("h");
    g_strfreev(snapshot->tags);
    snapshot->tags = g_strsplit("a,b,c", ",", -1);
    g_strfreev(snapshot->paths);
    snapshot->paths = g_strsplit("/p,/q", ",", -1);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(GStrv) hosts = cases[i].hosts ? g_strsplit(cases[i].hosts, "|", -1) : NULL;
        g_auto(GStrv) tags = cases[i].tags ? g_strsplit(cases[i].tags, "|", -1) : NULL;
        g_auto(GStrv) paths = cases[i].paths ? g_strsplit(cases[i].paths, "|", -1) : NULL;
        SnapshotFilter filter = { hosts, tags, paths };

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(snapshot_matches(snapshot, &filter), ==, cases[i].want);
    }
    g_assert_true(snapshot_matches(untagged, &(SnapshotFilter){ .tags = empty_tag }));
    g_assert_false(snapshot_matches(snapshot, &(SnapshotFilter){ .tags = empty_tag }));
    g_assert_false(snapshot_matches(untagged, &(SnapshotFilter){ .tags = other_tag }));
    g_assert_true(snapshot_matches(snapshot, NULL));
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    vectors = vectors_load();
    g_test_add_func("/snapshot/vectors", snapshots_of_the_vectors_come_back_byte_for_byte);
    g_test_add_func("/snapshot/fields", every_field_comes_back);
    g_test_add_func("/snapshot/time", a_change_of_tags_leaves_the_time_as_it_was_written);
    g_test_add_func("/snapshot/absent", absent_and_null_fields_are_empty);
    g_test_add_func("/snapshot/refused", what_is_no_snapshot_is_refused);
    g_test_add_func("/snapshot/tags", a_tag_can_carry_a_value);
    g_test_add_func("/snapshot/filter", filters_mean_what_restic_means);
    status = g_test_run();
    json_decref(vectors);
    return status;
}
