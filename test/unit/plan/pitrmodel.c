/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention tried on histories at random of which everything is known: which byte was written when
 * on which timeline. Recovery is tried byte by byte, before and after.
 */
#include "plan/pitr.h"

/* ---- histories ---- */

#define LINES    6u   /* timelines at most */
#define BYTES    400u /* LSN stay below */
#define SEGMENT  10u
#define SEGMENTS (BYTES / SEGMENT)
#define BASES    24u

typedef struct {
    unsigned parent, fork, end; /* parent 0: the first */
    int written_at[BYTES];      /* of its own bytes; 0: never */
    int stored_at[SEGMENTS];    /* 0: not held */
    PitrStretch way[LINES];
    size_t n;
} Line;

typedef struct {
    Line lines[LINES + 1]; /* from 1 */
    unsigned n_lines, n_bases;
    PitrBase bases[BASES];
    int now;
} World;

static void write_bytes(World *world, unsigned number, unsigned n)
{
    Line *line = &world->lines[number];

    for (; n > 0 && line->end < BYTES; n--) {
        line->written_at[line->end++] = world->now;
        if (line->end % SEGMENT == 0)
            line->stored_at[line->end / SEGMENT - 1] = world->now;
    }
}

static void take_base(World *world, unsigned number, GRand *rand)
{
    Line *line = &world->lines[number];
    PitrBase base = { .timeline = number, .start = line->end };

    if (world->n_bases == BASES || line->end + 12 >= BYTES)
        return;
    write_bytes(world, number, (unsigned)g_rand_int_range(rand, 1, 12));
    base.stop = line->end;
    base.ended = g_rand_int_range(rand, 0, 30) == 0 ? 0 : world->now;
    world->bases[world->n_bases++] = base;
}

static void add_line(World *world, unsigned parent, unsigned fork)
{
    unsigned number = ++world->n_lines;
    Line *line = &world->lines[number];

    *line = (Line){ .parent = parent, .fork = fork, .end = fork };
    if (parent) {
        memcpy(line->way, world->lines[parent].way, sizeof line->way);
        line->n = world->lines[parent].n;
        line->way[line->n - 1].end = fork;
    }
    line->way[line->n++] = (PitrStretch){ number, parent ? fork : 0, UINT64_MAX };
}

static void make_world(World *world, GRand *rand)
{
    int steps = g_rand_int_range(rand, 5, 60);
    unsigned current = 1;

    memset(world, 0, sizeof *world);
    add_line(world, 0, 0);
    for (world->now = 1; world->now < steps; world->now++) {
        switch (g_rand_int_range(rand, 0, 10)) {
        case 0:
        case 1:
        case 2:
            take_base(world, current, rand);
            break;
        case 3: { // promoted, or recovered to an earlier place
            const Line *line = &world->lines[current];

            if (world->n_lines < LINES && line->end > line->fork) {
                add_line(world, current,
                         (unsigned)g_rand_int_range(rand, (int)line->fork + 1, (int)line->end + 1));
                if (g_rand_int_range(rand, 0, 4) > 0)
                    current = world->n_lines;
            }
            break;
        }
        case 4: // two servers write at once
            current = (unsigned)g_rand_int_range(rand, 1, (int)world->n_lines + 1);
            break;
        default:
            write_bytes(world, current, (unsigned)g_rand_int_range(rand, 1, 30));
        }
    }
    for (unsigned i = 1; i <= world->n_lines && g_rand_boolean(rand); i++) // something was lost
        world->lines[i].stored_at[g_rand_int_range(rand, 0, SEGMENTS)] = 0;
}

/* ---- recovery, byte by byte ---- */

typedef struct {
    const World *world;
    bool base[BASES], segment[LINES + 1][SEGMENTS];
} Held;

static Held all_of(const World *world)
{
    Held held = { .world = world };

    for (unsigned i = 0; i < world->n_bases; i++)
        held.base[i] = true;
    for (unsigned i = 1; i <= world->n_lines; i++)
        for (unsigned k = 0; k < SEGMENTS; k++)
            held.segment[i][k] = world->lines[i].stored_at[k] != 0;
    return held;
}

/* Which stretch of the way a byte is on. */
static size_t stretch_of(const Line *line, unsigned lsn)
{
    size_t i = line->n - 1;

    while (line->way[i].begin > lsn)
        i--;
    return i;
}

/* The file of its own timeline, or of a younger one on the way that began later in that segment. */
static bool readable(const Held *held, const Line *line, unsigned lsn)
{
    for (size_t i = stretch_of(line, lsn); i < line->n; i++)
        if (line->way[i].begin / SEGMENT <= lsn / SEGMENT &&
            held->segment[line->way[i].timeline][lsn / SEGMENT])
            return true;
    return false;
}

static bool recovers(const Held *held, const Line *line, unsigned base, unsigned to)
{
    const PitrBase *from = &held->world->bases[base];
    bool passes = false;

    for (size_t i = 0; i < line->n; i++)
        passes |= line->way[i].timeline == from->timeline && from->stop <= line->way[i].end;
    if (!held->base[base] || !passes || from->stop > to + 1)
        return false;
    for (unsigned lsn = (unsigned)from->start; lsn <= to; lsn++)
        if (!readable(held, line, lsn))
            return false;
    return true;
}

