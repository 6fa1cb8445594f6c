/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/dirsink.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/tempdir.h"
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/xattr.h>

/* A target and what was said about it. */
typedef struct {
    char *base; /* holds target and whatever lies outside of it */
    char *target;
    DirSinkOptions options;
    Sink *sink;
    GString *path; /* the directory that is open */
    GPtrArray *handles;
    GString *reports; /* "action path\n" */
    unsigned n_warnings;
    pthread_mutex_t mutex;
} Fixture;

static void on_report(const char *path, const Node *node, const char *action, void *user)
{
    Fixture *fixture = user;

    (void)node;
    pthread_mutex_lock(&fixture->mutex);
    g_string_append_printf(fixture->reports, "%s %s\n", action, path);
    pthread_mutex_unlock(&fixture->mutex);
}

static void on_warn(const char *path, const GError *problem, void *user)
{
    Fixture *fixture = user;

    g_test_message("warning: %s: %s", path, problem->message);
    pthread_mutex_lock(&fixture->mutex);
    fixture->n_warnings++;
    pthread_mutex_unlock(&fixture->mutex);
}

static Fixture *fixture_new(void)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->base = tempdir_new();
    fixture->target = g_build_filename(fixture->base, "target", NULL);
    fixture->options.no_sync = true;
    fixture->options.report = on_report;
    fixture->options.warn = on_warn;
    fixture->options.user = fixture;
    fixture->path = g_string_new("");
    fixture->handles = g_ptr_array_new();
    fixture->reports = g_string_new("");
    pthread_mutex_init(&fixture->mutex, NULL);
    return fixture;
}

static void open_sink(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    g_string_truncate(fixture->reports, 0);
    fixture->sink = dir_sink_new(fixture->target, &fixture->options, &error);
    g_assert_no_error(error);
}

static void finish(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    sink_finish(fixture->sink, &error);
    g_assert_no_error(error);
    g_clear_pointer(&fixture->sink, sink_free);
}

static void fixture_free(Fixture *fixture)
{
    sink_free(fixture->sink);
    tempdir_remove(fixture->base);
    g_free(fixture->target);
    g_string_free(fixture->path, TRUE);
    g_string_free(fixture->reports, TRUE);
    g_ptr_array_unref(fixture->handles);
    pthread_mutex_destroy(&fixture->mutex);
    g_free(fixture);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fixture, fixture_free)

static char *below(const Fixture *fixture, const char *name)
{
    return g_build_filename(fixture->target, name, NULL);
}

static Node *node(const char *name, mode_t mode)
{
    Node *made = node_new();

    made->name = g_strdup(name);
    made->mode = mode;
    made->uid = geteuid();
    made->gid = getegid();
    made->mtime = made->atime = (Timestamp){ .sec = 1700000000, .nsec = 123456789 };
    return made;
}

static bool begin(Fixture *fixture, const Node *entry_node, void **ret_handle, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%s", fixture->path->str, entry_node->name);
    Entry entry = { .path = path, .node = entry_node };

    return sink_begin(fixture->sink, &entry, ret_handle, error);
}

static void enter_as(Fixture *fixture, const char *name, mode_t mode)
{
    g_autoptr(Node) directory = node(name, S_IFDIR | mode);
    g_autoptr(GError) error = NULL;
    void *handle = NULL;

    begin(fixture, directory, &handle, &error);
    g_assert_no_error(error);
    g_ptr_array_add(fixture->handles, handle);
    g_string_append_printf(fixture->path, "/%s", name);
}

static void enter(Fixture *fixture, const char *name)
{
    enter_as(fixture, name, 0755);
}

static void leave(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    sink_end(fixture->sink, g_ptr_array_steal_index(fixture->handles, fixture->handles->len - 1),
             NULL, &error);
    g_assert_no_error(error);
    g_string_truncate(fixture->path,
                      (gsize)(strrchr(fixture->path->str, '/') - fixture->path->str));
}

