/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slack's incoming webhooks, and what takes the same: a text for the notification, and blocks.
 * Limits: Slack's "Block Kit" reference; header 150 characters, section 3000, field 2000, ten of
 * them.
 */
#include "daemon/channelhttp.h"

#include <string.h>

#define HEADER_MAX  150
#define SECTION_MAX 2900 /* before escapes are counted, a few of which must fit */
#define FIELD_MAX   300
#define FIELDS_MAX  10

/* Slack reads &, < and > as its own, and nothing else: with them escaped no name can make a link or
 * call everybody ("<!channel>"). */
static char *escaped(const char *text, size_t n)
{
    g_autofree char *cut = event_cut(text, n);
    GString *out = g_string_new(NULL);

    for (const char *c = cut; *c; c++) {
        if (*c == '&')
            g_string_append(out, "&amp;");
        else if (*c == '<')
            g_string_append(out, "&lt;");
        else if (*c == '>')
            g_string_append(out, "&gt;");
        else
            g_string_append_c(out, *c);
    }
    return g_string_free(out, FALSE);
}

/* Escapes lengthen; what is escaped must fit, so less of the text is taken until it does. */
static char *fitting(const char *text, size_t n)
{
    for (size_t take = n;; take = take * 3 / 4) {
        char *out = escaped(text, take);

        if ((size_t)g_utf8_strlen(out, -1) <= n)
            return out;
        g_free(out);
    }
}

static json_t *mrkdwn(const char *text, size_t n)
{
    g_autofree char *fits = fitting(text, n);

    return json_pack("{s:s, s:s}", "type", "mrkdwn", "text", fits);
}

static json_t *fields_of(const json_t *event)
{
    json_t *fields = json_array();
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(event, "facts"), name, value)
    {
        g_autofree char *text = g_strdup_printf("%s: %s", name, json_string_value(value));

        if (json_array_size(fields) < FIELDS_MAX)
            json_array_append_new(fields, mrkdwn(text, FIELD_MAX));
    }
    return fields;
}

static const char *colour_of(const json_t *event)
{
    const char *severity = event_text(event, "severity");

    switch (event_kind(event)) {
    case EVENT_RESOLVED:
    case EVENT_SUCCEEDED:
        return "#2eb886";
    case EVENT_GROUP:
        if (strcmp(severity, "info") == 0)
            return "#2eb886";
        // fall through
    case EVENT_OPENED:
    case EVENT_REMINDED:
        return strcmp(severity, "warning") == 0 ? "#daa038" : "#a30200";
    default:
        return "#6f7b8a";
    }
}

static json_t *blocks_of(const json_t *event)
{
    g_autofree char *title = event_cut(event_text(event, "title"), HEADER_MAX);
    json_t *blocks = json_array();
    json_t *fields = fields_of(event);

    json_array_append_new(blocks, json_pack("{s:s, s:{s:s, s:s}}", "type", "header", "text", "type",
                                            "plain_text", "text", title));
    if (*event_text(event, "text"))
        json_array_append_new(blocks, json_pack("{s:s, s:o}", "type", "section", "text",
                                                mrkdwn(event_text(event, "text"), SECTION_MAX)));
    if (json_array_size(fields) > 0)
        json_array_append_new(blocks, json_pack("{s:s, s:O}", "type", "section", "fields", fields));
    json_decref(fields);
    if (g_str_has_prefix(event_text(event, "url"), "http"))
        json_array_append_new(blocks, json_pack("{s:s, s:[{s:s, s:s, s:{s:s, s:s}}]}", "type",
                                                "actions", "elements", "type", "button", "url",
                                                event_text(event, "url"), "text", "type",
                                                "plain_text", "text", "Open"));
    return blocks;
}

static void slack_send(const Channel *channel, const json_t *event, G_GNUC_UNUSED json_t *state,
                       Delivery *delivery)
{
    g_autoptr(Secret) url = channel_secret(channel, "url", delivery);
    g_autofree char *text = fitting(event_text(event, "title"), SECTION_MAX);
    json_t *payload = json_pack("{s:s, s:[{s:s, s:o}]}", "text", text, "attachments", "color",
                                colour_of(event), "blocks", blocks_of(event));
    g_autofree char *body = json_dumps(payload, JSON_COMPACT);
    ChannelRequest request = { .method = "POST",
                               .url = url ? secret_data(url) : NULL,
                               .type = "application/json; charset=utf-8",
                               .body = body };

    if (url && channel_ask(channel, &request, NULL, delivery))
        delivery->outcome = DELIVERY_DONE;
    json_decref(payload);
}

const ChannelOps channel_slack = {
    .type = "slack",
    .kinds = EVENT_INCIDENT | EVENT_SUCCEEDED | EVENT_REPORT | EVENT_TEST | EVENT_GROUP,
    .send = slack_send,
};
