/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/packerplan.h"

#define MIB ((size_t)1024 * 1024)

static size_t memory_of(const PackerPlan *plan)
{
    return plan->batches * PACKER_BATCH_SIZE + (2 + plan->uploads) * plan->pack_capacity;
}

static void stores_and_machines_have_their_plans(void)
{
    static const struct {
        const char *label;
        unsigned cores, connections;
        size_t pack_mib;
        unsigned workers, batches, uploads;
    } cases[] = {
        { "a directory, 8 cores", 8, 2, 0, 8, 12, 2 },
        { "a directory, 2 cores", 2, 2, 16, 2, 6, 2 },
        { "a bucket, 2 cores", 2, 8, 0, 2, 6, 8 },
        { "a bucket, 4 cores", 4, 8, 0, 4, 8, 8 },
        { "a bucket, 8 cores: uploads come first", 8, 8, 0, 4, 8, 8 },
        { "more connections do not cost memory", 8, 64, 16, 4, 8, 8 },
        { "one connection", 8, 1, 0, 8, 12, 1 },
        { "larger packs are fewer", 8, 8, 32, 4, 8, 3 },
        { "one upload there must be", 2, 8, 64, 2, 6, 1 },
        { "the largest packs leave work to four", 8, 8, 128, 4, 8, 1 },
        { "a directory, larger packs", 8, 2, 32, 8, 12, 1 },
        { "smaller packs, as many as there are connections", 2, 8, 4, 2, 6, 8 },
        { "no connections said, no cores known", 0, 0, 0, 1, 5, 1 },
        { "many cores", 64, 2, 0, 8, 12, 2 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        PackerPlan plan =
            packer_plan(cases[i].cores, cases[i].connections, cases[i].pack_mib * MIB);

        g_test_message("%s", cases[i].label);
        g_assert_cmpuint(plan.workers, ==, cases[i].workers);
        g_assert_cmpuint(plan.batches, ==, cases[i].batches);
        g_assert_cmpuint(plan.uploads, ==, cases[i].uploads);
    }
}

static void memory_stays_below_its_bound(void)
{
    for (unsigned cores = 1; cores <= 64; cores++)
        for (unsigned connections = 1; connections <= 64; connections++)
            for (size_t mib = 4; mib <= 40; mib += 4) {
                PackerPlan plan = packer_plan(cores, connections, mib * MIB);

                g_assert_cmpuint(memory_of(&plan), <=, PACKER_MEMORY_MAX);
                g_assert_cmpuint(plan.pack_capacity, >=, mib * MIB);
            }
}

static void a_pack_has_room_for_the_largest_blob(void)
{
    g_assert_cmpuint(packer_plan(1, 2, 4 * MIB).pack_capacity, >, CHUNK_MAX);
}

/* Packs that end below the target are more packs than a store needs. */
static void a_pack_may_exceed_its_target_by_a_blob(void)
{
    g_assert_cmpuint(packer_plan(2, 8, 0).pack_capacity, ==, 35 * MIB / 2);
    g_assert_cmpuint(packer_plan(2, 8, 128 * MIB).pack_capacity, ==, 140 * MIB);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/packerplan/plans", stores_and_machines_have_their_plans);
    g_test_add_func("/packerplan/bound", memory_stays_below_its_bound);
    g_test_add_func("/packerplan/largest", a_pack_has_room_for_the_largest_blob);
    g_test_add_func("/packerplan/target", a_pack_may_exceed_its_target_by_a_blob);
    return g_test_run();
}
