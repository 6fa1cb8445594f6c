/* SPDX-License-Identifier: Apache-2.0 */
#include "base/queue.h"

#include <glib.h>
#include <pthread.h>
#include <stdint.h>

struct Queue {
    pthread_mutex_t lock;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    bool closed;
    size_t capacity;
    size_t first; /* index of the oldest item */
    size_t n;
    void *items[];
};

Queue *queue_new(size_t capacity)
{
    Queue *queue = NULL;

    g_assert(capacity > 0 && capacity < (SIZE_MAX - sizeof(Queue)) / sizeof(void *));
    queue = g_malloc0(sizeof(Queue) + capacity * sizeof(void *));
    queue->capacity = capacity;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->not_full, NULL);
    pthread_cond_init(&queue->not_empty, NULL);
    return queue;
}

void queue_free(Queue *queue)
{
    if (!queue)
        return;
    pthread_cond_destroy(&queue->not_empty);
    pthread_cond_destroy(&queue->not_full);
    pthread_mutex_destroy(&queue->lock);
    g_free(queue);
}

bool queue_push(Queue *queue, void *item)
{
    bool taken;

    g_assert(item);
    pthread_mutex_lock(&queue->lock);
    while (queue->n == queue->capacity && !queue->closed)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    taken = !queue->closed;
    if (taken) {
        queue->items[(queue->first + queue->n++) % queue->capacity] = item;
        pthread_cond_signal(&queue->not_empty);
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}

/* The oldest item or NULL; the caller holds the lock. */
static void *take_first(Queue *queue)
{
    void *item;

    if (queue->n == 0)
        return NULL;
    item = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->capacity;
    queue->n--;
    pthread_cond_signal(&queue->not_full);
    return item;
}

void *queue_pop(Queue *queue)
{
    void *item;

    pthread_mutex_lock(&queue->lock);
    while (queue->n == 0 && !queue->closed)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    item = take_first(queue);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void *queue_try_pop(Queue *queue)
{
    void *item;

    pthread_mutex_lock(&queue->lock);
    item = take_first(queue);
    pthread_mutex_unlock(&queue->lock);
    return item;
}

void queue_close(Queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->closed = true;
    pthread_cond_broadcast(&queue->not_full);
    pthread_cond_broadcast(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}
