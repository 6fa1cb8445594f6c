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
    size_t used;

    g_test_message("%s", label);
    g_assert_false(wal_is_filled_up(segment->data, segment->len, &used));
    ++*n;
}

static void what_servers_archive_is_whole(void)
{
    unsigned n = 0;

    each_segment(is_whole, &n);
    g_assert_cmpuint(n, >, 60);
}

/* Cut off anywhere, and zeros behind. */
static void is_found(GByteArray *segment, const char *label, void *user)
{
    unsigned *n = user;
    size_t full = segment->len, used;

    while (full > 0 && segment->data[full - 1] == 0)
        full--;
    for (size_t at = 20011; at < MIN(full, segment->len - WAL_PAGE_LEN); at += 150001) {
        g_autofree uint8_t *filled = g_malloc0(segment->len);

        memcpy(filled, segment->data, at);
        g_test_message("%s, %zu bytes", label, at);
        g_assert_true(wal_is_filled_up(filled, segment->len, &used));
        g_assert_cmpuint(used, <=, at);
        g_assert_cmpmem(filled, used, segment->data, used);
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
    size_t used;

    (void)user;
    g_test_message("%s", label);
    g_assert_true(wal_page_parse(segment->data, segment->len, &page, NULL));
    memcpy(filled, segment->data, page.header_len);
    g_assert_cmpint(wal_is_filled_up(filled, segment->len, &used), ==,
                    !page.continues || page.rest >= WAL_RECORD_HEADER);
}

static void a_page_header_alone_is_no_segment(void)
{
    each_segment(is_empty, NULL);
}

/* What is damaged in the middle is not for this one to judge: its end still is that of a whole. */
static void is_not_judged(GByteArray *segment, const char *label, void *user)
{
    size_t used, full = segment->len;

    (void)user;
    while (full > 0 && segment->data[full - 1] == 0)
        full--;
    if (full > segment->len - WAL_PAGE_LEN || full < 200000)
        return;
    g_test_message("%s", label);
    segment->data[100000] ^= 1;
    g_assert_false(wal_is_filled_up(segment->data, segment->len, &used));
}

static void damage_in_the_middle_is_none_of_its_business(void)
{
    each_segment(is_not_judged, NULL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walfilled/what_servers_archive_is_whole", what_servers_archive_is_whole);
    g_test_add_func("/walfilled/what_was_filled_up_is_found", what_was_filled_up_is_found);
    g_test_add_func("/walfilled/a_page_header_alone_is_no_segment",
                    a_page_header_alone_is_no_segment);
    g_test_add_func("/walfilled/damage_in_the_middle_is_none_of_its_business",
                    damage_in_the_middle_is_none_of_its_business);
    return g_test_run();
}
