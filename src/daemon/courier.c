/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/courier.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/log.h"
#include "daemon/crowd.h"
#include "daemon/notice.h"
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
    Crowds *crowds;
    CourierCount count;
    bool sending, over;
    struct {
        char *id, *said;
        CourierTest result;
    } test; /* the last one that was tried */
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
    if (is_too_old(item, now) || event_kind(item->event) & (EVENT_STARTED | EVENT_TEST)) {
        drop(courier, item, delivery->said);
        return;
    }
    log_warn("notification not delivered", "channel", courier->channel.name, "title",
             event_text(item->event, "title"), "error", delivery->said ? delivery->said : "", NULL);
    if (!spool_again(courier->spool, item, now, (delivery->wait_ms + 999) / 1000, &error))
        log_warn("notification's state is not kept", "error", error->message, NULL);
}

static void remember_test(Courier *courier, const SpoolItem *item, const Delivery *delivery)
{
    g_free(courier->test.id);
    g_free(courier->test.said);
    courier->test.id = g_strdup(event_text(item->event, "id"));
    courier->test.said = g_strdup(delivery->said);
    courier->test.result = delivery->outcome == DELIVERY_DONE && !delivery->said
                               ? COURIER_TEST_DELIVERED
                               : COURIER_TEST_FAILED;
}

static void settle(Courier *courier, SpoolItem *item, const Delivery *delivery)
{
    g_autoptr(GError) error = NULL;

    if (event_kind(item->event) == EVENT_TEST)
        remember_test(courier, item, delivery);
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

/* ---- which is next ---- */

/* Whom it goes to, where several may go to them as one; NULL: each goes by itself. One that some of
 * them have already would come to those twice. */
static char *whom(const Courier *courier, const SpoolItem *item)
{
    const json_t *recipients = json_object_get(item->event, "recipients");

    if (!(courier->ops->kinds & EVENT_GROUP) || json_object_size(item->state) > 0 ||
        !(event_kind(item->event) & (EVENT_INCIDENT | EVENT_SUCCEEDED)))
        return NULL;
    return recipients ? json_dumps(recipients, JSON_COMPACT) : g_strdup("");
}

static GPtrArray *all_to(const Courier *courier, const GPtrArray *due, const char *to)
{
    GPtrArray *same = g_ptr_array_new();

    for (guint i = 0; i < due->len; i++) {
        g_autofree char *other = whom(courier, g_ptr_array_index(due, i));

        if (other && strcmp(other, to) == 0)
            g_ptr_array_add(same, g_ptr_array_index(due, i));
    }
    return same;
}

/* When it cannot be kept as one the first goes alone, and all the others after it. */
static SpoolItem *gather(Courier *courier, const GPtrArray *items)
{
    g_autoptr(GPtrArray) events = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    SpoolItem *group;
    json_t *event;

    for (guint i = 0; i < items->len; i++)
        g_ptr_array_add(events, ((SpoolItem *)g_ptr_array_index(items, i))->event);
    event = notice_group(events, clock_now().sec);
    group = spool_group(courier->spool, items, event, &error);
    json_decref(event);
    if (group)
        return group;
    log_warn("notifications cannot be gathered", "channel", courier->channel.name, "error",
             error->message, NULL);
    return g_ptr_array_index(items, 0);
}

static SpoolItem *one_or_all(Courier *courier, const GPtrArray *due, SpoolItem *item,
                             const char *to, int64_t now)
{
    g_autoptr(GPtrArray) same = all_to(courier, due, to);
    const bool many = same->len > CROWD_SINGLES;

    crowds_count(courier->crowds, to, many, now);
    return many ? gather(courier, same) : item;
}

/* NULL: nothing may go now, but before *ret_next, Unix seconds, it is worth no look. */
static SpoolItem *next(Courier *courier, int64_t now, int64_t *ret_next)
{
    g_autoptr(GPtrArray) due = spool_all_due(courier->spool, now);

    *ret_next = due->len > 0 ? INT64_MAX : spool_next(courier->spool);
    for (guint i = 0; i < due->len; i++) {
        SpoolItem *item = g_ptr_array_index(due, i);
        g_autofree char *to = whom(courier, item);

        if (!to)
            return item;
        if (crowds_may_send(courier->crowds, to, now))
            return one_or_all(courier, due, item, to, now);
        *ret_next = MIN(*ret_next, crowds_next(courier->crowds, to, now));
    }
    return NULL;
}

/* Whether next() would give anything, or has taken it. */
static bool is_busy(Courier *courier, int64_t now)
{
    g_autoptr(GPtrArray) due = spool_all_due(courier->spool, now);

    for (guint i = 0; i < due->len; i++) {
        g_autofree char *to = whom(courier, g_ptr_array_index(due, i));

        if (!to || crowds_may_send(courier->crowds, to, now))
            return true;
    }
    return courier->sending;
}

/* ---- the thread ---- */

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

static void wait_until(Courier *courier, int64_t at)
{
    int64_t seconds = CLAMP(at - clock_now().sec, 1, LOOK_MAX_S);

    if (at == INT64_MAX) {
        pthread_cond_wait(&courier->changed, &courier->mutex);
        return;
    }
    (void)condition_wait_ms(&courier->changed, &courier->mutex, seconds * 1000);
}

static void *deliver(void *user)
{
    Courier *courier = user;

    pthread_mutex_lock(&courier->mutex);
    while (!courier->over) {
        int64_t at;
        SpoolItem *item = next(courier, clock_now().sec, &at);

        if (item)
            send_one(courier, item);
        else
            wait_until(courier, at);
    }
    pthread_mutex_unlock(&courier->mutex);
    return NULL;
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
    courier->crowds = crowds_new();
    pthread_mutex_init(&courier->mutex, NULL);
    condition_init(&courier->changed);
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
    crowds_free(courier->crowds);
    pthread_cond_destroy(&courier->changed);
    pthread_mutex_destroy(&courier->mutex);
    cancel_free(courier->cancel);
    g_free(courier->test.id);
    g_free(courier->test.said);
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

CourierTest courier_tested(Courier *courier, const char *id, char **ret_said)
{
    CourierTest result = COURIER_TEST_WAITS;

    *ret_said = NULL;
    pthread_mutex_lock(&courier->mutex);
    if (g_strcmp0(courier->test.id, id) == 0) {
        result = courier->test.result;
        *ret_said = g_strdup(courier->test.said);
    }
    pthread_mutex_unlock(&courier->mutex);
    return result;
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
        settled = !is_busy(courier, clock_now().sec);
        pthread_mutex_unlock(&courier->mutex);
        if (!settled)
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return settled;
}
