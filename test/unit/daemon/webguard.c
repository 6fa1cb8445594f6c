/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webguard.h"

#include "base/clock.h"
#include <sys/socket.h>
#include <unistd.h>

/* A clock that is set moves by sleeping, and the time that the test itself takes is added. */
#define SLACK_MS 5000

typedef struct {
    int ours, theirs;
    WebGuarded *guarded;
} Client;

static Client client_new(WebGuard *guard)
{
    int both[2];
    Client client;

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, both), ==, 0);
    client = (Client){ both[0], both[1], web_guard_enter(guard, both[0]) };
    return client;
}

static void client_done(WebGuard *guard, Client *client)
{
    web_guard_leave(guard, client->guarded);
    (void)close(client->ours);
    (void)close(client->theirs);
}

static bool is_cut(const Client *client)
{
    char byte;

    return recv(client->theirs, &byte, 1, MSG_DONTWAIT) == 0;
}

static void those_who_take_their_time_are_cut(void)
{
    g_autoptr(WebGuard) guard = web_guard_new(100);
    Client silent, at_work, again;

    clock_set((Timestamp){ 1000, 0 });
    silent = client_new(guard);
    at_work = client_new(guard);
    again = client_new(guard);
    web_guard_busy(guard, at_work.guarded);
    clock_sleep_ms(WEB_GUARD_WAIT_MS - SLACK_MS);
    web_guard_busy(guard, again.guarded);
    web_guard_idle(guard, again.guarded); // one request was whole, so its time begins anew
    g_assert_cmpuint(web_guard_sweep(guard), ==, 0);
    clock_sleep_ms(SLACK_MS);
    g_assert_cmpuint(web_guard_sweep(guard), ==, 1);
    g_assert_true(is_cut(&silent));
    g_assert_false(is_cut(&at_work));
    g_assert_false(is_cut(&again));
    g_assert_cmpuint(web_guard_sweep(guard), ==, 0);
    g_assert_cmpuint(web_guard_count(guard), ==, 3);
    client_done(guard, &silent);
    client_done(guard, &at_work);
    client_done(guard, &again);
    g_assert_cmpuint(web_guard_count(guard), ==, 0);
}

static void the_longest_silent_give_way_to_a_crowd(void)
{
    g_autoptr(WebGuard) guard = web_guard_new(16);
    Client clients[16];
    guint cut = 0;

    for (guint i = 0; i < 16; i++) {
        clients[i] = client_new(guard);
        clock_sleep_ms(100);
    }
    clock_sleep_ms(WEB_GUARD_HURRY_MS - 1000);
    // 12 of 16 places may be held by those who wait; the first six are old enough to go
    g_assert_cmpuint(web_guard_sweep(guard), ==, 4);
    for (guint i = 0; i < 16; i++)
        cut += is_cut(&clients[i]) && i < 4;
    g_assert_cmpuint(cut, ==, 4);
    for (guint i = 0; i < 16; i++)
        client_done(guard, &clients[i]);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webguard/those-who-take-their-time-are-cut",
                    those_who_take_their_time_are_cut);
    g_test_add_func("/daemon/webguard/the-longest-silent-give-way-to-a-crowd",
                    the_longest_silent_give_way_to_a_crowd);
    return g_test_run();
}
