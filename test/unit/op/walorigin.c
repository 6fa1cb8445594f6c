/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walorigin.h"

#include "base/error.h"
#include "op/walsegment.h"
#include "unit/op/recordedworld.h"

#include <string.h>

/* In what 15 recorded timeline 2 begins at 0/12000A0, and 3 here. */
#define THIRD UINT64_C(0x1300298)

static void put_recorded(const RecordedWorld *world, const char *file, const char *name,
                         size_t flip, size_t len)
{
    g_autoptr(GByteArray) bytes = recorded(15, file);

    bytes->data[flip] ^= flip ? 1 : 0;
    world_put(world, name, bytes->data, len ? len : bytes->len);
}

/* ---- histories ---- */

static void compares_with_the_histories_on_the_way(void)
{
    static const struct {
        const char *label, *second;
        int code; // 0: it agrees
    } cases[] = {
        { "none is held", NULL, 0 },
        { "the right one", "1\t0/12000A0\tno recovery target specified\n", 0 },
        { "of another reason", "1\t0/12000A0\tx\n", 0 },
        { "of another place", "1\t0/1200098\tx\n", BS_ERROR_MISMATCH },
        { "one that cannot be read", "nonsense\n", 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(RecordedWorld) world = world_new(15);
        g_autoptr(GError) error = NULL;
        bool agrees;

        g_test_message("%s", cases[i].label);
        if (cases[i].second)
            world_put(&world, "00000002.history", cases[i].second, strlen(cases[i].second));
        agrees = wal_origin_agrees(world.repo, world.wal->system_id, world.wal->history, &error);
        g_assert_cmpint(agrees, ==, cases[i].code == 0);
        if (cases[i].code) {
            g_assert_error(error, BS_ERROR, cases[i].code);
            g_assert_nonnull(strstr(error->message, "0/12000A0"));
            g_assert_nonnull(strstr(error->message, "0/1200098"));
        }
    }
}

static void an_outage_proves_nothing(void)
{
    g_auto(RecordedWorld) world = world_new(15);
    FlakyPlan plan = { .call = CALL_GET_WHOLE, .at = 1, .code = BS_ERROR_TRANSIENT };
    g_autoptr(GError) history = NULL, wal = NULL;

    flaky_store_plan(world.flaky, &plan);
    g_assert_false(
        wal_origin_agrees(world.repo, world.wal->system_id, world.wal->history, &history));
    g_assert_error(history, BS_ERROR, BS_ERROR_TRANSIENT);
    flaky_store_plan(world.flaky, &plan);
    g_assert_false(wal_origin_joins(world.repo, world.wal->system_id, RECORDED_SEGMENT,
                                    world.wal->history, 0, &wal));
    g_assert_error(wal, BS_ERROR, BS_ERROR_TRANSIENT);
}

/* ---- WAL ---- */

static void compares_what_both_timelines_have(void)
{
    static const struct {
        const char *label, *file, *name;
        size_t flip, len; // the byte that is another, 0: none; of it only so much
        uint64_t from;
        bool joins;
    } cases[] = {
        { "nothing is held of the older one", NULL, NULL, 0, 0, 0, true },
        { "a partial one", "000000010000000000000012.partial", "000000010000000000000012.partial",
          0, 0, 0, true },
        { "with another byte before", "000000010000000000000012.partial",
          "000000010000000000000012.partial", 0x60, 0, 0, false },
        { "and behind", "000000010000000000000012.partial", "000000010000000000000012.partial",
          0x9000, 0, 0, true },
        { "a whole one", "000000020000000000000013", "000000020000000000000013", 0, 0, 0, true },
        { "with another byte before its end", "000000020000000000000013",
          "000000020000000000000013", 0x297, 0, 0, false },
        { "at its end", "000000020000000000000013", "000000020000000000000013", 0x298, 0, 0, true },
        { "left before what is asked for", "000000020000000000000013", "000000020000000000000013",
          0x297, 0, THIRD + 1, true },
        { "a part", "000000020000000000000013", "000000020000000000000013.part.0000000001300200", 0,
          0x200, 0, true },
        { "a part with another byte", "000000020000000000000013",
          "000000020000000000000013.part.0000000001300200", 0x100, 0x200, 0, false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(RecordedWorld) world = world_new(15);
        g_autoptr(GError) error = NULL;
        bool joins;

        g_test_message("%s", cases[i].label);
        if (cases[i].file)
            put_recorded(&world, cases[i].file, cases[i].name, cases[i].flip, cases[i].len);
        joins = wal_origin_joins(world.repo, world.wal->system_id, RECORDED_SEGMENT,
                                 world.wal->history, cases[i].from, &error);
        g_assert_cmpint(joins, ==, cases[i].joins);
        if (!cases[i].joins)
            g_assert_error(error, BS_ERROR, BS_ERROR_MISMATCH);
    }
}

/* Of every release: servers copy what this relies on. */
static void what_servers_left_joins(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded_releases); i++) {
        const int release = recorded_releases[i];
        g_auto(RecordedWorld) world = world_new(release);
        g_autofree char *path = g_strdup_printf("%s/postgres/%d", g_getenv("FIXTURES"), release);
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        g_autoptr(GError) error = NULL;
        const char *file;
        unsigned n = 0;

        while ((file = g_dir_read_name(dir))) {
            g_autofree char *name = g_strndup(file, strlen(file) - strlen(".zst"));
            g_autoptr(GByteArray) bytes = NULL;

            if (!g_str_has_suffix(file, ".partial.zst") &&
                !(g_str_has_prefix(file, "00000002") && g_str_has_suffix(file, ".zst")))
                continue;
            bytes = recorded(release, name);
            world_put(&world, name, bytes->data, bytes->len);
            n++;
        }
        g_assert_cmpuint(n, >=, 3);
        wal_origin_joins(world.repo, world.wal->system_id, RECORDED_SEGMENT, world.wal->history, 0,
                         &error);
        g_assert_no_error(error);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/walorigin/histories", compares_with_the_histories_on_the_way);
    g_test_add_func("/walorigin/outage", an_outage_proves_nothing);
    g_test_add_func("/walorigin/wal", compares_what_both_timelines_have);
    g_test_add_func("/walorigin/servers", what_servers_left_joins);
    return g_test_run();
}