/* The code of the error that it met, or -1. */
static int put_node(Fixture *fixture, const Node *entry_node, const char *content)
{
    g_autoptr(GError) error = NULL;
    void *handle = NULL;
    bool reused = false;

    if (begin(fixture, entry_node, &handle, &error) &&
        sink_reuse(fixture->sink, handle, &reused, &error)) {
        if (content && !reused && *content &&
            !sink_write(fixture->sink, handle, 0, content, strlen(content), &error))
            sink_abandon(fixture->sink, handle);
        else
            sink_end(fixture->sink, handle, NULL, &error);
    }
    if (error)
        g_test_message("%s: %s", entry_node->name, error->message);
    return error ? error->code : -1;
}

static int put(Fixture *fixture, const char *name, const char *content)
{
    g_autoptr(Node) file = node(name, S_IFREG | 0644);

    file->size = strlen(content);
    return put_node(fixture, file, content);
}

static int put_link(Fixture *fixture, const char *name, const char *to)
{
    g_autoptr(Node) link = node(name, S_IFLNK | 0777);

    link->linktarget = g_strdup(to);
    return put_node(fixture, link, NULL);
}

static void assert_content(const char *path, const char *want)
{
    g_autofree char *content = NULL;

    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, want);
}

static void assert_below(const Fixture *fixture, const char *name, const char *want)
{
    g_autofree char *path = below(fixture, name);

    assert_content(path, want);
}

static unsigned n_files(const Fixture *fixture)
{
    return tempdir_n_files(fixture->target);
}

static struct stat stat_below(const Fixture *fixture, const char *name)
{
    g_autofree char *path = below(fixture, name);
    struct stat st;

    g_assert_cmpint(lstat(path, &st), ==, 0);
    return st;
}

/* ---- content and metadata ---- */

static void a_tree_comes_out_as_it_was(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *long_name = g_strnfill(255, 'n');
    g_autoptr(Node) file = node("secret", S_IFREG | S_ISUID | 0451);
    g_autofree char *path = NULL;
    char target[8] = "";
    struct stat st;

    open_sink(fixture);
    enter_as(fixture, "srv", 0711);
    g_assert_cmpint(put(fixture, "a", "alpha"), ==, -1);
    g_assert_cmpint(put(fixture, "empty", ""), ==, -1);
    g_assert_cmpint(put(fixture, "latin1-\xe9\n", "bytes"), ==, -1);
    g_assert_cmpint(put(fixture, long_name, "long"), ==, -1);
    g_assert_cmpint(put_link(fixture, "link", "a/\xff"), ==, -1);
    file->mtime = (Timestamp){ .sec = -86400, .nsec = 5 };
    g_assert_cmpint(put_node(fixture, file, "s"), ==, -1);
    leave(fixture);
    finish(fixture);

    assert_below(fixture, "srv/a", "alpha");
    assert_below(fixture, "srv/empty", "");
    assert_below(fixture, "srv/latin1-\xe9\n", "bytes");
    path = g_strconcat(fixture->target, "/srv/link", NULL);
    g_assert_cmpint(readlink(path, target, sizeof target), ==, 3);
    g_assert_cmpmem(target, 3, "a/\xff", 3);
    st = stat_below(fixture, "srv/link");
    g_assert_cmpint(st.st_mtim.tv_sec, ==, 1700000000);
    st = stat_below(fixture, "srv/secret");
    g_assert_cmpint(st.st_mode & 07777, ==, S_ISUID | 0451);
    g_assert_cmpint(st.st_mtim.tv_sec, ==, -86400);
    g_assert_cmpint(st.st_mtim.tv_nsec, ==, 5);
    st = stat_below(fixture, "srv");
    g_assert_cmpint(st.st_mode & 07777, ==, 0711);
    g_assert_cmpint(st.st_mtim.tv_sec, ==, 1700000000);
    g_assert_cmpint(st.st_mtim.tv_nsec, ==, 123456789);
    g_assert_cmpuint(n_files(fixture), ==, 6);
    g_assert_cmpuint(fixture->n_warnings, ==, 0);
}

