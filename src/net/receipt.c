/* SPDX-License-Identifier: Apache-2.0 */
#include "net/receipt.h"

#include "base/clock.h"
#include "base/error.h"

#include <curl/curl.h>
#include <string.h>

#define BOUND_STANDARD   ((size_t)1024 * 1024)
#define HEADER_BYTES_MAX ((size_t)256 * 1024)
#define RESERVE_MAX      ((size_t)32 * 1024 * 1024) /* what a length is believed before it comes */
#define RETRY_AFTER_MAX  (10 * 60 * 1000)

void receipt_init(Receipt *receipt, const HttpRequest *request)
{
    *receipt = (Receipt){ .request = request };
    receipt->reply.headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    receipt->reply.body = g_byte_array_new();
}

void receipt_done(Receipt *receipt)
{
    http_reply_clear(&receipt->reply);
    g_clear_error(&receipt->failure);
}

/* ---- headers ---- */

/* "HTTP/1.1 206 Partial Content". An answer may be preceded by provisional ones. */
static void begin_answer(Receipt *receipt, const char *line)
{
    const char *space = strchr(line, ' ');

    receipt->reply.status = space ? (unsigned)g_ascii_strtoull(space + 1, NULL, 10) : 0;
    receipt->headers_over = false;
    g_hash_table_remove_all(receipt->reply.headers);
}

static void take_header(Receipt *receipt, const char *line)
{
    const char *colon = strchr(line, ':');

    if (colon && colon > line)
        g_hash_table_replace(receipt->reply.headers, g_ascii_strdown(line, (gssize)(colon - line)),
                             g_strstrip(g_strdup(colon + 1)));
}

size_t receipt_header(char *line, size_t size, size_t n, void *user)
{
    Receipt *receipt = user;
    g_autofree char *text = g_strndup(line, size * n);

    receipt->header_bytes += size * n;
    if (receipt->header_bytes > HEADER_BYTES_MAX) {
        g_set_error(&receipt->failure, BS_ERROR, BS_ERROR_CORRUPT,
                    "the answer's headers are larger than %zu bytes", HEADER_BYTES_MAX);
        return 0;
    }
    if (g_str_has_prefix(text, "HTTP/"))
        begin_answer(receipt, text);
    else if (g_str_equal(text, "\r\n") || g_str_equal(text, "\n"))
        receipt->headers_over = true;
    else if (!receipt->headers_over)
        take_header(receipt, text);
    return size * n;
}

/* ---- body ---- */

static bool is_good(const Receipt *receipt)
{
    return receipt->reply.status / 100 == 2;
}

static bool take_into(Receipt *receipt, const char *data, size_t len)
{
    const HttpRequest *request = receipt->request;
    uint64_t begin = receipt->reply.body_len;

    receipt->reply.body_len += len;
    receipt->enough = receipt->reply.body_len > request->into_len;
    if (!receipt->enough)
        memcpy((uint8_t *)request->into + begin, data, len);
    return !receipt->enough;
}

static size_t bound_of(const Receipt *receipt)
{
    size_t bound = MIN(receipt->request->bound, G_MAXUINT); // what a GByteArray holds

    return bound > 0 && is_good(receipt) ? bound : BOUND_STANDARD;
}

/* So that a large answer is not moved each time it outgrows its place. */
static void reserve(Receipt *receipt)
{
    const char *text = http_reply_header(&receipt->reply, "content-length");
    uint64_t len = text ? g_ascii_strtoull(text, NULL, 10) : 0;

    g_byte_array_unref(receipt->reply.body);
    receipt->reply.body =
        g_byte_array_sized_new((guint)MIN(MIN(len, bound_of(receipt)), RESERVE_MAX));
}

static bool take_body(Receipt *receipt, const char *data, size_t len)
{
    size_t bound = bound_of(receipt);

    if (len > bound - receipt->reply.body->len) {
        g_set_error(&receipt->failure, BS_ERROR, BS_ERROR_CORRUPT,
                    "the answer is larger than %zu bytes", bound);
        return false;
    }
    if (receipt->reply.body->len == 0)
        reserve(receipt);
    g_byte_array_append(receipt->reply.body, (const guint8 *)data, (guint)len);
    receipt->reply.body_len += len;
    return true;
}

size_t receipt_body(char *data, size_t size, size_t n, void *user)
{
    Receipt *receipt = user;
    size_t len = size * n;
    bool taken = receipt->request->into && is_good(receipt) ? take_into(receipt, data, len)
                                                            : take_body(receipt, data, len);

    return taken ? len : 0;
}

/* ---- a whole answer ---- */

void http_reply_clear(HttpReply *reply)
{
    g_clear_pointer(&reply->headers, g_hash_table_unref);
    g_clear_pointer(&reply->body, g_byte_array_unref);
    *reply = (HttpReply){ 0 };
}

const char *http_reply_header(const HttpReply *reply, const char *name)
{
    return g_hash_table_lookup(reply->headers, name);
}

int64_t http_reply_date(const HttpReply *reply)
{
    const char *text = http_reply_header(reply, "date");
    time_t date = text ? curl_getdate(text, NULL) : -1;

    return date < 0 ? clock_now().sec : date;
}

/* By the server's own clock. */
static int64_t ms_until(const HttpReply *reply, const char *date)
{
    int64_t then = curl_getdate(date, NULL);
    int64_t now = http_reply_date(reply);

    return then > now ? MIN(then - now, RETRY_AFTER_MAX / 1000) * 1000 : 0;
}

/* RFC 9110, section 10.2.3 */
int64_t http_retry_after_ms(const HttpReply *reply)
{
    const char *text = http_reply_header(reply, "retry-after");
    char *end;
    uint64_t seconds;

    if (!text)
        return 0;
    seconds = g_ascii_strtoull(text, &end, 10);
    if (!g_ascii_isdigit(*text) || *end != '\0')
        return MIN(ms_until(reply, text), RETRY_AFTER_MAX);
    return (int64_t)MIN(seconds, RETRY_AFTER_MAX / 1000) * 1000;
}
