/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walstorer.h"

#include "base/buffers.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "op/walsegment.h"
#include "pg/walpage.h"
#include "repo/config.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Two are the least: one is filled while one is stored. More help with a far store that is slow
 * now and then, as long as they are small. */
#define BUFFERS      4u
#define BUFFERS_MAX  (UINT32_C(64) << 20) /* bytes, above which two must do */
#define PAUSE_MS     1000
#define PAUSE_MAX_MS 30000
#define TELL_MS      60000 /* how often an outage is told of */

typedef enum { ITEM_WHOLE, ITEM_PART, ITEM_GIVE } ItemKind;

typedef struct {
    ItemKind kind;
    WalPiece piece;
} Item;

struct WalStorer {
    Repo *repo;
    uint64_t system_id;
    uint32_t segment_size;
    const Cancel *cancel;
    Buffers *buffers;
    int wake_fd;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    GQueue items; // of Item; the first one is being worked on
    GQueue done;  // of WalStored
    WalStorerState state;
    GError *failed;
    bool stop;
    GArray *stale; // of WalObject
    /* the thread's own */
    WalObject part; // the newest; its name is empty when there is none
    bool removal_told;
};

static void wake(const WalStorer *storer)
{
    uint64_t one = 1;

    // it fails only when nobody has asked for very long, and then it can be read already
    (void)!write(storer->wake_fd, &one, sizeof one);
}

/* ---- storing ---- */

static bool check_page(const WalStorer *storer, const WalPiece *piece, const WalName *name,
                       GError **error)
{
    WalPage page;

    if (!wal_page_parse_first(name, piece->buffer, piece->len, &page, error))
        return false;
    if (page.system_id == storer->system_id && page.segment_size == storer->segment_size)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                "%s: the server sends WAL of cluster %" G_GUINT64_FORMAT
                " with segments of %u bytes; nothing of it is stored",
                wal_name_text(name).text, page.system_id, page.segment_size);
    return false;
}

static bool store_item(WalStorer *storer, const Item *item, WalStored *stored, GError **error)
{
    const WalPiece *piece = &item->piece;
    WalName name = wal_name_of(piece->timeline, piece->begin, storer->segment_size);
    WalMark mark;
    uint64_t size;

    *stored = (WalStored){ .whole = item->kind == ITEM_WHOLE, .end = piece->begin + piece->len };
    if (!check_page(storer, piece, &name, error))
        return false;
    if (!stored->whole)
        wal_part_init(&stored->object, storer->system_id, &name, stored->end);
    else if (!wal_object_init(&stored->object, storer->system_id, wal_name_text(&name).text, error))
        return false;
    if (!wal_object_put(storer->repo, &stored->object, piece->buffer, piece->len,
                        &stored->was_there, &mark, error))
        return false;
    stored->stored = mark.len;
    // durable where the repository still is: a disk may have been unmounted a moment ago
    return store_stat(repo_store(storer->repo), CONFIG_KEY, &size, error);
}

static bool is_final(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_MISMATCH) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_USAGE) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_CANCELLED);
}

