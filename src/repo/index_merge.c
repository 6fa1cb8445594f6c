/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/index_merge.h"
#include "base/error.h"
#include "base/fs.h"
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#define RUN_FIRST (16u * 1024) /* most repositories have no more */
#define RUN_MAX   (1024u * 1024)
/* Up to so many entries are sorted by insertion; 8 and 64 are slower in bench/micro/index. */
#define FEW 24

typedef struct {
    IndexEntry *entries;
    size_t n, room;
    bool mapped; // in a scratch file
} Run;

struct IndexMerge {
    IndexScratch scratch;
    void *user;
    pthread_mutex_t mutex;
    GArray *packs; // of Id, with repetitions
    GArray *full;  // of Run, sorted
    Run filling;
};

IndexMerge *index_merge_new(IndexScratch scratch, void *user)
{
    IndexMerge *merge = g_new0(IndexMerge, 1);

    merge->scratch = scratch;
    merge->user = user;
    pthread_mutex_init(&merge->mutex, NULL);
    merge->packs = g_array_new(false, false, sizeof(Id));
    merge->full = g_array_new(false, false, sizeof(Run));
    return merge;
}

static void run_done(Run *run)
{
    if (run->mapped)
        (void)munmap(run->entries, run->n * sizeof(IndexEntry));
    else
        g_free(run->entries);
    *run = (Run){ 0 };
}

void index_merge_free(IndexMerge *merge)
{
    if (!merge)
        return;
    for (guint i = 0; i < merge->full->len; i++)
        run_done(&g_array_index(merge->full, Run, i));
    run_done(&merge->filling);
    g_array_unref(merge->full);
    g_array_unref(merge->packs);
    pthread_mutex_destroy(&merge->mutex);
    g_free(merge);
}

/* ---- sorting a run ---- */

static void sort_few(IndexEntry *entries, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        IndexEntry entry = entries[i];
        size_t at = i;

        for (; at > 0 && id_compare(&entries[at - 1].id, &entry.id) > 0; at--)
            entries[at] = entries[at - 1];
        entries[at] = entry;
    }
}

/* By id, in place, one byte after the other: ids are hashes, so two bytes leave only a few
 * together. */
static void sort_by_id(IndexEntry *entries, size_t n, unsigned byte)
{
    size_t next[256], end[256];
    size_t count[256] = { 0 };
    size_t sum = 0;

    if (n <= FEW) {
        sort_few(entries, n);
        return;
    }
    if (byte == ID_LEN)
        return;
    for (size_t i = 0; i < n; i++)
        count[entries[i].id.bytes[byte]]++;
    for (unsigned value = 0; value < 256; value++) {
        next[value] = sum;
        sum += count[value];
        end[value] = sum;
    }
    for (unsigned value = 0; value < 256; value++) {
        while (next[value] < end[value]) {
            IndexEntry *entry = &entries[next[value]];
            uint8_t actual = entry->id.bytes[byte];
            IndexEntry other;

            if (actual == value) {
                next[value]++;
                continue;
            }
            other = entries[next[actual]];
            entries[next[actual]++] = *entry;
            *entry = other;
        }
    }
    for (unsigned value = 0; value < 256; value++)
        if (count[value] > 1)
            sort_by_id(entries + end[value] - count[value], count[value], byte + 1);
}

/* Puts the run into a scratch file; it stays in memory when that cannot be. */
static void spill(IndexMerge *merge, Run *run)
{
    size_t len = run->n * sizeof(IndexEntry);
    fs_autoclose int fd = merge->scratch ? merge->scratch(merge->user) : -1;
    void *map;

    if (fd < 0 || !fs_write_all(fd, run->entries, len, "index cache", NULL))
        return;
    map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return;
    g_free(run->entries);
    run->entries = map;
    run->mapped = true;
}

/* Takes the full run out, works on it without the mutex, and puts it to the others. */
static void end_run(IndexMerge *merge)
{
    Run run = merge->filling;

    merge->filling = (Run){ 0 };
    pthread_mutex_unlock(&merge->mutex);
    sort_by_id(run.entries, run.n, 0);
    spill(merge, &run);
    pthread_mutex_lock(&merge->mutex);
    g_array_append_val(merge->full, run);
}

static void make_room(Run *run, size_t n)
{
    if (n <= run->room)
        return;
    run->room = CLAMP(MAX(n, 2 * run->room), RUN_FIRST, RUN_MAX);
    run->entries = g_renew(IndexEntry, run->entries, run->room);
}

static void add_entries(IndexMerge *merge, const IndexEntry *entries, size_t n, uint32_t first_pack)
{
    while (n > 0) {
        Run *run = &merge->filling;
        size_t some = MIN(n, RUN_MAX - run->n);

        make_room(run, run->n + some);
        for (size_t i = 0; i < some; i++) {
            run->entries[run->n + i] = entries[i];
            run->entries[run->n + i].pack += first_pack;
        }
        run->n += some;
        entries += some;
        n -= some;
        if (run->n == RUN_MAX)
            end_run(merge);
    }
}

void index_merge_add(IndexMerge *merge, const IndexPiece *piece)
{
    pthread_mutex_lock(&merge->mutex);
    uint32_t first_pack = merge->packs->len;
    g_assert(first_pack + piece->packs->len <= INDEX_PACKS_MAX);
    g_array_append_vals(merge->packs, piece->packs->data, piece->packs->len);
    add_entries(merge, (const IndexEntry *)(void *)piece->entries->data, piece->entries->len,
                first_pack);
    pthread_mutex_unlock(&merge->mutex);
}

/* ---- packs: sorted, each once ---- */

