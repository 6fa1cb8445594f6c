/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/outlet.h"

#include "base/error.h"
#include "base/parallel.h"
#include <pthread.h>
#include <string.h>
#include <zlib.h>

#define PIECE      (1024u * 1024)
#define DICTIONARY (32u * 1024) /* deflate never looks back further (RFC 1951) */
#define FLUSHED    64u          /* the end of a piece may take so much more than deflateBound() */

typedef enum { EMPTY, READY, TAKEN, DONE } State;

/* A piece of the input, and what becomes of it. It is the caller's when EMPTY or DONE, and one
 * worker's when TAKEN. */
typedef struct {
    State state; /* under the mutex */
    uint8_t *in, *out;
    size_t len, out_len;
    uint8_t dictionary[DICTIONARY]; /* what lies before it */
    unsigned dictionary_len;
    bool last;
} Piece;

typedef struct {
    Outlet base;
    Outlet *next;
    int level;
    size_t room; /* of out */
    Piece *pieces;
    unsigned n, filling, oldest; /* of the caller: where input goes, what goes out next */
    bool begun;                  /* the header went out */
    uint64_t size;
    uLong crc;
    pthread_t threads[PARALLEL_MAX];
    unsigned n_threads;
    pthread_mutex_t mutex;
    pthread_cond_t ready, done;
    unsigned todo; /* under the mutex, and the next: the first piece no worker has taken */
    bool stop;
} GzipOutlet;

/* ---- workers ---- */

