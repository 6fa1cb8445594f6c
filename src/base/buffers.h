/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed pool of equal buffers, made at the start. Waiting for a free one is how a fast producer
 * is slowed down; memory is n x size and no more. The last one returned is taken first (warm
 * cache). Any thread. Pages are only touched when used (anonymous mmap).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Buffers Buffers;

Buffers *buffers_new(unsigned n, size_t size);
void buffers_free(Buffers *buffers); /* every buffer must be back */

size_t buffers_size(const Buffers *buffers);
uint8_t *buffers_take(Buffers *buffers);     /* waits for a free one */
uint8_t *buffers_try_take(Buffers *buffers); /* NULL when none is free */
void buffers_give(Buffers *buffers, uint8_t *buffer);
