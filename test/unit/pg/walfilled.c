/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/walfilled.h"
#include "lib/recorded_wal.h"
#include "pg/walpage.h"

/* Calls each for every whole segment that was recorded of any release. */
static void each_segment(void (*each)(GByteArray *segment, const char *label, void *user),
                         void *user)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autofree char *number = g_strdup_printf("%d", recorded_releases[i]);
        g_autofree char *path = g_build_filename(g_getenv("FIXTURES"), "postgres", number, NULL);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *file;

        while ((file = g_dir_read_name(dir))) {
            g_autofree char *name = g_strndup(file, 24);
            g_autoptr(GByteArray) segment = NULL;

            if (strcmp(file + strlen(name), ".zst") != 0 || strlen(name) != 24)
                continue;
            segment = recorded(recorded_releases[i], name);
            each(segment, name, user);
        }
    }
}

static void is_whole(GByteArray *segment, const char *label, void *user)
{
    unsigned *n = user;
    WalFilled filled;

    g_test_message("%s", label);
    g_assert_false(wal_is_filled_up(segment->data, segment->len, &filled));
    ++*n;
}

static void what_servers_archive_is_whole(void)
{
    unsigned n = 0;

    each_segment(is_whole, &n);
    g_assert_cmpuint(n, >, 60);
}

static size_t used_of(const GByteArray *segment)
{
    size_t used = segment->len;

    while (used > 0 && segment->data[used - 1] == 0)
        used--;
    return used;
}

/* Cut off anywhere, and zeros behind. */
static void is_found(GByteArray *segment, const char *label, void *user)
{
    unsigned *n = user;
    size_t full = used_of(segment);

    for (size_t at = 20011; at < MIN(full, segment->len - WAL_PAGE_LEN); at += 150001) {
        g_autofree uint8_t *data = g_malloc0(segment->len);
        WalFilled filled;

        memcpy(data, segment->data, at);
        g_test_message("%s, %zu bytes", label, at);
        g_assert_true(wal_is_filled_up(data, segment->len, &filled));
        g_assert_cmpuint(filled.used, <=, at);
        g_assert_false(filled.damaged);
        g_assert_cmpmem(data, filled.used, segment->data, filled.used);
        ++*n;
    }
}

static void what_was_filled_up_is_found(void)
{
    unsigned n = 0;

    each_segment(is_found, &n);
    g_assert_cmpuint(n, >, 100);
}

/* A page header alone. */
static void is_empty(GByteArray *segment, const char *label, void *user)
{
    g_autofree uint8_t *filled = g_malloc0(segment->len);
    WalPage page;
    WalFilled unused;

    (void)user;
    g_test_message("%s", label);
    g_assert_true(wal_page_parse(segment->data, segment->len, &page, NULL));
    memcpy(filled, segment->data, page.header_len);
    g_assert_cmpint(wal_is_filled_up(filled, segment->len, &unused), ==,
                    !page.continues || page.rest >= WAL_RECORD_HEADER);
}

static void a_page_header_alone_is_no_segment(void)
{
    each_segment(is_empty, NULL);
}

/* A bit that is wrong before the zeros; what was cut off behind it must not pass for a whole one.
 */
static void is_not_taken_for_whole(GByteArray *segment, const char *label, void *user)
{
    unsigned *n = user;
    size_t full = used_of(segment), cut = MIN(full, segment->len - 2 * WAL_PAGE_LEN);
    WalPage page;

    g_assert_true(wal_page_parse(segment->data, segment->len, &page, NULL));
    for (size_t at = 50; at + 16 < cut; at += 40009) {
        g_autofree uint8_t *data = g_malloc0(segment->len);
        WalFilled filled;

        // what is left of a record that began before is proven with that one
        if (page.continues && at < page.header_len + page.rest + page.rest / 200)
            continue;
        memcpy(data, segment->data, cut);
        for (size_t i = 0; i < 16; i++) // more than what is between two records and not proven
            data[at + i] ^= 0x10;
        g_test_message("%s, damaged at %zu, zeros from %zu on", label, at, cut);
        g_assert_true(wal_is_filled_up(data, segment->len, &filled));
        g_assert_cmpuint(filled.proven, <=, at);
        ++*n;
    }
}

static void damage_does_not_hide_that_the_end_is_missing(void)
{
    unsigned n = 0;

    each_segment(is_not_taken_for_whole, &n);
    g_assert_cmpuint(n, >, 100);
}

/* Full to its last page, so that nobody looks: a server archives what it has. */
static void is_not_judged(GByteArray *segment, const char *label, void *user)
{
    unsigned *n = user;
    WalFilled filled;

    if (used_of(segment) <= segment->len - WAL_PAGE_LEN)
        return;
    g_test_message("%s", label);
    segment->data[100000] ^= 1;
    g_assert_false(wal_is_filled_up(segment->data, segment->len, &filled));
    ++*n;
}

static void damage_in_a_full_segment_is_none_of_its_business(void)
{
    unsigned n = 0;

    each_segment(is_not_judged, &n);
    g_assert_cmpuint(n, >, 5);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walfilled/what_servers_archive_is_whole", what_servers_archive_is_whole);
    g_test_add_func("/walfilled/what_was_filled_up_is_found", what_was_filled_up_is_found);
    g_test_add_func("/walfilled/a_page_header_alone_is_no_segment",
                    a_page_header_alone_is_no_segment);
    g_test_add_func("/walfilled/damage_does_not_hide_that_the_end_is_missing",
                    damage_does_not_hide_that_the_end_is_missing);
    g_test_add_func("/walfilled/damage_in_a_full_segment_is_none_of_its_business",
                    damage_in_a_full_segment_is_none_of_its_business);
    return g_test_run();
}
