/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webdownload.h"

static void ranges_are_those_of_rfc_9110(void)
{
    static const struct {
        const char *header;
        int status; // 206, 200: all of it, 416
        uint64_t first, len;
    } cases[] = {
        { NULL, 200 },
        { "bytes=0-499", 206, 0, 500 },
        { "bytes=500-999", 206, 500, 500 },
        { "bytes=-500", 206, 500, 500 },
        { "bytes=-5000", 206, 0, 1000 },
        { "bytes=999-", 206, 999, 1 },
        { "bytes=0-99999999", 206, 0, 1000 },
        { "bytes=1000-", 416 },
        { "bytes=-0", 416 },
        { "bytes=9-1", 200 },
        { "bytes=-", 200 },
        { "bytes=a-b", 200 },
        { "bytes=0-0,2-3", 200 },
        { "bytes=99999999999999999999-", 200 },
        { "lines=0-1", 200 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        uint64_t first = 0, len = 0;
        bool some = false;
        bool good = web_range_parse(cases[i].header, 1000, &some, &first, &len, &error);

        g_test_message("%s", cases[i].header ? cases[i].header : "none");
        g_assert_cmpint(!good ? error->code : some ? 206 : 200, ==, cases[i].status);
        g_assert_cmpuint(first, ==, cases[i].first);
        g_assert_cmpuint(len, ==, cases[i].len);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/daemon/webdownload/ranges-are-those-of-rfc-9110",
                    ranges_are_those_of_rfc_9110);
    return g_test_run();
}