static void extended_attributes_come_back_even_on_a_read_only_file(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("f", S_IFREG | 0400);
    NodeXattr xattr = { g_strdup("user.note"), g_bytes_new("v\0w", 3) };
    g_autofree char *path = NULL;
    char value[8];

    file->xattrs = node_xattrs_new();
    g_array_append_val(file->xattrs, xattr);
    open_sink(fixture);
    g_assert_cmpint(put_node(fixture, file, "x"), ==, -1);
    finish(fixture);
    path = below(fixture, "f");
    if (fixture->n_warnings == 1) {
        g_test_fail_printf("no user attributes on this file system");
        return;
    }
    g_assert_cmpint(getxattr(path, "user.note", value, sizeof value), ==, 3);
    g_assert_cmpmem(value, 3, "v\0w", 3);
}

static void devices_and_pipes_are_made_by_root(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) fifo = node("fifo", S_IFIFO | 0640);
    g_autoptr(Node) null = node("null", S_IFCHR | 0666);
    g_autoptr(Node) sock = node("sock", S_IFSOCK | 0755);
    struct stat st;

    if (geteuid() != 0) {
        g_test_fail_printf("not root");
        return;
    }
    null->device = 259; // 1:3
    open_sink(fixture);
    g_assert_cmpint(put_node(fixture, fifo, NULL), ==, -1);
    g_assert_cmpint(put_node(fixture, sock, NULL), ==, BS_ERROR_SOFT_SKIP);
    if (put_node(fixture, null, NULL) == -1) {
        st = stat_below(fixture, "null");
        g_assert_true(S_ISCHR(st.st_mode));
        g_assert_cmpuint(st.st_rdev, ==, 259);
        g_assert_cmpint(st.st_mode & 07777, ==, 0666);
    }
    finish(fixture);
    st = stat_below(fixture, "fifo");
    g_assert_true(S_ISFIFO(st.st_mode));
    g_assert_cmpint(st.st_mode & 07777, ==, 0640);
    g_assert_cmpint(st.st_mtim.tv_nsec, ==, 123456789);
}

static void nothing_special_is_made_when_it_is_not_asked_for(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) null = node("null", S_IFCHR | 0666);
    g_autoptr(Node) setuid = node("su", S_IFREG | S_ISUID | S_ISGID | 0755);

    fixture->options.no_special = true;
    open_sink(fixture);
    g_assert_cmpint(put_node(fixture, null, NULL), ==, BS_ERROR_SOFT_SKIP);
    g_assert_cmpint(put_node(fixture, setuid, "x"), ==, -1);
    finish(fixture);
    g_assert_cmpint(stat_below(fixture, "su").st_mode & 07777, ==, 0755);
    g_assert_cmpuint(n_files(fixture), ==, 1);
}

static void an_owner_that_cannot_be_set_takes_setuid_with_it(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("su", S_IFREG | S_ISUID | 0755);

    file->uid = UINT32_MAX;
    open_sink(fixture);
    g_assert_cmpint(put_node(fixture, file, "x"), ==, -1);
    finish(fixture);
    g_assert_cmpint(stat_below(fixture, "su").st_mode & 07777, ==, 0755);
    g_assert_cmpuint(fixture->n_warnings, >, 0);
}

static void runs_of_zeros_become_holes(void)
{
    static const uint64_t size = UINT64_C(1) << 40;
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("image", S_IFREG | 0644);
    g_autoptr(GError) error = NULL;
    g_autofree char *data = g_malloc0(1 << 20);
    void *handle = NULL;
    struct stat st;

    file->size = size;
    data[500000] = 'x';
    fixture->options.sparse = true;
    open_sink(fixture);
    g_assert_true(begin(fixture, file, &handle, &error));
    // any order: the end first
    g_assert_true(sink_write(fixture->sink, handle, size - (1 << 20), data, 1 << 20, &error));
    g_assert_true(sink_write(fixture->sink, handle, 0, data, 1 << 20, &error));
    g_assert_true(sink_end(fixture->sink, handle, NULL, &error));
    g_assert_no_error(error);
    finish(fixture);
    st = stat_below(fixture, "image");
    g_assert_cmpuint((uint64_t)st.st_size, ==, size);
    g_assert_cmpuint((uint64_t)st.st_blocks * 512, <, 256 * 1024);
}

