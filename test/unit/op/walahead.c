/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walahead.h"

#include "base/error.h"
#include "base/fs.h"
#include "lib/tempdir.h"
#include "op/walready.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <pthread.h>

/* ---- a directory like pg_wal ---- */

typedef struct {
    char *dir;
    int fd;
    WalAhead *ahead;
} Place;

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *status = NULL;

    place->dir = tempdir_new();
    status = g_build_filename(place->dir, "archive_status", NULL);
    g_assert_cmpint(mkdir(status, 0700), ==, 0);
    place->fd = open(place->dir, O_RDONLY | O_DIRECTORY);
    place->ahead = wal_ahead_new();
}

static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    wal_ahead_free(place->ahead);
    close(place->fd);
    tempdir_remove(place->dir);
}

static void touch(const Place *place, const char *name)
{
    g_autofree char *path = g_build_filename(place->dir, name, NULL);

    g_assert_true(g_file_set_contents(path, "x", 1, NULL));
}

static void make_ready(const Place *place, const char *name)
{
    g_autofree char *file = g_strconcat("archive_status/", name, ".ready", NULL);

    touch(place, file);
}

static char *segment_text(unsigned timeline, unsigned n)
{
    return g_strdup_printf("%08X%08X%08X", timeline, 0, n);
}

static void make_segments_ready(const Place *place, unsigned timeline, unsigned first,
                                unsigned last)
{
    for (unsigned n = first; n <= last; n++) {
        g_autofree char *name = segment_text(timeline, n);

        make_ready(place, name);
    }
}

static WalName name_of(const char *text)
{
    WalName name;

    g_assert_true(wal_name_parse(text, &name, NULL));
    return name;
}

static WalPlace segment(const Place *place, unsigned timeline, unsigned n)
{
    g_autofree char *text = segment_text(timeline, n);

    return (WalPlace){ place->fd, 42, name_of(text) };
}

/* ---- what waits ---- */

static void only_later_segments_of_the_timeline_wait(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    static const char *const waiting[] = {
        "000000010000000000000009",
        "00000001000000000000000A",
        "000000010000000000000003",
        "00000002000000000000000A",
        "00000002.history",
        "00000001000000000000000B.partial",
        "00000001000000000000000B.00000028.backup",
        "00000001000000010000000B",
        "rubbish",
        "",
    };
    WalName after = name_of("000000010000000000000003");
    g_autoptr(GArray) names = NULL;
    g_autoptr(GString) found = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(waiting); i++)
        make_ready(place, waiting[i]);
    touch(place, "archive_status/00000001000000000000000C.done");
    names = wal_ready_after(place->fd, &after, 9);
    for (guint i = 0; i < names->len; i++)
        g_string_append_printf(found, "%s ", wal_name_text(&g_array_index(names, WalName, i)).text);
    g_assert_cmpstr(found->str, ==,
                    "000000010000000000000009 00000001000000000000000A 00000001000000010000000B ");
    g_array_unref(names);
    names = wal_ready_after(place->fd, &after, 2);
    g_assert_cmpuint(names->len, ==, 2);
    g_assert_true(wal_ready_is(place->fd, &g_array_index(names, WalName, 0)));
    after = name_of("00000001000000000000000C");
    g_assert_false(wal_ready_is(place->fd, &after));
}

static void without_archive_status_nothing_waits(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *status = g_build_filename(place->dir, "archive_status", NULL);
    WalName after = name_of("000000010000000000000003");
    g_autoptr(GArray) names = NULL;

    g_assert_cmpint(rmdir(status), ==, 0);
    names = wal_ready_after(place->fd, &after, 9);
    g_assert_cmpuint(names->len, ==, 0);
}

/* ---- what is archived ahead ---- */

static void assert_next(const Place *place, unsigned timeline, unsigned n, bool durable)
{
    WalAheadItem *item = wal_ahead_begin(place->ahead);
    WalPlace want = segment(place, timeline, n);
    WalDurable result = { .pushed.len = n };

    g_assert_nonnull(item);
    g_assert_cmpint(wal_name_compare(&wal_ahead_place(item)->name, &want.name), ==, 0);
    g_assert_cmpuint(wal_ahead_place(item)->system_id, ==, 42);
    wal_ahead_end(place->ahead, item, durable ? &result : NULL);
}

static bool claim(const Place *place, const WalPlace *what)
{
    WalDurable durable;

    return wal_ahead_claim(place->ahead, what, &durable);
}

static bool is_free(G_GNUC_UNUSED const WalPlace *place, G_GNUC_UNUSED void *user)
{
    return true;
}

static bool plan(const Place *place, const WalPlace *what)
{
    return wal_ahead_plan(place->ahead, what, false, is_free, NULL);
}

static void what_is_durable_is_handed_out_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2), third = first;
    WalDurable durable;

    make_segments_ready(place, 1, 1, 3);
    g_assert_true(plan(place, &first));
    assert_next(place, 1, 2, true);
    assert_next(place, 1, 3, false);
    g_assert_null(wal_ahead_begin(place->ahead));
    third = segment(place, 1, 3);
    g_assert_false(claim(place, &third)); // it failed
    g_assert_true(wal_ahead_claim(place->ahead, &second, &durable));
    g_assert_cmpuint(durable.pushed.len, ==, 2);
    g_assert_false(claim(place, &second));
    g_assert_false(claim(place, &first));
}

