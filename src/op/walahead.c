/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walahead.h"

#include "base/fs.h"
#include "op/walready.h"

#include <fcntl.h>
#include <pthread.h>

#define ITEMS_MAX  64u   /* of all directories */
#define AGE_MAX_MS 30000 /* a mirror may have been added since; op/keeper.c has the same */
#define REFILL_AT  (WAL_AHEAD_MAX / 2) /* a directory with a long backlog is not read each time */

struct WalAheadItem {
    WalPlace place;
    uint64_t dev, ino; /* of the directory */
    enum { WAITS, RUNS, DURABLE } state;
    bool forgotten; /* while it ran */
    int64_t since_ms;
    WalDurable durable;
};

struct WalAhead {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    GPtrArray *items; /* of WalAheadItem, in the order they are wanted */
};

static void item_free(gpointer data)
{
    WalAheadItem *item = data;

    fs_clear_fd(&item->place.pg_wal);
    g_free(item);
}

WalAhead *wal_ahead_new(void)
{
    WalAhead *ahead = g_new0(WalAhead, 1);

    pthread_mutex_init(&ahead->lock, NULL);
    pthread_cond_init(&ahead->ended, NULL);
    ahead->items = g_ptr_array_new_with_free_func(item_free);
    return ahead;
}

void wal_ahead_free(WalAhead *ahead)
{
    if (!ahead)
        return;
    g_ptr_array_unref(ahead->items);
    pthread_cond_destroy(&ahead->ended);
    pthread_mutex_destroy(&ahead->lock);
    g_free(ahead);
}

static WalAheadItem *item_at(const WalAhead *ahead, guint i)
{
    return g_ptr_array_index(ahead->items, i);
}

/* ---- what is wanted; the caller holds the lock ---- */

static bool is_in(const WalAheadItem *item, const struct stat *dir)
{
    return item->dev == dir->st_dev && item->ino == dir->st_ino;
}

static WalAheadItem *find(const WalAhead *ahead, const struct stat *dir, const WalPlace *place)
{
    for (guint i = 0; i < ahead->items->len; i++) {
        WalAheadItem *item = item_at(ahead, i);

        if (is_in(item, dir) && item->place.system_id == place->system_id &&
            wal_name_compare(&item->place.name, &place->name) == 0)
            return item;
    }
    return NULL;
}

static guint n_in(const WalAhead *ahead, const struct stat *dir)
{
    guint n = 0;

    for (guint i = 0; i < ahead->items->len; i++)
        n += is_in(item_at(ahead, i), dir);
    return n;
}

static bool is_old(const WalAheadItem *item)
{
    return clock_monotonic_ms() - item->since_ms > AGE_MAX_MS;
}

/* Servers ask in order: what is before the one that was asked for is over. */
static bool is_over(const WalAheadItem *item, const struct stat *dir, const WalPlace *place)
{
    if (is_old(item))
        return true;
    return is_in(item, dir) && (item->place.system_id != place->system_id ||
                                item->place.name.timeline != place->name.timeline ||
                                wal_name_compare(&item->place.name, &place->name) < 0);
}

static void drop_over(WalAhead *ahead, const struct stat *dir, const WalPlace *place)
{
    for (guint i = ahead->items->len; i-- > 0;)
        if (item_at(ahead, i)->state != RUNS && is_over(item_at(ahead, i), dir, place))
            g_ptr_array_remove_index(ahead->items, i);
}

static bool add(WalAhead *ahead, const struct stat *dir, const WalPlace *place, WalName name)
{
    WalPlace wanted = { -1, place->system_id, name };
    WalAheadItem *item;

    if (ahead->items->len >= ITEMS_MAX || n_in(ahead, dir) >= WAL_AHEAD_MAX ||
        find(ahead, dir, &wanted))
        return false;
    wanted.pg_wal = fcntl(place->pg_wal, F_DUPFD_CLOEXEC, 0);
    if (wanted.pg_wal < 0)
        return false;
    item = g_new0(WalAheadItem, 1);
    item->place = wanted;
    item->dev = dir->st_dev;
    item->ino = dir->st_ino;
    item->since_ms = clock_monotonic_ms();
    g_ptr_array_add(ahead->items, item);
    return true;
}

/* ---- for those who archive ---- */

