/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/courier.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/spool.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define AGE_MAX_S      (3 * 24 * 3600) /* of anything; two days without mail lose nothing */
#define AGE_PING_MAX_S (6 * 3600)      /* of a ping: an old one would tell of the wrong time */
#define LOOK_MAX_S     60              /* how soon a clock that was set is noticed */

struct Courier {
    const ChannelOps *ops;
    Channel channel;
    Cancel *cancel;
    pthread_t thread;
    pthread_mutex_t mutex; /* all below; not held while something is sent */
    pthread_cond_t changed;
    Spool *spool;
    CourierCount count;
    bool sending, over;
};

/* ---- one attempt ---- */

static bool is_too_old(const SpoolItem *item, int64_t now)
{
    bool ping = event_kind(item->event) & (EVENT_STARTED | EVENT_ENDED);

    return now - item->kept_at > (ping ? AGE_PING_MAX_S : AGE_MAX_S);
}

static void drop(Courier *courier, SpoolItem *item, const char *why)
{
    g_autoptr(GError) error = NULL;

    courier->count.dropped++;
    log_error("notification given up", "channel", courier->channel.name, "title",
              event_text(item->event, "title"), "error", why ? why : "", NULL);
    if (!spool_remove(courier->spool, item, &error))
        log_warn("notification stays in the queue", "error", error->message, NULL);
}

static void try_again(Courier *courier, SpoolItem *item, const Delivery *delivery)
{
    int64_t now = clock_now().sec;
    g_autoptr(GError) error = NULL;

    courier->count.failures++;
    // a beginning that is told after the end would look like a run that hangs
    if (is_too_old(item, now) || event_kind(item->event) == EVENT_STARTED) {
        drop(courier, item, delivery->said);
        return;
    }
    log_warn("notification not delivered", "channel", courier->channel.name, "title",
             event_text(item->event, "title"), "error", delivery->said ? delivery->said : "", NULL);
    if (!spool_again(courier->spool, item, now, (delivery->wait_ms + 999) / 1000, &error))
        log_warn("notification's state is not kept", "error", error->message, NULL);
}

static void settle(Courier *courier, SpoolItem *item, const Delivery *delivery)
{
    g_autoptr(GError) error = NULL;

    switch (delivery->outcome) {
    case DELIVERY_LATER:
        try_again(courier, item, delivery);
        return;
    case DELIVERY_REFUSED:
        courier->count.failures++;
        drop(courier, item, delivery->said);
        return;
    case DELIVERY_DONE:
        break;
    }
    courier->count.delivered++;
    if (delivery->said)
        log_warn("notification not delivered to everybody", "channel", courier->channel.name,
                 "error", delivery->said, NULL);
    if (!spool_remove(courier->spool, item, &error))
        log_warn("notification stays in the queue", "error", error->message, NULL);
}

/* The queue may grow while something is sent, but only this thread takes out of it. */
static void send_one(Courier *courier, SpoolItem *item)
{
    g_auto(Delivery) delivery = { 0 };

    courier->sending = item->held = true;
    pthread_mutex_unlock(&courier->mutex);
    courier->ops->send(&courier->channel, item->event, item->state, &delivery);
    pthread_mutex_lock(&courier->mutex);
    courier->sending = item->held = false;
    if (!cancel_is_set(courier->cancel) || delivery.outcome != DELIVERY_LATER)
        settle(courier, item, &delivery);
    pthread_cond_broadcast(&courier->changed);
}

/* ---- the thread ---- */

static void wait_until(Courier *courier, int64_t at)
{
    struct timespec until;
    int64_t seconds = CLAMP(at - clock_now().sec, 1, LOOK_MAX_S);

    if (at == INT64_MAX) {
        pthread_cond_wait(&courier->changed, &courier->mutex);
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    (void)pthread_cond_timedwait(&courier->changed, &courier->mutex, &until);
}

static void *deliver(void *user)
{
    Courier *courier = user;

    pthread_mutex_lock(&courier->mutex);
    while (!courier->over) {
        SpoolItem *item = spool_due(courier->spool, clock_now().sec);

        if (item)
            send_one(courier, item);
        else
            wait_until(courier, spool_next(courier->spool));
    }
    pthread_mutex_unlock(&courier->mutex);
    return NULL;
}

static void init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool courier_new(const ChannelOps *ops, const Channel *channel, const char *dir,
                 Courier **ret_courier, GError **error)
{
    Spool *spool = NULL;
    Courier *courier;
    int failure;

    if (!spool_open(dir, &spool, error))
        return false;
    courier = g_new0(Courier, 1);
    courier->ops = ops;
    courier->channel = *channel;
    courier->channel.cancel = courier->cancel = cancel_new();
    courier->spool = spool;
    pthread_mutex_init(&courier->mutex, NULL);
    init_condition(&courier->changed);
    failure = pthread_create(&courier->thread, NULL, deliver, courier);
    if (failure != 0)
        g_error("no thread for notifications: %s", g_strerror(failure));
    *ret_courier = courier;
    return true;
}

void courier_free(Courier *courier)
{
    if (!courier)
        return;
    cancel_set(courier->cancel);
    pthread_mutex_lock(&courier->mutex);
    courier->over = true;
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->mutex);
    pthread_join(courier->thread, NULL);
    spool_free(courier->spool);
    pthread_cond_destroy(&courier->changed);
    pthread_mutex_destroy(&courier->mutex);
    cancel_free(courier->cancel);
    g_free(courier);
}

bool courier_post(Courier *courier, const json_t *event, GError **error)
{
    bool kept;

    if (!(courier->ops->kinds & event_kind(event)))
        return true;
    pthread_mutex_lock(&courier->mutex);
    kept = spool_add(courier->spool, event, clock_now().sec, error);
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->mutex);
    return kept;
}

CourierCount courier_count(Courier *courier)
{
    CourierCount count;

    pthread_mutex_lock(&courier->mutex);
    count = courier->count;
    count.waiting = spool_n(courier->spool);
    pthread_mutex_unlock(&courier->mutex);
    return count;
}

bool courier_settle(Courier *courier, int64_t timeout_ms)
{
    int64_t until_ms = clock_monotonic_ms() + timeout_ms;
    bool settled = false;

    while (!settled && clock_monotonic_ms() < until_ms) {
        struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

        pthread_mutex_lock(&courier->mutex);
        settled = !courier->sending && !spool_due(courier->spool, clock_now().sec);
        pthread_mutex_unlock(&courier->mutex);
        if (!settled)
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return settled;
}
