/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webguard.h"

#include "base/clock.h"
#include <pthread.h>
#include <sys/socket.h>

struct WebGuarded {
    GList link; // data: itself
    int fd;
    bool waiting, cut;
    int64_t since_ms;
};

struct WebGuard {
    pthread_mutex_t lock;
    GQueue waiting; // of WebGuarded, those that wait longest first
    unsigned places, count;
};

WebGuard *web_guard_new(unsigned places)
{
    WebGuard *guard = g_new0(WebGuard, 1);

    pthread_mutex_init(&guard->lock, NULL);
    g_queue_init(&guard->waiting);
    guard->places = places;
    return guard;
}

void web_guard_free(WebGuard *guard)
{
    if (!guard)
        return;
    pthread_mutex_destroy(&guard->lock);
    g_free(guard);
}

/* Under the lock. */
static void wait_from_now(WebGuard *guard, WebGuarded *guarded)
{
    if (guarded->waiting || guarded->cut)
        return;
    guarded->waiting = true;
    guarded->since_ms = clock_monotonic_ms();
    g_queue_push_tail_link(&guard->waiting, &guarded->link);
}

static void wait_no_more(WebGuard *guard, WebGuarded *guarded)
{
    if (guarded->waiting)
        g_queue_unlink(&guard->waiting, &guarded->link);
    guarded->waiting = false;
}

WebGuarded *web_guard_enter(WebGuard *guard, int fd)
{
    WebGuarded *guarded = g_new0(WebGuarded, 1);

    guarded->fd = fd;
    guarded->link.data = guarded;
    pthread_mutex_lock(&guard->lock);
    guard->count++;
    wait_from_now(guard, guarded);
    pthread_mutex_unlock(&guard->lock);
    return guarded;
}

void web_guard_leave(WebGuard *guard, WebGuarded *guarded)
{
    pthread_mutex_lock(&guard->lock);
    guard->count--;
    wait_no_more(guard, guarded);
    pthread_mutex_unlock(&guard->lock);
    g_free(guarded);
}

void web_guard_busy(WebGuard *guard, WebGuarded *guarded)
{
    pthread_mutex_lock(&guard->lock);
    wait_no_more(guard, guarded);
    pthread_mutex_unlock(&guard->lock);
}

void web_guard_idle(WebGuard *guard, WebGuarded *guarded)
{
    pthread_mutex_lock(&guard->lock);
    wait_from_now(guard, guarded);
    pthread_mutex_unlock(&guard->lock);
}

unsigned web_guard_sweep(WebGuard *guard)
{
    int64_t now = clock_monotonic_ms();
    unsigned n = 0;

    pthread_mutex_lock(&guard->lock);
    for (GList *first = guard->waiting.head; first; first = guard->waiting.head) {
        WebGuarded *guarded = first->data;
        bool crowded = guard->count - n > guard->places / 4 * 3;

        if (now - guarded->since_ms < (crowded ? WEB_GUARD_HURRY_MS : WEB_GUARD_WAIT_MS))
            break;
        // closed by its owner, who sees the end of its input
        (void)shutdown(guarded->fd, SHUT_RDWR);
        guarded->cut = true;
        wait_no_more(guard, guarded);
        n++;
    }
    pthread_mutex_unlock(&guard->lock);
    return n;
}

unsigned web_guard_count(WebGuard *guard)
{
    unsigned count;

    pthread_mutex_lock(&guard->lock);
    count = guard->count;
    pthread_mutex_unlock(&guard->lock);
    return count;
}