static z_stream *deflate_new(int level)
{
    z_stream *stream = g_new0(z_stream, 1);

    // of the arguments only the level is not a constant, and it was checked
    g_assert(deflateInit2(stream, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    return stream;
}

static void deflate_free(z_stream *stream)
{
    (void)deflateEnd(stream); // tells only that a piece was left half-way
    g_free(stream);
}

static void compress_piece(const GzipOutlet *outlet, z_stream *stream, Piece *piece)
{
    int status;

    g_assert(deflateReset(stream) == Z_OK);
    if (piece->dictionary_len > 0)
        g_assert(deflateSetDictionary(stream, piece->dictionary, piece->dictionary_len) == Z_OK);
    stream->next_in = piece->in;
    stream->avail_in = (uInt)piece->len;
    stream->next_out = piece->out;
    stream->avail_out = (uInt)outlet->room;
    status = deflate(stream, piece->last ? Z_FINISH : Z_SYNC_FLUSH);
    g_assert(status == (piece->last ? Z_STREAM_END : Z_OK) && stream->avail_out > 0);
    piece->out_len = outlet->room - stream->avail_out;
}

/* The next piece that waits, or NULL when there will be none. The mutex is held. */
static Piece *take_piece(GzipOutlet *outlet)
{
    Piece *piece;

    while (!outlet->stop && outlet->pieces[outlet->todo].state != READY)
        pthread_cond_wait(&outlet->ready, &outlet->mutex);
    if (outlet->stop)
        return NULL;
    piece = &outlet->pieces[outlet->todo];
    piece->state = TAKEN; // or who comes round the ring meanwhile would take it, too
    outlet->todo = (outlet->todo + 1) % outlet->n;
    return piece;
}

static void *worker_main(void *user)
{
    GzipOutlet *outlet = user;
    z_stream *stream = deflate_new(outlet->level);
    Piece *piece;

    pthread_mutex_lock(&outlet->mutex);
    while ((piece = take_piece(outlet))) {
        pthread_mutex_unlock(&outlet->mutex);
        compress_piece(outlet, stream, piece);
        pthread_mutex_lock(&outlet->mutex);
        piece->state = DONE;
        pthread_cond_signal(&outlet->done);
    }
    pthread_mutex_unlock(&outlet->mutex);
    deflate_free(stream);
    return NULL;
}

/* ---- the caller ---- */

static bool put_header(GzipOutlet *outlet, GError **error)
{
    // no name, no time: the same input gives the same archive; 3 is Unix (RFC 1952, section 2.3)
    const uint8_t header[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, outlet->level == 9 ? 2 : 0, 3 };

    outlet->begun = true;
    return outlet_write(outlet->next, header, sizeof header, error);
}

/* The oldest piece goes out. */
static bool put_oldest(GzipOutlet *outlet, GError **error)
{
    Piece *piece = &outlet->pieces[outlet->oldest];
    bool ok;

    pthread_mutex_lock(&outlet->mutex);
    while (piece->state != DONE)
        pthread_cond_wait(&outlet->done, &outlet->mutex);
    pthread_mutex_unlock(&outlet->mutex);
    ok = (outlet->begun || put_header(outlet, error)) &&
         outlet_write(outlet->next, piece->out, piece->out_len, error);
    pthread_mutex_lock(&outlet->mutex);
    piece->state = EMPTY;
    pthread_mutex_unlock(&outlet->mutex);
    outlet->oldest = (outlet->oldest + 1) % outlet->n;
    return ok;
}

static void hand_over(GzipOutlet *outlet, bool last)
{
    Piece *piece = &outlet->pieces[outlet->filling];

    piece->last = last;
    pthread_mutex_lock(&outlet->mutex);
    piece->state = READY;
    pthread_cond_signal(&outlet->ready);
    pthread_mutex_unlock(&outlet->mutex);
}

/* The full piece is handed over, and the next one begins with the end of it in mind. */
static bool next_piece(GzipOutlet *outlet, GError **error)
{
    const Piece *before = &outlet->pieces[outlet->filling];
    Piece *piece;

    outlet->filling = (outlet->filling + 1) % outlet->n;
    piece = &outlet->pieces[outlet->filling];
    if (outlet->filling == outlet->oldest && !put_oldest(outlet, error))
        return false;
    piece->len = 0;
    piece->dictionary_len = DICTIONARY;
    memcpy(piece->dictionary, before->in + before->len - DICTIONARY, DICTIONARY);
    return true;
}

static bool gzip_write(Outlet *base, const void *data, size_t len, GError **error)
{
    GzipOutlet *outlet = (GzipOutlet *)base;
    const uint8_t *at = data;

    outlet->crc = crc32_z(outlet->crc, data, len);
    outlet->size += len;
    while (len > 0) {
        Piece *piece = &outlet->pieces[outlet->filling];
        size_t n;

        if (piece->len == PIECE) {
            hand_over(outlet, false);
            if (!next_piece(outlet, error))
                return false;
            piece = &outlet->pieces[outlet->filling];
        }
        n = MIN(len, PIECE - piece->len);
        memcpy(piece->in + piece->len, at, n);
        piece->len += n;
        at += n;
        len -= n;
    }
    return true;
}

static bool put_trailer(GzipOutlet *outlet, GError **error)
{
    const uint32_t trailer[2] = { GUINT32_TO_LE((uint32_t)outlet->crc),
                                  GUINT32_TO_LE((uint32_t)outlet->size) };

    return outlet_write(outlet->next, trailer, sizeof trailer, error);
}

static bool gzip_finish(Outlet *base, GError **error)
{
    GzipOutlet *outlet = (GzipOutlet *)base;
    const unsigned end = (outlet->filling + 1) % outlet->n;

    hand_over(outlet, true);
    do
        if (!put_oldest(outlet, error))
            return false;
    while (outlet->oldest != end);
    return put_trailer(outlet, error) && outlet_finish(outlet->next, error);
}

static void gzip_free(Outlet *base)
{
    GzipOutlet *outlet = (GzipOutlet *)base;

    pthread_mutex_lock(&outlet->mutex);
    outlet->stop = true;
    pthread_cond_broadcast(&outlet->ready);
    pthread_mutex_unlock(&outlet->mutex);
    for (unsigned i = 0; i < outlet->n_threads; i++)
        pthread_join(outlet->threads[i], NULL);
    pthread_mutex_destroy(&outlet->mutex);
    pthread_cond_destroy(&outlet->ready);
    pthread_cond_destroy(&outlet->done);
    for (unsigned i = 0; i < outlet->n; i++) {
        g_free(outlet->pieces[i].in);
        g_free(outlet->pieces[i].out);
    }
    g_free(outlet->pieces);
    outlet_free(outlet->next);
    g_free(outlet);
}

static const OutletOps gzip_ops = {
    .name = "gzip",
    .write = gzip_write,
    .finish = gzip_finish,
    .free = gzip_free,
};

static void start_threads(GzipOutlet *outlet, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++) {
        if (pthread_create(&outlet->threads[i], NULL, worker_main, outlet) != 0)
            break; // fewer will do
        outlet->n_threads++;
    }
    g_assert(outlet->n_threads > 0);
}

Outlet *outlet_gzip_new(Outlet *next, int level, unsigned threads)
{
    GzipOutlet *outlet = g_new0(GzipOutlet, 1);
    z_stream *stream;

    g_assert(level >= 0 && level <= 9);
    threads = MIN(threads ? threads : parallel_cores(), PARALLEL_MAX);
    outlet->base.ops = &gzip_ops;
    outlet->next = next;
    outlet->level = level ? level : 6;
    outlet->crc = crc32_z(0, NULL, 0);
    stream = deflate_new(outlet->level);
    outlet->room = deflateBound(stream, PIECE) + FLUSHED;
    deflate_free(stream);
    outlet->n = threads + 2; // one more is filled, one goes out
    outlet->pieces = g_new0(Piece, outlet->n);
    for (unsigned i = 0; i < outlet->n; i++) {
        outlet->pieces[i].in = g_malloc(PIECE);
        outlet->pieces[i].out = g_malloc(outlet->room);
    }
    pthread_mutex_init(&outlet->mutex, NULL);
    pthread_cond_init(&outlet->ready, NULL);
    pthread_cond_init(&outlet->done, NULL);
    start_threads(outlet, threads);
    return &outlet->base;
}