/* A mirror that was added meanwhile has to have it, too. */
static void what_is_durable_is_forgotten_after_a_while(Place *place,
                                                       G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2), third;

    clock_set((Timestamp){ 1000000000, 0 });
    make_segments_ready(place, 1, 1, 3);
    g_assert_true(plan(place, &first));
    clock_sleep_ms(60000); // however long it takes
    assert_next(place, 1, 2, true);
    clock_sleep_ms(20000);
    assert_next(place, 1, 3, true);
    (void)plan(place, &second);
    g_assert_true(claim(place, &second));
    clock_sleep_ms(40000);
    third = segment(place, 1, 3);
    (void)plan(place, &third);
    g_assert_false(claim(place, &third));
}

static void another_one_is_not_taken_for_it(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2), other;
    char *dir = tempdir_new();

    make_segments_ready(place, 1, 1, 2);
    g_assert_true(plan(place, &first));
    assert_next(place, 1, 2, true);
    other = second;
    other.system_id = 43;
    g_assert_false(claim(place, &other));
    other = segment(place, 2, 2);
    g_assert_false(claim(place, &other));
    other = second;
    other.pg_wal = open(dir, O_RDONLY | O_DIRECTORY);
    g_assert_false(claim(place, &other));
    close(other.pg_wal);
    tempdir_remove(dir);
    g_assert_true(claim(place, &second));
}

static void who_asks_for_what_waits_does_it_himself(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2);

    make_segments_ready(place, 1, 1, 3);
    g_assert_true(plan(place, &first));
    g_assert_false(claim(place, &second));
    assert_next(place, 1, 3, true);
    g_assert_null(wal_ahead_begin(place->ahead));
}

static void no_more_than_a_few_are_taken_in(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), later = segment(place, 1, 7);

    make_segments_ready(place, 1, 1, 20);
    g_assert_true(plan(place, &first));
    g_assert_false(plan(place, &first));
    for (unsigned n = 2; n < 2 + WAL_AHEAD_MAX; n++)
        assert_next(place, 1, n, true);
    g_assert_null(wal_ahead_begin(place->ahead));
    // the server has gone on: what is before is over, and there is room
    g_assert_true(plan(place, &later));
    assert_next(place, 1, 10, true);
    later = segment(place, 1, 6);
    g_assert_false(claim(place, &later));
    later = segment(place, 1, 9);
    g_assert_true(claim(place, &later));
}

static void another_timeline_or_cluster_ends_it(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2), other;

    make_segments_ready(place, 1, 1, 2);
    g_assert_true(plan(place, &first));
    assert_next(place, 1, 2, true);
    other = segment(place, 2, 1);
    (void)plan(place, &other);
    g_assert_false(claim(place, &second));
    other = first;
    other.system_id = 0;
    g_assert_false(plan(place, &other)); // nobody knows of which cluster
}

static void what_was_under_way_is_forgotten_too(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2), third;
    WalDurable durable = { 0 };
    WalAheadItem *item;

    make_segments_ready(place, 1, 1, 3);
    g_assert_true(plan(place, &first));
    assert_next(place, 1, 2, true);
    item = wal_ahead_begin(place->ahead);
    wal_ahead_forget(place->ahead);
    wal_ahead_end(place->ahead, item, &durable);
    third = segment(place, 1, 3);
    g_assert_false(claim(place, &second));
    g_assert_false(claim(place, &third));
}

typedef struct {
    Place *place;
    WalAheadItem *item;
} Work;

static void *end_later(void *user)
{
    Work *work = user;
    WalDurable durable = { .pushed.len = 4711 };

    g_usleep(50000);
    wal_ahead_end(work->place->ahead, work->item, &durable);
    return NULL;
}

static void who_asks_for_what_is_under_way_waits(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalPlace first = segment(place, 1, 1), second = segment(place, 1, 2);
    Work work = { .place = place };
    WalDurable durable;
    pthread_t thread;

    make_segments_ready(place, 1, 1, 2);
    g_assert_true(plan(place, &first));
    work.item = wal_ahead_begin(place->ahead);
    g_assert_cmpint(pthread_create(&thread, NULL, end_later, &work), ==, 0);
    g_assert_true(wal_ahead_claim(place->ahead, &second, &durable));
    g_assert_cmpuint(durable.pushed.len, ==, 4711);
    pthread_join(thread, NULL);
}

/* ---- reading ---- */

#define LABEL "000000010000000000000009.00000028.backup"

