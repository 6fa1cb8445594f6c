/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffers.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <sys/mman.h>

#define CACHE_LINE 64 /* two threads never write into one */

struct Buffers {
    pthread_mutex_t lock;
    pthread_cond_t given;
    uint8_t *memory;
    size_t size;
    size_t stride; /* size, rounded up to cache lines */
    unsigned n;
    unsigned n_free;
    uint8_t *free[]; /* a stack */
};

Buffers *buffers_new(unsigned n, size_t size)
{
    Buffers *buffers = NULL;

    g_assert(n > 0 && size > 0 && size <= SIZE_MAX / n - CACHE_LINE);
    buffers = g_malloc0(sizeof(Buffers) + n * sizeof(uint8_t *));
    buffers->n = n;
    buffers->size = size;
    buffers->stride = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    buffers->memory =
        mmap(NULL, n * buffers->stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffers->memory == MAP_FAILED)
        g_error("no memory for %u buffers of %zu bytes: %s", n, size, g_strerror(errno));
    for (unsigned i = n; i > 0; i--)
        buffers->free[buffers->n_free++] = buffers->memory + (i - 1) * buffers->stride;
    pthread_mutex_init(&buffers->lock, NULL);
    pthread_cond_init(&buffers->given, NULL);
    return buffers;
}

void buffers_free(Buffers *buffers)
{
    if (!buffers)
        return;
    g_assert(buffers->n_free == buffers->n);
    pthread_cond_destroy(&buffers->given);
    pthread_mutex_destroy(&buffers->lock);
    (void)munmap(buffers->memory, buffers->n * buffers->stride);
    g_free(buffers);
}

size_t buffers_size(const Buffers *buffers)
{
    return buffers->size;
}

uint8_t *buffers_take(Buffers *buffers)
{
    uint8_t *buffer;

    pthread_mutex_lock(&buffers->lock);
    while (buffers->n_free == 0)
        pthread_cond_wait(&buffers->given, &buffers->lock);
    buffer = buffers->free[--buffers->n_free];
    pthread_mutex_unlock(&buffers->lock);
    return buffer;
}

uint8_t *buffers_try_take(Buffers *buffers)
{
    uint8_t *buffer = NULL;

    pthread_mutex_lock(&buffers->lock);
    if (buffers->n_free > 0)
        buffer = buffers->free[--buffers->n_free];
    pthread_mutex_unlock(&buffers->lock);
    return buffer;
}

void buffers_give(Buffers *buffers, uint8_t *buffer)
{
    g_assert(buffer >= buffers->memory &&
             (size_t)(buffer - buffers->memory) < buffers->n * buffers->stride &&
             (size_t)(buffer - buffers->memory) % buffers->stride == 0);
    pthread_mutex_lock(&buffers->lock);
    g_assert(buffers->n_free < buffers->n);
    buffers->free[buffers->n_free++] = buffer;
    pthread_cond_signal(&buffers->given);
    pthread_mutex_unlock(&buffers->lock);
}
