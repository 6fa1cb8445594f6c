/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/blobahead.h"

#include "base/queue.h"

/* Blobs of one slot. */
#define PARTS_MAX 1024u

/* A blob that the line waits for. */
typedef struct {
    Id id;
    BlobPlace place;
    size_t at;   /* where in the slot's buffer it goes */
    bool repeat; /* the one before it once more */
    Plain plain;
    GError *problem;
} Part;

/* What a worker reads with one request: neighbours of one pack that are wanted one after the other.
 */
typedef struct {
    GArray *parts; /* of Part */
    uint8_t *buffer;
    size_t used; /* of the buffer */
    guint done;  /* parts, from the first on; guarded by the mutex */
    guint taken;
} Slot;

struct BlobAhead {
    Reading *reading;
    Queue *jobs; /* of Slot */
    pthread_t workers[16];
    unsigned n_workers;
    pthread_mutex_t mutex;
    pthread_cond_t part_done;
    /* A ring of n_workers: the oldest first, n_used with the workers; the one behind them is being
     * filled. */
    Slot *slots;
    unsigned oldest, n_used;
};

static Part *part_at(const Slot *slot, guint i)
{
    return &g_array_index(slot->parts, Part, i);
}

/* ---- workers ---- */

static bool read_range(Reading *reading, const Slot *slot, uint8_t *sealed, size_t len)
{
    const BlobPlace *first = &part_at(slot, 0)->place;

    return sealed && store_get(repo_store(reading->repo), file_key(FILE_PACK, &first->pack).text,
                               first->offset, sealed, len, NULL);
}

/* from: its sealed bytes, or NULL when they could not be read. */
static void open_part(Reading *reading, BlobOpener *opener, const Slot *slot, guint i,
                      uint8_t *from)
{
    Part *part = part_at(slot, i);
    const Part *before = part->repeat ? part_at(slot, i - 1) : NULL;

    if (before && before->plain.data)
        part->plain = (Plain){ .data = before->plain.data, .len = before->plain.len };
    else
        (void)reading_open(reading, opener, &part->id, &part->place, before ? NULL : from,
                           slot->buffer + part->at, &part->plain, &part->problem);
}

static void read_slot(BlobAhead *ahead, BlobOpener *opener, Slot *slot, uint8_t *sealed)
{
    Reading *reading = ahead->reading;
    const BlobPlace *first = &part_at(slot, 0)->place;
    const BlobPlace *last = &part_at(slot, slot->parts->len - 1)->place;
    size_t len = (size_t)((uint64_t)last->offset + last->length - first->offset);
    g_autofree uint8_t *large = len > reading->range_max ? g_try_malloc(len) : NULL;
    guint n = slot->parts->len; // when the last one is done the slot is no longer ours
    bool ok;

    if (len > reading->range_max)
        sealed = large;
    ok = !reading_over(reading) && read_range(reading, slot, sealed, len);
    for (guint i = 0; i < n; i++) {
        if (!reading_over(reading))
            open_part(reading, opener, slot, i,
                      ok ? sealed + (part_at(slot, i)->place.offset - first->offset) : NULL);
        pthread_mutex_lock(&ahead->mutex);
        slot->done++;
        pthread_cond_signal(&ahead->part_done);
        pthread_mutex_unlock(&ahead->mutex);
    }
}

static void *worker(void *user)
{
    BlobAhead *ahead = user;
    g_autoptr(BlobOpener) opener = blob_opener_new(ahead->reading->repo);
    uint8_t *sealed = buffers_take(ahead->reading->sealed);
    Slot *slot;

    while ((slot = queue_pop(ahead->jobs)))
        read_slot(ahead, opener, slot, sealed);
    buffers_give(ahead->reading->sealed, sealed);
    return NULL;
}

/* ---- the ring ---- */

static Slot *slot_at(const BlobAhead *ahead, unsigned i)
{
    return &ahead->slots[(ahead->oldest + i) % ahead->n_workers];
}

void blob_ahead_send(BlobAhead *ahead)
{
    Slot *slot = ahead->n_used < ahead->n_workers ? slot_at(ahead, ahead->n_used) : NULL;

    if (!slot || slot->parts->len == 0)
        return;
    ahead->n_used++;
    if (part_at(slot, 0)->problem)
        slot->done = 1; // there is nothing to read
    else
        (void)queue_push(ahead->jobs, slot);
}

