/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/channelhttp.h"

#include "base/error.h"
#include "net/public.h"

#include <string.h>

#define PATIENCE_MS 10000             /* Healthchecks' documentation asks for no more */
#define BODY_MAX    (8 * 1024 * 1024) /* a list of cards */
#define SAID_MAX    200
#define HEADERS_MAX 24

/* ---- where to ---- */

/* Only what needs no two readings: one program must not see another host than the next. */
char *channel_origin(const char *url)
{
    bool tls = g_ascii_strncasecmp(url, "https://", 8) == 0;
    const char *host = tls ? url + 8 : g_ascii_strncasecmp(url, "http://", 7) == 0 ? url + 7 : NULL;
    size_t len = host ? strcspn(host, "/?#") : 0;
    g_autofree char *place = len > 0 ? g_ascii_strdown(host, (gssize)len) : NULL;
    const char *port;

    if (!place || strspn(place, "abcdefghijklmnopqrstuvwxyz0123456789.-_:[]") != len)
        return NULL;
    port = strrchr(place, ':');
    if (port && !strchr(port, ']'))
        return g_strdup_printf("%s://%s", tls ? "https" : "http", place);
    return g_strdup_printf("%s://%s:%d", tls ? "https" : "http", place, tls ? 443 : 80);
}

static bool is_listed(const Channel *channel, const char *origin)
{
    for (size_t i = 0; channel->origins && channel->origins[i]; i++) {
        g_autofree char *listed = channel_origin(channel->origins[i]);

        if (listed && strcmp(listed, origin) == 0)
            return true;
    }
    return false;
}

static bool approve(const struct sockaddr *address, G_GNUC_UNUSED void *user)
{
    return public_address(address);
}

static bool choose_client(const Channel *channel, const ChannelRequest *request,
                          HttpClient **ret_client, GError **error)
{
    g_autofree char *origin = channel_origin(request->url);
    bool listed = origin && is_listed(channel, origin);
    HttpOptions options = { .ca_file = request->ca_file,
                            .connections = 1,
                            .connect_ms = PATIENCE_MS,
                            .stall_ms = PATIENCE_MS,
                            .cancel = channel->cancel,
                            .approve = listed ? NULL : approve };

    if (!origin) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, "not a URL of http or https");
        return false;
    }
    if (request->listed && !listed && channel->origins && channel->origins[0]) {
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "%s is none of the places where webhooks may go; see webhook_origins", origin);
        return false;
    }
    if (!http_client_new(&options, ret_client, error))
        return false;
    return true;
}

/* ---- what came of it ---- */

/* The begin of the answer, for the person who reads the log. */
static char *words_of(const HttpReply *reply)
{
    const char *data = reply->body->len > 0 ? (const char *)reply->body->data : "";
    g_autofree char *text = g_strndup(data, MIN(reply->body->len, 4096));
    g_autofree char *cut = event_cut(text, SAID_MAX);

    for (char *c = cut; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return g_strstrip(g_steal_pointer(&cut));
}

static DeliveryOutcome outcome_of(unsigned status)
{
    switch (status) {
    case 400:
    case 410:
    case 413:
    case 414:
    case 422:
        return DELIVERY_REFUSED;
    default: // a redirect leads where nobody has allowed us to go
        return status / 100 == 3 ? DELIVERY_REFUSED : DELIVERY_LATER;
    }
}

static void judge(const HttpReply *reply, Delivery *delivery)
{
    g_autofree char *words = words_of(reply);

    delivery_say(delivery, outcome_of(reply->status), "HTTP %u%s%s%s", reply->status,
                 reply->status / 100 == 3 ? ", a redirect, which is not followed" : "",
                 *words ? ": " : "", words);
    delivery->wait_ms = http_retry_after_ms(reply);
}

static size_t all_headers(const ChannelRequest *request, HttpHeader *headers)
{
    size_t n = 0;

    if (request->type)
        headers[n++] = (HttpHeader){ "Content-Type", request->type };
    for (size_t i = 0; i < request->n_headers && n < HEADERS_MAX; i++)
        headers[n++] = request->headers[i];
    return n;
}

bool channel_ask(const Channel *channel, const ChannelRequest *request, HttpReply *ret_reply,
                 Delivery *delivery)
{
    HttpHeader headers[HEADERS_MAX];
    HttpRequest asked = { .method = request->method,
                          .url = request->url,
                          .headers = headers,
                          .n_headers = all_headers(request, headers),
                          .body = request->body,
                          .body_len = request->body ? strlen(request->body) : 0,
                          .bound = BODY_MAX };
    g_autoptr(HttpClient) client = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(HttpReply) reply = { 0 };

    if (!choose_client(channel, request, &client, &error) ||
        !http_request(client, &asked, &reply, &error)) {
        delivery_say(delivery, DELIVERY_LATER, "%s", error->message);
        return false;
    }
    if (reply.status / 100 != 2) {
        judge(&reply, delivery);
        return false;
    }
    if (ret_reply) {
        *ret_reply = reply;
        reply = (HttpReply){ 0 };
    }
    return true;
}
