/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of pointers between threads, on POSIX mutex and conditions (ThreadSanitizer sees
 * them). Any number of pushers and poppers. It never owns what it carries.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct Queue Queue;

Queue *queue_new(size_t capacity);
void queue_free(Queue *queue);

/* Waits while full. False: the queue is closed, the item was not taken. */
bool queue_push(Queue *queue, void *item);
/* Waits while empty. NULL: closed and drained. */
void *queue_pop(Queue *queue);
/* At once: NULL when there is nothing. */
void *queue_try_pop(Queue *queue);
/* No more pushes; poppers get what is left, then NULL. */
void queue_close(Queue *queue);
