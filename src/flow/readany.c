/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content in any order: blobs wanted by a window of files are sorted by where they lie and read in
 * ranges; a worker writes what it opened wherever it belongs, and whoever completes a file ends it.
 */
#include "base/error.h"
#include "base/queue.h"
#include "flow/readwindow.h"
#include <string.h>

/* 1 MiB of requests. Enough to find the blobs of a pack together, little enough for the walk to
 * stay near. */
#define WINDOW_REQUESTS 8192u
#define WINDOW_FIRST    256u /* while the workers have nothing to do */
/* Of a far store a request more costs more than beginning later. Files that were read at the same
 * time share their packs: with the first window of a near store two of 512 MiB were 200 requests,
 * and with these 50. 4 MiB. */
#define FAR_WINDOW_REQUESTS 32768u
#define FAR_WINDOW_FIRST    4096u
#define WINDOW_PATHS        (4u * 1024 * 1024)
/* Files of several blobs, for these stay open until the last one comes. */
#define WINDOW_MANY   128u
#define WINDOWS_MAX   2u /* one being read, one waiting */
#define RANGES_QUEUED 64u

struct ReadFile {
    char *path;
    void *handle;
    atomic_uint_least64_t left; /* blobs to come, and one for as long as they are being counted */
    GError *problem;            /* the first; guarded by the mutex of AnyOrder */
    atomic_bool bad;
};

struct AnyOrder {
    Reading *reading;
    Window *window; /* being filled */
    Queue *ranges;
    pthread_t workers[16];
    unsigned n_workers;
    pthread_mutex_t mutex;
    pthread_cond_t window_done;
    unsigned n_windows; /* handed to the workers */
};

/* ---- files ---- */

static void file_end(AnyOrder *any, ReadFile *file)
{
    Reading *reading = any->reading;
    GError *problem = file->problem;

    if (atomic_load(&file->bad)) {
        sink_abandon(reading->sink, file->handle);
        if (problem)
            (void)reading_problem(reading, file->path, problem);
    } else if (sink_end(reading->sink, file->handle, NULL, &problem)) {
        progress_add(reading->options->progress, 1, 0);
    } else {
        (void)reading_problem(reading, file->path, problem);
    }
    g_free(file->path);
    g_free(file);
}

static void file_release(AnyOrder *any, ReadFile *file)
{
    if (atomic_fetch_sub(&file->left, 1) == 1)
        file_end(any, file);
}

/* problem NULL: the run is over, and that is known. */
static void file_spoil(AnyOrder *any, ReadFile *file, const GError *problem)
{
    pthread_mutex_lock(&any->mutex);
    if (problem && !file->problem)
        file->problem = g_error_copy(problem);
    atomic_store(&file->bad, true);
    pthread_mutex_unlock(&any->mutex);
}

/* ---- workers ---- */

static void deliver(AnyOrder *any, const Request *request, const Plain *plain,
                    const GError *problem)
{
    ReadFile *file = request->file;
    g_autoptr(GError) refused = NULL;

    if (!plain)
        file_spoil(any, file, problem);
    else if (!atomic_load(&file->bad) &&
             !sink_write(any->reading->sink, file->handle, request->offset, plain->data, plain->len,
                         &refused))
        file_spoil(any, file, refused);
    else
        progress_add(any->reading->options->progress, 0, plain->len);
    file_release(any, file);
}

/* sealed: the bytes from start on, or NULL when they could not be read. */
static void deliver_range(AnyOrder *any, BlobOpener *opener, const Range *range, uint8_t *sealed,
                          uint64_t start, uint8_t *out)
{
    const Request *requests = range_requests(range);
    guint n = 0;

    for (guint i = 0; i < range->n; i += n) {
        const Request *request = &requests[i];
        uint8_t *from = sealed ? sealed + (request->place.offset - start) : NULL;
        g_autoptr(GError) problem = NULL;
        Plain plain = { .len = 0 };
        bool ok = !reading_over(any->reading) &&
                  reading_open(any->reading, opener, &request->id, &request->place, from, out,
                               &plain, &problem);

        // the same blob for several files, or several times in one
        for (n = 0; i + n < range->n && request_same_place(request, &requests[i + n]); n++)
            deliver(any, &requests[i + n], ok ? &plain : NULL, problem);
        plain_clear(&plain);
    }
}

