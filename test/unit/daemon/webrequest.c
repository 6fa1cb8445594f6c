/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webrequest.h"

static void paths_mean_one_thing(void)
{
    static const struct {
        const char *raw, *want; // segments joined by '|'; NULL: refused
    } cases[] = {
        { "/", "" },
        { "/a/b", "a|b" },
        { "/a%20b/%C3%BC", "a b|ü" },
        { "", NULL },
        { "*", NULL },
        { "http://x/", NULL },
        { "//", NULL },
        { "/a/", NULL },
        { "/a//b", NULL },
        { "/a/../b", NULL },
        { "/a/%2e%2e/b", NULL },
        { "/a/./b", NULL },
        { "/a%2fb", NULL },
        { "/a%5cb", NULL },
        { "/a%00b", NULL },
        { "/a%0ab", NULL },
        { "/a%7f", NULL },
        { "/a%", NULL },
        { "/a%4", NULL },
        { "/a%zz", NULL },
        { "/%ff", NULL },
        { "/1/2/3/4/5/6/7/8/9/10/11/12/13", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WebRequest) request = web_request_new("GET", "127.0.0.1", false);
        bool taken = web_request_split(request, cases[i].raw);
        g_autofree char *got = taken ? g_strjoinv("|", request->segments) : NULL;

        g_test_message("'%s'", cases[i].raw);
        g_assert_cmpstr(got, ==, cases[i].want);
        g_assert_cmpuint(request->refusal_status, ==, taken ? 0 : 400);
    }
}

static void what_comes_twice_is_not_believed(void)
{
    g_autoptr(WebRequest) request = web_request_new("GET", "127.0.0.1", false);
    g_autofree char *once = NULL, *twice = NULL;

    web_request_add_header(request, "Host", "a");
    web_request_add_header(request, "If-Match", "\"1\"");
    web_request_add_header(request, "HOST", "b");
    web_request_add_header(request, "Cookie", "a=1; b=2; a=3; c=");
    g_assert_null(web_request_header(request, "host"));
    g_assert_cmpstr(web_request_header(request, "if-match"), ==, "\"1\"");
    once = web_request_cookie(request, "b");
    twice = web_request_cookie(request, "a");
    g_assert_cmpstr(once, ==, "2");
    g_assert_null(twice);
    g_assert_true(web_request_add_query(request, "limit", "1"));
    g_assert_false(web_request_add_query(request, "lim%69t", "2"));
    g_assert_cmpuint(request->refusal_status, ==, 400);
}

static void heads_are_judged_before_the_body(void)
{
    static const struct {
        const char *label, *name, *value, *again;
        unsigned status;
    } cases[] = {
        { "nothing is told", "X", "1", NULL, 0 },
        { "a length", "Content-Length", "65536", NULL, 0 },
        { "one byte too many", "Content-Length", "65537", NULL, 413 },
        { "no number", "Content-Length", "1e3", NULL, 400 },
        { "below zero", "Content-Length", "-1", NULL, 400 },
        { "more than fits", "Content-Length", "99999999999999999999", NULL, 400 },
        { "two lengths", "Content-Length", "1", "2", 400 },
        { "chunks", "Transfer-Encoding", "chunked", NULL, 411 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WebRequest) request = web_request_new("POST", "::1", false);

        g_test_message("%s", cases[i].label);
        web_request_add_header(request, cases[i].name, cases[i].value);
        if (cases[i].again)
            web_request_add_header(request, cases[i].name, cases[i].again);
        g_assert_cmpint(web_request_check_head(request), ==, cases[i].status == 0);
        g_assert_cmpuint(request->refusal_status, ==, cases[i].status);
    }
}

static void a_proxy_is_not_this_machine(void)
{
    static const struct {
        const char *peer, *header;
        bool want;
    } cases[] = {
        { "127.0.0.1", "Accept", true },
        { "127.9.9.9", "Accept", true },
        { "::1", "Accept", true },
        { "::ffff:127.0.0.1", "Accept", true },
        { "192.0.2.1", "Accept", false },
        { "127.0.0.1", "X-Forwarded-For", false },
        { "127.0.0.1", "Forwarded", false },
        { "127.0.0.1", "Via", false },
        { "::ffff:192.0.2.1", "Accept", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(WebRequest) request = web_request_new("GET", cases[i].peer, false);

        web_request_add_header(request, cases[i].header, "x");
        g_assert_cmpint(request->loopback, ==, cases[i].want);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webrequest/paths-mean-one-thing", paths_mean_one_thing);
    g_test_add_func("/daemon/webrequest/what-comes-twice-is-not-believed",
                    what_comes_twice_is_not_believed);
    g_test_add_func("/daemon/webrequest/heads-are-judged-before-the-body",
                    heads_are_judged_before_the_body);
    g_test_add_func("/daemon/webrequest/a-proxy-is-not-this-machine", a_proxy_is_not_this_machine);
    return g_test_run();
}