/* The archiver's piece of a large hole need not even be fetched; the end counts all the same. */
static void holes_are_there_already(void)
{
    const size_t len = 8u << 20;
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("image", S_IFREG | 0644);
    g_autoptr(GError) error = NULL;
    g_autofree char *zeros = g_malloc0(len);
    void *handle = NULL;
    bool has = false;
    struct stat st;
    Id id;

    hash_bytes(zeros, len, &id);
    file->size = 2 * len;
    fixture->options.sparse = true;
    open_sink(fixture);
    g_assert_true(begin(fixture, file, &handle, &error));
    g_assert_true(sink_has(fixture->sink, handle, len, len, &id, &has, &error) && has);
    id.bytes[0] ^= 1;
    g_assert_true(sink_has(fixture->sink, handle, 0, len, &id, &has, &error) && !has);
    g_assert_true(sink_write(fixture->sink, handle, 0, "x", 1, &error));
    g_assert_true(sink_end(fixture->sink, handle, NULL, &error));
    g_assert_no_error(error);
    finish(fixture);
    st = stat_below(fixture, "image");
    g_assert_cmpuint((uint64_t)st.st_size, ==, 2 * len);
    g_assert_cmpuint((uint64_t)st.st_blocks * 512, <, 64 * 1024);
}

static void hard_links_are_one_file_again(void)
{
    enum { N = 10000 };
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("", S_IFREG | 0644);
    g_autoptr(GError) error = NULL;
    void *first = NULL;
    struct stat st;

    file->size = 1;
    file->links = N;
    file->inode = 7;
    file->device_id = 3;
    open_sink(fixture);
    enter(fixture, "d");
    // the first is not finished when the others come: they wait for it
    g_free(file->name);
    file->name = g_strdup("f0");
    g_assert_true(begin(fixture, file, &first, &error));
    for (unsigned i = 1; i < N; i++) {
        g_free(file->name);
        file->name = g_strdup_printf("f%u", i);
        g_assert_cmpint(put_node(fixture, file, "WRONG"), ==, -1);
    }
    leave(fixture);
    g_assert_true(sink_write(fixture->sink, first, 0, "x", 1, &error));
    g_assert_true(sink_end(fixture->sink, first, NULL, &error));
    finish(fixture);
    st = stat_below(fixture, "d/f0");
    g_assert_cmpuint(st.st_nlink, ==, N);
    g_assert_cmpuint(stat_below(fixture, "d/f9999").st_ino, ==, st.st_ino);
    g_assert_cmpuint(n_files(fixture), ==, N);
    assert_below(fixture, "d/f17", "x");
    // the directory was finished after the links in it
    g_assert_cmpint(stat_below(fixture, "d").st_mtim.tv_sec, ==, 1700000000);
    g_assert_cmpuint(fixture->n_warnings, ==, 0);
}

static void links_to_a_file_that_was_abandoned_are_told(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("a", S_IFREG | 0644);
    g_autoptr(GError) error = NULL;
    void *first = NULL;

    file->links = 3;
    file->inode = 7;
    open_sink(fixture);
    g_assert_true(begin(fixture, file, &first, &error));
    g_free(file->name);
    file->name = g_strdup("b");
    g_assert_cmpint(put_node(fixture, file, NULL), ==, -1);
    sink_abandon(fixture->sink, first);
    g_assert_cmpuint(fixture->n_warnings, ==, 1);
    // the next one gets its own content
    g_free(file->name);
    file->name = g_strdup("c");
    g_assert_cmpint(put_node(fixture, file, "good"), ==, -1);
    finish(fixture);
    assert_below(fixture, "c", "good");
    g_assert_cmpuint(n_files(fixture), ==, 1);
}

