/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/courier.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/spool.h"
#include "lib/tempdir.h"

#include <pthread.h>
#include <stdlib.h>
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

/* The oldest that is due; NULL: nothing is. */
static SpoolItem *due(Spool *spool, int64_t now)
{
    g_autoptr(GPtrArray) all = spool_all_due(spool, now);

    return all->len > 0 ? g_ptr_array_index(all, 0) : NULL;
}

static void assert_due(Spool *spool, int64_t now, const char *title)
{
    SpoolItem *item = due(spool, now);

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
        SpoolItem *item = due(spool, NOW);

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
    g_assert_true(spool_again(spool, due(spool, NOW), NOW, 1000, NULL));
    add(spool, EVENT_RESOLVED, "a", NOW + 1);
    assert_due(spool, NOW + 1, "b");
    g_assert_true(spool_remove(spool, due(spool, NOW + 1), NULL));
    assert_due(spool, NOW + 1, NULL);
    g_assert_cmpint(spool_next(spool), ==, NOW + 1000);
    g_assert_cmpint(event_kind(due(spool, NOW + 1000)->event), ==, EVENT_OPENED);
    g_assert_true(spool_remove(spool, due(spool, NOW + 1000), NULL));
    g_assert_cmpint(event_kind(due(spool, NOW + 1000)->event), ==, EVENT_RESOLVED);
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
    due(spool, NOW)->held = true;
    for (int i = 0; i < SPOOL_MAX + 5; i++)
        add(spool, EVENT_SUCCEEDED, "more", NOW);
    g_assert_cmpuint(spool_n(spool), ==, SPOOL_MAX);
    assert_due(spool, NOW, "held");
    tempdir_remove(dir);
}

static SpoolItem *group_all(Spool *spool, int64_t now)
{
    g_autoptr(GPtrArray) all = spool_all_due(spool, now);
    g_autoptr(GError) error = NULL;
    json_t *event = event_of(EVENT_GROUP, "group", now);
    SpoolItem *group = spool_group(spool, all, event, &error);

    g_assert_no_error(error);
    json_decref(event);
    return group;
}

/* Killed when the group was durable and its members were still there. */
static void a_group_replaces_its_members(void)
{
    char *dir = tempdir_new(), *killed = tempdir_new();
    g_autofree char *copy =
        g_strdup_printf("cp -n %s/* %s/ && cp %s/*.json %s/", dir, killed, dir, killed);

    for (int round = 0; round < 2; round++) {
        g_autoptr(Spool) spool = spool_at(round == 0 ? dir : killed);

        if (round == 0) {
            g_autofree char *before = g_strdup_printf("cp %s/* %s/", dir, killed);

            add(spool, EVENT_OPENED, "a", NOW);
            add(spool, EVENT_OPENED, "b", NOW + 1);
            add(spool, EVENT_RESOLVED, "a", NOW + 2);
            g_assert_cmpint(system(before), ==, 0);
            g_assert_cmpint(group_all(spool, NOW + 10)->kept_at, ==, NOW);
            g_assert_cmpuint(tempdir_n_files(dir), ==, 1);
            g_assert_cmpint(system(copy), ==, 0);
        }
        g_assert_cmpuint(spool_n(spool), ==, 1);
        assert_due(spool, NOW + 10, "group");
    }
    g_assert_cmpuint(tempdir_n_files(killed), ==, 1);
    tempdir_remove(dir);
    tempdir_remove(killed);
}

