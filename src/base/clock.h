/* SPDX-License-Identifier: Apache-2.0 */
/* The time, in one place so that tests can set it. Any thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t sec;   /* Unix seconds, may be negative */
    uint32_t nsec; /* 0..999999999 */
} Timestamp;

Timestamp clock_now(void);        /* wall clock */
int64_t clock_now_ms(void);       /* the same, Unix ms */
int64_t clock_monotonic_ms(void); /* counts the time asleep */
void clock_sleep_ms(int64_t ms);  /* real sleep, or at once with a set clock that it moves on */

/* Tests only: from now on clock_now() gives this time, and clock_sleep_ms() advances it and
 * clock_monotonic_ms(). */
void clock_set(Timestamp now);

static inline int timestamp_compare(Timestamp a, Timestamp b)
{
    if (a.sec != b.sec)
        return a.sec < b.sec ? -1 : 1;
    return a.nsec < b.nsec ? -1 : a.nsec > b.nsec;
}
