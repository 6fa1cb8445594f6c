/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/reader.h"
#include "base/error.h"
#include "codec/hash.h"
#include "flow/dirsink.h"
#include "flow/pipesink.h"
#include "lib/fixture.h"
#include "lib/tempdir.h"
#include "lib/vectors.h"
#include "repo/blob.h"
#include "repo/snapshot.h"
#include "repo/walk.h"
#include <pthread.h>
#include <sys/xattr.h>

static const char *const fixtures[] = {
    "v1",     "v1-migrated",    "v2-auto",   "v2-bigfile", "v2-foreign", "v2-max",
    "v2-off", "v2-otherwriter", "v2-pruned", "v2-twokeys", "v2-vectors",
};

static Repo *open_indexed(Store *store)
{
    g_autoptr(GError) error = NULL;
    Repo *repo = fixture_open(store, FIXTURE_PASSWORD);

    repo_load_index(repo, NULL, &error);
    g_assert_no_error(error);
    return repo;
}

static GPtrArray *all_snapshots(Repo *repo)
{
    g_autoptr(GError) error = NULL;
    GPtrArray *snapshots = NULL;

    snapshot_list(repo, NULL, NULL, &snapshots, &error);
    g_assert_no_error(error);
    return snapshots;
}

static json_t *load_manifest(const char *name)
{
    g_autofree char *path =
        g_strdup_printf("%s/restic/%s.manifest.json", g_getenv("FIXTURES"), name);
    json_t *manifest = json_load_file(path, 0, NULL);

    if (!manifest)
        g_test_message("%s: no manifest", name);
    return manifest;
}

/* ---- what restic wrote ---- */

typedef struct {
    Repo *repo;
    BlobOpener *opener;
    unsigned n;
} Encoding;

/* restic before 0.16 wrote each byte of a link target that is not UTF-8 as an escape and so lost
 * it; what is read then is a replacement character like any other, and those are not escaped. */
static GString *as_it_can_be_known(GBytes *text)
{
    GString *known = g_string_new_len(g_bytes_get_data(text, NULL), (gssize)g_bytes_get_size(text));

    if (!strstr(known->str, "\"linktarget_raw\""))
        g_string_replace(known, "\\ufffd", "\xef\xbf\xbd", 0);
    return known;
}

static void assert_same_bytes(Encoding *encoding, const Id *id)
{
    g_autoptr(GBytes) text = NULL;
    g_autoptr(Tree) tree = NULL;
    g_autoptr(GString) again = g_string_new(NULL);
    g_autoptr(GString) want = NULL;
    g_autoptr(GError) error = NULL;

    blob_load(encoding->repo, encoding->opener, BLOB_TREE, id, &text, &error);
    g_assert_no_error(error);
    tree_decode(g_bytes_get_data(text, NULL), g_bytes_get_size(text), &tree, &error);
    g_assert_no_error(error);
    tree_encode((Node *const *)tree->nodes->pdata, tree->nodes->len, again);
    want = as_it_can_be_known(text);
    g_assert_cmpmem(again->str, again->len, want->str, want->len);
    encoding->n++;
}

static WalkNext encode_below(const char *path, const Node *node, void *user, GError **error)
{
    (void)path;
    (void)error;
    if (S_ISDIR(node->mode))
        assert_same_bytes(user, &node->subtree);
    return WALK_CONTINUE;
}

static void every_tree_encodes_to_the_bytes_it_came_from(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fixtures); i++) {
        g_autoptr(Store) store = fixture_store(fixtures[i]);
        g_autoptr(Repo) repo = open_indexed(store);
        g_autoptr(BlobOpener) opener = blob_opener_new(repo);
        g_autoptr(GPtrArray) snapshots = all_snapshots(repo);
        Encoding encoding = { repo, opener, 0 };

        g_test_message("%s", fixtures[i]);
        for (guint k = 0; k < snapshots->len; k++) {
            const Snapshot *snapshot = snapshots->pdata[k];
            g_autoptr(GError) error = NULL;

            assert_same_bytes(&encoding, &snapshot->tree);
            tree_walk(repo, &snapshot->tree, "", encode_below, NULL, &encoding, NULL, &error);
            g_assert_no_error(error);
        }
        g_assert_cmpuint(encoding.n, >, 0);
    }
}

