/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/crowd.h"

typedef struct {
    int64_t began; /* of the minute */
    unsigned n;    /* sent in it */
} Crowd;

struct Crowds {
    GHashTable *all; /* whom -> Crowd */
};

Crowds *crowds_new(void)
{
    Crowds *crowds = g_new0(Crowds, 1);

    crowds->all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return crowds;
}

void crowds_free(Crowds *crowds)
{
    if (!crowds)
        return;
    g_hash_table_unref(crowds->all);
    g_free(crowds);
}

/* NULL: nothing was sent in the last minute. */
static Crowd *find(Crowds *crowds, const char *whom, int64_t now)
{
    Crowd *crowd = g_hash_table_lookup(crowds->all, whom);

    if (!crowd || (now >= crowd->began && now - crowd->began < CROWD_S))
        return crowd;
    g_hash_table_remove(crowds->all, whom);
    return NULL;
}

bool crowds_may_send(Crowds *crowds, const char *whom, int64_t now)
{
    const Crowd *crowd = find(crowds, whom, now);

    return !crowd || crowd->n < CROWD_SINGLES;
}

void crowds_count(Crowds *crowds, const char *whom, bool gathered, int64_t now)
{
    Crowd *crowd = find(crowds, whom, now);

    if (!crowd) {
        crowd = g_new0(Crowd, 1);
        crowd->began = now;
        g_hash_table_insert(crowds->all, g_strdup(whom), crowd);
    }
    crowd->n = gathered ? CROWD_SINGLES : crowd->n + 1;
}

int64_t crowds_next(Crowds *crowds, const char *whom, int64_t now)
{
    const Crowd *crowd = find(crowds, whom, now);

    return crowd && crowd->n >= CROWD_SINGLES ? crowd->began + CROWD_S : 0;
}