/* Until it is durable; an outage is told of once a minute. */
static bool store_until_done(WalStorer *storer, const Item *item, WalStored *stored, GError **error)
{
    int64_t pause_ms = PAUSE_MS, tell_at = 0;

    for (;;) {
        g_autoptr(GError) failure = NULL;

        if (store_item(storer, item, stored, &failure)) {
            if (tell_at != 0)
                log_warn("WAL is stored again", "name", stored->object.name, NULL);
            return true;
        }
        if (is_final(failure)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (clock_monotonic_ms() >= tell_at) {
            log_error("WAL cannot be stored; nothing is acknowledged, trying again", "name",
                      stored->object.name, "error", failure->message, NULL);
            tell_at = clock_monotonic_ms() + TELL_MS;
        }
        if (!cancel_sleep(storer->cancel, pause_ms, error))
            return false;
        pause_ms = MIN(2 * pause_ms, PAUSE_MAX_MS);
    }
}

/* ---- what is superseded ---- */

static void remove_stale(WalStorer *storer)
{
    g_autoptr(GArray) stale = NULL;

    pthread_mutex_lock(&storer->mutex);
    stale = g_steal_pointer(&storer->stale);
    storer->stale = g_array_new(FALSE, FALSE, sizeof(WalObject));
    pthread_mutex_unlock(&storer->mutex);
    for (guint i = 0; i < stale->len; i++) {
        const WalObject *object = &g_array_index(stale, WalObject, i);
        g_autoptr(GError) failure = NULL;

        if (store_remove(repo_store(storer->repo), wal_object_key(object).text, &failure))
            continue;
        // only room is lost; the next start finds it again
        if (!storer->removal_told)
            log_warn("parts of segments cannot be removed and pile up", "name", object->name,
                     "error", failure->message, NULL);
        storer->removal_told = true;
    }
}

/* The last part of a timeline that was left stays: no whole segment follows. */
static bool is_older_of_same(const WalObject *part, const WalObject *stored)
{
    WalName before, now;
    uint64_t lsn;

    return wal_part_parse(part->name, &before, &lsn) && strcmp(part->name, stored->name) != 0 &&
           (wal_part_parse(stored->name, &now, &lsn) || wal_name_parse(stored->name, &now, NULL)) &&
           wal_name_compare(&before, &now) == 0;
}

static void supersede(WalStorer *storer, const WalStored *stored)
{
    if (is_older_of_same(&storer->part, &stored->object)) {
        pthread_mutex_lock(&storer->mutex);
        g_array_append_val(storer->stale, storer->part);
        pthread_mutex_unlock(&storer->mutex);
    }
    storer->part = stored->whole ? (WalObject){ 0 } : stored->object;
    remove_stale(storer);
}

/* ---- the thread ---- */

/* The whole segment waits already. Called with the mutex. */
static bool is_superseded(WalStorer *storer, const Item *item)
{
    for (const GList *at = storer->items.head; item->kind == ITEM_PART && at; at = at->next) {
        const Item *later = at->data;

        if (later->kind == ITEM_WHOLE && later->piece.buffer == item->piece.buffer)
            return true;
    }
    return false;
}

static void note_stored(WalStorer *storer, const Item *item, const WalStored *stored)
{
    pthread_mutex_lock(&storer->mutex);
    storer->state.timeline = item->piece.timeline;
    storer->state.durable = stored->end;
    g_queue_push_tail(&storer->done, g_memdup2(stored, sizeof *stored));
    pthread_mutex_unlock(&storer->mutex);
    wake(storer);
}

static bool work(WalStorer *storer, const Item *item, bool superseded)
{
    GError *failure = NULL;
    WalStored stored;

    if (item->kind == ITEM_GIVE || superseded)
        return true;
    if (store_until_done(storer, item, &stored, &failure)) {
        note_stored(storer, item, &stored);
        supersede(storer, &stored);
        return true;
    }
    pthread_mutex_lock(&storer->mutex);
    storer->failed = failure;
    pthread_mutex_unlock(&storer->mutex);
    return false;
}

static void *storer_main(void *arg)
{
    WalStorer *storer = arg;
    bool ok = true;

    pthread_mutex_lock(&storer->mutex);
    while (ok) {
        bool superseded;
        Item *item;

        while (!storer->stop && g_queue_is_empty(&storer->items))
            pthread_cond_wait(&storer->changed, &storer->mutex);
        if (storer->stop)
            break;
        item = g_queue_peek_head(&storer->items);
        superseded = is_superseded(storer, item);
        pthread_mutex_unlock(&storer->mutex);
        ok = work(storer, item, superseded);
        if (ok && item->kind != ITEM_PART)
            buffers_give(storer->buffers, item->piece.buffer);
        pthread_mutex_lock(&storer->mutex);
        if (ok)
            g_free(g_queue_pop_head(&storer->items));
        wake(storer);
    }
    pthread_mutex_unlock(&storer->mutex);
    return NULL;
}

/* ---- the other side ---- */

WalStorer *wal_storer_new(Repo *repo, uint64_t system_id, uint32_t segment_size,
                          const Cancel *cancel, GError **error)
{
    WalStorer *storer = g_new0(WalStorer, 1);
    int failure;

    storer->repo = repo;
    storer->system_id = system_id;
    storer->segment_size = segment_size;
    storer->cancel = cancel;
    storer->buffers =
        buffers_new(BUFFERS * segment_size <= BUFFERS_MAX ? BUFFERS : 2, segment_size);
    storer->stale = g_array_new(FALSE, FALSE, sizeof(WalObject));
    storer->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&storer->mutex, NULL);
    pthread_cond_init(&storer->changed, NULL);
    failure =
        storer->wake_fd < 0 ? errno : pthread_create(&storer->thread, NULL, storer_main, storer);
    if (failure == 0)
        return storer;
    storer->thread = 0;
    wal_storer_free(storer);
    bs_error_errno(error, failure, "start of a thread");
    return NULL;
}

