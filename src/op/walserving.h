/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the WAL server share: the server and its turns (walserve.c), and who is at the
 * other end of a connection (wallink.c).
 */
#pragma once
#include "op/wallisten.h"
#include "op/walpusher.h"
#include "pg/walsocket.h"

#include <pthread.h>

typedef struct {
    const Settings *settings;
    const Cancel *stop;
    Cancel *abort; /* of requests to the store */
    Keeper *keeper;
    WalPusher *pusher;
    WalListener listener;
    char *location;       /* of the repository */
    pthread_mutex_t lock; /* of busy and told_ms, and of what is sent */
    GPtrArray *links;     /* of WalLink */
    int wake;             /* eventfd: there is an answer */
    unsigned archived;
    int64_t watched_ms;
} WalServer;

/* Somebody at the other end. While it is busy its answer is on the way, and it is not read. */
typedef struct {
    WalServer *server;
    int fd;
    bool busy, asked;
    int64_t heard_ms, told_ms;
} WalLink;

/* ---- wallink.c: the main thread, unless told ---- */

/* Takes fd. */
WalLink *wal_link_new(WalServer *server, int fd);
void wal_link_free(gpointer link);
bool wal_link_is_busy(WalLink *link);
/* Who does not read what it is told loses it, and pushes again. With the lock while it may be busy.
 */
void wal_link_tell(WalLink *link, const WalWireAnswer *answer);
void wal_link_tell_away(WalLink *link, const char *text);
/* Reads one request and begins what it asks for. False: the link is to be closed. */
bool wal_link_hear(WalLink *link);
