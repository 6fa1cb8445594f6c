/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to a server of the user's own: the event as JSON, or a template of his. Headers tell
 * the delivery (X-Backstay-Delivery, the same when it is tried again), the kind of event, the time
 * and, with a secret, "sha256=" and the HMAC of "<timestamp>.<delivery>.<body>".
 */
#include "daemon/channelhttp.h"

#include "base/clock.h"
#include "config/reference.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define OWN_HEADERS_MAX 16
#define BODY_TEXT_MAX   16000

/* ---- body ---- */

/* Without its quotes, so that a template can write them, and more between them. */
static void append_escaped(GString *out, const char *text)
{
    g_autofree char *cut = event_cut(text, BODY_TEXT_MAX);
    json_t *value = json_string(cut);
    g_autofree char *quoted = json_dumps(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

    g_string_append_len(out, quoted + 1, (gssize)strlen(quoted) - 2);
    json_decref(value);
}

static void append_value(GString *out, const json_t *event, const char *name)
{
    const json_t *value = json_object_get(event, name);
    g_autofree char *text = NULL;

    if (strcmp(name, "event") == 0)
        text = json_dumps(event, JSON_COMPACT);
    else if (value && !json_is_string(value))
        text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text)
        g_string_append(out, text);
    else
        append_escaped(out, event_text(event, name));
}

/* {{name}}: a key of the event, escaped as within a JSON string; {{event}}: all of it. */
static char *body_of(const Channel *channel, const json_t *event)
{
    const char *template = channel_setting(channel, "body");
    GString *out;

    if (!*template)
        return json_dumps(event, JSON_COMPACT);
    out = g_string_new(NULL);
    while (*template) {
        const char *open = strstr(template, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;
        g_autofree char *name = NULL;

        if (!close) {
            g_string_append(out, template);
            break;
        }
        g_string_append_len(out, template, open - template);
        name = g_strstrip(g_strndup(open + 2, (gsize)(close - open - 2)));
        append_value(out, event, name);
        template = close + 2;
    }
    return g_string_free(out, FALSE);
}

/* ---- headers ---- */

typedef struct {
    HttpHeader headers[OWN_HEADERS_MAX + 4];
    size_t n;
    GPtrArray *secrets; /* which the values point into */
    char timestamp[24];
    char *signature;
    const char *type; /* Content-Type, when the user gives one */
} Headers;

static void headers_done(Headers *headers)
{
    g_ptr_array_unref(headers->secrets);
    g_free(headers->signature);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Headers, headers_done)

static void add(Headers *headers, const char *name, const char *value)
{
    headers->headers[headers->n++] = (HttpHeader){ name, value };
}

/* "sha256=<hex>" */
static char *sign(const Secret *key, const char *timestamp, const char *delivery, const char *body)
{
    g_autofree char *text = g_strdup_printf("%s.%s.%s", timestamp, delivery, body);
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    GString *out = g_string_new("sha256=");

    g_assert(HMAC(EVP_sha256(), secret_data(key), (int)secret_len(key), (const uint8_t *)text,
                  strlen(text), mac, &len));
    for (unsigned i = 0; i < len; i++)
        g_string_append_printf(out, "%02x", mac[i]);
    return g_string_free(out, FALSE);
}

static bool add_own(const Channel *channel, Headers *headers, Delivery *delivery)
{
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(channel->settings, "headers"), name, value)
    {
        const char *text = json_string_value(value);
        g_autoptr(GError) error = NULL;
        Secret *secret = NULL;

        if (!text || headers->n == OWN_HEADERS_MAX)
            continue;
        if (reference_is(text) && !channel->resolve(name, text, &secret, &error)) {
            delivery_say(delivery, DELIVERY_LATER, "header %s: %s", name, error->message);
            return false;
        }
        if (secret)
            g_ptr_array_add(headers->secrets, secret);
        if (g_ascii_strcasecmp(name, "content-type") == 0)
            headers->type = text;
        else
            add(headers, name, secret ? secret_data(secret) : text);
    }
    return true;
}

static bool fill(const Channel *channel, const json_t *event, const char *body, Headers *headers,
                 Delivery *delivery)
{
    const char *id = event_text(event, "id");

    headers->secrets = g_ptr_array_new_with_free_func((GDestroyNotify)secret_free);
    headers->type = "application/json";
    if (!add_own(channel, headers, delivery))
        return false;
    (void)g_snprintf(headers->timestamp, sizeof headers->timestamp, "%" G_GINT64_FORMAT,
                     clock_now().sec);
    add(headers, "X-Backstay-Delivery", id);
    add(headers, "X-Backstay-Event", event_text(event, "kind"));
    add(headers, "X-Backstay-Timestamp", headers->timestamp);
    if (*channel_setting(channel, "secret")) {
        g_autoptr(Secret) key = channel_secret(channel, "secret", delivery);

        if (!key)
            return false;
        headers->signature = sign(key, headers->timestamp, id, body);
        add(headers, "X-Backstay-Signature", headers->signature);
    }
    return true;
}

/* ---- sending ---- */

static void webhook_send(const Channel *channel, const json_t *event, G_GNUC_UNUSED json_t *state,
                         Delivery *delivery)
{
    const char *url = channel_setting(channel, "url");
    bool hidden = reference_is(url);
    g_autoptr(Secret) secret = hidden ? channel_secret(channel, "url", delivery) : NULL;
    g_autofree char *body = body_of(channel, event);
    const char *method = channel_setting(channel, "method");
    const char *ca_file = channel_setting(channel, "cacert");
    g_auto(Headers) headers = { 0 };
    ChannelRequest request;

    if (!fill(channel, event, body, &headers, delivery) || (hidden && !secret))
        return;
    request = (ChannelRequest){ .method = *method ? method : "POST",
                                .url = secret ? secret_data(secret) : url,
                                .headers = headers.headers,
                                .n_headers = headers.n,
                                .type = headers.type,
                                .body = body,
                                .ca_file = *ca_file ? ca_file : NULL,
                                .listed = true };
    if (channel_ask(channel, &request, NULL, delivery))
        delivery->outcome = DELIVERY_DONE;
}

const ChannelOps channel_webhook = {
    .type = "webhook",
    .kinds = EVENT_INCIDENT | EVENT_SUCCEEDED | EVENT_REPORT | EVENT_TEST,
    .send = webhook_send,
};