static void drop_items(WalStorer *storer)
{
    Item *item;

    while ((item = g_queue_pop_head(&storer->items))) {
        if (item->kind != ITEM_PART)
            buffers_give(storer->buffers, item->piece.buffer);
        g_free(item);
    }
}

void wal_storer_free(WalStorer *storer)
{
    if (!storer)
        return;
    if (storer->thread) {
        pthread_mutex_lock(&storer->mutex);
        storer->stop = true;
        pthread_cond_signal(&storer->changed);
        pthread_mutex_unlock(&storer->mutex);
        (void)pthread_join(storer->thread, NULL);
    }
    drop_items(storer);
    g_queue_clear_full(&storer->done, g_free);
    buffers_free(storer->buffers);
    g_array_unref(storer->stale);
    g_clear_error(&storer->failed);
    if (storer->wake_fd >= 0)
        (void)close(storer->wake_fd);
    pthread_cond_destroy(&storer->changed);
    pthread_mutex_destroy(&storer->mutex);
    g_free(storer);
}

uint8_t *wal_storer_take(WalStorer *storer)
{
    return buffers_try_take(storer->buffers);
}

static void push(WalStorer *storer, ItemKind kind, const WalPiece *piece)
{
    Item item = { kind, *piece };

    pthread_mutex_lock(&storer->mutex);
    g_queue_push_tail(&storer->items, g_memdup2(&item, sizeof item));
    pthread_cond_signal(&storer->changed);
    pthread_mutex_unlock(&storer->mutex);
}

void wal_storer_put_whole(WalStorer *storer, const WalPiece *piece)
{
    g_assert(piece->len == storer->segment_size);
    push(storer, ITEM_WHOLE, piece);
}

void wal_storer_put_part(WalStorer *storer, const WalPiece *piece)
{
    g_assert(piece->len >= WAL_PAGE_LONG && piece->len < storer->segment_size);
    push(storer, ITEM_PART, piece);
}

void wal_storer_give(WalStorer *storer, uint8_t *buffer)
{
    push(storer, ITEM_GIVE, &(WalPiece){ .buffer = buffer });
}

void wal_storer_go_on(WalStorer *storer, const WalObject *part)
{
    pthread_mutex_lock(&storer->mutex);
    g_assert(g_queue_is_empty(&storer->items));
    storer->part = *part;
    pthread_mutex_unlock(&storer->mutex);
}

void wal_storer_add_stale(WalStorer *storer, const GArray *objects)
{
    pthread_mutex_lock(&storer->mutex);
    g_array_append_vals(storer->stale, objects->data, objects->len);
    pthread_mutex_unlock(&storer->mutex);
}

bool wal_storer_state(WalStorer *storer, WalStorerState *ret_state, GError **error)
{
    uint64_t count;

    // nothing to read means that nothing is new
    (void)!read(storer->wake_fd, &count, sizeof count);
    pthread_mutex_lock(&storer->mutex);
    *ret_state = storer->state;
    ret_state->idle = g_queue_is_empty(&storer->items);
    ret_state->part_waits = false;
    for (const GList *at = storer->items.head; at; at = at->next)
        ret_state->part_waits |= ((const Item *)at->data)->kind == ITEM_PART;
    if (storer->failed)
        g_propagate_error(error, g_error_copy(storer->failed));
    pthread_mutex_unlock(&storer->mutex);
    return !storer->failed;
}

bool wal_storer_next(WalStorer *storer, WalStored *ret_stored)
{
    g_autofree WalStored *stored = NULL;

    pthread_mutex_lock(&storer->mutex);
    stored = g_queue_pop_head(&storer->done);
    pthread_mutex_unlock(&storer->mutex);
    if (stored)
        *ret_stored = *stored;
    return stored != NULL;
}

int wal_storer_wake_fd(const WalStorer *storer)
{
    return storer->wake_fd;
}
