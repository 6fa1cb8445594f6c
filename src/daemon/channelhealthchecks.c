/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pings as Healthchecks takes them ("Pinging API"): one pair for each run, tied by "rid"; the end
 * bears the exit status. A URL of Uptime Kuma's push monitors (/api/push/...) gets the end alone,
 * in its own form.
 */
#include "daemon/channelhttp.h"

#include "config/reference.h"
#include <string.h>

#define BODY_MAX 10000 /* of older versions; newer ones keep 100 kB */

/* {schedule} stands for the name, escaped. */
static char *address_of(const char *url, const json_t *event)
{
    g_autofree char *name = g_uri_escape_string(event_text(event, "schedule"), NULL, FALSE);
    g_auto(GStrv) parts = g_strsplit(url, "{schedule}", -1);

    return g_strjoinv(name, parts);
}

/* In front of the query. */
static char *with_suffix(const char *url, const char *suffix, const char *query)
{
    size_t len = strcspn(url, "?#");
    const char *rest = url[len] == '?' ? url + len + 1 : "";
    g_autofree char *path = g_strndup(url, len);

    while (len > 0 && path[len - 1] == '/')
        path[--len] = '\0';
    return g_strdup_printf("%s%s%s%s%s%s", path, suffix, *rest || *query ? "?" : "", rest,
                           *rest && *query ? "&" : "", query);
}

/* A run's id as a UUID: the same 32 digits. */
static char *rid_of(const json_t *event)
{
    const char *run = event_text(event, "run");

    if (strlen(run) != 32)
        return g_strdup("");
    return g_strdup_printf("rid=%.8s-%.4s-%.4s-%.4s-%.12s", run, run + 8, run + 12, run + 16,
                           run + 20);
}

static char *ping_of(const char *url, const json_t *event)
{
    int64_t code = json_integer_value(json_object_get(event, "exit_code"));
    g_autofree char *rid = rid_of(event);
    g_autofree char *suffix = NULL;

    switch (event_kind(event)) {
    case EVENT_STARTED:
        suffix = g_strdup("/start");
        break;
    case EVENT_TEST:
        suffix = g_strdup("/log"); // changes no state
        break;
    default:
        suffix = code == 0                ? g_strdup("")
                 : code > 0 && code < 256 ? g_strdup_printf("/%d", (int)code)
                                          : g_strdup("/fail");
    }
    return with_suffix(url, suffix, rid);
}

static char *push_of(const char *url, const json_t *event)
{
    bool up = json_integer_value(json_object_get(event, "exit_code")) == 0;
    g_autofree char *cut = event_cut(event_text(event, "title"), 200);
    g_autofree char *message = g_uri_escape_string(cut, NULL, FALSE);
    json_int_t ms = 1000 * json_integer_value(json_object_get(event, "seconds"));
    g_autofree char *query = g_strdup_printf("status=%s&msg=%s&ping=%" JSON_INTEGER_FORMAT,
                                             up ? "up" : "down", message, ms);
    g_autofree char *base = g_strndup(url, strcspn(url, "?#"));

    return with_suffix(base, "", query);
}

static void healthchecks_send(const Channel *channel, const json_t *event,
                              G_GNUC_UNUSED json_t *state, Delivery *delivery)
{
    const char *set = channel_setting(channel, "url");
    g_autoptr(Secret) secret = reference_is(set) ? channel_secret(channel, "url", delivery) : NULL;
    g_autofree char *url = address_of(secret ? (const char *)secret_data(secret) : set, event);
    bool push = strstr(url, "/api/push/") != NULL;
    g_autofree char *place = push ? push_of(url, event) : ping_of(url, event);
    g_autofree char *text =
        g_strdup_printf("%s\n%s", event_text(event, "title"), event_text(event, "text"));
    g_autofree char *body = event_cut(text, BODY_MAX / 4); // of characters of up to four bytes
    ChannelRequest request = { .method = push ? "GET" : "POST",
                               .url = place,
                               .type = push ? NULL : "text/plain; charset=utf-8",
                               .body = push ? NULL : body };
    bool start = !json_is_false(json_object_get(channel->settings, "start"));

    if (reference_is(set) && !secret)
        return;
    if ((event_kind(event) == EVENT_STARTED && (push || !start)) ||
        channel_ask(channel, &request, NULL, delivery))
        delivery->outcome = DELIVERY_DONE;
}

const ChannelOps channel_healthchecks = {
    .type = "healthchecks",
    .kinds = EVENT_STARTED | EVENT_ENDED | EVENT_TEST,
    .send = healthchecks_send,
};
