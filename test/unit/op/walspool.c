/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walspool.h"

#include "codec/hash.h"
#include "lib/tempdir.h"
#include "op/walworld.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

typedef struct {
    char *dir, *out;
    WalSpool *spool;
} Place;

static void set_up(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    place->dir = tempdir_new();
    place->out = g_build_filename(place->dir, "out", NULL);
    place->spool = wal_spool_open(place->dir, "/srv/backup", CLUSTER);
    g_assert_nonnull(place->spool);
}

static void tear_down(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    wal_spool_free(place->spool);
    g_free(place->out);
    tempdir_remove(place->dir);
}

static WalName segment(unsigned n)
{
    return wal_name_of(1, n * MIB, MIB);
}

/* A segment that begins as one of this cluster does. */
static GBytes *content_of(uint64_t system_id, unsigned n)
{
    Header header = { 0xD110, 2, 1, n * MIB, 0, 0, system_id, MIB, 8192 };
    uint8_t *bytes = g_malloc0(MIB);

    memcpy(bytes, &header, sizeof header);
    bytes[MIB - 1] = (uint8_t)n;
    return g_bytes_new_take(bytes, MIB);
}

static void put_content(const Place *place, unsigned n, GBytes *content)
{
    WalName name = segment(n);

    g_assert_true(wal_spool_put(place->spool, &name, content, NULL));
}

static void put_segment(const Place *place, unsigned n)
{
    g_autoptr(GBytes) content = content_of(CLUSTER, n);

    put_content(place, n, content);
}

static bool has(const Place *place, unsigned n)
{
    WalName name = segment(n);

    return wal_spool_has(place->spool, &name);
}

static bool take(const Place *place, unsigned n)
{
    WalName name = segment(n);
    uint32_t size;
    bool taken = wal_spool_take(place->spool, &name, place->out, NULL, &size);

    g_assert_true(!taken || size == MIB);
    return taken;
}

/* The one file of the spool that begins like this. */
static char *file_of(const Place *place, unsigned n)
{
    WalName name = segment(n);
    g_autoptr(GDir) top = g_dir_open(place->dir, 0, NULL);
    g_autofree char *inner = g_build_filename(place->dir, g_dir_read_name(top), NULL);
    g_autoptr(GDir) dir = g_dir_open(inner, 0, NULL);
    const char *file;

    while ((file = g_dir_read_name(dir)))
        if (g_str_has_prefix(file, wal_name_text(&name).text))
            return g_build_filename(inner, file, NULL);
    g_assert_not_reached();
}

static void what_was_put_is_handed_out_once(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(GBytes) want = content_of(CLUSTER, 3);
    g_autofree char *got = NULL;
    gsize len;

    g_assert_false(take(place, 3));
    put_segment(place, 3);
    g_assert_true(has(place, 3));
    g_assert_false(take(place, 4));
    g_assert_true(take(place, 3));
    g_assert_true(g_file_get_contents(place->out, &got, &len, NULL));
    g_assert_cmpmem(got, len, g_bytes_get_data(want, NULL), g_bytes_get_size(want));
    g_assert_false(has(place, 3));
    g_assert_false(take(place, 3));
}

static void what_was_changed_is_removed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *file = NULL, *bytes = NULL;
    gsize len;

    put_segment(place, 3);
    file = file_of(place, 3);
    g_assert_true(g_file_get_contents(file, &bytes, &len, NULL));
    bytes[len / 2] ^= 1;
    g_assert_true(g_file_set_contents(file, bytes, (gssize)len, NULL));
    g_assert_false(take(place, 3));
    g_assert_false(g_file_test(place->out, G_FILE_TEST_EXISTS));
    g_assert_false(has(place, 3));
}

/* Its hash is right, and still it is not what is asked for. */
static void another_segment_is_removed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    for (int of_cluster = 0; of_cluster < 2; of_cluster++) {
        g_autoptr(GBytes) wrong = of_cluster ? content_of(OTHER, 3) : content_of(CLUSTER, 4);

        put_content(place, 3, wrong);
        g_assert_false(take(place, 3));
        g_assert_false(g_file_test(place->out, G_FILE_TEST_EXISTS));
        g_assert_false(has(place, 3));
    }
}

