/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webthrottle.h"

#include "base/clock.h"

static unsigned turns(WebThrottle *throttle, const char *account, const char *address)
{
    unsigned n = 0;

    while (n < 100 && web_throttle_take(throttle, account, address))
        n++;
    return n;
}

static void five_at_once_and_five_a_minute(void)
{
    g_autoptr(WebThrottle) throttle = web_throttle_new();
    unsigned n;

    clock_set((Timestamp){ 1000000, 0 });
    g_assert_cmpuint(turns(throttle, "anna", "192.0.2.1"), ==, 5);
    g_assert_cmpuint(turns(throttle, "anna", "192.0.2.2"), ==, 0);
    g_assert_cmpuint(turns(throttle, "bert", "192.0.2.1"), ==, 0);
    g_assert_cmpuint(turns(throttle, "bert", "192.0.2.2"), ==, 5);
    clock_sleep_ms(THROTTLE_EACH_MS - 11000); // the rest of it goes on by itself, too
    g_assert_cmpuint(turns(throttle, "anna", "192.0.2.1"), ==, 0);
    clock_sleep_ms(11000);
    g_assert_cmpuint(turns(throttle, "anna", "192.0.2.1"), ==, 1);
    n = 0;
    for (unsigned second = 0; second < 600; second++) {
        clock_sleep_ms(1000);
        n += turns(throttle, "anna", "192.0.2.1");
    }
    g_assert_cmpuint(n, ==, 50);
}

static void the_right_password_costs_no_turn(void)
{
    g_autoptr(WebThrottle) throttle = web_throttle_new();

    for (unsigned i = 0; i < 50; i++) {
        g_assert_true(web_throttle_take(throttle, "anna", "192.0.2.1"));
        web_throttle_give_back(throttle, "anna", "192.0.2.1");
    }
    g_assert_cmpuint(turns(throttle, "anna", "192.0.2.1"), ==, 5);
}

static void a_network_of_ipv6_is_one_client(void)
{
    g_autoptr(WebThrottle) throttle = web_throttle_new();

    g_assert_cmpuint(turns(throttle, "a", "2001:db8:1:2::1"), ==, 5);
    g_assert_cmpuint(turns(throttle, "b", "2001:db8:1:2:ffff::9"), ==, 0);
    g_assert_cmpuint(turns(throttle, "c", "2001:db8:1:3::1"), ==, 5);
}

/* Names that were never heard of push nobody out who is still to wait. */
static void memory_is_bounded(void)
{
    g_autoptr(WebThrottle) throttle = web_throttle_new();
    int64_t began_ms = clock_monotonic_ms(), took_ms;

    g_assert_cmpuint(turns(throttle, "anna", "192.0.2.1"), ==, 5);
    for (unsigned i = 0; i < 3 * THROTTLE_KEYS; i++) {
        g_autofree char *name = g_strdup_printf("name%u", i);
        g_autofree char *address = g_strdup_printf("10.%u.%u.1", i / 256, i % 256);

        g_assert_true(web_throttle_take(throttle, name, address));
    }
    took_ms = clock_monotonic_ms() - began_ms; // on a busy machine long enough for a turn
    g_assert_cmpuint(turns(throttle, "anna", "198.51.100.1"), <=,
                     (unsigned)(took_ms / THROTTLE_EACH_MS));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webthrottle/five-at-once-and-five-a-minute",
                    five_at_once_and_five_a_minute);
    g_test_add_func("/daemon/webthrottle/the-right-password-costs-no-turn",
                    the_right_password_costs_no_turn);
    g_test_add_func("/daemon/webthrottle/a-network-of-ipv6-is-one-client",
                    a_network_of_ipv6_is_one_client);
    g_test_add_func("/daemon/webthrottle/memory-is-bounded", memory_is_bounded);
    return g_test_run();
}
