/* SPDX-License-Identifier: Apache-2.0 */
#include "store/carry.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/hash.h"
#include "lib/flaky_store.h"
#include "store/memory.h"

#include <string.h>

#define IN_PIECES (33u * 1024 * 1024)

static const size_t lengths[] = { 0, 1, 100000, IN_PIECES };

static void fill(Store *store, size_t len, Id *ret_id)
{
    g_autofree uint8_t *data = g_malloc(len + 1);
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 2654435761u >> 13);
    hash_bytes(data, len, ret_id);
    store_put(store, "data/x", data, len, false, &error);
    g_assert_no_error(error);
}

static bool holds(Store *store, const char *key, uint64_t len)
{
    uint64_t size;

    return store_stat(store, key, &size, NULL) && size == len;
}

static void carries_any_length(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(Store) from = memory_store_new(), to = memory_store_new();
        g_autoptr(GBytes) got = NULL;
        g_autoptr(GError) error = NULL;
        Id want, actual;

        fill(from, lengths[i], &want);
        carry_object(from, to, "data/x", lengths[i], &want, &error);
        g_assert_no_error(error);
        g_assert_true(store_get_whole(to, "data/x", lengths[i], &got, NULL));
        hash_bytes(g_bytes_get_data(got, NULL), g_bytes_get_size(got), &actual);
        g_assert_true(id_equal(&actual, &want));
    }
}

static void stops_damage(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(Store) from = memory_store_new(), to = memory_store_new();
        g_autoptr(GError) error = NULL;
        Id want;

        fill(from, lengths[i], &want);
        want.bytes[31] ^= 1;
        g_assert_true(store_put(to, "data/x", "old", 3, false, NULL));
        g_assert_false(carry_object(from, to, "data/x", lengths[i], &want, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_true(holds(to, "data/x", 3)); // as it was
    }
}

/* A server that says yes and keeps half. */
static void does_not_believe_what_lies(void)
{
    static const FlakyPlan plans[] = {
        { .call = CALL_PUT, .at = 1, .how = FLAKY_CUT },
        { .call = CALL_PUT_STREAM, .at = 1, .how = FLAKY_CUT },
        { .call = CALL_STAT, .at = 1, .code = BS_ERROR_NOT_FOUND, .how = FLAKY_FAIL },
    };

    clock_set((Timestamp){ .sec = 1000000 });
    for (size_t k = 0; k < G_N_ELEMENTS(plans); k++)
        for (size_t i = 2; i < G_N_ELEMENTS(lengths); i++) {
            g_autoptr(Store) from = memory_store_new(), to = memory_store_new();
            g_autoptr(Store) lies = flaky_store_new(to);
            g_autoptr(GError) error = NULL;
            Id want;

            fill(from, lengths[i], &want);
            flaky_store_plan(lies, &plans[k]);
            lies->acks_may_lie = true;
            if (carry_object(from, lies, "data/x", lengths[i], &want, &error))
                g_assert_cmpuint(flaky_store_faults(lies), ==, 0);
            else
                g_assert_error(error, BS_ERROR, BS_ERROR_FAILED);
            g_clear_error(&error);
            // what comes late is there
            flaky_store_plan(lies, &(FlakyPlan){ .call = CALL_STAT,
                                                 .at = 1,
                                                 .n = 2,
                                                 .code = BS_ERROR_NOT_FOUND,
                                                 .how = FLAKY_FAIL });
            carry_put(lies, "data/y", "text", 4, &error);
            g_assert_no_error(error);
        }
}

static void stops_what_is_cut(void)
{
    for (size_t i = 1; i < G_N_ELEMENTS(lengths); i++)
        for (int by = -1; by <= 1; by += 2) {
            g_autoptr(Store) from = memory_store_new(), to = memory_store_new();
            g_autoptr(GError) error = NULL;
            Id want;

            fill(from, lengths[i], &want);
            g_assert_false(
                carry_object(from, to, "data/x", lengths[i] + (uint64_t)by, NULL, &error));
            g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
            g_assert_false(holds(to, "data/x", lengths[i]));
        }
}

/* A byte changed on the way, or half of the bytes never came. */
static void proves_what_it_reads(void)
{
    static const StoreCall calls[] = { CALL_GET_WHOLE, CALL_GET };

    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(Store) from = memory_store_new(), to = memory_store_new();
        g_autoptr(Store) flaky = flaky_store_new(from);
        FlakyPlan plan = { .call = calls[i], .at = 1, .n = 1, .how = FLAKY_CUT };
        g_autoptr(GError) error = NULL;
        size_t len = calls[i] == CALL_GET ? IN_PIECES : 1000;
        Id want;

        fill(from, len, &want);
        flaky_store_plan(flaky, &plan);
        g_assert_false(carry_object(flaky, to, "data/x", len, &want, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
        g_assert_cmpuint(flaky_store_faults(flaky), ==, 1);
        g_assert_false(holds(to, "data/x", len));
    }
}

static void puts_what_is_absent_or_the_same(void)
{
    static const struct {
        const char *label, *there;
        bool want;
    } cases[] = {
        { "absent", NULL, true },    { "the same", "1234", true }, { "other bytes", "1235", false },
        { "shorter", "123", false }, { "longer", "12345", false }, { "empty", "", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(Store) to = memory_store_new();
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        if (cases[i].there)
            g_assert_true(
                store_put(to, "wal/1", cases[i].there, strlen(cases[i].there), false, NULL));
        g_assert_cmpint(carry_put_same(to, "wal/1", "1234", 4, &error), ==, cases[i].want);
        if (cases[i].want)
            g_assert_true(holds(to, "wal/1", 4));
        else
            g_assert_error(error, BS_ERROR, BS_ERROR_EXISTS);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/carry/carries-any-length", carries_any_length);
    g_test_add_func("/carry/stops-damage", stops_damage);
    g_test_add_func("/carry/does-not-believe-what-lies", does_not_believe_what_lies);
    g_test_add_func("/carry/stops-what-is-cut", stops_what_is_cut);
    g_test_add_func("/carry/proves-what-it-reads", proves_what_it_reads);
    g_test_add_func("/carry/puts-what-is-absent-or-the-same", puts_what_is_absent_or_the_same);
    return g_test_run();
}
