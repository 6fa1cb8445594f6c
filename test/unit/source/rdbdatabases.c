/* SPDX-License-Identifier: Apache-2.0 */
/* Files that choose databases all the time. What that costs is counted, not timed. */
#include "base/error.h"
#include "source/rdbwalking.h"

#include <string.h>

#define N         65536u /* databases, the most that are taken */
#define DEPTH_MAX 24u    /* of a balanced tree of so many: at most 1.44 times 16 */

typedef uint32_t Numbering(uint32_t i);

static uint32_t rising(uint32_t i)
{
    return i;
}

static uint32_t falling(uint32_t i)
{
    return N - 1 - i;
}

/* All the same in the low bits, which a hash table would look at. */
static uint32_t far_apart(uint32_t i)
{
    return i << 16;
}

static uint32_t from_both_ends(uint32_t i)
{
    return i % 2 ? UINT32_MAX - i : i;
}

static bool feed(RdbWalker *walker, const void *data, size_t len, GError **error)
{
    size_t used;

    return rdb_feed(walker, data, len, &used, error);
}

/* SELECTDB with a length of 32 bits. */
static bool choose(RdbWalker *walker, uint32_t number, GError **error)
{
    uint8_t record[6] = { 0xfe, 0x80 };

    number = GUINT32_TO_BE(number);
    memcpy(record + 2, &number, sizeof number);
    return feed(walker, record, sizeof record, error);
}

static void choosing_is_cheap(void)
{
    static const struct {
        const char *label;
        Numbering *number;
    } cases[] = {
        { "rising", rising },
        { "falling", falling },
        { "far apart", far_apart },
        { "from both ends", from_both_ends },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
        g_autoptr(GError) error = NULL;
        uint64_t most = 0;

        g_test_message("%s", cases[i].label);
        feed(walker, "REDIS0012", 9, &error);
        // the second time all of them are known; each gets a key
        for (uint32_t n = 0; n < 2 * N; n++) {
            uint64_t before = walker->comparisons;

            choose(walker, cases[i].number(n % N), &error);
            feed(walker, "\x00\x01k\x01v", 5, &error);
            g_assert_no_error(error);
            most = MAX(most, walker->comparisons - before);
        }
        // a new one is looked for, and put in
        g_assert_cmpuint(most, <=, 2 * DEPTH_MAX);
        g_assert_cmpuint(rdb_databases(walker)->len, ==, N);
        for (uint32_t n = 0; n < N; n++) {
            const RdbDatabase *one = &g_array_index(rdb_databases(walker), RdbDatabase, n);

            g_assert_cmpuint(one->number, ==, cases[i].number(n)); // in the order of the file
            g_assert_cmpuint(one->keys, ==, 2);
        }
    }
}

static void more_than_are_taken_are_refused(void)
{
    g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
    g_autoptr(GError) error = NULL;

    feed(walker, "REDIS0012", 9, &error);
    for (uint32_t n = 0; n < N; n++)
        g_assert_true(choose(walker, n, &error));
    g_assert_true(choose(walker, 0, &error)); // a known one
    g_assert_false(choose(walker, N, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "too many databases"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rdbdatabases/choosing is cheap", choosing_is_cheap);
    g_test_add_func("/rdbdatabases/more than are taken are refused",
                    more_than_are_taken_are_refused);
    return g_test_run();
}