/* Whether it is read with what the slot holds. */
static bool belongs(const BlobAhead *ahead, const Slot *slot, const Part *part)
{
    const Reading *reading = ahead->reading;
    const BlobPlace *first = &part_at(slot, 0)->place;
    const Part *last = part_at(slot, slot->parts->len - 1);
    size_t len = blob_plain_len(part->place.length, part->place.plain_len);

    if (part->problem || last->problem || slot->parts->len >= PARTS_MAX)
        return false;
    if (part->repeat)
        return !reading_is_large(&part->place);
    return part->place.offset >= (uint64_t)last->place.offset + last->place.length &&
           slot->used + len <= buffers_size(reading->plain) &&
           reading_joins(reading, first, &last->place, &part->place);
}

static void add(Slot *slot, Part *part)
{
    size_t len = blob_plain_len(part->place.length, part->place.plain_len);

    part->at = slot->used;
    if (!part->problem && !part->repeat)
        slot->used += MIN(len, BLOB_ROOM); // a larger one has an allocation of its own
    g_array_append_val(slot->parts, *part);
}

bool blob_ahead_add(BlobAhead *ahead, const Id *id)
{
    Slot *slot = ahead->n_used < ahead->n_workers ? slot_at(ahead, ahead->n_used) : NULL;
    const Part *last = slot && slot->parts->len > 0 ? part_at(slot, slot->parts->len - 1) : NULL;
    Part part = { .id = *id, .repeat = last && id_equal(id, &last->id) };

    if (!slot)
        return false;
    (void)reading_find(ahead->reading, id, &part.place, &part.problem);
    if (last && !belongs(ahead, slot, &part)) {
        blob_ahead_send(ahead);
        if (ahead->n_used == ahead->n_workers) {
            g_clear_error(&part.problem);
            return false;
        }
        slot = slot_at(ahead, ahead->n_used);
        part.repeat = false;
    }
    add(slot, &part);
    if (!ahead->reading->joins)
        blob_ahead_send(ahead);
    return true;
}

const Plain *blob_ahead_first(BlobAhead *ahead, GError **error)
{
    Slot *slot = slot_at(ahead, 0);
    Part *part;

    if (ahead->n_used == 0)
        blob_ahead_send(ahead);
    pthread_mutex_lock(&ahead->mutex);
    while (slot->done <= slot->taken)
        pthread_cond_wait(&ahead->part_done, &ahead->mutex);
    pthread_mutex_unlock(&ahead->mutex);
    part = part_at(slot, slot->taken);
    if (part->problem)
        g_propagate_error(error, g_steal_pointer(&part->problem));
    return part->plain.data ? &part->plain : NULL;
}

static void part_clear(gpointer part)
{
    plain_clear(&((Part *)part)->plain);
    g_clear_error(&((Part *)part)->problem);
}

void blob_ahead_drop_first(BlobAhead *ahead)
{
    Slot *slot = slot_at(ahead, 0);

    if (++slot->taken < slot->parts->len)
        return;
    g_array_set_size(slot->parts, 0);
    slot->used = 0;
    slot->done = slot->taken = 0;
    ahead->oldest = (ahead->oldest + 1) % ahead->n_workers;
    ahead->n_used--;
}

/* ---- */

BlobAhead *blob_ahead_new(Reading *reading, unsigned workers)
{
    BlobAhead *ahead = g_new0(BlobAhead, 1);

    ahead->reading = reading;
    ahead->n_workers = MIN(workers, G_N_ELEMENTS(ahead->workers));
    ahead->jobs = queue_new(ahead->n_workers);
    ahead->slots = g_new0(Slot, ahead->n_workers);
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->part_done, NULL);
    for (unsigned i = 0; i < ahead->n_workers; i++) {
        ahead->slots[i].buffer = buffers_take(reading->plain);
        ahead->slots[i].parts = g_array_new(FALSE, FALSE, sizeof(Part));
        g_array_set_clear_func(ahead->slots[i].parts, part_clear);
        if (pthread_create(&ahead->workers[i], NULL, worker, ahead) != 0)
            g_error("no thread for reading");
    }
    return ahead;
}

void blob_ahead_free(BlobAhead *ahead)
{
    queue_close(ahead->jobs);
    for (unsigned i = 0; i < ahead->n_workers; i++) {
        pthread_join(ahead->workers[i], NULL);
        buffers_give(ahead->reading->plain, ahead->slots[i].buffer);
        g_array_unref(ahead->slots[i].parts);
    }
    queue_free(ahead->jobs);
    pthread_mutex_destroy(&ahead->mutex);
    pthread_cond_destroy(&ahead->part_done);
    g_free(ahead->slots);
    g_free(ahead);
}
