/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/courier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/spool.h"
#include "lib/tempdir.h"

#include <pthread.h>
#include <string.h>

#define NOW INT64_C(1700000000)

static json_t *event_of(EventKind kind, const char *asset, int64_t at)
{
    json_t *event = event_new(kind, "node1", at);

    event_set(event, "asset", asset);
    event_set(event, "condition", "failed");
    event_set(event, "title", asset);
    return event;
}

static Spool *spool_at(const char *dir)
{
    g_autoptr(GError) error = NULL;
    Spool *spool = NULL;

    spool_open(dir, &spool, &error);
    g_assert_no_error(error);
    return spool;
}

static void add(Spool *spool, EventKind kind, const char *asset, int64_t now)
{
    g_autoptr(GError) error = NULL;
    json_t *event = event_of(kind, asset, now);

    spool_add(spool, event, now, &error);
    g_assert_no_error(error);
    json_decref(event);
}

static void assert_due(Spool *spool, int64_t now, const char *title)
{
    SpoolItem *item = spool_due(spool, now);

    g_assert_cmpstr(item ? event_text(item->event, "title") : NULL, ==, title);
}

/* ---- queue ---- */

static void messages_survive_a_restart(void)
{
    char *dir = tempdir_new();
    g_autofree char *queue = g_build_filename(dir, "mail", NULL);
    struct stat st;

    for (int round = 0; round < 3; round++) {
        g_autoptr(Spool) spool = spool_at(queue);

        g_assert_cmpuint(spool_n(spool), ==, 2 * round);
        add(spool, EVENT_SUCCEEDED, "one", NOW);
        add(spool, EVENT_SUCCEEDED, "two", NOW - round); // a clock that runs back changes no order
    }
    g_assert_cmpint(stat(queue, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0700);
    for (int i = 0; i < 6; i++) {
        g_autoptr(Spool) spool = spool_at(queue);
        SpoolItem *item = spool_due(spool, NOW);

        g_assert_cmpstr(event_text(item->event, "title"), ==, i % 2 ? "two" : "one");
        g_assert_true(spool_remove(spool, item, NULL));
    }
    g_assert_cmpuint(tempdir_n_files(dir), ==, 0);
    tempdir_remove(dir);
}

static void what_cannot_be_read_is_set_aside(void)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        { "000000000001-0123456789abcdef0123456789abcdef.json", "" },
        { "000000000002-0123456789abcdef0123456789abcdef.json", "{\"event\":{},\"state\":{}}" },
        { "000000000003-0123456789abcdef0123456789abcdef.json",
          "{\"event\":{\"kind\":\"test\",\"id\":\"other\"},\"state\":{}}" },
        { "000000000004-0123456789abcdef0123456789abcdef.json", "[[[[" },
        { "x.json", "{}" },
    };
    char *dir = tempdir_new();
    g_autoptr(Spool) spool = NULL;

    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        tempdir_write(dir, cases[i].name, cases[i].text, strlen(cases[i].text));
    tempdir_write(dir, "000000000005-0123456789abcdef0123456789abcdef.json-tmp-0123", "{", 1);
    spool = spool_at(dir);
    g_assert_cmpuint(spool_n(spool), ==, 0);
    g_assert_cmpuint(tempdir_n_files(dir), ==, G_N_ELEMENTS(cases));
    add(spool, EVENT_TEST, "goes on", NOW);
    assert_due(spool, NOW, "goes on");
    tempdir_remove(dir);
}

static void an_incident_stays_in_order(void)
{
    char *dir = tempdir_new();
    g_autoptr(Spool) spool = spool_at(dir);

    add(spool, EVENT_OPENED, "a", NOW);
    add(spool, EVENT_OPENED, "b", NOW);
    g_assert_true(spool_again(spool, spool_due(spool, NOW), NOW, 1000, NULL));
    add(spool, EVENT_RESOLVED, "a", NOW + 1);
    assert_due(spool, NOW + 1, "b");
    g_assert_true(spool_remove(spool, spool_due(spool, NOW + 1), NULL));
    assert_due(spool, NOW + 1, NULL);
    g_assert_cmpint(spool_next(spool), ==, NOW + 1000);
    g_assert_cmpint(event_kind(spool_due(spool, NOW + 1000)->event), ==, EVENT_OPENED);
    g_assert_true(spool_remove(spool, spool_due(spool, NOW + 1000), NULL));
    g_assert_cmpint(event_kind(spool_due(spool, NOW + 1000)->event), ==, EVENT_RESOLVED);
    tempdir_remove(dir);
}

