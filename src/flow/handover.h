/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes on their way from one thread that has them to one that asks for them, with a bounded buffer
 * between the two: what joins a stream that is pushed with a library that pulls.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef struct Handover Handover;

Handover *handover_new(size_t room); /* bytes between the two */
void handover_free(Handover *handover);

/* ---- of the writer ---- */

/* Waits for room. False: the reader has left and will say why; nothing more is taken. */
bool handover_write(Handover *handover, const void *data, size_t len);
/* Nothing more comes. whole false: the writer gives up, and the reader must not take what it got
 * for whole. The first call counts. */
void handover_end(Handover *handover, bool whole);

/* ---- of the reader ---- */

/* Waits for bytes; at most size of them. *ret_len 0: the end. False: the writer gave up. */
bool handover_read(Handover *handover, void *buf, size_t size, size_t *ret_len);
/* Nothing more is wanted. */
void handover_leave(Handover *handover);
