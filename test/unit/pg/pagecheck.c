/* SPDX-License-Identifier: Apache-2.0 */
#include "pg/pagecheck.h"
#include "lib/recorded.h"

#define BAD_MAX 8

static void servers_pages_are_sound(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        g_autoptr(GByteArray) pages = recorded(recorded_releases[i], "pages");
        size_t n = pages->len / PG_PAGE_LEN;
        PgBadPage bad[BAD_MAX];

        g_assert_cmpuint(n, ==, 4);
        g_assert_cmpuint(pg_pages_check(pages->data, n, 0, bad, BAD_MAX), ==, 0);
        for (size_t page = 0; page < n; page++) {
            uint8_t *at = pages->data + page * PG_PAGE_LEN;

            // it is not there for nothing
            g_assert_cmpuint(at[8] | at[9] << 8, ==, pg_page_checksum(at, (uint32_t)page));
            g_assert_cmpuint(at[8] | at[9] << 8, !=, 0);
        }
    }
}

static void every_flipped_bit_is_found_and_placed(void)
{
    g_autoptr(GByteArray) pages = recorded(15, "pages");
    PgBadPage bad[BAD_MAX];

    // the third page, at every byte; without what says that it is new, which is tried below
    for (size_t at = 0; at < PG_PAGE_LEN; at++) {
        uint8_t *byte = pages->data + 2 * PG_PAGE_LEN + at;

        *byte ^= (uint8_t)(1u << at % 8);
        g_assert_cmpuint(pg_pages_check(pages->data, 4, 0, bad, BAD_MAX), ==, 1);
        g_assert_cmpuint(bad[0].block, ==, 2);
        g_assert_cmpuint(bad[0].stored, !=, bad[0].counted);
        *byte ^= (uint8_t)(1u << at % 8);
    }
}

static void a_page_in_another_place_is_bad(void)
{
    g_autoptr(GByteArray) pages = recorded(15, "pages");
    PgBadPage bad[2];

    // all four, and more than there is room for
    g_assert_cmpuint(pg_pages_check(pages->data, 4, 131072, bad, 2), ==, 4);
    g_assert_cmpuint(bad[0].block, ==, 131072);
    g_assert_cmpuint(bad[1].block, ==, 131073);
    g_assert_cmpuint(pg_pages_check(pages->data + PG_PAGE_LEN, 3, 1, bad, 2), ==, 0);
    g_assert_cmpuint(pg_pages_check(pages->data, 4, 131072, NULL, 0), ==, 4);
}

static void an_empty_page_is_sound_and_a_new_one_must_be_empty(void)
{
    g_autoptr(GByteArray) pages = recorded(15, "pages");
    PgBadPage bad[BAD_MAX];

    memset(pages->data + PG_PAGE_LEN, 0, PG_PAGE_LEN);
    g_assert_cmpuint(pg_pages_check(pages->data, 4, 0, bad, BAD_MAX), ==, 0);
    pages->data[2 * PG_PAGE_LEN - 1] = 1;
    g_assert_cmpuint(pg_pages_check(pages->data, 4, 0, bad, BAD_MAX), ==, 1);
    g_assert_cmpuint(bad[0].block, ==, 1);
    g_assert_cmpuint(bad[0].stored, ==, 0);
    g_assert_cmpuint(bad[0].counted, ==, 0);
}

/* A backup beside a running server passes over what recovery will write anew. */
static void a_bad_page_tells_its_place_in_the_wal(void)
{
    g_autoptr(GByteArray) pages = recorded(15, "pages");
    const uint32_t lsn[2] = { GUINT32_TO_LE(0x16), GUINT32_TO_LE(0xb374d848) };
    PgBadPage bad[BAD_MAX];

    memcpy(pages->data, lsn, sizeof lsn);
    g_assert_cmpuint(pg_pages_check(pages->data, 1, 0, bad, BAD_MAX), ==, 1);
    g_assert_cmphex(bad[0].lsn, ==, UINT64_C(0x16b374d848));
}

static void pages_may_lie_anywhere_in_memory(void)
{
    g_autoptr(GByteArray) pages = recorded(18, "pages");
    g_autofree uint8_t *room = g_malloc(pages->len + 64);

    for (size_t shift = 0; shift < 64; shift += 3) {
        memcpy(room + shift, pages->data, pages->len);
        g_assert_cmpuint(pg_pages_check(room + shift, 4, 0, NULL, 0), ==, 0);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pagecheck/servers", servers_pages_are_sound);
    g_test_add_func("/pagecheck/every-byte", every_flipped_bit_is_found_and_placed);
    g_test_add_func("/pagecheck/place", a_page_in_another_place_is_bad);
    g_test_add_func("/pagecheck/empty", an_empty_page_is_sound_and_a_new_one_must_be_empty);
    g_test_add_func("/pagecheck/lsn", a_bad_page_tells_its_place_in_the_wal);
    g_test_add_func("/pagecheck/anywhere", pages_may_lie_anywhere_in_memory);
    return g_test_run();
}