static bool reachable(const Held *held, const Line *line, unsigned to)
{
    for (unsigned i = 0; i < held->world->n_bases; i++)
        if (recovers(held, line, i, to))
            return true;
    return false;
}

/* ---- retention ---- */

typedef struct {
    PitrTimeline timelines[LINES];
    PitrCluster cluster;
} Plan;

static void make_plan(const World *world, PitrBase *bases, Plan *plan)
{
    for (unsigned i = 1; i <= world->n_lines; i++) {
        const Line *line = &world->lines[i];
        int64_t newest = 0;

        for (unsigned k = 0; k < SEGMENTS; k++)
            newest = MAX(newest, line->stored_at[k]);
        plan->timelines[i - 1] = (PitrTimeline){ i, newest, line->way, line->n };
    }
    memcpy(bases, world->bases, sizeof world->bases);
    plan->cluster = (PitrCluster){ bases, world->n_bases, plan->timelines, world->n_lines };
}

/* Removes bases without a reason, but for some that another rule keeps, and then WAL. Returns how
 * many segments went. */
static unsigned retain(const World *world, Plan *plan, Held *held, int64_t since, GRand *rand)
{
    PitrBase kept[BASES];
    uint64_t lowest = pitr_floor(&plan->cluster, since != INT64_MAX);
    size_t n = 0;
    unsigned gone = 0;

    for (unsigned i = 0; i < world->n_bases; i++) {
        held->base[i] = plan->cluster.bases[i].reason || g_rand_int_range(rand, 0, 4) == 0 ||
                        since == INT64_MAX;
        if (held->base[i])
            kept[n++] = plan->cluster.bases[i];
    }
    for (unsigned i = 1; i <= world->n_lines; i++)
        for (unsigned k = 0; k < SEGMENTS; k++)
            if (held->segment[i][k] && !pitr_keeps(kept, n, lowest, k * SEGMENT, (k + 1) * SEGMENT,
                                                   world->lines[i].stored_at[k], since)) {
                held->segment[i][k] = false;
                gone++;
            }
    return gone;
}

static void assert_bases_become_consistent(const World *world, const Held *before,
                                           const Held *after)
{
    for (unsigned i = 0; i < world->n_bases; i++) {
        const PitrBase *base = &world->bases[i];
        const Line *line = &world->lines[base->timeline];

        if (after->base[i] && recovers(before, line, i, (unsigned)base->stop - 1))
            g_assert_true(recovers(after, line, i, (unsigned)base->stop - 1));
    }
}

/* Every byte that was written in the window and could be had can still be had. */
static void assert_window(const World *world, const Plan *plan, const Held *before,
                          const Held *after, int64_t since)
{
    for (unsigned i = 1; i <= world->n_lines; i++) {
        const Line *line = &world->lines[i];

        if (!pitr_lived(&plan->cluster, i, since))
            continue;
        for (unsigned lsn = 0; lsn < line->end; lsn++) {
            unsigned on = line->way[stretch_of(line, lsn)].timeline;

            if (world->lines[on].written_at[lsn] > since && reachable(before, line, lsn))
                g_assert_true(reachable(after, line, lsn));
        }
    }
}

static void what_the_window_had_it_still_has(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261121);
    unsigned gone = 0, bases_gone = 0;

    for (unsigned round = 0; round < 4000; round++) {
        static World world;
        PitrBase bases[BASES];
        Plan plan;
        int64_t since;
        uint32_t unknown;
        Held before, after;

        make_world(&world, rand);
        before = after = all_of(&world);
        make_plan(&world, bases, &plan);
        since = g_rand_int_range(rand, 0, world.now + 1);
        g_assert_true(pitr_keep_bases(&plan.cluster, since, world.now, &unknown));
        gone += retain(&world, &plan, &after, since, rand);
        for (unsigned i = 0; i < world.n_bases; i++)
            bases_gone += !after.base[i];
        assert_bases_become_consistent(&world, &before, &after);
        assert_window(&world, &plan, &before, &after, since);
    }
    g_assert_cmpuint(gone, >, 10000); // or nothing would have been tried
    g_assert_cmpuint(bases_gone, >, 1000);
}

static void without_a_window_every_base_goes_on_to_the_end(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(20261122);
    unsigned gone = 0;

    for (unsigned round = 0; round < 1000; round++) {
        static World world;
        PitrBase bases[BASES];
        Plan plan;
        Held before, after;

        make_world(&world, rand);
        before = after = all_of(&world);
        make_plan(&world, bases, &plan);
        gone += retain(&world, &plan, &after, INT64_MAX, rand);
        for (unsigned i = 1; i <= world.n_lines; i++)
            for (unsigned base = 0; base < world.n_bases; base++)
                for (unsigned lsn = 0; lsn < world.lines[i].end; lsn++)
                    g_assert_cmpint(recovers(&after, &world.lines[i], base, lsn), ==,
                                    recovers(&before, &world.lines[i], base, lsn));
    }
    g_assert_cmpuint(gone, >, 500);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/pitrmodel/window", what_the_window_had_it_still_has);
    g_test_add_func("/pitrmodel/no-window", without_a_window_every_base_goes_on_to_the_end);
    return g_test_run();
}
