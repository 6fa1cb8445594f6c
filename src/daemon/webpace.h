/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a body comes, on the whole: who sends a byte now and then would keep a place for ever.
 * What the server takes for itself does not count. Pure; times in monotonic ms.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* So far behind nobody is too slow: a line may stall, and the first bytes of a body come when its
 * client has read them. */
#define WEB_PACE_SPARE (UINT64_C(2) << 20)

typedef struct {
    int64_t since, asleep, slept; /* asleep: since when, 0: it is not; slept: ms */
} WebPace;

void web_pace_begin(WebPace *pace, int64_t now);
void web_pace_sleep(WebPace *pace, int64_t now); /* the server is at work with what has come */
void web_pace_wake(WebPace *pace, int64_t now);
/* taken: bytes that have come; slowest: bytes a second, 0: any speed will do. */
bool web_pace_too_slow(const WebPace *pace, int64_t now, uint64_t taken, uint64_t slowest);
