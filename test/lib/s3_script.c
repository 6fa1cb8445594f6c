/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/s3_script.h"

#include "base/error.h"

#include <string.h>

static bool answer(HttpConn *conn, const HttpServed *request, void *user)
{
    Script *script = user;
    g_autoptr(GBytes) body = http_conn_read(conn, request->body_len);
    Answer next = { "500 Unasked", NULL, "nobody thought of this request" };

    pthread_mutex_lock(&script->mutex);
    if (script->asked->len < script->n)
        next = script->answers[script->asked->len];
    g_ptr_array_add(script->asked,
                    g_strdup_printf("%s%.*s", request->head, (int)MIN(g_bytes_get_size(body), 4096),
                                    (const char *)g_bytes_get_data(body, NULL)));
    pthread_mutex_unlock(&script->mutex);
    if (!next.status)
        return false;
    if (g_str_equal(request->method, "HEAD") && next.headers &&
        strstr(next.headers, "Content-Length")) {
        g_autofree char *head = g_strdup_printf("HTTP/1.1 %s\r\n%s\r\n", next.status, next.headers);

        return http_conn_say(conn, head);
    }
    return http_conn_answer(conn, next.status, next.headers, next.body,
                            next.body && !g_str_equal(request->method, "HEAD") ? strlen(next.body)
                                                                               : 0);
}

void script_begin(Script *script, const Answer *answers, size_t n, const S3Options *options)
{
    S3TestPlace place = { .access_key = "key", .secret_key = "secret" };

    if (options)
        place.options = *options;
    script_begin_at(script, answers, n, &place);
}

void script_begin_at(Script *script, const Answer *answers, size_t n, const S3TestPlace *at)
{
    S3TestPlace place = *at;

    script->answers = answers;
    script->n = n;
    pthread_mutex_init(&script->mutex, NULL);
    script->asked = g_ptr_array_new_with_free_func(g_free);
    script->server = http_server_new(answer, script, NULL);
    place.endpoint = http_server_url(script->server);
    place.bucket = "bucket";
    place.prefix = "pre";
    s3_test_store_open(&place, &script->test);
    script->store = script->test.store;
}

void script_end(Script *script)
{
    s3_test_store_close(&script->test);
    http_server_free(script->server);
    g_assert_cmpuint(script->asked->len, ==, script->n);
    g_ptr_array_unref(script->asked);
    pthread_mutex_destroy(&script->mutex);
}

/* A request once told stays as it is; but the thread that tells it is not this one. */
static const char *asked(Script *script, guint i)
{
    const char *request;

    pthread_mutex_lock(&script->mutex);
    g_assert_cmpuint(i, <, script->asked->len);
    request = g_ptr_array_index(script->asked, i);
    pthread_mutex_unlock(&script->mutex);
    return request;
}

void assert_asked(Script *script, guint i, const char *part)
{
    if (!strstr(asked(script, i), part))
        g_error("request %u lacks '%s': %s", i, part, asked(script, i));
}

void assert_not_asked(Script *script, guint i, const char *part)
{
    if (strstr(asked(script, i), part))
        g_error("request %u has '%s': %s", i, part, asked(script, i));
}

void assert_failed(bool ok, GError *const *error, int code, const char *part)
{
    g_assert_false(ok);
    g_test_message("%s", (*error)->message);
    g_assert_error(*error, BS_ERROR, code);
    g_assert_nonnull(strstr((*error)->message, part));
}
