/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of a stream of WAL: what the server sends, and what it is told of our progress.
 * PostgreSQL documentation, "Streaming Replication Protocol", START_REPLICATION. Pure; any thread.
 */
#pragma once
#include "base/clock.h"
#include <glib.h>
#include <stddef.h>

typedef enum { PG_FRAME_WAL, PG_FRAME_KEEPALIVE } PgFrameKind;

typedef struct {
    PgFrameKind kind;
    uint64_t end; /* LSN: how far the server's WAL goes */
    bool reply;   /* KEEPALIVE: it wants to hear of us at once */
    /* WAL: the bytes from begin on, borrowed from the message; begin + len does not overflow. */
    uint64_t begin;
    const uint8_t *data;
    size_t len;
} PgFrame;

/* BS_ERROR_CORRUPT: no such message. */
bool pg_frame_parse(const void *message, size_t len, PgFrame *ret_frame, GError **error);

typedef struct {
    uint64_t received; /* LSN: the end of what has come */
    uint64_t durable;  /* the end of what will never be asked for again; 0: says nothing of it */
    bool reply;        /* the server shall answer at once */
} PgProgress;

#define PG_STATUS_LEN 34
/* As "standby status update". That anything was applied is never said. */
void pg_status_encode(const PgProgress *progress, Timestamp now, uint8_t ret_message[]);