static void what_a_group_opens_is_resolved_after_it(void)
{
    char *dir = tempdir_new();

    for (int round = 0; round < 2; round++) {
        g_autoptr(Spool) spool = spool_at(dir); // the second one has read it

        if (round == 0) {
            add(spool, EVENT_OPENED, "a", NOW);
            add(spool, EVENT_OPENED, "b", NOW);
            g_assert_true(spool_again(spool, group_all(spool, NOW), NOW, 1000, NULL));
            add(spool, EVENT_RESOLVED, "b", NOW + 1);
            add(spool, EVENT_RESOLVED, "c", NOW + 1);
        }
        assert_due(spool, NOW + 1, "c");
        g_assert_cmpuint(spool_n(spool), ==, 3);
        assert_due(spool, NOW + 1000, "group");
    }
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

/* Read by people. */
static const ChannelOps people_ops = {
    .type = "people",
    .kinds = EVENT_INCIDENT | EVENT_SUCCEEDED | EVENT_REPORT | EVENT_GROUP,
    .send = send,
};

static const ChannelOps *ops = &target_ops;

static Courier *courier_at(const char *dir)
{
    static const Channel channel = { .name = "target" };
    g_autoptr(GError) error = NULL;
    Courier *courier = NULL;

    courier_new(ops, &channel, dir, &courier, &error);
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
        Courier *courier;

        // first: one that sleeps already notices a clock that was set within a minute
        clock_set((Timestamp){ .sec = until += 5000 });
        courier = courier_at(dir);
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

static void post_many(Courier *courier, unsigned n, const char *recipient)
{
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *asset = g_strdup_printf("s%u", i);
        json_t *event = event_of(EVENT_OPENED, asset, clock_now().sec);

        if (recipient)
            json_object_set_new(event, "recipients", json_pack("[s]", recipient));
        g_assert_true(courier_post(courier, event, NULL));
        json_decref(event);
    }
}

static void wake_at(Courier *courier, int64_t at)
{
    clock_set((Timestamp){ .sec = at });
    post(courier, EVENT_REPORT, "report"); // it looks at the clock when something comes
    g_assert_true(courier_settle(courier, 60000));
}

static void many_at_once_are_one(void)
{
    char *dir = tempdir_new();
    Courier *courier;

    clock_set((Timestamp){ .sec = NOW });
    target_reset(0, DELIVERY_DONE);
    ops = &people_ops;
    courier = courier_at(dir);
    post_many(courier, 1, NULL);
    g_assert_true(courier_settle(courier, 60000));
    post_many(courier, 1, NULL);
    g_assert_true(courier_settle(courier, 60000));
    post_many(courier, 1, NULL);
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpstr(target.log->str, ==, "s0 s0 s0 ");
    post_many(courier, 97, NULL);             // beyond what goes out in a minute
    post_many(courier, 1, "dba@example.org"); // somebody else does not wait
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpstr(target.log->str, ==, "s0 s0 s0 s0 ");
    g_assert_cmpuint(courier_count(courier).waiting, ==, 97);
    wake_at(courier, NOW + 59);
    g_assert_cmpstr(target.log->str, ==, "s0 s0 s0 s0 report ");
    courier_free(courier); // a restart loses nothing of it
    courier = courier_at(dir);
    wake_at(courier, NOW + 60);
    g_assert_nonnull(strstr(target.log->str, "97 problems on node1 "));
    g_assert_cmpuint(courier_count(courier).waiting, ==, 0);
    g_assert_cmpuint(tempdir_n_files(dir), ==, 0);
    post_many(courier, 2, NULL); // the minute after a group is quiet, too
    g_assert_true(courier_settle(courier, 60000));
    g_assert_cmpuint(courier_count(courier).waiting, ==, 2);
    wake_at(courier, NOW + 121); // and a few are none
    g_assert_true(g_str_has_suffix(target.log->str, "s0 s1 report ") ||
                  g_str_has_suffix(target.log->str, "report s0 s1 "));
    courier_free(courier);
    ops = &target_ops;
    tempdir_remove(dir);
}

/* What some have already is not gathered, for they would have it twice. */
static void a_message_that_is_halfway_stays_alone(void)
{
    char *dir = tempdir_new();
    Courier *courier;

    log_set_level(LOG_ERROR + 1);
    clock_set((Timestamp){ .sec = NOW });
    target_reset(1, DELIVERY_LATER);
    ops = &people_ops;
    courier = courier_at(dir);
    post_many(courier, 1, NULL); // fails, and has a state
    g_assert_true(courier_settle(courier, 60000));
    courier_free(courier);
    courier = courier_at(dir);
    clock_set((Timestamp){ .sec = NOW + 3600 });
    post_many(courier, 9, NULL);
    g_assert_true(courier_settle(courier, 60000));
    wake_at(courier, NOW + 7200);
    g_assert_nonnull(strstr(target.log->str, "s0 "));
    g_assert_null(strstr(target.log->str, "10 problems"));
    g_assert_cmpuint(courier_count(courier).waiting, ==, 0);
    courier_free(courier);
    ops = &target_ops;
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
    g_test_add_func("/spool/a group replaces its members", a_group_replaces_its_members);
    g_test_add_func("/spool/what a group opens is resolved after it",
                    what_a_group_opens_is_resolved_after_it);
    g_test_add_func("/courier/delivers in order and once", delivers_in_order_and_once);
    g_test_add_func("/courier/what is refused is not tried again",
                    what_is_refused_is_not_tried_again);
    g_test_add_func("/courier/a channel that hangs can be left", a_channel_that_hangs_can_be_left);
    // these set the clock, for good
    g_test_add_func("/courier/delivers after an outage", delivers_after_an_outage);
    g_test_add_func("/courier/gives up what is too old", gives_up_what_is_too_old);
    g_test_add_func("/courier/many at once are one", many_at_once_are_one);
    g_test_add_func("/courier/a message that is halfway stays alone",
                    a_message_that_is_halfway_stays_alone);
    return g_test_run();
}