static void on_warn(const char *path, const GError *problem, void *user)
{
    (void)user;
    g_test_message("warning: %s: %s", path, problem->message);
}

static void restore(Repo *repo, const Id *tree, const char *target, const ReaderOptions *options)
{
    DirSinkOptions sink_options = { .no_sync = true, .warn = on_warn };
    g_autoptr(GError) error = NULL;
    g_autoptr(Sink) sink = dir_sink_new(target, &sink_options, &error);

    g_assert_no_error(error);
    reader_run(repo, tree, "", sink, options, NULL, &error);
    g_assert_no_error(error);
    sink_finish(sink, &error);
    g_assert_no_error(error);
}

static char *from_base64(const json_t *entry, const char *field, gsize *ret_len)
{
    gsize len = 0;
    char *bytes = (char *)g_base64_decode(vector_text(entry, field), &len);

    bytes = g_realloc(bytes, len + 1);
    bytes[len] = '\0';
    if (ret_len)
        *ret_len = len;
    return bytes;
}

static void assert_file(const char *path, const json_t *entry, const struct stat *st)
{
    g_autofree char *content = NULL;
    gsize len = 0;
    Id id;

    g_assert_true(S_ISREG(st->st_mode));
    g_assert_cmpint(st->st_size, ==, vector_int(entry, "size"));
    g_assert_true(g_file_get_contents(path, &content, &len, NULL));
    hash_bytes(content, len, &id);
    g_assert_cmpstr(id_hex(&id).text, ==, vector_text(entry, "sha256"));
}

static void assert_xattrs(const char *path, json_t *xattrs)
{
    const char *name;
    json_t *value;

    json_object_foreach(xattrs, name, value)
    {
        gsize len = 0;
        g_autofree guchar *want = g_base64_decode(json_string_value(value), &len);
        char got[4096];
        ssize_t got_len = lgetxattr(path, name, got, sizeof got);

        g_assert_cmpint(got_len, >=, 0);
        g_assert_cmpmem(got, got_len, want, len);
    }
}

static void assert_hard_link(const char *target, const json_t *entry, const struct stat *st)
{
    g_autofree char *other = NULL, *path = NULL;
    struct stat first;

    if (!json_object_get(entry, "hardlink"))
        return;
    other = from_base64(entry, "hardlink", NULL);
    path = g_strconcat(target, other, NULL);
    g_assert_cmpint(lstat(path, &first), ==, 0);
    g_assert_cmpuint(first.st_ino, ==, st->st_ino);
}

static void assert_entry(const char *target, const json_t *entry)
{
    g_autofree char *name = from_base64(entry, "path_b64", NULL);
    g_autofree char *path = g_strconcat(target, name, NULL);
    const char *type = vector_text(entry, "type");
    int64_t mtime_ns = vector_int(entry, "mtime_ns");
    struct stat st;

    if (strcmp(type, "socket") == 0)
        return;
    g_test_message("%s", vector_text(entry, "path_b64"));
    g_assert_cmpint(lstat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec, ==, mtime_ns);
    if (geteuid() == 0) {
        g_assert_cmpint(st.st_uid, ==, vector_int(entry, "uid"));
        g_assert_cmpint(st.st_gid, ==, vector_int(entry, "gid"));
    }
    if (strcmp(type, "symlink") == 0) {
        gsize len = 0;
        g_autofree char *want = from_base64(entry, "linktarget_b64", &len);
        char got[4096];

        g_assert_cmpint(readlink(path, got, sizeof got), ==, (gssize)len);
        g_assert_cmpmem(got, len, want, len);
        return;
    }
    g_assert_cmpint(st.st_mode & 07777, ==, strtol(vector_text(entry, "mode"), NULL, 8));
    if (strcmp(type, "file") == 0)
        assert_file(path, entry, &st);
    if (json_object_get(entry, "device"))
        g_assert_cmpuint(st.st_rdev, ==, vector_int(entry, "device"));
    assert_xattrs(path, json_object_get(entry, "xattrs"));
    assert_hard_link(target, entry, &st);
}