static bool read_range(const Reading *reading, const Id *pack, uint64_t start, uint8_t *sealed,
                       size_t len)
{
    return sealed && store_get(repo_store(reading->repo), file_key(FILE_PACK, pack).text, start,
                               sealed, len, NULL);
}

static void window_release(AnyOrder *any, Window *window)
{
    if (atomic_fetch_sub(&window->left, 1) != 1)
        return;
    window_free(window);
    pthread_mutex_lock(&any->mutex);
    any->n_windows--;
    pthread_cond_signal(&any->window_done);
    pthread_mutex_unlock(&any->mutex);
}

static void fetch(AnyOrder *any, BlobOpener *opener, const Range *range, uint8_t *sealed)
{
    Reading *reading = any->reading;
    const Request *requests = range_requests(range);
    const BlobPlace *first = &requests[0].place, *last = &requests[range->n - 1].place;
    size_t len = (size_t)((uint64_t)last->offset + last->length - first->offset);
    g_autofree uint8_t *large = NULL;
    uint8_t *out;
    bool alone = len > reading->range_max || reading_is_large(first);
    bool ok;

    if (alone)
        pthread_mutex_lock(&reading->large);
    if (len > reading->range_max)
        sealed = large = g_try_malloc(len);
    ok = !reading_over(reading) && read_range(reading, &first->pack, first->offset, sealed, len);
    out = buffers_take(reading->plain);
    deliver_range(any, opener, range, ok ? sealed : NULL, first->offset, out);
    buffers_give(reading->plain, out);
    if (alone)
        pthread_mutex_unlock(&reading->large);
}

/* Whether this need not be fetched. */
static bool is_there(AnyOrder *any, const Request *request)
{
    Reading *reading = any->reading;
    size_t len = blob_plain_len(request->place.length, request->place.plain_len);
    g_autoptr(GError) problem = NULL;
    bool has = false;

    if (atomic_load(&request->file->bad))
        return true;
    if (reading_over(reading))
        return false;
    if (!sink_has(reading->sink, request->file->handle, request->offset, len, &request->id, &has,
                  &problem)) {
        file_spoil(any, request->file, problem);
        return true;
    }
    if (has)
        progress_add(reading->options->progress, 0, len);
    return has;
}

/* Moves what must be fetched to the front of the range; returns how many that are. */
static guint drop_what_is_there(AnyOrder *any, const Range *range)
{
    Request *requests = range_requests(range);
    guint n = 0;

    for (guint i = 0; i < range->n; i++)
        if (is_there(any, &requests[i]))
            file_release(any, requests[i].file);
        else
            requests[n++] = requests[i];
    return n;
}

static void work_on(AnyOrder *any, BlobOpener *opener, const Range *range, uint8_t *sealed)
{
    guint n = drop_what_is_there(any, range);
    Range run = { .window = range->window, .first = range->first };

    // what lies between two that are wanted may be too much now to be read in vain
    for (guint left = n; left > 0; left -= run.n, run.first += run.n) {
        const Request *requests = range_requests(&run);

        for (run.n = 1; run.n < left; run.n++)
            if (!reading_joins(any->reading, &requests[0].place, &requests[run.n - 1].place,
                               &requests[run.n].place))
                break;
        fetch(any, opener, &run, sealed);
    }
}

static void *worker(void *user)
{
    AnyOrder *any = user;
    g_autoptr(BlobOpener) opener = blob_opener_new(any->reading->repo);
    uint8_t *sealed = buffers_take(any->reading->sealed);
    const Range *range;

    while ((range = queue_pop(any->ranges))) {
        work_on(any, opener, range, sealed);
        window_release(any, range->window);
    }
    buffers_give(any->reading->sealed, sealed);
    return NULL;
}

/* ---- windows ---- */

