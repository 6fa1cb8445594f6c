/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivers the queue of one channel, in a thread of its own: a channel that hangs holds up nobody
 * else. What fails is tried again with a growing wait until it is too old. Any thread may post.
 */
#pragma once
#include "daemon/channel.h"

typedef struct Courier Courier;

/* dir: of its queue, which it alone uses. channel is copied, but not what it points to: settings
 * and origins live longer than the courier. */
bool courier_new(const ChannelOps *ops, const Channel *channel, const char *dir,
                 Courier **ret_courier, GError **error);
/* Ends an attempt within a second; what is not delivered stays in the queue for the next start. */
void courier_free(Courier *courier);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Courier, courier_free)

/* Durable when it returns true; delivered later. Events of kinds that the channel has no words for
 * are done with at once. */
bool courier_post(Courier *courier, const json_t *event, GError **error);

/* What became of the last test (EVENT_TEST), which is tried once. id: of the event; said: what the
 * channel said, or NULL; to be freed. */
typedef enum { COURIER_TEST_WAITS, COURIER_TEST_DELIVERED, COURIER_TEST_FAILED } CourierTest;
CourierTest courier_tested(Courier *courier, const char *id, char **ret_said);

typedef struct {
    uint64_t delivered, failures; /* attempts that failed */
    uint64_t dropped;             /* given up: refused for good, or too old */
    unsigned waiting;
} CourierCount;
CourierCount courier_count(Courier *courier); /* since the start; waiting: now */
/* Waits until nothing is due; for tests. False: not within so long. */
bool courier_settle(Courier *courier, int64_t timeout_ms);
