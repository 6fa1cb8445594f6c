/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walstart.h"

#include <string.h>

#define MIB UINT64_C(0x100000)

/* The way: timeline 1 to 0/580000, timeline 2 from there. */
#define HISTORY "1\t0/580000\tno recovery target specified\n"

static GArray *objects_of(const char *const *names)
{
    GArray *objects = g_array_new(FALSE, FALSE, sizeof(WalInfo));

    for (; *names; names++) {
        WalInfo info = { 0 };

        g_assert_true(wal_object_init(&info.object, 7, *names, NULL));
        g_array_append_val(objects, info);
    }
    return objects;
}

#define T1(n) "0000000100000000000000" n
#define T2(n) "0000000200000000000000" n

static void receiving_goes_on_where_something_is_missing(void)
{
    static const struct {
        const char *label;
        const char *names[8];
        uint64_t kept, floor;
        uint64_t lsn;
        uint32_t timeline;
        uint64_t held;
    } cases[] = {
        { "nothing at all", { NULL }, 0, 0, 9 * MIB, 2, 0 },
        { "nothing, but the slot keeps some", { NULL }, 7 * MIB + 40, 0, 7 * MIB, 2, 0 },
        { "nothing, and the slot keeps the older timeline's", { NULL }, 3 * MIB, 0, 3 * MIB, 1, 0 },
        { "behind the newest", { T2("05"), T2("06"), T2("07") }, 0, 0, 8 * MIB, 2, 8 * MIB },
        { "a part is asked for again from its begin",
          { T2("06"), T2("07.part.0000000000712345") },
          0,
          0,
          7 * MIB,
          2,
          7 * MIB },
        { "the older timeline, not yet at its end", { T1("03") }, 0, 0, 4 * MIB, 1, 4 * MIB },
        { "its last segment, by the older first", { T1("04") }, 0, 0, 5 * MIB, 1, 5 * MIB },
        { "its part, which is no whole one",
          { T1("04"), T1("05.part.0000000000580000") },
          0,
          0,
          5 * MIB,
          1,
          5 * MIB },
        { "what the old server wrote behind the switch is not on the way",
          { T1("04"), T1("05"), T1("06") },
          0,
          0,
          5 * MIB,
          1,
          5 * MIB },
        { "a hole that the slot still keeps",
          { T2("05"), T2("07") },
          5 * MIB,
          0,
          6 * MIB,
          2,
          8 * MIB },
        { "a hole before what the slot keeps",
          { T2("05"), T2("07") },
          7 * MIB,
          0,
          8 * MIB,
          2,
          8 * MIB },
        { "a slot that keeps less than what is missing",
          { T2("05") },
          8 * MIB,
          0,
          6 * MIB,
          2,
          6 * MIB },
        { "what is known to be lost is not asked for",
          { T2("05") },
          8 * MIB,
          8 * MIB,
          8 * MIB,
          2,
          6 * MIB },
        { "and not in the way later", { T2("05"), T2("08") }, 0, 8 * MIB, 9 * MIB, 2, 9 * MIB },
        { "labels and histories are no segments",
          { "00000002.history", T2("05"), T2("09.00000028.backup"), T2("09.partial") },
          0,
          0,
          6 * MIB,
          2,
          6 * MIB },
    };
    g_autoptr(PgHistory) history = pg_history_parse(2, HISTORY, strlen(HISTORY), NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) objects = objects_of(cases[i].names);
        WalStartFrom from = { objects,        history,       (uint32_t)MIB,
                              9 * MIB + 4321, cases[i].kept, cases[i].floor };
        WalStart start = wal_start_choose(&from);

        g_test_message("%s", cases[i].label);
        g_assert_cmpuint(start.lsn, ==, cases[i].lsn);
        g_assert_cmpuint(start.timeline, ==, cases[i].timeline);
        g_assert_cmpuint(start.held, ==, cases[i].held);
    }
}

static void parts_that_nobody_needs_are_found(void)
{
    static const char *const names[] = {
        T1("03"), // whole, so its part is stale, whatever lies between
        T1("03.00000028.backup"),
        T1("03.part.0000000000312345"),
        T1("03.partial"),
        T1("04.part.0000000000401000"), // older than the next
        T1("04.part.0000000000402000"),
        T1("05.part.0000000000501000"),
        NULL,
    };
    g_autoptr(GArray) objects = objects_of(names);
    g_autoptr(GArray) stale = wal_start_stale(objects);

    g_assert_cmpuint(stale->len, ==, 2);
    g_assert_cmpstr(g_array_index(stale, WalObject, 0).name, ==, names[2]);
    g_assert_cmpstr(g_array_index(stale, WalObject, 1).name, ==, names[4]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walstart/receiving-goes-on-where-something-is-missing",
                    receiving_goes_on_where_something_is_missing);
    g_test_add_func("/walstart/parts-that-nobody-needs-are-found",
                    parts_that_nobody_needs_are_found);
    return g_test_run();
}
