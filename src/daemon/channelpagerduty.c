/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PagerDuty, Events API version 2: what opens and what resolves an incident bear one dedup_key.
 * Limits: summary 1024 characters, dedup_key 255.
 */
#include "daemon/channelhttp.h"

#include <string.h>

#define SUMMARY_MAX 1024
#define DETAIL_MAX  4000

static json_t *details_of(const json_t *event)
{
    json_t *facts = json_object_get(event, "facts");
    json_t *details = facts ? json_copy(facts) : json_object();
    g_autofree char *text = event_cut(event_text(event, "text"), DETAIL_MAX);

    event_set(details, "text", text);
    return details;
}

static const char *severity_of(const Channel *channel, const json_t *event)
{
    const char *own = event_text(event, "severity");
    const char *set = channel_setting(channel, "severity");

    // how bad a failure is, the operator says; a warning stays one
    return strcmp(own, "error") == 0 && *set ? set : *own ? own : "info";
}

static json_t *payload_of(const Channel *channel, const json_t *event)
{
    g_autofree char *summary = event_cut(event_text(event, "title"), SUMMARY_MAX);
    const char *asset = event_text(event, "asset");

    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "summary", summary, "source",
                     event_text(event, "instance"), "severity", severity_of(channel, event),
                     "timestamp", event_text(event, "time"), "component",
                     *asset ? asset : "backstay", "class", event_text(event, "condition"),
                     "custom_details", details_of(event));
}

static bool enqueue(const Channel *channel, const json_t *event, const char *action,
                    const Secret *key, Delivery *delivery)
{
    g_autofree char *dedup = event_incident_key(event);
    json_t *message = json_pack("{s:s, s:s, s:s, s:o, s:s}", "routing_key", secret_data(key),
                                "event_action", action, "dedup_key", dedup, "payload",
                                payload_of(channel, event), "client", "Backstay");
    g_autofree char *body = NULL;
    bool taken;

    if (g_str_has_prefix(event_text(event, "url"), "http"))
        json_object_set_new(message, "client_url", json_string(event_text(event, "url")));
    body = json_dumps(message, JSON_COMPACT);
    taken = channel_ask(channel,
                        &(ChannelRequest){ .method = "POST",
                                           .url = channel_setting(channel, "url"),
                                           .type = "application/json",
                                           .body = body },
                        NULL, delivery);
    secret_wipe(body, strlen(body));
    json_decref(message);
    return taken;
}

/* A test leaves nothing open. */
static void pagerduty_send(const Channel *channel, const json_t *event, G_GNUC_UNUSED json_t *state,
                           Delivery *delivery)
{
    g_autoptr(Secret) key = channel_secret(channel, "routing_key", delivery);
    EventKind kind = event_kind(event);

    if (!key)
        return;
    if ((kind == EVENT_RESOLVED || enqueue(channel, event, "trigger", key, delivery)) &&
        (!(kind & (EVENT_RESOLVED | EVENT_TEST)) ||
         enqueue(channel, event, "resolve", key, delivery)))
        delivery->outcome = DELIVERY_DONE;
}

const ChannelOps channel_pagerduty = {
    .type = "pagerduty",
    .kinds = EVENT_INCIDENT | EVENT_TEST,
    .send = pagerduty_send,
};
