/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as path, query, cookie and body of a request: what is accepted is harmless. The four
 * are separated by line feeds, the body comes last. */
#include "daemon/webrequest.h"
#include "daemon/webshape.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char *const words[] = { "on", "off", NULL };
static const ShapeField inner_fields[] = { { "n", SHAPE_INT, 0, .min = 1, .max = 9 }, { NULL } };
static const Shape inner = { "Inner", inner_fields };
static const ShapeField fields[] = {
    { "name", SHAPE_TEXT, SHAPE_REQUIRED, .min = 1, .max = 8 },
    { "word", SHAPE_TEXT, SHAPE_NULL, .words = words },
    { "id", SHAPE_ID },
    { "at", SHAPE_TIME },
    { "texts", SHAPE_TEXTS },
    { "list", SHAPE_LIST, .of = &inner },
    { "any", SHAPE_ANY },
    { NULL },
};
static const Shape shape = { "Fuzzed", fields };

static void check_body(const char *text, size_t len)
{
    json_t *object = NULL;

    if (!shape_parse(&shape, text, len, &object, NULL))
        return;
    g_assert_cmpuint(strlen(shape_text(object, "name")), <=, 8);
    g_assert_true(shape_check(&shape, object, NULL));
    json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *text = g_strndup((const char *)data, len);
    g_auto(GStrv) parts = g_strsplit(text, "\n", 4);
    g_autoptr(WebRequest) request = web_request_new("POST", "127.0.0.1", false);
    guint n = g_strv_length(parts);

    if (n > 0 && web_request_split(request, parts[0]))
        for (char **segment = request->segments; *segment; segment++) {
            g_assert_true(**segment && g_utf8_validate(*segment, -1, NULL));
            g_assert_null(strpbrk(*segment, "/\\"));
            g_assert_cmpstr(*segment, !=, "..");
        }
    if (n > 1)
        (void)web_request_add_query(request, parts[1], parts[1]);
    if (n > 2) {
        g_autofree char *cookie = NULL;

        web_request_add_header(request, "Cookie", parts[2]);
        cookie = web_request_cookie(request, "backstay");
        g_assert_true(!cookie || !strchr(cookie, ';'));
    }
    if (n > 3)
        check_body(parts[3], strlen(parts[3]));
    check_body((const char *)data, len);
    return 0;
}