static void every_fixture_restores_as_its_manifest_says(void)
{
    if (geteuid() != 0) {
        g_test_fail_printf("owners and devices need root");
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(fixtures); i++) {
        g_autoptr(Store) store = fixture_store(fixtures[i]);
        g_autoptr(Repo) repo = open_indexed(store);
        json_t *manifest = load_manifest(fixtures[i]);
        json_t *snapshots = json_object_get(manifest, "snapshots"), *snapshot, *entry;
        size_t k, n;

        json_array_foreach(snapshots, k, snapshot)
        {
            char *dir = tempdir_new();
            ReaderOptions options = { .workers = 3 };
            Id tree;

            g_assert_true(
                id_parse(vector_text(json_object_get(snapshot, "snapshot"), "tree"), &tree));
            restore(repo, &tree, dir, &options);
            g_assert_cmpuint(json_array_size(json_object_get(snapshot, "entries")), >, 0);
            json_array_foreach(json_object_get(snapshot, "entries"), n, entry)
                assert_entry(dir, entry);
            tempdir_remove(dir);
        }
        json_decref(manifest);
    }
}

/* ---- comparing ---- */

static void on_difference(const char *path, const char *what, void *user)
{
    g_string_append_printf(user, "%s: %s\n", path, what);
}

static char *compare(Repo *repo, const Id *tree, const char *dir)
{
    g_autoptr(GError) error = NULL;
    GString *differences = g_string_new("");
    g_autoptr(Sink) sink = compare_sink_new(dir, on_difference, differences, &error);
    ReaderOptions options = { .workers = 1 };

    g_assert_no_error(error);
    reader_run(repo, tree, "", sink, &options, NULL, &error);
    g_assert_no_error(error);
    return g_string_free(differences, FALSE);
}

static void what_was_restored_compares_equal_until_it_changes(void)
{
    g_autoptr(Store) store = fixture_store("v2-auto");
    g_autoptr(Repo) repo = open_indexed(store);
    g_autoptr(GPtrArray) snapshots = all_snapshots(repo);
    const Snapshot *snapshot = snapshots->pdata[0];
    char *dir = tempdir_new();
    g_autofree char *big = g_build_filename(dir, "fixture", "big.bin", NULL);
    g_autofree char *old = g_build_filename(dir, "fixture", "before-1970", NULL);
    g_autofree char *nothing = NULL, *content = NULL, *missing = NULL;
    ReaderOptions options = { .workers = 2 };
    struct stat st;
    int fd;

    if (geteuid() != 0) {
        g_test_fail_printf("owners and devices need root");
        return;
    }
    restore(repo, &snapshot->tree, dir, &options);
    nothing = compare(repo, &snapshot->tree, dir);
    g_assert_cmpstr(nothing, ==, "");

    g_assert_cmpint(stat(big, &st), ==, 0);
    fd = open(big, O_WRONLY);
    g_assert_cmpint(pwrite(fd, "#", 1, 900000), ==, 1);
    g_assert_cmpint(futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }), ==, 0);
    close(fd);
    content = compare(repo, &snapshot->tree, dir);
    g_assert_cmpstr(content, ==, "/fixture/big.bin: content\n");

    g_assert_cmpint(truncate(big, 5), ==, 0);
    g_assert_cmpint(unlink(old), ==, 0);
    missing = compare(repo, &snapshot->tree, dir);
    g_assert_cmpstr(missing, ==,
                    "/fixture: mtime\n/fixture/before-1970: missing\n/fixture/big.bin: "
                    "mtime\n/fixture/big.bin: size\n");
    tempdir_remove(dir);
}

/* ---- in sequence ---- */