static bool has_room(WalAhead *ahead, const struct stat *dir, const WalPlace *place)
{
    bool room;

    pthread_mutex_lock(&ahead->lock);
    drop_over(ahead, dir, place);
    room = n_in(ahead, dir) <= REFILL_AT;
    pthread_mutex_unlock(&ahead->lock);
    return room;
}

static bool is_known(WalAhead *ahead, const struct stat *dir, const WalPlace *place)
{
    bool known;

    pthread_mutex_lock(&ahead->lock);
    known = find(ahead, dir, place) != NULL;
    pthread_mutex_unlock(&ahead->lock);
    return known;
}

/* How many of the names are in front of the first one that is not free. */
static guint count_free(WalAhead *ahead, const struct stat *dir, const WalPlace *place,
                        const GArray *names, WalAheadFree is_free, void *user)
{
    for (guint i = 0; i < names->len; i++) {
        WalPlace one = { place->pg_wal, place->system_id, g_array_index(names, WalName, i) };

        if (!is_known(ahead, dir, &one) && !is_free(&one, user))
            return i;
    }
    return names->len;
}

bool wal_ahead_plan(WalAhead *ahead, const WalPlace *place, bool durable, WalAheadFree is_free,
                    void *user)
{
    g_autoptr(GArray) names = NULL;
    bool added = false;
    struct stat dir;

    if (place->system_id == 0 || place->name.kind != WAL_SEGMENT ||
        fstat(place->pg_wal, &dir) != 0 || !has_room(ahead, &dir, place))
        return false;
    names = wal_ready_after(place->pg_wal, &place->name, WAL_AHEAD_MAX);
    if (names->len == 0 || (!durable && !is_free(place, user)))
        return false;
    g_array_set_size(names, count_free(ahead, &dir, place, names, is_free, user));
    pthread_mutex_lock(&ahead->lock);
    for (guint i = 0; i < names->len; i++)
        added |= add(ahead, &dir, place, g_array_index(names, WalName, i));
    pthread_mutex_unlock(&ahead->lock);
    return added;
}

WalAheadItem *wal_ahead_begin(WalAhead *ahead)
{
    WalAheadItem *found = NULL;

    pthread_mutex_lock(&ahead->lock);
    for (guint i = 0; i < ahead->items->len && !found; i++)
        if (item_at(ahead, i)->state == WAITS)
            found = item_at(ahead, i);
    if (found)
        found->state = RUNS;
    pthread_mutex_unlock(&ahead->lock);
    return found;
}

const WalPlace *wal_ahead_place(const WalAheadItem *item)
{
    return &item->place;
}

void wal_ahead_end(WalAhead *ahead, WalAheadItem *item, const WalDurable *durable)
{
    pthread_mutex_lock(&ahead->lock);
    if (durable && !item->forgotten) {
        item->state = DURABLE;
        item->since_ms = clock_monotonic_ms();
        item->durable = *durable;
    } else {
        g_ptr_array_remove(ahead->items, item);
    }
    pthread_cond_broadcast(&ahead->ended);
    pthread_mutex_unlock(&ahead->lock);
}

/* ---- for those who ask ---- */

/* Waits until nobody works on it: the item, or NULL. */
static WalAheadItem *settled(WalAhead *ahead, const struct stat *dir, const WalPlace *place)
{
    WalAheadItem *item;

    while ((item = find(ahead, dir, place)) && item->state == RUNS)
        pthread_cond_wait(&ahead->ended, &ahead->lock);
    return item;
}

bool wal_ahead_claim(WalAhead *ahead, const WalPlace *place, WalDurable *ret_durable)
{
    bool durable = false;
    WalAheadItem *item;
    struct stat dir;

    if (fstat(place->pg_wal, &dir) != 0)
        return false;
    pthread_mutex_lock(&ahead->lock);
    item = settled(ahead, &dir, place);
    if (item) {
        durable = item->state == DURABLE && !is_old(item);
        if (durable)
            *ret_durable = item->durable;
        g_ptr_array_remove(ahead->items, item);
    }
    pthread_mutex_unlock(&ahead->lock);
    return durable;
}

void wal_ahead_forget(WalAhead *ahead)
{
    pthread_mutex_lock(&ahead->lock);
    for (guint i = ahead->items->len; i-- > 0;) {
        if (item_at(ahead, i)->state == RUNS)
            item_at(ahead, i)->forgotten = true;
        else
            g_ptr_array_remove_index(ahead->items, i);
    }
    pthread_mutex_unlock(&ahead->lock);
}