static void waits_grow_and_differ(void)
{
    int64_t least = 0;

    for (unsigned attempt = 1; attempt < 40; attempt++) {
        int64_t shortest = spool_wait(attempt, 0), longest = 0;

        for (uint32_t random = 0; random < 5000; random++)
            longest = MAX(longest, spool_wait(attempt, random));
        g_assert_cmpint(shortest, >=, least);
        g_assert_cmpint(longest, >, shortest);
        g_assert_cmpint(longest, <=, 3600 * 12 / 10);
        least = shortest;
    }
    g_assert_cmpint(least, ==, 2880);
}

static void a_full_queue_drops_the_oldest(void)
{
    char *dir = tempdir_new();
    g_autoptr(Spool) spool = spool_at(dir);

    log_set_level(LOG_ERROR);
    add(spool, EVENT_SUCCEEDED, "held", NOW);
    spool_due(spool, NOW)->held = true;
    for (int i = 0; i < SPOOL_MAX + 5; i++)
        add(spool, EVENT_SUCCEEDED, "more", NOW);
    g_assert_cmpuint(spool_n(spool), ==, SPOOL_MAX);
    assert_due(spool, NOW, "held");
    tempdir_remove(dir);
}

/* ---- courier ---- */

typedef struct {
    pthread_mutex_t mutex;
    unsigned calls, failures; /* the first so many calls fail */
    DeliveryOutcome failure;
    bool hang;
    GString *log;
} Target;

static Target target = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void target_reset(unsigned failures, DeliveryOutcome failure)
{
    if (target.log)
        g_string_free(target.log, TRUE);
    target.log = g_string_new(NULL);
    target.calls = 0;
    target.failures = failures;
    target.failure = failure;
    target.hang = false;
}

static void send(const Channel *channel, const json_t *event, json_t *state, Delivery *delivery)
{
    while (target.hang && !cancel_is_set(channel->cancel))
        g_usleep(1000);
    if (target.hang)
        return;
    pthread_mutex_lock(&target.mutex);
    json_object_set_new(state, "calls", json_integer(target.calls));
    if (target.calls++ < target.failures) {
        delivery_say(delivery, target.failure, "not now");
    } else {
        delivery->outcome = DELIVERY_DONE;
        g_string_append_printf(target.log, "%s ", event_text(event, "title"));
    }
    pthread_mutex_unlock(&target.mutex);
}

static const ChannelOps target_ops = {
    .type = "target",
    .kinds = EVENT_INCIDENT | EVENT_SUCCEEDED | EVENT_STARTED,
    .send = send,
};

static Courier *courier_at(const char *dir)
{
    static const Channel channel = { .name = "target" };
    g_autoptr(GError) error = NULL;
    Courier *courier = NULL;

    courier_new(&target_ops, &channel, dir, &courier, &error);
    g_assert_no_error(error);
    return courier;
}

static void post(Courier *courier, EventKind kind, const char *asset)
{
    json_t *event = event_of(kind, asset, clock_now().sec);

    g_assert_true(courier_post(courier, event, NULL));
    json_decref(event);
}

static void delivers_in_order_and_once(void)
{
    char *dir = tempdir_new();
    g_autoptr(Courier) courier = courier_at(dir);

    target_reset(0, DELIVERY_DONE);
    post(courier, EVENT_SUCCEEDED, "a");
    post(courier, EVENT_REPORT, "no words for it");
    post(courier, EVENT_SUCCEEDED, "b");
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpstr(target.log->str, ==, "a b ");
    g_assert_cmpuint(courier_count(courier).delivered, ==, 2);
    g_assert_cmpuint(tempdir_n_files(dir), ==, 0);
    tempdir_remove(dir);
}

