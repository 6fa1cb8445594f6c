/* SPDX-License-Identifier: Apache-2.0 */
/* A file that lies in the target serves for the one of the snapshot. */
#include "flow/dirpatch.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/tempdir.h"
#include <string.h>

#define CHUNK (300u * 1024) /* more than is read at once */
#define N     3u

/* A target with the file "f", and what the snapshot has of it. */
typedef struct {
    char *base, *target, *path;
    uint8_t *want; /* N chunks */
    DirDelta delta;
    DirSinkOptions options;
    Node *node;
    Sink *sink;
    void *handle;
    char *action;
} Fixture;

static void on_report(G_GNUC_UNUSED const char *path, const Node *node, const char *action,
                      void *user)
{
    Fixture *fixture = user;

    if (S_ISREG(node->mode)) {
        g_free(fixture->action);
        fixture->action = g_strdup(action);
    }
}

static Fixture *fixture_new(void)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->base = tempdir_new();
    fixture->target = g_build_filename(fixture->base, "target", NULL);
    fixture->path = g_build_filename(fixture->target, "f", NULL);
    fixture->want = g_malloc((size_t)N * CHUNK);
    random_bytes(fixture->want, (size_t)N * CHUNK);
    fixture->options.no_sync = true;
    fixture->options.delta = &fixture->delta;
    fixture->options.report = on_report;
    fixture->options.user = fixture;
    fixture->node = node_new();
    fixture->node->name = g_strdup("f");
    fixture->node->mode = S_IFREG | 0640;
    fixture->node->uid = geteuid();
    fixture->node->gid = getegid();
    fixture->node->size = (uint64_t)N * CHUNK;
    fixture->node->mtime = fixture->node->atime = (Timestamp){ .sec = 1700000000 };
    tempdir_write(fixture->target, "f", fixture->want, (size_t)N * CHUNK);
    return fixture;
}