static int open_in(const Place *place, const char *name)
{
    int fd = openat(place->fd, name, O_RDONLY | O_NONBLOCK);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

/* Minus one: it could be read; otherwise the error's code. */
static int read_as(const Place *place, int fd, const char *name, WalIdentity *ret_identity)
{
    g_auto(WalFile) file = { .name = name_of(name) };
    g_autoptr(GError) error = NULL;

    if (wal_input_read(fd, place->fd, &file, ret_identity, &error)) {
        g_assert_cmpuint(g_bytes_get_size(file.content), ==, 1);
        return -1;
    }
    return error->code;
}

static void a_file_is_what_has_its_name(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    fs_autoclose int fd = -1, large = -1, pipe = -1;
    WalIdentity identity;

    touch(place, LABEL);
    fd = open_in(place, LABEL);
    g_assert_cmpint(read_as(place, fd, LABEL, &identity), ==, -1);
    g_assert_cmpint(renameat(place->fd, LABEL, place->fd, "other"), ==, 0);
    g_assert_cmpint(read_as(place, fd, LABEL, &identity), ==, BS_ERROR_TRANSIENT);
    touch(place, LABEL); // another file by that name
    g_assert_cmpint(read_as(place, fd, LABEL, &identity), ==, BS_ERROR_TRANSIENT);
    g_assert_cmpint(mkfifoat(place->fd, "pipe", 0600), ==, 0);
    pipe = open_in(place, "pipe");
    g_assert_cmpint(read_as(place, pipe, LABEL, &identity), ==, BS_ERROR_USAGE);
    large = openat(place->fd, LABEL, O_RDWR);
    g_assert_cmpint(ftruncate(large, 1 << 21), ==, 0);
    g_assert_cmpint(read_as(place, large, LABEL, &identity), ==, BS_ERROR_CORRUPT);
}

/* As it is so many milliseconds after the last change. */
static WalIdentity identity_after(int fd, int64_t ms)
{
    WalIdentity identity;
    struct stat st;
    int64_t ns;

    g_assert_cmpint(fstat(fd, &st), ==, 0);
    ns = st.st_ctim.tv_nsec + ms * 1000000;
    clock_set((Timestamp){ st.st_ctim.tv_sec + ns / 1000000000, (uint32_t)(ns % 1000000000) });
    g_assert_true(wal_identity_of(fd, &identity, NULL));
    return identity;
}

static void any_change_is_another_file(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    const struct timespec old[2] = { { 1000000000, 5 }, { 1000000000, 5 } };
    WalIdentity before, after;
    fs_autoclose int fd = -1;

    touch(place, LABEL);
    fd = open_in(place, LABEL);
    before = identity_after(fd, 90);
    g_assert_true(before.fresh);
    g_assert_false(wal_identity_same(&before, &before)); // one more write might not be seen
    before = identity_after(fd, 110);
    after = identity_after(fd, 500);
    g_assert_true(wal_identity_same(&before, &after));
    g_assert_cmpint(futimens(fd, old), ==, 0);
    after = identity_after(fd, 90);
    g_assert_true(after.fresh); // of the time of that change, not of the one it has set
    after = identity_after(fd, 110);
    g_assert_false(after.fresh);
    g_assert_false(wal_identity_same(&before, &after));
    g_usleep(20000); // so that the clock of files has moved on
    before = after;
    g_assert_cmpint(fchmod(fd, 0640), ==, 0);
    after = identity_after(fd, 500);
    g_assert_false(wal_identity_same(&before, &after));
}

static bool is_not_held(const WalPlace *place, void *user)
{
    WalName held = name_of(user);

    return wal_name_compare(&place->name, &held) != 0;
}

/* A copy of the server may have archived the one that is held. */
static void nothing_behind_what_is_held_is_taken_in(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *first_text = segment_text(1, 1), *third_text = segment_text(1, 3);
    WalPlace first = segment(place, 1, 1);

    make_segments_ready(place, 1, 1, 5);
    g_assert_false(wal_ahead_plan(place->ahead, &first, false, is_not_held, first_text));
    g_assert_null(wal_ahead_begin(place->ahead));
    g_assert_true(wal_ahead_plan(place->ahead, &first, false, is_not_held, third_text));
    assert_next(place, 1, 2, false);
    g_assert_null(wal_ahead_begin(place->ahead));
    g_assert_true(wal_ahead_plan(place->ahead, &first, true, is_not_held, first_text)); // our own
    for (unsigned n = 2; n <= 5; n++)
        assert_next(place, 1, n, false);
}

#define ADD(fact) g_test_add("/walahead/" #fact, Place, NULL, set_up, fact, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(only_later_segments_of_the_timeline_wait);
    ADD(without_archive_status_nothing_waits);
    ADD(what_is_durable_is_handed_out_once);
    ADD(what_is_durable_is_forgotten_after_a_while);
    ADD(another_one_is_not_taken_for_it);
    ADD(nothing_behind_what_is_held_is_taken_in);
    ADD(who_asks_for_what_waits_does_it_himself);
    ADD(no_more_than_a_few_are_taken_in);
    ADD(another_timeline_or_cluster_ends_it);
    ADD(what_was_under_way_is_forgotten_too);
    ADD(who_asks_for_what_is_under_way_waits);
    ADD(a_file_is_what_has_its_name);
    ADD(any_change_is_another_file);
    return g_test_run();
}
