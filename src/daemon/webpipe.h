/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes on their way to one client, between whoever makes them and the thread of the network, which
 * never waits: while there are none its connection sleeps. Holds at most the bytes it was made for.
 * Any number of threads may put; counted references.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct WebPipe WebPipe;

WebPipe *web_pipe_new(size_t room);
WebPipe *web_pipe_ref(WebPipe *pipe);
void web_pipe_unref(WebPipe *pipe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebPipe, web_pipe_unref)

/* Waits for room. False: nobody reads any more. */
bool web_pipe_put(WebPipe *pipe, const void *data, size_t len);
/* Does not wait. False: nobody reads, or too slowly; all of it or nothing. */
bool web_pipe_offer(WebPipe *pipe, const void *data, size_t len);
/* No more will come. whole: that was all; otherwise the client must see that it was not, so its
 * connection is cut. Only the first call counts. */
void web_pipe_end(WebPipe *pipe, bool whole);
/* Nobody reads any more: whoever waits for room is told. */
void web_pipe_close(WebPipe *pipe);
bool web_pipe_closed(WebPipe *pipe);

/* For the server: at least one byte, or what is left to say. sleep() is called under the lock when
 * there is nothing yet, and wake() once when there is again, from another thread. */
typedef enum { WEB_PIPE_BYTES, WEB_PIPE_EMPTY, WEB_PIPE_WHOLE, WEB_PIPE_CUT } WebPipeState;
typedef struct {
    void (*sleep)(void *user);
    void (*wake)(void *user);
    void *user;
} WebPipeReader;
WebPipeState web_pipe_take(WebPipe *pipe, const WebPipeReader *reader, void *buf, size_t room,
                           size_t *ret_len);
