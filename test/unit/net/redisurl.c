/* SPDX-License-Identifier: Apache-2.0 */
#include "net/redisurl.h"

#include "base/error.h"

#include <string.h>

static void reads_what_a_url_says(void)
{
    static const struct {
        const char *text, *host, *path, *user, *password;
        unsigned port;
        int database; /* -1: none */
        bool tls;
        const char *shown, *name;
    } cases[] = {
        { "redis://db1", "db1", NULL, NULL, NULL, 6379, -1, false, "redis://db1:6379",
          "redis-db1-6379" },
        { "redis://", "127.0.0.1", NULL, NULL, NULL, 6379, -1, false, "redis://127.0.0.1:6379",
          "redis-127.0.0.1-6379" },
        { "redis://:s%40c@db1:6380/3", "db1", NULL, NULL, "s@c", 6380, 3, false,
          "redis://:***@db1:6380/3", "redis-db1-6380" },
        { "redis://app:a:b@c@db1/", "db1", NULL, "app", "a:b@c", 6379, -1, false,
          "redis://app:***@db1:6379", "redis-db1-6379" },
        { "redis://app:@db1", "db1", NULL, "app", NULL, 6379, -1, false, "redis://app:@db1:6379",
          "redis-db1-6379" },
        { "rediss://[::1]:7000/0?cacert=/etc/ca.pem&sni=x", "::1", NULL, NULL, NULL, 7000, 0, true,
          "rediss://[::1]:7000/0?cacert=/etc/ca.pem&sni=x", "redis-::1-7000" },
        { "redis:///run/redis/redis.sock", NULL, "/run/redis/redis.sock", NULL, NULL, 6379, -1,
          false, "redis:///run/redis/redis.sock", "redis-local-run/redis/redis.sock" },
        { "unix://app:pw@/run/r%20s?db=2", NULL, "/run/r s", "app", "pw", 6379, 2, false,
          "redis://app:***@/run/r%20s?db=2", "redis-local-run/r s" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(RedisUrl) url = redis_url_parse(cases[i].text, &error);
        g_autofree char *shown = NULL, *name = NULL;

        g_test_message("%s", cases[i].text);
        g_assert_no_error(error);
        g_assert_cmpstr(redis_url_host(url), ==, cases[i].host);
        g_assert_cmpstr(redis_url_socket(url), ==, cases[i].path);
        g_assert_cmpstr(redis_url_user(url), ==, cases[i].user);
        g_assert_cmpstr(redis_url_password(url) ? secret_data(redis_url_password(url)) : NULL, ==,
                        cases[i].password);
        g_assert_cmpuint(redis_url_port(url), ==, cases[i].port);
        g_assert_cmpint(redis_url_names_database(url) ? (int)redis_url_database(url) : -1, ==,
                        cases[i].database);
        g_assert_cmpint(redis_url_tls(url), ==, cases[i].tls);
        shown = redis_url_redacted(url);
        name = redis_url_server_name(url);
        g_assert_cmpstr(shown, ==, cases[i].shown);
        g_assert_cmpstr(name, ==, cases[i].name);
    }
}

static void refuses_the_rest_without_repeating_it(void)
{
    static const char *const texts[] = {
        "http://hunter2@db1",          "redis:hunter2",
        "redis://hunter2@db1",         "redis://:hunter2@db1:0",
        "redis://:hunter2@db1:70000",  "redis://:hunter2@db1:x",
        "redis://:hunter2@db1/x",      "redis://:hunter2@db1/99999",
        "redis://:hunter2%zz@db1",     "redis://:hunter2%00@db1",
        "redis://:hunter2@[::1",       "redis://:hunter2@::1",
        "redis://:hunter2@db1?x=1",    "redis://:hunter2@db1?db",
        "redis://:hunter2@db1#1",      "redis://:hun/ter2@db1",
        "redis://:hun?ter2@db1",       "unix://:hunter2@",
        "unix://hunter2/sock",         "redis://:hunter2@db1?cacert=/ca",
        "rediss://:hunter2@/run/sock",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        g_test_message("%s", texts[i]);
        g_assert_null(redis_url_parse(texts[i], &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_null(strstr(error->message, "hunter2"));
        g_assert_null(strstr(error->message, "ter2"));
    }
}

static void takes_a_password_from_elsewhere(void)
{
    g_autoptr(RedisUrl) plain = NULL, given = NULL;
    g_autoptr(Secret) other = secret_new("other", 5);

    g_setenv("REDISCLI_AUTH", "from env", TRUE);
    plain = redis_url_parse("redis://db1", NULL);
    given = redis_url_parse("redis://:own@db1", NULL);
    g_unsetenv("REDISCLI_AUTH");
    g_assert_cmpstr(secret_data(redis_url_password(plain)), ==, "from env");
    g_assert_cmpstr(secret_data(redis_url_password(given)), ==, "own");
    redis_url_set_password(given, other);
    g_assert_cmpstr(secret_data(redis_url_password(given)), ==, "other");
    redis_url_set_password(given, NULL);
    g_assert_null(redis_url_password(given));
}

static void knows_its_schemes(void)
{
    g_assert_true(redis_url_is("redis://x"));
    g_assert_true(redis_url_is("rediss://x"));
    g_assert_true(redis_url_is("unix:///x"));
    g_assert_false(redis_url_is("postgresql://x"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_unsetenv("REDISCLI_AUTH");
    g_test_add_func("/redisurl/reads-what-a-url-says", reads_what_a_url_says);
    g_test_add_func("/redisurl/refuses-the-rest-without-repeating-it",
                    refuses_the_rest_without_repeating_it);
    g_test_add_func("/redisurl/takes-a-password-from-elsewhere", takes_a_password_from_elsewhere);
    g_test_add_func("/redisurl/knows-its-schemes", knows_its_schemes);
    return g_test_run();
}
