/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webrequest.h"

#include "base/id.h"
#include <string.h>

#define QUERY_MAX   32u
#define HEADERS_MAX 64u

/* Stands for a header that came twice: neither of the two is believed. */
static char twice[] = "";

static void free_value(gpointer value)
{
    if (value != twice)
        g_free(value);
}

/* A proxy on this machine speaks for others. */
static const char *const of_proxies[] = { "forwarded", "x-forwarded-for", "x-real-ip", "via" };

static void make_id(char id[17])
{
    uint8_t bytes[8];

    random_bytes(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        (void)g_snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

static bool is_loopback(const char *peer)
{
    return g_str_has_prefix(peer, "127.") || strcmp(peer, "::1") == 0 ||
           g_str_has_prefix(peer, "::ffff:127.");
}

WebRequest *web_request_new(const char *method, const char *peer, bool secure)
{
    WebRequest *request = g_new0(WebRequest, 1);

    make_id(request->id);
    request->head = strcmp(method, "HEAD") == 0;
    request->method = g_strdup(request->head ? "GET" : method);
    request->path = g_strdup("");
    request->segments = g_new0(char *, 1);
    request->query = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    request->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_value);
    request->body = g_byte_array_new();
    request->peer = g_strdup(peer);
    request->loopback = is_loopback(peer);
    request->secure = secure;
    return request;
}

void web_request_free(WebRequest *request)
{
    if (!request)
        return;
    g_free(request->method);
    g_free(request->path);
    g_strfreev(request->segments);
    g_hash_table_unref(request->query);
    g_hash_table_unref(request->headers);
    // passwords come in bodies
    if (request->body->len > 0)
        explicit_bzero(request->body->data, request->body->len);
    g_byte_array_unref(request->body);
    g_free(request->peer);
    g_free(request);
}

void web_request_refuse(WebRequest *request, unsigned status, const char *why)
{
    if (request->refusal)
        return;
    request->refusal_status = status;
    request->refusal = why;
}

static int hex_pair(const char *text)
{
    int high = g_ascii_xdigit_value(text[0]);
    int low = high < 0 ? -1 : g_ascii_xdigit_value(text[1]);

    return low < 0 ? -1 : high * 16 + low;
}

char *web_unescape(const char *text)
{
    g_autoptr(GString) plain = g_string_new(NULL);

    for (const char *at = text; *at; at++) {
        int byte = (unsigned char)*at;

        if (byte == '%') {
            byte = hex_pair(at + 1);
            at += 2;
        }
        if (byte < 0x20 || byte == 0x7f)
            return NULL;
        g_string_append_c(plain, (char)byte);
    }
    if (!g_utf8_validate(plain->str, (gssize)plain->len, NULL))
        return NULL;
    return g_string_free(g_steal_pointer(&plain), FALSE);
}

/* "a%2fb" is one segment for us and two for whoever decodes first: it is neither. */
static bool segment_fits(const char *segment)
{
    return segment && *segment && strcmp(segment, ".") != 0 && strcmp(segment, "..") != 0 &&
           !strpbrk(segment, "/\\");
}

bool web_request_split(WebRequest *request, const char *raw_path)
{
    g_auto(GStrv) raw = NULL;
    g_autoptr(GPtrArray) plain = g_ptr_array_new_with_free_func(g_free);

    if (*raw_path != '/')
        goto refused;
    if (raw_path[1])
        raw = g_strsplit(raw_path + 1, "/", (gint)WEB_SEGMENTS_MAX + 1);
    for (guint i = 0; raw && raw[i]; i++) {
        g_ptr_array_add(plain, web_unescape(raw[i]));
        if (i >= WEB_SEGMENTS_MAX || !segment_fits(plain->pdata[i]))
            goto refused;
    }
    g_free(request->path);
    request->path = g_strdup(raw_path);
    g_strfreev(request->segments);
    g_ptr_array_add(plain, NULL);
    request->segments = (char **)g_ptr_array_free(g_steal_pointer(&plain), FALSE);
    return true;
refused:
    web_request_refuse(request, 400, "the path is none that this server could have");
    return false;
}

bool web_request_add_query(WebRequest *request, const char *name, const char *value)
{
    g_autofree char *plain_name = web_unescape(name);
    g_autofree char *plain = web_unescape(value ? value : "");

    if (!plain_name || !plain || g_hash_table_size(request->query) >= QUERY_MAX ||
        g_hash_table_contains(request->query, plain_name)) {
        web_request_refuse(request, 400, "a parameter of the query is malformed, or comes twice");
        return false;
    }
    g_hash_table_insert(request->query, g_steal_pointer(&plain_name), g_steal_pointer(&plain));
    return true;
}

void web_request_add_header(WebRequest *request, const char *name, const char *value)
{
    g_autofree char *small = g_ascii_strdown(name, -1);

    for (guint i = 0; i < G_N_ELEMENTS(of_proxies); i++)
        if (strcmp(small, of_proxies[i]) == 0)
            request->loopback = false;
    if (g_hash_table_contains(request->headers, small))
        g_hash_table_insert(request->headers, g_steal_pointer(&small), twice);
    else if (g_hash_table_size(request->headers) >= HEADERS_MAX)
        web_request_refuse(request, 431, "there are too many headers");
    else
        g_hash_table_insert(request->headers, g_steal_pointer(&small),
                            g_strdup(value ? value : ""));
}

bool web_request_add_body(WebRequest *request, const void *data, size_t len)
{
    if (len > WEB_BODY_MAX - request->body->len) {
        web_request_refuse(request, 413, "the body is too large");
        return false;
    }
    g_byte_array_append(request->body, data, (guint)len);
    return true;
}

/* RFC 9112, section 6.1. Whoever frames a body in two ways may want another server to see two
 * requests. */
static bool check_coding(WebRequest *request)
{
    const char *coding = web_request_header(request, "transfer-encoding");

    if (!g_hash_table_contains(request->headers, "transfer-encoding"))
        return true;
    request->chunked = request->streamed && coding && g_ascii_strcasecmp(coding, "chunked") == 0;
    if (request->chunked && !g_hash_table_contains(request->headers, "content-length"))
        return true;
    web_request_refuse(request, 411,
                       request->streamed ? "a file must come with Content-Length, or in chunks"
                                         : "a body must come with Content-Length");
    return false;
}

bool web_request_check_head(WebRequest *request)
{
    const char *length = web_request_header(request, "content-length");
    guint64 bytes = 0;

    if (!check_coding(request))
        return false;
    if (length && !g_ascii_string_to_unsigned(length, 10, 0, G_MAXINT64, &bytes, NULL))
        web_request_refuse(request, 400, "Content-Length is no number");
    else if (!length && g_hash_table_contains(request->headers, "content-length"))
        web_request_refuse(request, 400, "Content-Length comes twice");
    else if (!request->streamed && bytes > WEB_BODY_MAX)
        web_request_refuse(request, 413, "the body is too large");
    request->len = bytes;
    return !request->refusal;
}

const char *web_request_header(const WebRequest *request, const char *name)
{
    const char *value = g_hash_table_lookup(request->headers, name);

    return value == twice ? NULL : value;
}

/* RFC 6265, section 4.2.1: name=value pairs separated by "; ". */
char *web_request_cookie(const WebRequest *request, const char *name)
{
    const char *header = web_request_header(request, "cookie");
    g_auto(GStrv) pairs = header ? g_strsplit(header, ";", 64) : NULL;
    size_t len = strlen(name);
    char *found = NULL;

    for (char **pair = pairs; pair && *pair; pair++) {
        const char *text = g_strstrip(*pair);

        if (strncmp(text, name, len) != 0 || text[len] != '=')
            continue;
        if (found) {
            g_free(found);
            return NULL;
        }
        found = g_strdup(text + len + 1);
    }
    return found;
}