static void hand_over(AnyOrder *any)
{
    Window *window = any->window;
    guint n;

    if (window->requests->len == 0)
        return;
    any->window = window_new(WINDOW_FIRST);
    window_cut(window, any->reading);
    pthread_mutex_lock(&any->mutex);
    while (any->n_windows >= WINDOWS_MAX)
        pthread_cond_wait(&any->window_done, &any->mutex);
    any->n_windows++;
    pthread_mutex_unlock(&any->mutex);
    // the last worker to be done frees the window: it must not be looked at after the last push
    n = window->ranges->len;
    atomic_init(&window->left, n);
    for (guint i = 0; i < n; i++)
        (void)queue_push(any->ranges, &g_array_index(window->ranges, Range, i));
}

static bool workers_are_idle(AnyOrder *any)
{
    bool idle;

    pthread_mutex_lock(&any->mutex);
    idle = any->n_windows == 0;
    pthread_mutex_unlock(&any->mutex);
    return idle;
}

static bool is_full(AnyOrder *any)
{
    const Window *window = any->window;
    bool far = repo_store(any->reading->repo)->far;
    guint n = window->requests->len;

    return n >= (far ? FAR_WINDOW_REQUESTS : WINDOW_REQUESTS) || window->n_many >= WINDOW_MANY ||
           window->path_bytes >= WINDOW_PATHS ||
           (n >= (far ? FAR_WINDOW_FIRST : WINDOW_FIRST) && n % WINDOW_FIRST == 0 &&
            workers_are_idle(any));
}

/* ---- */

AnyOrder *any_order_new(Reading *reading, unsigned workers)
{
    AnyOrder *any = g_new0(AnyOrder, 1);

    any->reading = reading;
    any->window = window_new(WINDOW_FIRST);
    any->ranges = queue_new(RANGES_QUEUED);
    any->n_workers = MIN(workers, G_N_ELEMENTS(any->workers));
    pthread_mutex_init(&any->mutex, NULL);
    pthread_cond_init(&any->window_done, NULL);
    for (unsigned i = 0; i < any->n_workers; i++)
        if (pthread_create(&any->workers[i], NULL, worker, any) != 0)
            g_error("no thread for reading");
    return any;
}

/* Every blob of the file is somewhere: better to know before the first one is written. */
static bool content_is_there(AnyOrder *any, const Node *node, GError **error)
{
    BlobPlace place;

    for (guint i = 0; i < node->content->len; i++)
        if (!reading_find(any->reading, &g_array_index(node->content, Id, i), &place, error))
            return false;
    return true;
}

static void request(AnyOrder *any, ReadFile *file, const Id *id, uint64_t *offset)
{
    Request wanted = { .id = *id, .offset = *offset, .file = file };
    size_t len;

    (void)reading_find(any->reading, id, &wanted.place, NULL);
    wanted.turn = window_turn(any->window, &wanted.place.pack);
    len = blob_plain_len(wanted.place.length, wanted.place.plain_len);
    *offset += len;
    atomic_fetch_add(&file->left, 1);
    g_array_append_val(any->window->requests, wanted);
    if (is_full(any))
        hand_over(any);
}

void any_order_file(AnyOrder *any, const char *path, const Node *node, void *handle)
{
    ReadFile *file = g_new0(ReadFile, 1);
    uint64_t offset = 0;
    GError *problem = NULL;

    file->path = g_strdup(path);
    file->handle = handle;
    atomic_init(&file->left, 1);
    atomic_init(&file->bad, false);
    if (!content_is_there(any, node, &problem)) {
        file->problem = problem;
        atomic_store(&file->bad, true);
    } else {
        any->window->n_many += node->content->len > 1;
        any->window->path_bytes += strlen(path);
        for (guint i = 0; i < node->content->len && !reading_over(any->reading); i++)
            request(any, file, &g_array_index(node->content, Id, i), &offset);
        if (reading_over(any->reading))
            file_spoil(any, file, NULL);
    }
    file_release(any, file);
}

void any_order_free(AnyOrder *any)
{
    hand_over(any);
    queue_close(any->ranges);
    for (unsigned i = 0; i < any->n_workers; i++)
        pthread_join(any->workers[i], NULL);
    window_free(any->window);
    queue_free(any->ranges);
    pthread_cond_destroy(&any->window_done);
    pthread_mutex_destroy(&any->mutex);
    g_free(any);
}