static void a_pipe_gets_a_file_in_sequence(void)
{
    g_autoptr(Store) store = fixture_store("v2-bigfile");
    g_autoptr(Repo) repo = open_indexed(store);
    json_t *manifest = load_manifest("v2-bigfile");
    json_t *snapshots = json_object_get(manifest, "snapshots"), *snapshot, *entry;
    unsigned n_files = 0;
    size_t k, n;

    json_array_foreach(snapshots, k, snapshot)
    {
        Id tree;

        g_assert_true(id_parse(vector_text(json_object_get(snapshot, "snapshot"), "tree"), &tree));
        json_array_foreach(json_object_get(snapshot, "entries"), n, entry)
        {
            char *dir;
            g_autofree char *path = NULL;
            g_autoptr(Node) node = NULL;
            g_autoptr(Outlet) out = NULL;
            g_autoptr(Sink) sink = NULL;
            g_autoptr(GError) error = NULL;
            ReaderOptions options = { .workers = 4 };
            struct stat st;
            int fd;

            if (strcmp(vector_text(entry, "type"), "file") != 0)
                continue;
            dir = tempdir_new();
            path = g_build_filename(dir, "out", NULL);
            fd = open(path, O_RDWR | O_CREAT, 0600);
            out = outlet_fd_new(fd, "out", NULL);
            sink = pipe_sink_new(out);
            g_assert_true(walk_find(repo, &tree, vector_text(entry, "path"), &node, NULL, &error));
            reader_run_node(repo, node, "", sink, &options, NULL, &error);
            g_assert_no_error(error);
            g_assert_true(sink_finish(sink, &error));
            g_assert_cmpint(fstat(fd, &st), ==, 0);
            assert_file(path, entry, &st);
            close(fd);
            tempdir_remove(dir);
            n_files++;
        }
    }
    json_decref(manifest);
    g_assert_cmpuint(n_files, >=, 2);
}

/* A sink that writes down what is asked of it, by several threads where it takes any order. */
static pthread_mutex_t recording = PTHREAD_MUTEX_INITIALIZER;

typedef struct {
    Sink base;
    GString *calls;
    const char *refuses; /* a path */
    bool soft;
} Recorder;

static void write_down(Sink *sink, const char *what, const char *path)
{
    pthread_mutex_lock(&recording);
    g_string_append_printf(((Recorder *)sink)->calls, "%s %s\n", what, path);
    pthread_mutex_unlock(&recording);
}

static bool record_begin(Sink *sink, const Entry *entry, void **ret_handle, GError **error)
{
    Recorder *recorder = (Recorder *)sink;

    if (g_strcmp0(entry->path, recorder->refuses) == 0) {
        g_set_error_literal(error, BS_ERROR, recorder->soft ? BS_ERROR_SOFT_SKIP : BS_ERROR_FAILED,
                            "no");
        return false;
    }
    write_down(sink, "begin", entry->path);
    *ret_handle = g_strdup(entry->path);
    return true;
}

static bool record_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                         GError **error)
{
    (void)sink, (void)handle, (void)offset, (void)data, (void)len, (void)error;
    return true;
}

static bool record_end(Sink *sink, void *handle, const Node *node, GError **error)
{
    g_autofree char *path = handle;

    (void)node, (void)error;
    write_down(sink, "end", path);
    return true;
}

static void record_abandon(Sink *sink, void *handle)
{
    g_autofree char *path = handle;

    write_down(sink, "abandon", path);
}

static bool record_finish(Sink *sink, GError **error)
{
    (void)sink, (void)error;
    return true;
}

static void record_free(Sink *sink)
{
    (void)sink;
}

static const SinkOps record_ops = {
    .name = "recorder",
    .begin = record_begin,
    .write = record_write,
    .end = record_end,
    .abandon = record_abandon,
    .finish = record_finish,
    .free = record_free,
};

static const SinkOps record_any_ops = {
    .name = "recorder",
    .caps = SINK_MANY_OPEN | SINK_ANY_ORDER,
    .begin = record_begin,
    .write = record_write,
    .end = record_end,
    .abandon = record_abandon,
    .finish = record_finish,
    .free = record_free,
};

static char *record(Repo *repo, Recorder recorder, const Id *tree, const ReaderOptions *options)
{
    g_autoptr(GError) error = NULL;

    recorder.calls = g_string_new("");
    reader_run(repo, tree, "", &recorder.base, options, NULL, &error);
    g_assert_no_error(error);
    return g_string_free(recorder.calls, FALSE);
}

static Id vectors_tree(Repo *repo)
{
    g_autoptr(GPtrArray) snapshots = all_snapshots(repo);

    return ((Snapshot *)snapshots->pdata[0])->tree;
}

static void only_empty(const char *path, const Node *node, bool *ret_wanted, bool *ret_descend,
                       void *user)
{
    (void)node, (void)user;
    *ret_wanted = strcmp(path, "/srv/empty") == 0;
    *ret_descend = true;
}

static void nothing_below(const char *path, const Node *node, bool *ret_wanted, bool *ret_descend,
                          void *user)
{
    (void)path, (void)node, (void)user;
    *ret_wanted = false;
    *ret_descend = true;
}

