/* SPDX-License-Identifier: Apache-2.0 */
#include "net/public.h"

#include "base/error.h"
#include "lib/http_server.h"
#include "net/http.h"

#include <arpa/inet.h>
#include <glib.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static bool is_public(const char *text)
{
    struct sockaddr_in in4 = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &in4.sin_addr) == 1)
        return public_address((const struct sockaddr *)&in4);
    g_assert_cmpint(inet_pton(AF_INET6, text, &in6.sin6_addr), ==, 1);
    return public_address((const struct sockaddr *)&in6);
}

static void tells_the_internet_from_the_rest(void)
{
    static const char *const open[] = {
        "1.1.1.1",         "8.8.8.8",         "9.255.255.255",    "11.0.0.0",
        "100.63.255.255",  "100.128.0.0",     "126.255.255.255",  "128.0.0.0",
        "169.253.255.255", "169.255.0.0",     "172.15.255.255",   "172.32.0.0",
        "192.0.1.0",       "192.167.255.255", "192.169.0.0",      "198.17.255.255",
        "198.20.0.0",      "223.255.255.255", "2606:4700::1111",  "2a00:1450::1",
        "2001:200::1",     "::ffff:1.1.1.1",  "64:ff9b::1.1.1.1", "2002:101:101::1",
    };
    static const char *const closed[] = {
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.7",
        "203.0.113.7",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "febf::1",
        "fec0::1",
        "ff02::1",
        "5f00::1",
        "4000::1",
        "1fff::1",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(open); i++)
        if (!is_public(open[i]))
            g_error("%s is closed", open[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(closed); i++)
        if (is_public(closed[i]))
            g_error("%s is open", closed[i]);
}

static void other_families_are_not_the_internet(void)
{
    struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "/run/docker.sock" };

    g_assert_false(public_address((const struct sockaddr *)&path));
}

static bool approve_public(const struct sockaddr *address, G_GNUC_UNUSED void *user)
{
    return public_address(address);
}

static bool answer(HttpConn *conn, G_GNUC_UNUSED const HttpServed *request,
                   G_GNUC_UNUSED void *user)
{
    return http_conn_answer(conn, "200 OK", NULL, "secret", 6);
}

/* Whatever the name looks like: what counts is the address that would be connected to. */
static void every_spelling_of_loopback_is_refused(void)
{
    static const char *const hosts[] = {
        "127.0.0.1", "localhost", "2130706433",         "0x7f000001",      "0177.0.0.1",
        "127.1",     "0",         "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.",
    };
    HttpServer *server = http_server_new(answer, NULL, NULL);
    const char *port = strrchr(http_server_url(server), ':');
    HttpOptions options = { .approve = approve_public };
    g_autoptr(HttpClient) client = NULL;

    // a proxy would hide the address
    g_setenv("http_proxy", http_server_url(server), TRUE);
    g_assert_true(http_client_new(&options, &client, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
        g_autofree char *url = g_strdup_printf("http://%s%s/", hosts[i], port);
        HttpRequest request = { .method = "GET", .url = url };
        g_auto(HttpReply) reply = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_false(http_request(client, &request, &reply, &error));
        g_test_message("%s", error->message);
        if (i < 8) // some systems know no name in the last ones
            g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    }
    g_unsetenv("http_proxy");
    g_assert_cmpuint(http_server_n_connections(server), ==, 0);
    http_server_free(server);
}

static bool approve_all(const struct sockaddr *address, void *user)
{
    *(int *)user = address->sa_family;
    return true;
}

static void what_is_approved_is_asked(void)
{
    HttpServer *server = http_server_new(answer, NULL, NULL);
    int family = 0;
    HttpOptions options = { .approve = approve_all, .approve_user = &family };
    HttpRequest request = { .method = "GET", .url = http_server_url(server) };
    g_autoptr(HttpClient) client = NULL;
    g_auto(HttpReply) reply = { 0 };

    g_assert_true(http_client_new(&options, &client, NULL));
    g_assert_true(http_request(client, &request, &reply, NULL));
    g_assert_cmpuint(reply.status, ==, 200);
    g_assert_cmpint(family, ==, AF_INET);
    http_server_free(server);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/public/tells the internet from the rest", tells_the_internet_from_the_rest);
    g_test_add_func("/public/other families are not the internet",
                    other_families_are_not_the_internet);
    g_test_add_func("/public/every spelling of loopback is refused",
                    every_spelling_of_loopback_is_refused);
    g_test_add_func("/public/what is approved is asked", what_is_approved_is_asked);
    return g_test_run();
}