/* Two days without the other side: each message arrives once. */
static void delivers_after_an_outage(void)
{
    char *dir = tempdir_new();
    int64_t until;

    log_set_level(LOG_ERROR + 1);
    clock_set((Timestamp){ .sec = NOW });
    target_reset(1000000, DELIVERY_LATER);
    for (until = NOW; until < NOW + 2 * 24 * 3600; until += 3000) {
        Courier *courier = courier_at(dir); // and a restart each time

        if (until == NOW)
            post(courier, EVENT_OPENED, "a");
        g_assert_true(courier_settle(courier, 60000));
        courier_free(courier);
        clock_set((Timestamp){ .sec = until + 3000 });
    }
    g_assert_cmpuint(target.calls, >, 20);
    g_assert_cmpuint(target.calls, <, 100);
    target.failures = 0;
    for (int round = 0; round < 3; round++) {
        Courier *courier = courier_at(dir);

        clock_set((Timestamp){ .sec = until += 5000 });
        g_assert_true(courier_settle(courier, 60000));
        courier_free(courier);
    }
    g_assert_cmpstr(target.log->str, ==, "a ");
    tempdir_remove(dir);
}

static void gives_up_what_is_too_old(void)
{
    char *dir = tempdir_new();
    g_autoptr(Courier) courier = NULL;

    clock_set((Timestamp){ .sec = NOW });
    target_reset(1000000, DELIVERY_LATER);
    courier = courier_at(dir);
    post(courier, EVENT_OPENED, "a");
    post(courier, EVENT_STARTED, "b"); // never tried twice
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpuint(courier_count(courier).dropped, ==, 1);
    clock_set((Timestamp){ .sec = NOW + 4 * 24 * 3600 });
    post(courier, EVENT_REPORT, "wakes it");
    post(courier, EVENT_OPENED, "c");
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpuint(courier_count(courier).dropped, ==, 2);
    g_assert_cmpuint(courier_count(courier).waiting, ==, 1);
    tempdir_remove(dir);
}

static void what_is_refused_is_not_tried_again(void)
{
    char *dir = tempdir_new();
    g_autoptr(Courier) courier = courier_at(dir);

    target_reset(1, DELIVERY_REFUSED);
    post(courier, EVENT_OPENED, "a");
    post(courier, EVENT_OPENED, "b");
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpstr(target.log->str, ==, "b ");
    g_assert_cmpuint(courier_count(courier).dropped, ==, 1);
    tempdir_remove(dir);
}

static void a_channel_that_hangs_can_be_left(void)
{
    char *dir = tempdir_new();
    Courier *courier = courier_at(dir);

    target_reset(0, DELIVERY_DONE);
    target.hang = true;
    post(courier, EVENT_OPENED, "a");
    post(courier, EVENT_OPENED, "b"); // posting does not wait
    courier_free(courier);
    g_assert_cmpuint(tempdir_n_files(dir), ==, 2);
    target.hang = false;
    courier = courier_at(dir);
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpstr(target.log->str, ==, "a b ");
    courier_free(courier);
    tempdir_remove(dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spool/messages survive a restart", messages_survive_a_restart);
    g_test_add_func("/spool/what cannot be read is set aside", what_cannot_be_read_is_set_aside);
    g_test_add_func("/spool/an incident stays in order", an_incident_stays_in_order);
    g_test_add_func("/spool/waits grow and differ", waits_grow_and_differ);
    g_test_add_func("/spool/a full queue drops the oldest", a_full_queue_drops_the_oldest);
    g_test_add_func("/courier/delivers in order and once", delivers_in_order_and_once);
    g_test_add_func("/courier/what is refused is not tried again",
                    what_is_refused_is_not_tried_again);
    g_test_add_func("/courier/a channel that hangs can be left", a_channel_that_hangs_can_be_left);
    // these set the clock, for good
    g_test_add_func("/courier/delivers after an outage", delivers_after_an_outage);
    g_test_add_func("/courier/gives up what is too old", gives_up_what_is_too_old);
    return g_test_run();
}