static void fixture_free(Fixture *fixture)
{
    sink_free(fixture->sink);
    node_free(fixture->node);
    tempdir_remove(fixture->base);
    g_free(fixture->target);
    g_free(fixture->path);
    g_free(fixture->want);
    g_free(fixture->action);
    g_free(fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

static void change(const Fixture *fixture, uint64_t offset)
{
    int fd = open(fixture->path, O_WRONLY);

    g_assert_cmpint(pwrite(fd, "changed", 7, (off_t)offset), ==, 7);
    close(fd);
}

static void begin(Fixture *fixture)
{
    Entry entry = { .path = "/f", .node = fixture->node };
    g_autoptr(GError) error = NULL;

    fixture->sink = dir_sink_new(fixture->target, &fixture->options, &error);
    g_assert_no_error(error);
    sink_begin(fixture->sink, &entry, &fixture->handle, &error);
    g_assert_no_error(error);
}

static bool has(Fixture *fixture, unsigned n)
{
    g_autoptr(GError) error = NULL;
    bool found = false;
    Id id;

    hash_bytes(fixture->want + n * CHUNK, CHUNK, &id);
    sink_has(fixture->sink, fixture->handle, (uint64_t)n * CHUNK, CHUNK, &id, &found, &error);
    g_assert_no_error(error);
    return found;
}

static void put(Fixture *fixture, unsigned n)
{
    g_autoptr(GError) error = NULL;

    sink_write(fixture->sink, fixture->handle, (uint64_t)n * CHUNK, fixture->want + n * CHUNK,
               CHUNK, &error);
    g_assert_no_error(error);
}

/* Every chunk as the reader does it. */
static void put_all(Fixture *fixture)
{
    for (unsigned i = 0; i < N; i++)
        if (!has(fixture, i))
            put(fixture, i);
}

/* The code of the error, or -1. */
static int end(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    if (sink_end(fixture->sink, g_steal_pointer(&fixture->handle), NULL, &error))
        sink_finish(fixture->sink, &error);
    return error ? error->code : -1;
}

static struct stat look(const Fixture *fixture)
{
    struct stat st;

    g_assert_cmpint(stat(fixture->path, &st), ==, 0);
    return st;
}

static void assert_restored(const Fixture *fixture)
{
    g_autofree char *content = NULL;
    gsize len = 0;

    g_assert_true(g_file_get_contents(fixture->path, &content, &len, NULL));
    g_assert_cmpmem(content, len, fixture->want, fixture->node->size);
    g_assert_cmpint(look(fixture).st_mode & 07777, ==, 0640);
    g_assert_cmpint(look(fixture).st_mtim.tv_sec, ==, 1700000000);
    g_assert_cmpuint(tempdir_n_files(fixture->target), ==, 1);
}

static void only_what_differs_is_wanted_and_written_in_place(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    ino_t inode = look(fixture).st_ino;

    g_assert_cmpint(chmod(fixture->path, 0640), ==, 0);
    change(fixture, CHUNK + 7);
    begin(fixture);
    g_assert_true(has(fixture, 0));
    g_assert_false(has(fixture, 1));
    g_assert_true(has(fixture, 2));
    put(fixture, 1);
    g_assert_cmpint(look(fixture).st_mode & 0777, ==, 0600);
    g_assert_cmpint(end(fixture), ==, -1);
    assert_restored(fixture);
    g_assert_cmpuint(look(fixture).st_ino, ==, inode);
    g_assert_cmpstr(fixture->action, ==, "updated");
    g_assert_cmpuint(fixture->delta.same, ==, 2 * CHUNK);
    g_assert_cmpuint(fixture->delta.fetched, ==, CHUNK);
}

static void an_equal_file_only_gets_its_metadata(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    ino_t inode = look(fixture).st_ino;

    begin(fixture);
    put_all(fixture);
    g_assert_cmpint(end(fixture), ==, -1);
    assert_restored(fixture);
    g_assert_cmpuint(look(fixture).st_ino, ==, inode);
    g_assert_cmpstr(fixture->action, ==, "unchanged");
    g_assert_cmpuint(fixture->delta.fetched, ==, 0);
}

static void lengths_are_set(void)
{
    static const off_t lengths[] = { 0, 1, CHUNK, 2 * CHUNK + 1, N * CHUNK + 1, 9 * CHUNK };

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(Fixture) fixture = fixture_new();

        g_assert_cmpint(truncate(fixture->path, lengths[i]), ==, 0);
        begin(fixture);
        put_all(fixture);
        g_assert_cmpint(end(fixture), ==, -1);
        assert_restored(fixture);
        g_assert_cmpstr(fixture->action, ==, "updated");
    }
}

static void behind_the_content_are_zeros(void)
{
    g_autoptr(Fixture) fixture = fixture_new();

    memset(fixture->want + 2 * CHUNK, 0, CHUNK);
    begin(fixture);
    g_assert_true(has(fixture, 0));
    g_assert_true(has(fixture, 1));
    g_assert_cmpint(end(fixture), ==, -1);
    assert_restored(fixture);
}

/* Into a file that others see, or that others may read, nothing is written. */
static void what_is_seen_elsewhere_is_copied_instead_of_patched(void)
{
    static const struct {
        const char *label;
        mode_t mode;
        bool linked;
    } cases[] = {
        { "a second name", 0600, true },
        { "a wider mode", 0644, false },
        { "setuid", S_ISUID | 0600, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Fixture) fixture = fixture_new();
        g_autofree char *outside = g_build_filename(fixture->base, "outside", NULL);
        g_autofree char *content = NULL;
        ino_t inode = look(fixture).st_ino;
        int old = open(fixture->path, O_RDONLY); // or its number is given out again

        g_test_message("%s", cases[i].label);
        g_assert_cmpint(chmod(fixture->path, cases[i].mode), ==, 0);
        change(fixture, CHUNK);
        if (cases[i].linked)
            g_assert_cmpint(link(fixture->path, outside), ==, 0);
        fixture->options.sparse = true;
        begin(fixture);
        g_assert_true(has(fixture, 0));
        put_all(fixture);
        g_assert_cmpint(end(fixture), ==, -1);
        assert_restored(fixture);
        g_assert_cmpuint(look(fixture).st_ino, !=, inode);
        close(old);
        g_assert_cmpuint(fixture->delta.fetched, ==, CHUNK);
        if (cases[i].linked) {
            g_assert_true(g_file_get_contents(outside, &content, NULL, NULL));
            g_assert_cmpmem(content + CHUNK, 7, "changed", 7);
        }
    }
}

static void a_file_of_one_chunk_is_replaced_whole(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    ino_t inode = look(fixture).st_ino;
    g_autofree char *content = NULL;
    int old = open(fixture->path, O_RDONLY);

    fixture->node->size = CHUNK;
    change(fixture, 9);
    begin(fixture);
    g_assert_false(has(fixture, 0));
    put(fixture, 0);
    // the old one is there until the new one is whole
    g_assert_true(g_file_get_contents(fixture->path, &content, NULL, NULL));
    g_assert_cmpmem(content + 9, 7, "changed", 7);
    g_assert_cmpint(end(fixture), ==, -1);
    assert_restored(fixture);
    g_assert_cmpuint(look(fixture).st_ino, !=, inode);
    close(old);
}

/* A tree that lies about the size: what was found before or after must not get lost. */
static void a_size_that_lies_costs_no_content(void)
{
    for (unsigned first = 0; first < 2; first++) {
        g_autoptr(Fixture) fixture = fixture_new();
        g_autofree char *content = NULL;
        gsize len = 0;

        fixture->node->size = CHUNK;
        change(fixture, 9);
        begin(fixture);
        for (unsigned i = 0; i < N; i++) {
            unsigned n = first == 0 ? i : N - 1 - i;

            if (!has(fixture, n))
                put(fixture, n);
        }
        g_assert_cmpint(end(fixture), ==, -1);
        g_assert_true(g_file_get_contents(fixture->path, &content, &len, NULL));
        g_assert_cmpmem(content, len, fixture->want, (size_t)N * CHUNK);
    }
}

static void zeros_are_written_over_what_was_there(void)
{
    g_autoptr(Fixture) fixture = fixture_new();

    memset(fixture->want + CHUNK, 0, CHUNK);
    fixture->options.sparse = true;
    begin(fixture);
    put_all(fixture);
    g_assert_cmpint(end(fixture), ==, -1);
    assert_restored(fixture);
}

static void somebody_who_writes_meanwhile_is_noticed(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    const struct timespec old[2] = { { .tv_sec = 1600000000 }, { .tv_sec = 1600000000 } };

    // the clock of some file systems stands still for 10 ms, and the file was just made
    g_assert_cmpint(utimensat(AT_FDCWD, fixture->path, old, 0), ==, 0);
    begin(fixture);
    g_assert_true(has(fixture, 0));
    change(fixture, 0);
    g_assert_true(has(fixture, 1));
    g_assert_true(has(fixture, 2));
    g_assert_cmpint(end(fixture), ==, BS_ERROR_FAILED);
}

static void a_dry_run_counts(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    struct stat before;

    change(fixture, 2 * CHUNK);
    before = look(fixture);
    fixture->options.dry_run = true;
    begin(fixture);
    for (unsigned i = 0; i < N; i++)
        g_assert_true(has(fixture, i));
    g_assert_cmpint(end(fixture), ==, -1);
    g_assert_cmpuint(fixture->delta.same, ==, 2 * CHUNK);
    g_assert_cmpuint(fixture->delta.fetched, ==, CHUNK);
    g_assert_cmpstr(fixture->action, ==, "updated");
    g_assert_cmpint(look(fixture).st_mtim.tv_nsec, ==, before.st_mtim.tv_nsec);
    g_assert_cmpint(look(fixture).st_mode, ==, before.st_mode);
    g_assert_cmpuint(tempdir_n_files(fixture->target), ==, 1);
}

static void a_run_that_leaves_it_unfinished_keeps_the_mark(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *mark = g_build_filename(fixture->target, DIR_SINK_MARK, NULL);
    g_autoptr(GError) error = NULL;

    fixture->options.unfinished = true;
    begin(fixture);
    put_all(fixture);
    g_assert_cmpint(end(fixture), ==, -1);
    g_assert_true(g_file_test(mark, G_FILE_TEST_EXISTS));
    g_assert_true(dir_sink_unmark(fixture->target, &error));
    g_assert_no_error(error);
    g_assert_false(g_file_test(mark, G_FILE_TEST_EXISTS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dirpatch/in-place", only_what_differs_is_wanted_and_written_in_place);
    g_test_add_func("/dirpatch/equal", an_equal_file_only_gets_its_metadata);
    g_test_add_func("/dirpatch/lengths", lengths_are_set);
    g_test_add_func("/dirpatch/behind", behind_the_content_are_zeros);
    g_test_add_func("/dirpatch/copied", what_is_seen_elsewhere_is_copied_instead_of_patched);
    g_test_add_func("/dirpatch/one-chunk", a_file_of_one_chunk_is_replaced_whole);
    g_test_add_func("/dirpatch/lying-size", a_size_that_lies_costs_no_content);
    g_test_add_func("/dirpatch/zeros", zeros_are_written_over_what_was_there);
    g_test_add_func("/dirpatch/meanwhile", somebody_who_writes_meanwhile_is_noticed);
    g_test_add_func("/dirpatch/dry-run", a_dry_run_counts);
    g_test_add_func("/dirpatch/mark", a_run_that_leaves_it_unfinished_keeps_the_mark);
    return g_test_run();
}