static void a_link_is_not_followed(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *file = NULL, *moved = g_build_filename(place->dir, "moved", NULL);

    put_segment(place, 3);
    file = file_of(place, 3);
    g_assert_cmpint(g_rename(file, moved), ==, 0);
    g_assert_cmpint(symlink(moved, file), ==, 0);
    g_assert_false(take(place, 3));
}

static void a_directory_of_others_is_not_used(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autofree char *file = NULL, *inner = NULL;

    put_segment(place, 3);
    file = file_of(place, 3);
    inner = g_path_get_dirname(file);
    g_assert_cmpint(chmod(inner, 0770), ==, 0);
    g_assert_null(wal_spool_open(place->dir, "/srv/backup", CLUSTER));
    g_assert_cmpint(chmod(inner, 0700), ==, 0);
}

static void another_repository_or_cluster_has_its_own(Place *place,
                                                      G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(WalSpool) elsewhere = wal_spool_open(place->dir, "/srv/other", CLUSTER);
    g_autoptr(WalSpool) other = wal_spool_open(place->dir, "/srv/backup", OTHER);
    g_autoptr(WalSpool) same = wal_spool_open(place->dir, "/srv/backup", CLUSTER);
    WalName name = segment(3);

    put_segment(place, 3);
    g_assert_false(wal_spool_has(elsewhere, &name));
    g_assert_false(wal_spool_has(other, &name));
    g_assert_true(wal_spool_has(same, &name));
}

static void what_was_asked_for_is_remembered(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalName name = segment(5), asked;
    uint32_t size;

    g_assert_false(wal_spool_asked(place->spool, &asked, &size));
    wal_spool_ask(place->spool, &name, MIB);
    g_assert_true(wal_spool_asked(place->spool, &asked, &size));
    g_assert_cmpint(wal_name_compare(&asked, &name), ==, 0);
    g_assert_cmpuint(size, ==, MIB);
}

static void one_alone_fetches_ahead(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(WalSpool) second = wal_spool_open(place->dir, "/srv/backup", CLUSTER);

    g_assert_true(wal_spool_is_idle(second));
    g_assert_true(wal_spool_claim(place->spool));
    g_assert_false(wal_spool_is_idle(second));
    g_assert_false(wal_spool_claim(second));
    g_clear_pointer(&place->spool, wal_spool_free);
    g_assert_true(wal_spool_is_idle(second));
    wal_spool_give_up(second);
    g_assert_true(wal_spool_gave_up(second));
    g_assert_false(wal_spool_is_idle(second));
}

static void what_is_not_wanted_goes(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    WalName after = segment(3);

    for (unsigned n = 2; n <= 7; n++)
        put_segment(place, n);
    wal_spool_tidy(place->spool, &after, MIB, 2);
    for (unsigned n = 2; n <= 7; n++)
        g_assert_cmpint(has(place, n), ==, n == 4 || n == 5);
    wal_spool_tidy(place->spool, NULL, MIB, 2);
    g_assert_false(has(place, 4) || has(place, 5));
}

static void what_a_dead_one_has_begun_goes(Place *place, G_GNUC_UNUSED gconstpointer data)
{
    g_autoptr(WalSpool) second = wal_spool_open(place->dir, "/srv/backup", CLUSTER);
    WalName name = segment(3);
    int busy = wal_spool_begin(place->spool, &name);
    g_autofree char *file = file_of(place, 3);

    g_assert_cmpint(busy, >=, 0);
    g_assert_cmpint(wal_spool_begin(second, &name), ==, -1);
    g_assert_cmpint(close(busy), ==, 0); // as a kernel does
    g_assert_false(take(place, 3));      // nobody is waited for
    g_assert_true(wal_spool_claim(second));
    g_assert_false(g_file_test(file, G_FILE_TEST_EXISTS));
}

#define ADD(name) g_test_add("/walspool/" #name, Place, NULL, set_up, name, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(what_was_put_is_handed_out_once);
    ADD(what_was_changed_is_removed);
    ADD(another_segment_is_removed);
    ADD(a_link_is_not_followed);
    ADD(a_directory_of_others_is_not_used);
    ADD(another_repository_or_cluster_has_its_own);
    ADD(what_was_asked_for_is_remembered);
    ADD(one_alone_fetches_ahead);
    ADD(what_is_not_wanted_goes);
    ADD(what_a_dead_one_has_begun_goes);
    return g_test_run();
}
