/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static struct {
    pthread_mutex_t lock;
    bool set;
    Timestamp now;    /* while set */
    int64_t slept_ms; /* without having slept */
} test_clock = { .lock = PTHREAD_MUTEX_INITIALIZER };

Timestamp clock_now(void)
{
    struct timespec ts;
    Timestamp now;
    bool set;

    pthread_mutex_lock(&test_clock.lock);
    set = test_clock.set;
    now = test_clock.now;
    pthread_mutex_unlock(&test_clock.lock);
    if (set)
        return now;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (Timestamp){ .sec = ts.tv_sec, .nsec = (uint32_t)ts.tv_nsec };
}

int64_t clock_now_ms(void)
{
    const Timestamp now = clock_now();

    return now.sec * 1000 + now.nsec / 1000000;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec ts;
    int64_t slept_ms;

    pthread_mutex_lock(&test_clock.lock);
    slept_ms = test_clock.slept_ms;
    pthread_mutex_unlock(&test_clock.lock);
    // a lock grows old while the machine sleeps, too: CLOCK_MONOTONIC would not tell
    (void)clock_gettime(CLOCK_BOOTTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + slept_ms;
}

/* True when the clock is set: it has moved on and nobody needs to sleep. */
static bool skip_ms(int64_t ms)
{
    bool set;

    pthread_mutex_lock(&test_clock.lock);
    set = test_clock.set;
    if (set) {
        int64_t nsec = test_clock.now.nsec + ms % 1000 * 1000000;

        test_clock.now.sec += ms / 1000 + nsec / 1000000000;
        test_clock.now.nsec = (uint32_t)(nsec % 1000000000);
        test_clock.slept_ms += ms;
    }
    pthread_mutex_unlock(&test_clock.lock);
    return set;
}

void clock_sleep_ms(int64_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

    if (ms <= 0 || skip_ms(ms))
        return;
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

void clock_set(Timestamp now)
{
    pthread_mutex_lock(&test_clock.lock);
    test_clock.set = true;
    test_clock.now = now;
    pthread_mutex_unlock(&test_clock.lock);
}