static void a_tree_of_4096_levels_needs_few_descriptors(void)
{
    enum { DEPTH = 4096 };
    g_autoptr(Fixture) fixture = fixture_new();
    struct rlimit before, few;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    few = before;
    few.rlim_cur = 200;
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &few), ==, 0);

    open_sink(fixture);
    for (unsigned i = 0; i < DEPTH; i++)
        enter(fixture, "d");
    g_assert_cmpint(put(fixture, "leaf", "deep"), ==, -1);
    for (unsigned i = 0; i < DEPTH; i++) {
        // one more on the way up: directories are opened again
        if (i % 500 == 0)
            g_assert_cmpint(put(fixture, "up", "u"), ==, -1);
        leave(fixture);
    }
    finish(fixture);
    g_assert_cmpuint(fixture->n_warnings, ==, 0);
    g_assert_cmpint(stat_below(fixture, "d/d/d").st_mtim.tv_sec, ==, 1700000000);
    // too deep for nftw's paths: the sink's own way of removing
    fixture->options.delete_extra = fixture->options.delete_in_target = true;
    open_sink(fixture);
    finish(fixture);
    g_assert_cmpstr(fixture->reports->str, ==, "deleted /d\n");
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
}

/* ---- what lies there already ---- */

static void an_existing_file_stays_until_the_new_one_is_whole(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autoptr(Node) file = node("f", S_IFREG | 0644);
    g_autoptr(GError) error = NULL;
    g_autofree char *mark = below(fixture, DIR_SINK_MARK);
    void *handle = NULL;

    tempdir_write(fixture->target, "f", "old", 3);
    open_sink(fixture);
    g_assert_true(begin(fixture, file, &handle, &error));
    g_assert_true(sink_write(fixture->sink, handle, 0, "ne", 2, &error));
    assert_below(fixture, "f", "old");
    sink_abandon(fixture->sink, handle);
    assert_below(fixture, "f", "old");
    g_assert_cmpuint(n_files(fixture), ==, 2); // and the mark
    g_assert_cmpint(put(fixture, "f", "new"), ==, -1);
    assert_below(fixture, "f", "new");
    g_clear_pointer(&fixture->sink, sink_free);
    g_assert_true(g_file_test(mark, G_FILE_TEST_EXISTS));
    open_sink(fixture);
    finish(fixture);
    g_assert_false(g_file_test(mark, G_FILE_TEST_EXISTS));
}

static void overwrite_means_what_restic_means(void)
{
    static const struct {
        const char *label;
        Overwrite overwrite;
        gint64 there_at; /* the snapshot's is 1700000000 */
        const char *there, *want, *report;
    } cases[] = {
        { "always", OVERWRITE_ALWAYS, 1700000000, "old", "new", "updated /f\n" },
        { "never", OVERWRITE_NEVER, 1, "old", "old", "skipped /f\n" },
        { "newer: it is", OVERWRITE_IF_NEWER, 1699999999, "old", "new", "updated /f\n" },
        { "newer: it is not", OVERWRITE_IF_NEWER, 1700000001, "old", "old", "skipped /f\n" },
        { "changed: another time", OVERWRITE_IF_CHANGED, 1700000001, "old", "new", "updated /f\n" },
        { "changed: another size", OVERWRITE_IF_CHANGED, 1700000000, "older", "new",
          "updated /f\n" },
        { "changed: the same", OVERWRITE_IF_CHANGED, 1700000000, "old", "old", "unchanged /f\n" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Fixture) fixture = fixture_new();
        g_autofree char *path = below(fixture, "f");
        struct timespec times[2] = { { .tv_sec = cases[i].there_at, .tv_nsec = 123456789 },
                                     { .tv_sec = cases[i].there_at, .tv_nsec = 123456789 } };

        g_test_message("%s", cases[i].label);
        tempdir_write(fixture->target, "f", cases[i].there, strlen(cases[i].there));
        g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
        fixture->options.overwrite = cases[i].overwrite;
        open_sink(fixture);
        (void)put(fixture, "f", "new");
        g_assert_cmpint(put(fixture, "other", "o"), ==, -1);
        finish(fixture);
        assert_below(fixture, "f", cases[i].want);
        assert_below(fixture, "other", "o");
        g_assert_true(g_str_has_prefix(fixture->reports->str, cases[i].report));
    }
}

