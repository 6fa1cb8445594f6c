/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webthrottle.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <string.h>

/* When all its turns will be back; before now: they are. */
typedef struct {
    int64_t full_ms;
} Turns;

struct WebThrottle {
    pthread_mutex_t lock;
    GHashTable *keys; // text -> Turns
};

WebThrottle *web_throttle_new(void)
{
    WebThrottle *throttle = g_new0(WebThrottle, 1);

    pthread_mutex_init(&throttle->lock, NULL);
    throttle->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return throttle;
}

void web_throttle_free(WebThrottle *throttle)
{
    if (!throttle)
        return;
    g_hash_table_unref(throttle->keys);
    pthread_mutex_destroy(&throttle->lock);
    g_free(throttle);
}

static char *key_of_account(const char *account)
{
    g_autofree char *checksum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, account, -1);

    return g_strconcat("account ", checksum, NULL);
}

static char *key_of_address(const char *address)
{
    struct in6_addr v6;

    if (inet_pton(AF_INET6, address, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
        return g_strconcat("address ", address, NULL);
    return g_strdup_printf("address %02x%02x%02x%02x%02x%02x%02x%02x", v6.s6_addr[0], v6.s6_addr[1],
                           v6.s6_addr[2], v6.s6_addr[3], v6.s6_addr[4], v6.s6_addr[5],
                           v6.s6_addr[6], v6.s6_addr[7]);
}

static void forget(WebThrottle *throttle, int64_t now)
{
    GHashTableIter all;
    const char *key, *first = NULL;
    Turns *turns;
    int64_t least = G_MAXINT64;

    g_hash_table_iter_init(&all, throttle->keys);
    while (g_hash_table_iter_next(&all, (gpointer *)&key, (gpointer *)&turns)) {
        if (turns->full_ms <= now) {
            g_hash_table_iter_remove(&all);
        } else if (turns->full_ms < least) {
            least = turns->full_ms;
            first = key;
        }
    }
    if (first && g_hash_table_size(throttle->keys) + 2 > THROTTLE_KEYS)
        g_hash_table_remove(throttle->keys, first);
}

/* Takes the key. */
static Turns *find_turns(WebThrottle *throttle, char *key, int64_t now)
{
    Turns *turns = g_hash_table_lookup(throttle->keys, key);

    if (turns) {
        g_free(key);
        return turns;
    }
    turns = g_new0(Turns, 1);
    turns->full_ms = now;
    g_hash_table_insert(throttle->keys, key, turns);
    return turns;
}

static bool has_turn(const Turns *turns, int64_t now)
{
    return turns->full_ms - now <= (THROTTLE_TURNS - 1) * (int64_t)THROTTLE_EACH_MS;
}

static void move(WebThrottle *throttle, const char *account, const char *address, bool back,
                 bool *ret_moved)
{
    int64_t now = clock_monotonic_ms();
    Turns *both[2];

    pthread_mutex_lock(&throttle->lock);
    // room for both, before either is looked up
    while (g_hash_table_size(throttle->keys) + 2 > THROTTLE_KEYS)
        forget(throttle, now);
    both[0] = find_turns(throttle, key_of_account(account), now);
    both[1] = find_turns(throttle, key_of_address(address), now);
    *ret_moved = back || (has_turn(both[0], now) && has_turn(both[1], now));
    for (guint i = 0; *ret_moved && i < G_N_ELEMENTS(both); i++) {
        int64_t from = MAX(both[i]->full_ms, now);

        both[i]->full_ms = from + (back ? -THROTTLE_EACH_MS : THROTTLE_EACH_MS);
    }
    pthread_mutex_unlock(&throttle->lock);
}

bool web_throttle_take(WebThrottle *throttle, const char *account, const char *address)
{
    bool taken;

    move(throttle, account, address, false, &taken);
    return taken;
}

void web_throttle_give_back(WebThrottle *throttle, const char *account, const char *address)
{
    bool given;

    move(throttle, account, address, true, &given);
}
