/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/handover.h"

#include <glib.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

typedef enum { OPEN, WHOLE, GIVEN_UP } End;

struct Handover {
    uint8_t *ring;
    size_t room;
    pthread_mutex_t mutex; // around what follows
    pthread_cond_t changed;
    size_t at, len; // where the bytes begin, how many there are
    End end;
    bool left;
};

Handover *handover_new(size_t room)
{
    Handover *handover = g_new0(Handover, 1);

    g_assert(room > 0);
    handover->ring = g_malloc(room);
    handover->room = room;
    pthread_mutex_init(&handover->mutex, NULL);
    pthread_cond_init(&handover->changed, NULL);
    return handover;
}

void handover_free(Handover *handover)
{
    if (!handover)
        return;
    pthread_mutex_destroy(&handover->mutex);
    pthread_cond_destroy(&handover->changed);
    g_free(handover->ring);
    g_free(handover);
}

/* One stretch of the ring; the mutex is held. */
static size_t put_in(Handover *handover, const uint8_t *data, size_t len)
{
    size_t begin = (handover->at + handover->len) % handover->room;
    size_t n = MIN(len, MIN(handover->room - handover->len, handover->room - begin));

    memcpy(handover->ring + begin, data, n);
    handover->len += n;
    return n;
}

static size_t take_out(Handover *handover, uint8_t *buf, size_t size)
{
    size_t n = MIN(size, MIN(handover->len, handover->room - handover->at));

    memcpy(buf, handover->ring + handover->at, n);
    handover->at = (handover->at + n) % handover->room;
    handover->len -= n;
    return n;
}

bool handover_write(Handover *handover, const void *data, size_t len)
{
    const uint8_t *at = data;
    bool left;

    pthread_mutex_lock(&handover->mutex);
    while (len > 0 && !handover->left) {
        size_t n = put_in(handover, at, len);

        at += n;
        len -= n;
        pthread_cond_broadcast(&handover->changed);
        while (len > 0 && !handover->left && handover->len == handover->room)
            pthread_cond_wait(&handover->changed, &handover->mutex);
    }
    left = handover->left;
    pthread_mutex_unlock(&handover->mutex);
    return !left;
}

void handover_end(Handover *handover, bool whole)
{
    pthread_mutex_lock(&handover->mutex);
    if (handover->end == OPEN)
        handover->end = whole ? WHOLE : GIVEN_UP;
    pthread_cond_broadcast(&handover->changed);
    pthread_mutex_unlock(&handover->mutex);
}

bool handover_read(Handover *handover, void *buf, size_t size, size_t *ret_len)
{
    bool ok;

    pthread_mutex_lock(&handover->mutex);
    while (handover->end == OPEN && handover->len == 0)
        pthread_cond_wait(&handover->changed, &handover->mutex);
    ok = handover->end != GIVEN_UP;
    if (ok)
        *ret_len = take_out(handover, buf, size);
    pthread_cond_broadcast(&handover->changed);
    pthread_mutex_unlock(&handover->mutex);
    return ok;
}

void handover_leave(Handover *handover)
{
    pthread_mutex_lock(&handover->mutex);
    handover->left = true;
    pthread_cond_broadcast(&handover->changed);
    pthread_mutex_unlock(&handover->mutex);
}