static void a_file_with_a_name_elsewhere_is_not_touched_in_place(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *inside = below(fixture, "f");
    g_autofree char *outside = g_build_filename(fixture->base, "outside", NULL);
    struct timespec times[2] = { { .tv_sec = 1700000000, .tv_nsec = 123456789 },
                                 { .tv_sec = 1700000000, .tv_nsec = 123456789 } };
    struct stat st;

    tempdir_write(fixture->base, "outside", "old", 3);
    tempdir_write(fixture->target, "x", "", 0);
    g_assert_cmpint(link(outside, inside), ==, 0);
    g_assert_cmpint(utimensat(AT_FDCWD, inside, times, 0), ==, 0);
    fixture->options.overwrite = OVERWRITE_IF_CHANGED;
    open_sink(fixture);
    g_assert_cmpint(put(fixture, "f", "new"), ==, -1);
    finish(fixture);
    assert_content(outside, "old");
    assert_content(inside, "new");
    g_assert_cmpint(stat(outside, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
}

static void what_is_in_the_way_of_a_name_gives_way(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *empty = below(fixture, "empty-dir");
    g_autofree char *link = below(fixture, "link");

    tempdir_write(fixture->target, "file-as-dir", "f", 1);
    tempdir_write(fixture->target, "full-dir/x", "f", 1);
    g_assert_cmpint(mkdir(empty, 0700), ==, 0);
    g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
    open_sink(fixture);
    g_assert_cmpint(put(fixture, "empty-dir", "now a file"), ==, -1);
    g_assert_cmpint(put(fixture, "full-dir", "now a file"), ==, BS_ERROR_NOT_EMPTY);
    g_assert_cmpint(put(fixture, "link", "now a file"), ==, -1);
    enter(fixture, "file-as-dir");
    g_assert_cmpint(put(fixture, "y", "y"), ==, -1);
    leave(fixture);
    finish(fixture);
    assert_below(fixture, "empty-dir", "now a file");
    assert_below(fixture, "full-dir/x", "f");
    assert_below(fixture, "link", "now a file");
    assert_below(fixture, "file-as-dir/y", "y");
    g_assert_cmpuint(n_files(fixture), ==, 4);
}

static bool not_kept(const char *path, void *user)
{
    (void)user;
    return !strstr(path, "kept");
}

static void delete_takes_only_what_the_snapshot_does_not_have(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *outside = g_build_filename(fixture->base, "outside", NULL);
    g_autofree char *link = NULL;
    void *abandoned = NULL;
    g_autoptr(Node) file = node("bad", S_IFREG | 0644);

    tempdir_write(fixture->base, "outside/precious", "p", 1);
    tempdir_write(fixture->target, "d/extra/deep/er", "x", 1);
    tempdir_write(fixture->target, "d/same", "old", 3);
    tempdir_write(fixture->target, "d/bad", "old", 3);
    tempdir_write(fixture->target, "d/kept", "k", 1);
    tempdir_write(fixture->target, "beside", "b", 1);
    tempdir_write(fixture->target, "half/unknown", "u", 1);
    link = below(fixture, "d/link");
    g_assert_cmpint(symlink(outside, link), ==, 0);
    fixture->options.delete_extra = true;
    fixture->options.may_delete = not_kept;
    open_sink(fixture);
    enter(fixture, "d");
    g_assert_cmpint(put(fixture, "same", "new"), ==, -1);
    g_assert_true(begin(fixture, file, &abandoned, NULL));
    sink_abandon(fixture->sink, abandoned);
    leave(fixture);
    enter(fixture, "half");
    // its tree could not be read
    sink_abandon(fixture->sink, g_ptr_array_steal_index(fixture->handles, 0));
    finish(fixture);
    assert_below(fixture, "d/same", "new");
    assert_below(fixture, "d/bad", "old");
    assert_below(fixture, "d/kept", "k");
    assert_below(fixture, "beside", "b");
    assert_below(fixture, "half/unknown", "u");
    g_assert_cmpuint(n_files(fixture), ==, 5);
    g_assert_cmpuint(tempdir_n_files(outside), ==, 1);
}

static void what_cannot_be_listed_is_told(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    struct rlimit before, none;

    tempdir_write(fixture->target, "extra", "e", 1);
    fixture->options.delete_extra = fixture->options.delete_in_target = true;
    open_sink(fixture);
    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    none = before;
    none.rlim_cur = 0; // nothing more can be opened
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    finish(fixture);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    g_assert_cmpuint(fixture->n_warnings, ==, 1);
    assert_below(fixture, "extra", "e");
}

static void a_dry_run_writes_nothing(void)
{
    g_autoptr(Fixture) fixture = fixture_new();

    tempdir_write(fixture->target, "d/old", "o", 1);
    tempdir_write(fixture->target, "d/extra", "e", 1);
    fixture->options.dry_run = fixture->options.delete_extra = true;
    open_sink(fixture);
    enter(fixture, "d");
    g_assert_cmpint(put(fixture, "old", "new"), ==, -1);
    enter(fixture, "sub");
    g_assert_cmpint(put(fixture, "f", "new"), ==, -1);
    leave(fixture);
    leave(fixture);
    finish(fixture);
    g_assert_cmpstr(
        fixture->reports->str, ==,
        "updated /d\nupdated /d/old\nrestored /d/sub\nrestored /d/sub/f\ndeleted /d/extra\n");
    assert_below(fixture, "d/old", "o");
    g_assert_cmpuint(n_files(fixture), ==, 2);
}

/* ---- hostile trees and targets ---- */

static void names_that_lead_out_are_refused(void)
{
    static const char *const names[] = { "..", ".", "", "/etc/x", "a/b", "../../x" };
    g_autoptr(Fixture) fixture = fixture_new();

    open_sink(fixture);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autoptr(Node) directory = node(names[i], S_IFDIR | 0755);

        g_assert_cmpint(put(fixture, names[i], "x"), ==, BS_ERROR_CORRUPT);
        g_assert_cmpint(put_link(fixture, names[i], "x"), ==, BS_ERROR_CORRUPT);
        g_assert_cmpint(put_node(fixture, directory, NULL), ==, BS_ERROR_CORRUPT);
    }
    finish(fixture);
    g_assert_cmpuint(n_files(fixture), ==, 0);
}

static void a_link_is_never_followed(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *outside = g_build_filename(fixture->base, "outside", NULL);
    g_autofree char *planted = below(fixture, "planted");
    struct stat st;

    tempdir_write(fixture->base, "outside/precious", "p", 1);
    tempdir_write(fixture->target, "x", "", 0);
    g_assert_cmpint(symlink(outside, planted), ==, 0);
    open_sink(fixture);
    // one that the tree itself brought, and one that lay there
    g_assert_cmpint(put_link(fixture, "brought", outside), ==, -1);
    enter(fixture, "brought");
    g_assert_cmpint(put(fixture, "precious", "evil"), ==, -1);
    leave(fixture);
    enter(fixture, "planted");
    g_assert_cmpint(put(fixture, "precious", "evil"), ==, -1);
    leave(fixture);
    finish(fixture);
    g_assert_cmpuint(tempdir_n_files(outside), ==, 1);
    st = stat_below(fixture, "planted");
    g_assert_true(S_ISDIR(st.st_mode));
    assert_below(fixture, "planted/precious", "evil");
    tempdir_write(fixture->base, "outside/precious", "p", 1);
}

typedef struct {
    char *directory, *aside, *link;
    _Atomic bool stop;
} Flipper;

static void *flip(void *user)
{
    Flipper *flipper = user;

    while (!flipper->stop) {
        (void)rename(flipper->directory, flipper->aside);
        (void)symlink(flipper->link, flipper->directory);
        (void)unlink(flipper->directory);
        (void)rename(flipper->aside, flipper->directory);
    }
    return NULL;
}

static void a_directory_that_turns_into_a_link_leads_nowhere(void)
{
    g_autoptr(Fixture) fixture = fixture_new();
    g_autofree char *outside = g_build_filename(fixture->base, "outside", NULL);
    g_autofree char *keep = g_build_filename(fixture->base, "outside/keep", NULL);
    Flipper flipper = { .link = outside };
    pthread_t thread;

    flipper.directory = below(fixture, "d");
    flipper.aside = below(fixture, "aside");
    tempdir_write(fixture->base, "outside/keep", "k", 1);
    tempdir_write(fixture->target, "d/x", "", 0);
    g_assert_cmpint(pthread_create(&thread, NULL, flip, &flipper), ==, 0);
    for (unsigned i = 0; i < 1000; i++) {
        g_autoptr(Node) directory = node("d", S_IFDIR | 0755);
        void *handle = NULL;

        open_sink(fixture);
        if (begin(fixture, directory, &handle, NULL)) {
            g_string_assign(fixture->path, "/d");
            (void)put(fixture, "f", "f");
            (void)sink_end(fixture->sink, handle, NULL, NULL);
            g_string_assign(fixture->path, "");
        }
        (void)sink_finish(fixture->sink, NULL);
        g_clear_pointer(&fixture->sink, sink_free);
    }
    flipper.stop = true;
    pthread_join(thread, NULL);
    g_free(flipper.directory);
    g_free(flipper.aside);
    g_assert_cmpuint(tempdir_n_files(outside), ==, 1);
    assert_content(keep, "k");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/dirsink/tree", a_tree_comes_out_as_it_was);
    g_test_add_func("/dirsink/xattrs", extended_attributes_come_back_even_on_a_read_only_file);
    g_test_add_func("/dirsink/devices", devices_and_pipes_are_made_by_root);
    g_test_add_func("/dirsink/no-special", nothing_special_is_made_when_it_is_not_asked_for);
    g_test_add_func("/dirsink/setuid", an_owner_that_cannot_be_set_takes_setuid_with_it);
    g_test_add_func("/dirsink/sparse", runs_of_zeros_become_holes);
    g_test_add_func("/dirsink/hole", holes_are_there_already);
    g_test_add_func("/dirsink/hard-links", hard_links_are_one_file_again);
    g_test_add_func("/dirsink/abandoned-links", links_to_a_file_that_was_abandoned_are_told);
    g_test_add_func("/dirsink/deep", a_tree_of_4096_levels_needs_few_descriptors);
    g_test_add_func("/dirsink/replace", an_existing_file_stays_until_the_new_one_is_whole);
    g_test_add_func("/dirsink/overwrite", overwrite_means_what_restic_means);
    g_test_add_func("/dirsink/linked-outside",
                    a_file_with_a_name_elsewhere_is_not_touched_in_place);
    g_test_add_func("/dirsink/in-the-way", what_is_in_the_way_of_a_name_gives_way);
    g_test_add_func("/dirsink/unlisted", what_cannot_be_listed_is_told);
    g_test_add_func("/dirsink/delete", delete_takes_only_what_the_snapshot_does_not_have);
    g_test_add_func("/dirsink/dry-run", a_dry_run_writes_nothing);
    g_test_add_func("/dirsink/names", names_that_lead_out_are_refused);
    g_test_add_func("/dirsink/links", a_link_is_never_followed);
    g_test_add_func("/dirsink/flipper", a_directory_that_turns_into_a_link_leads_nowhere);
    return g_test_run();
}
