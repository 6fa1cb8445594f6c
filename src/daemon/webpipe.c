/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webpipe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct WebPipe {
    atomic_int refs;
    pthread_mutex_t lock;
    pthread_cond_t moved; // there is room, or nobody reads
    GByteArray *bytes;
    size_t room, taken; // taken: of bytes, from the front
    bool ended, whole, closed;
    WebPipeReader sleeper; // user NULL: the reader is awake
};

WebPipe *web_pipe_new(size_t room)
{
    WebPipe *pipe = g_new0(WebPipe, 1);

    atomic_init(&pipe->refs, 1);
    pthread_mutex_init(&pipe->lock, NULL);
    pthread_cond_init(&pipe->moved, NULL);
    pipe->bytes = g_byte_array_new();
    pipe->room = room;
    return pipe;
}

WebPipe *web_pipe_ref(WebPipe *pipe)
{
    atomic_fetch_add(&pipe->refs, 1);
    return pipe;
}

void web_pipe_unref(WebPipe *pipe)
{
    if (!pipe || atomic_fetch_sub(&pipe->refs, 1) != 1)
        return;
    pthread_cond_destroy(&pipe->moved);
    pthread_mutex_destroy(&pipe->lock);
    g_byte_array_unref(pipe->bytes);
    g_free(pipe);
}

static size_t held(const WebPipe *pipe)
{
    return pipe->bytes->len - pipe->taken;
}

/* Under the lock, as the reader's sleep() was. */
static void wake(WebPipe *pipe)
{
    WebPipeReader sleeper = pipe->sleeper;

    pipe->sleeper.user = NULL;
    if (sleeper.user)
        sleeper.wake(sleeper.user);
}

static void append(WebPipe *pipe, const void *data, size_t len)
{
    if (pipe->taken > 0) {
        g_byte_array_remove_range(pipe->bytes, 0, (guint)pipe->taken);
        pipe->taken = 0;
    }
    g_byte_array_append(pipe->bytes, data, (guint)len);
    wake(pipe);
}

bool web_pipe_put(WebPipe *pipe, const void *data, size_t len)
{
    const uint8_t *from = data;
    bool open;

    pthread_mutex_lock(&pipe->lock);
    while (len > 0 && !pipe->closed) {
        size_t part = MIN(len, pipe->room - held(pipe));

        if (part == 0) {
            pthread_cond_wait(&pipe->moved, &pipe->lock);
            continue;
        }
        append(pipe, from, part);
        from += part;
        len -= part;
    }
    open = !pipe->closed;
    pthread_mutex_unlock(&pipe->lock);
    return open;
}

bool web_pipe_offer(WebPipe *pipe, const void *data, size_t len)
{
    bool fits;

    pthread_mutex_lock(&pipe->lock);
    fits = !pipe->closed && !pipe->ended && len <= pipe->room - held(pipe);
    if (fits)
        append(pipe, data, len);
    pthread_mutex_unlock(&pipe->lock);
    return fits;
}

void web_pipe_end(WebPipe *pipe, bool whole)
{
    pthread_mutex_lock(&pipe->lock);
    if (!pipe->ended) {
        pipe->ended = true;
        pipe->whole = whole;
        wake(pipe);
    }
    pthread_mutex_unlock(&pipe->lock);
}

void web_pipe_close(WebPipe *pipe)
{
    pthread_mutex_lock(&pipe->lock);
    pipe->closed = true;
    pthread_cond_broadcast(&pipe->moved);
    pthread_mutex_unlock(&pipe->lock);
}

bool web_pipe_closed(WebPipe *pipe)
{
    bool closed;

    pthread_mutex_lock(&pipe->lock);
    closed = pipe->closed;
    pthread_mutex_unlock(&pipe->lock);
    return closed;
}

WebPipeState web_pipe_take(WebPipe *pipe, const WebPipeReader *reader, void *buf, size_t room,
                           size_t *ret_len)
{
    WebPipeState state = WEB_PIPE_BYTES;
    size_t len;

    pthread_mutex_lock(&pipe->lock);
    len = MIN(room, held(pipe));
    if (len > 0) {
        memcpy(buf, pipe->bytes->data + pipe->taken, len);
        pipe->taken += len;
        pthread_cond_signal(&pipe->moved);
    } else if (pipe->ended) {
        state = pipe->whole ? WEB_PIPE_WHOLE : WEB_PIPE_CUT;
    } else {
        state = WEB_PIPE_EMPTY;
        pipe->sleeper = *reader;
        reader->sleep(reader->user);
    }
    pthread_mutex_unlock(&pipe->lock);
    *ret_len = len;
    return state;
}