static bool go_on(const char *path, const GError *problem, void *user)
{
    g_string_append_printf(user, "%s %d\n", path, problem->code);
    return true;
}

static void entries_nest_and_come_in_order(void)
{
    static const char all[] = "begin /srv\nbegin /srv/empty\nend /srv/empty\n"
                              "begin /srv/hello \"\xff\".txt\nend /srv/hello \"\xff\".txt\n"
                              "begin /srv/link\nend /srv/link\nend /srv\n";
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = open_indexed(store);
    Id tree = vectors_tree(repo);
    static const SinkOps *const kinds[] = { &record_ops, &record_any_ops };

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        Recorder recorder = { .base = { kinds[i] } };
        g_autoptr(GString) problems = g_string_new("");
        ReaderOptions options = { .workers = 2, .problem = go_on, .user = problems };
        g_autofree char *calls = NULL, *selected = NULL, *none = NULL, *refused = NULL,
                        *skipped = NULL;

        if (i == 0) {
            calls = record(repo, recorder, &tree, &options);
            g_assert_cmpstr(calls, ==, all);
        }
        options.select = only_empty;
        selected = record(repo, recorder, &tree, &options);
        g_assert_cmpstr(selected, ==, "begin /srv\nbegin /srv/empty\nend /srv/empty\nend /srv\n");
        options.select = nothing_below;
        none = record(repo, recorder, &tree, &options);
        g_assert_cmpstr(none, ==, "");
        options.select = NULL;
        recorder.refuses = "/srv";
        refused = record(repo, recorder, &tree, &options);
        g_assert_cmpstr(refused, ==, "");
        g_assert_cmpstr(problems->str, ==, "/srv 0\n");
        recorder.soft = true;
        skipped = record(repo, recorder, &tree, &options);
        g_assert_cmpstr(skipped, ==, "");
        g_assert_cmpstr(problems->str, ==, "/srv 0\n");
    }
}

/* ---- damage ---- */

/* Changes one bit in the middle of every blob of this type that a pack holds alone or first. */
static void damage_blob(Store *store, Repo *repo, const Id *id)
{
    BlobPlace place;
    g_autoptr(GBytes) pack = NULL;
    g_autofree uint8_t *bytes = NULL;
    gsize len = 0;

    g_assert_true(index_find(repo_index(repo), BLOB_DATA, id, &place));
    g_assert_true(
        store_get_whole(store, file_key(FILE_PACK, &place.pack).text, 1 << 26, &pack, NULL));
    len = g_bytes_get_size(pack);
    bytes = g_memdup2(g_bytes_get_data(pack, NULL), len);
    bytes[place.offset + place.length / 2] ^= 1;
    g_assert_true(store_remove(store, file_key(FILE_PACK, &place.pack).text, NULL));
    g_assert_true(store_put(store, file_key(FILE_PACK, &place.pack).text, bytes, len, false, NULL));
}

static void a_damaged_blob_costs_its_files_and_no_other(void)
{
    g_autoptr(Store) store = fixture_store("v2-auto");
    g_autoptr(Repo) repo = open_indexed(store);
    g_autoptr(GPtrArray) snapshots = all_snapshots(repo);
    const Snapshot *snapshot = snapshots->pdata[0];
    g_autoptr(Node) big = NULL;
    g_autoptr(GString) problems = g_string_new("");
    ReaderOptions options = { .problem = go_on, .user = problems };
    char *dir = tempdir_new(), *whole = tempdir_new();
    g_autofree char *path = g_build_filename(dir, "fixture", "big.bin", NULL);
    g_autofree char *old = NULL;
    g_autoptr(GError) error = NULL;

    restore(repo, &snapshot->tree, whole, &options);
    g_assert_true(walk_find(repo, &snapshot->tree, "/fixture/big.bin", &big, NULL, &error));
    damage_blob(store, repo, &g_array_index(big->content, Id, 0));
    tempdir_write(dir, "fixture/big.bin", "the old one", 11);
    restore(repo, &snapshot->tree, dir, &options);
    g_assert_cmpstr(problems->str, ==, "/fixture/big.bin 4\n");

    g_assert_true(g_file_get_contents(path, &old, NULL, NULL));
    g_assert_cmpstr(old, ==, "the old one");
    g_assert_cmpuint(tempdir_n_files(dir), ==, tempdir_n_files(whole));
    tempdir_remove(dir);
    tempdir_remove(whole);
}

