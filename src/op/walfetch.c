/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walfetch.h"

#include "base/error.h"

#include <pthread.h>

#define AHEAD_MAX   4u
#define AHEAD_BYTES (UINT32_C(64) << 20) /* of segments that lie ready or are being fetched */

typedef enum { SLOT_FREE, SLOT_BUSY, SLOT_READY } SlotState;

typedef struct {
    SlotState state;
    WalPathSegment segment;
    GBytes *content; // NULL: failure says why
    GError *failure;
} Slot;

struct WalFetch {
    const WalPath *path;
    unsigned n_slots, n_threads;
    pthread_t threads[AHEAD_MAX];

    pthread_mutex_t mutex;
    pthread_cond_t ready, room;
    Slot slots[AHEAD_MAX]; // used in turn
    uint64_t lsn;          // of what is begun next
    unsigned begun, taken; // how many
    bool over;             // there is no next one, or nobody wants it
};

static void get_segment(const WalFetch *fetch, Slot *slot)
{
    WalNameText name = wal_name_text(&slot->segment.name);

    // what comes while we read is for the next time
    if (!slot->segment.held)
        g_set_error(&slot->failure, BS_ERROR, BS_ERROR_WAL_GAP, "%s is not held", name.text);
    else
        (void)wal_path_get(fetch->path, name.text, &slot->content, &slot->failure); // taken later
}

/* The next segment gets a slot; NULL when there is none. Holds the mutex. */
static Slot *begin_next(WalFetch *fetch)
{
    Slot *slot;

    while (!fetch->over && fetch->begun - fetch->taken == fetch->n_slots)
        pthread_cond_wait(&fetch->room, &fetch->mutex);
    if (fetch->over)
        return NULL;
    slot = &fetch->slots[fetch->begun++ % fetch->n_slots];
    wal_path_segment(fetch->path, fetch->lsn, &slot->segment);
    slot->state = SLOT_BUSY;
    fetch->lsn = slot->segment.end;
    fetch->over = !slot->segment.held; // who takes it is told
    return slot;
}

static void *thread_main(void *arg)
{
    WalFetch *fetch = arg;
    Slot *slot;

    pthread_mutex_lock(&fetch->mutex);
    while ((slot = begin_next(fetch))) {
        pthread_mutex_unlock(&fetch->mutex);
        get_segment(fetch, slot);
        pthread_mutex_lock(&fetch->mutex);
        slot->state = SLOT_READY;
        pthread_cond_broadcast(&fetch->ready);
    }
    pthread_cond_broadcast(&fetch->room); // the others end, too
    pthread_mutex_unlock(&fetch->mutex);
    return NULL;
}

WalFetch *wal_fetch_new(const WalPath *path, uint64_t lsn)
{
    WalFetch *fetch = g_new0(WalFetch, 1);

    fetch->path = path;
    fetch->lsn = lsn;
    fetch->n_slots = CLAMP(AHEAD_BYTES / wal_path_segment_size(path), 1, AHEAD_MAX);
    pthread_mutex_init(&fetch->mutex, NULL);
    pthread_cond_init(&fetch->ready, NULL);
    pthread_cond_init(&fetch->room, NULL);
    while (fetch->n_threads < fetch->n_slots &&
           pthread_create(&fetch->threads[fetch->n_threads], NULL, thread_main, fetch) == 0)
        fetch->n_threads++;
    return fetch;
}

void wal_fetch_free(WalFetch *fetch)
{
    if (!fetch)
        return;
    pthread_mutex_lock(&fetch->mutex);
    fetch->over = true;
    pthread_cond_broadcast(&fetch->room);
    pthread_mutex_unlock(&fetch->mutex);
    for (unsigned i = 0; i < fetch->n_threads; i++)
        pthread_join(fetch->threads[i], NULL);
    for (unsigned i = 0; i < fetch->n_slots; i++) {
        g_clear_pointer(&fetch->slots[i].content, g_bytes_unref);
        g_clear_error(&fetch->slots[i].failure);
    }
    pthread_cond_destroy(&fetch->ready);
    pthread_cond_destroy(&fetch->room);
    pthread_mutex_destroy(&fetch->mutex);
    g_free(fetch);
}

/* No thread could be started: the caller is one. */
static void fetch_here(WalFetch *fetch)
{
    Slot *slot = fetch->n_threads == 0 ? begin_next(fetch) : NULL;

    if (!slot)
        return;
    get_segment(fetch, slot);
    slot->state = SLOT_READY;
}

bool wal_fetch_take(WalFetch *fetch, WalPathSegment *ret_segment, GBytes **ret_content,
                    GError **error)
{
    Slot *slot = &fetch->slots[fetch->taken % fetch->n_slots];
    GBytes *content;

    pthread_mutex_lock(&fetch->mutex);
    fetch_here(fetch);
    while (slot->state != SLOT_READY)
        pthread_cond_wait(&fetch->ready, &fetch->mutex);
    content = g_steal_pointer(&slot->content);
    *ret_segment = slot->segment;
    if (!content)
        g_propagate_error(error, g_steal_pointer(&slot->failure));
    slot->state = SLOT_FREE;
    fetch->taken++;
    pthread_cond_broadcast(&fetch->room);
    pthread_mutex_unlock(&fetch->mutex);
    if (content)
        *ret_content = content;
    return content != NULL;
}