typedef struct {
    GArray *ids; // of Id, sorted
    uint32_t
        *numbers; // where each of those that came in is now: the older image's, then the new ones
} Packs;

static int compare_packs(const void *a, const void *b, void *ids)
{
    return id_compare((const Id *)ids + *(const uint32_t *)a,
                      (const Id *)ids + *(const uint32_t *)b);
}

static Packs unite_packs(const IndexTable *older, const GArray *newer)
{
    size_t n_older = older ? older->n_packs : 0;
    size_t n = n_older + newer->len;
    g_autofree Id *all = g_new(Id, n);
    g_autofree uint32_t *order = g_new(uint32_t, n);
    Packs packs = { g_array_new(false, false, sizeof(Id)), g_new(uint32_t, n) };

    if (n_older)
        memcpy(all, older->packs, n_older * sizeof(Id));
    if (newer->len)
        memcpy(all + n_older, newer->data, newer->len * sizeof(Id));
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    if (n > 0)
        qsort_r(order, n, sizeof(*order), compare_packs, all);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !id_equal(&all[order[i]], &all[order[i - 1]]))
            g_array_append_vals(packs.ids, &all[order[i]], 1);
        packs.numbers[order[i]] = packs.ids->len - 1;
    }
    return packs;
}

/* ---- merging ---- */

typedef struct {
    const IndexEntry *at, *end;
    const uint32_t *numbers; // of its packs
} Cursor;

/* The cursors are a heap: the one with the smallest id is the first. */
static void sift_down(GArray *cursors, guint at)
{
    Cursor *heap = (Cursor *)(void *)cursors->data;

    for (;;) {
        guint child = 2 * at + 1;
        Cursor moved = heap[at];

        if (child + 1 < cursors->len &&
            id_compare(&heap[child + 1].at->id, &heap[child].at->id) < 0)
            child++;
        if (child >= cursors->len || id_compare(&heap[child].at->id, &moved.at->id) >= 0)
            return;
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

static void add_cursor(GArray *cursors, const IndexEntry *entries, size_t n,
                       const uint32_t *numbers)
{
    if (n > 0) {
        Cursor cursor = { entries, entries + n, numbers };

        g_array_append_val(cursors, cursor);
    }
}

static IndexEntry take_first(GArray *cursors)
{
    Cursor *first = &g_array_index(cursors, Cursor, 0);
    IndexEntry entry = *first->at++;

    entry.pack = first->numbers[index_entry_pack(&entry)] | (entry.pack & INDEX_ENTRY_TREE);
    if (first->at == first->end)
        g_array_remove_index_fast(cursors, 0);
    if (cursors->len > 0)
        sift_down(cursors, 0);
    return entry;
}

/* Entries of one id. The type is the pack's top bit. */
static int compare_places(const void *a, const void *b)
{
    const IndexEntry *x = a;
    const IndexEntry *y = b;

    if (x->pack != y->pack)
        return x->pack < y->pack ? -1 : 1;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return memcmp(x, y, sizeof(*x));
}

static void write_places(IndexWriter *writer, GArray *places)
{
    IndexEntry *entries = (IndexEntry *)(void *)places->data;

    if (places->len > 1)
        qsort(entries, places->len, sizeof(*entries), compare_places);
    for (guint i = 0; i < places->len; i++)
        if (i == 0 || compare_places(&entries[i], &entries[i - 1]) != 0)
            index_writer_add(writer, &entries[i]);
}

static void merge_entries(GArray *cursors, IndexWriter *writer)
{
    g_autoptr(GArray) places = g_array_new(false, false, sizeof(IndexEntry));

    for (guint i = cursors->len / 2; i-- > 0;)
        sift_down(cursors, i);
    while (cursors->len > 0) {
        IndexEntry entry = take_first(cursors);

        if (places->len > 0 && !id_equal(&g_array_index(places, IndexEntry, 0).id, &entry.id)) {
            write_places(writer, places);
            g_array_set_size(places, 0);
        }
        g_array_append_val(places, entry);
    }
    write_places(writer, places);
}

/* Cursors over all that is to be merged; returns how many entries that is. */
static size_t add_cursors(IndexMerge *merge, const IndexTable *older, const uint32_t *numbers,
                          GArray *cursors)
{
    size_t n = merge->filling.n;

    if (older) {
        add_cursor(cursors, older->entries, older->n_entries, numbers);
        numbers += older->n_packs;
        n += older->n_entries;
    }
    for (guint i = 0; i < merge->full->len; i++) {
        const Run *run = &g_array_index(merge->full, Run, i);

        add_cursor(cursors, run->entries, run->n, numbers);
        n += run->n;
    }
    add_cursor(cursors, merge->filling.entries, merge->filling.n, numbers);
    return n;
}

IndexTable *index_merge_finish(IndexMerge *merge, const IndexTable *older, const Id *objects,
                               size_t n_objects, int fd, const uint8_t *key, GError **error)
{
    g_autoptr(GArray) cursors = g_array_new(false, false, sizeof(Cursor));
    Packs packs = unite_packs(older, merge->packs);
    g_autoptr(GArray) pack_ids = packs.ids;
    g_autofree uint32_t *numbers = packs.numbers;
    IndexContents contents = {
        .objects = objects,
        .n_objects = n_objects,
        .packs = (const Id *)pack_ids->data,
        .n_packs = pack_ids->len,
        .max_entries = add_cursors(merge, older, numbers, cursors),
    };
    g_autoptr(IndexWriter) writer = NULL;

    if (merge->filling.n > 0)
        sort_by_id(merge->filling.entries, merge->filling.n, 0);
    writer = index_writer_new(fd, key, &contents);
    merge_entries(cursors, writer);
    return index_writer_finish(writer, error);
}