static unsigned n_lines(const char *text, const char *beginning)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    unsigned n = 0;

    for (char **line = lines; *line; line++)
        n += g_str_has_prefix(*line, beginning);
    return n;
}

static void without_anyone_to_tell_the_first_problem_ends_the_run(void)
{
    static const SinkOps *const kinds[] = { &record_ops, &record_any_ops };
    g_autoptr(Store) store = fixture_store("v2-auto");
    g_autoptr(Repo) repo = open_indexed(store);
    g_autoptr(GPtrArray) snapshots = all_snapshots(repo);
    const Snapshot *snapshot = snapshots->pdata[0];
    g_autoptr(Node) big = NULL;

    g_assert_true(walk_find(repo, &snapshot->tree, "/fixture/big.bin", &big, NULL, NULL));
    damage_blob(store, repo, &g_array_index(big->content, Id, 0));
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        Recorder recorder = { .base = { kinds[i] }, .calls = g_string_new("") };
        ReaderOptions options = { .workers = 2 };
        g_autoptr(GError) error = NULL;

        g_assert_false(
            reader_run(repo, &snapshot->tree, "", &recorder.base, &options, NULL, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_true(g_str_has_prefix(error->message, "/fixture/big.bin: "));
        g_assert_nonnull(strstr(recorder.calls->str, "abandon /fixture/big.bin\n"));
        // what was begun was ended one way or the other
        g_assert_cmpuint(n_lines(recorder.calls->str, "begin "), ==,
                         n_lines(recorder.calls->str, "end ") +
                             n_lines(recorder.calls->str, "abandon "));
        g_string_free(recorder.calls, TRUE);
    }
}

static void a_request_to_stop_is_heard(void)
{
    static const SinkOps *const kinds[] = { &record_ops, &record_any_ops };
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = open_indexed(store);
    Id tree = vectors_tree(repo);
    g_autoptr(Cancel) cancel = cancel_new();

    cancel_set(cancel);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        Recorder recorder = { .base = { kinds[i] }, .calls = g_string_new("") };
        ReaderOptions options = { .workers = 2 };
        g_autoptr(GError) error = NULL;

        g_assert_false(reader_run(repo, &tree, "", &recorder.base, &options, cancel, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CANCELLED);
        g_string_free(recorder.calls, TRUE);
    }
}

static void a_path_leads_to_its_node(void)
{
    g_autoptr(Store) store = fixture_store("v2-vectors");
    g_autoptr(Repo) repo = open_indexed(store);
    Id tree = vectors_tree(repo), found;
    g_autoptr(Node) node = NULL;
    g_autoptr(GError) error = NULL, file_error = NULL;

    g_assert_true(walk_find(repo, &tree, "/", &node, &found, NULL));
    g_assert_null(node);
    g_assert_true(id_equal(&found, &tree));
    g_assert_true(walk_find(repo, &tree, "srv//link/", &node, NULL, NULL));
    g_assert_cmpstr(node->linktarget, ==, "a<b>&c");
    g_assert_false(walk_find(repo, &tree, "/srv/none", &node, NULL, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    g_assert_false(walk_find(repo, &tree, "/srv/empty/x", &node, NULL, &file_error));
    g_assert_error(file_error, BS_ERROR, BS_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reader/encode", every_tree_encodes_to_the_bytes_it_came_from);
    g_test_add_func("/reader/fixtures", every_fixture_restores_as_its_manifest_says);
    g_test_add_func("/reader/compare", what_was_restored_compares_equal_until_it_changes);
    g_test_add_func("/reader/pipe", a_pipe_gets_a_file_in_sequence);
    g_test_add_func("/reader/order", entries_nest_and_come_in_order);
    g_test_add_func("/reader/damage", a_damaged_blob_costs_its_files_and_no_other);
    g_test_add_func("/reader/stops", without_anyone_to_tell_the_first_problem_ends_the_run);
    g_test_add_func("/reader/cancel", a_request_to_stop_is_heard);
    g_test_add_func("/reader/find", a_path_leads_to_its_node);
    return g_test_run();
}
