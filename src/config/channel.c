/* SPDX-License-Identifier: Apache-2.0 */
#include "config/channel.h"

#include "config/types.h"
#include <string.h>

static const char *const conditions[] = { "failed",          "partial", "missed",
                                          "concurrent",      "shrunk",  "retention",
                                          "repository-full", "wal-lag", "drill-stale",
                                          "drill-failed",    NULL };
static const char *const reports[] = { "daily", "weekly", NULL };

/* What all of them have. */
#define COMMON(name)                                                                               \
    { "type",                                                                                      \
      FIELD_TEXT,                                                                                  \
      .words = (const char *const[]){ name, NULL },                                                \
      .required = true,                                                                            \
      .help = "which kind of channel",                                                             \
      .example = name },                                                                           \
        { "enabled", FIELD_FLAG, .fallback = "true", .help = "whether it is used" },               \
        { "conditions", FIELD_LIST, .words = conditions,                                           \
          .help =                                                                                  \
              "tell of these only: failed, partial, missed, concurrent, shrunk, "                  \
              "retention, repository-full, wal-lag, drill-stale, drill-failed (default: all)" },   \
        { "success", FIELD_FLAG, .fallback = "false",                                              \
          .help = "tell of every success of every schedule, too" },                                \
        { "reports", FIELD_LIST, .words = reports, .help = "daily report, weekly digest" },        \
    {                                                                                              \
        "remind", FIELD_TEXT,                                                                      \
            .type = &type_wait_text, .fallback = "\"24h\"",                                        \
            .help = "say again after so long that something is not resolved; 0: never"             \
    }

static const Field smtp_fields[] = {
    COMMON("smtp"),
    { "host", FIELD_TEXT, .type = &type_text, .required = true, .help = "the mail server",
      .example = "mail.example.org" },
    { "port", FIELD_NUMBER, .min = 1, .max = 65535,
      .help = "its port (default: 587; with tls 465; with none 25)" },
    { "security", FIELD_TEXT, .words = (const char *const[]){ "starttls", "tls", "none", NULL },
      .fallback = "\"starttls\"", .help = "starttls, tls or none" },
    { "user", FIELD_TEXT, .type = &type_text, .help = "who logs in", .example = "backstay" },
    { "password", FIELD_TEXT, .type = &type_reference, .help = "where the password is",
      .example = "file:///etc/backstay/mail-password" },
    { "from", FIELD_TEXT, .type = &type_address, .required = true, .help = "the sender",
      .example = "backstay@example.org" },
    { "to", FIELD_LIST, .type = &type_address, .required = true, .help = "the recipients",
      .example = "[admin@example.org]" },
    { "cacert", FIELD_TEXT, .type = &type_path, .help = "certificates to trust (PEM)" },
};

static const Field slack_fields[] = {
    COMMON("slack"),
    { "url", FIELD_TEXT, .type = &type_reference, .required = true,
      .help = "where the URL of the incoming webhook is", .example = "env://SLACK_WEBHOOK_URL" },
};

static const Field pagerduty_fields[] = {
    COMMON("pagerduty"),
    { "routing_key", FIELD_TEXT, .type = &type_reference, .required = true,
      .help = "where the routing key is", .example = "env://PAGERDUTY_ROUTING_KEY" },
    { "url", FIELD_TEXT, .type = &type_url,
      .fallback = "\"https://events.pagerduty.com/v2/enqueue\"",
      .help = "the Events API, version 2" },
    { "severity", FIELD_TEXT,
      .words = (const char *const[]){ "critical", "error", "warning", "info", NULL },
      .fallback = "\"error\"", .help = "critical, error, warning or info" },
};

static const Field trello_fields[] = {
    COMMON("trello"),
    { "key", FIELD_TEXT, .type = &type_reference, .required = true, .help = "where the API key is",
      .example = "env://TRELLO_KEY" },
    { "token", FIELD_TEXT, .type = &type_reference, .required = true, .help = "where the token is",
      .example = "env://TRELLO_TOKEN" },
    { "card", FIELD_TEXT, .type = &type_text, .help = "the card to comment on",
      .example = "dfhA3Cv7" },
    { "list", FIELD_TEXT, .type = &type_text, .help = "the list to open a card in for a failure" },
    { "done_list", FIELD_TEXT, .type = &type_text,
      .help = "the list to move that card to when it is resolved (default: it is closed)" },
    { "labels", FIELD_LIST, .type = &type_text, .help = "labels of the card" },
    { "url", FIELD_TEXT, .type = &type_url, .fallback = "\"https://api.trello.com\"",
      .help = "the server" },
};

static const Field webhook_fields[] = {
    COMMON("webhook"),
    { "url", FIELD_TEXT, .type = &type_http, .required = true,
      .help = "the URL, or where it is when it is a secret",
      .example = "https://hooks.example.org/backup" },
    { "method", FIELD_TEXT, .words = (const char *const[]){ "POST", "PUT", NULL },
      .fallback = "\"POST\"", .help = "POST or PUT" },
    { "headers", FIELD_PAIRS, .type = &type_header,
      .help = "headers; one that is a secret as env://NAME or file:///PATH" },
    { "body", FIELD_TEXT, .type = &type_command,
      .help = "template of the body (default: the event as JSON)" },
    { "secret", FIELD_TEXT, .type = &type_reference,
      .help = "where the key is that requests are signed with (HMAC-SHA256)" },
    { "cacert", FIELD_TEXT, .type = &type_path, .help = "certificates to trust (PEM)" },
};

static const Field healthchecks_fields[] = {
    COMMON("healthchecks"),
    { "url", FIELD_TEXT, .type = &type_http, .required = true,
      .help = "the URL of the check, or where it is; {schedule} in it is the schedule's name",
      .example = "https://hc-ping.com/your-uuid" },
    { "start", FIELD_FLAG, .fallback = "true", .help = "tell of beginnings, too" },
};

static void verify_trello(const json_t *object, const char *pointer, Problems *problems)
{
    if (!json_object_get(object, "card") && !json_object_get(object, "list"))
        problems_add_key(problems, pointer,
                         "write card (to comment on) or list (to open cards in)");
}

static void verify_smtp(const json_t *object, const char *pointer, Problems *problems)
{
    bool user = json_object_get(object, "user"), password = json_object_get(object, "password");
    const char *security = json_string_value(json_object_get(object, "security"));

    if (user != password)
        problems_add_key(problems, pointer, "user and password go together");
    if (password && strcmp(security, "none") == 0)
        problems_add_key(problems, pointer,
                         "the password would be sent in the clear; write security: "
                         "starttls or tls");
}

#define TABLE(name, rows, text)                                                                    \
    .title = "notifications of type " name, .help = text, .fields = rows, .n = G_N_ELEMENTS(rows)

static const Table smtp_table = { TABLE("smtp", smtp_fields, "Mail."), .verify = verify_smtp };
static const Table slack_table = { TABLE("slack", slack_fields, "A channel in Slack.") };
static const Table pagerduty_table = { TABLE(
    "pagerduty", pagerduty_fields, "Incidents that open and resolve, by Events API version 2.") };
static const Table trello_table = { TABLE("trello", trello_fields, "Comments and cards."),
                                    .verify = verify_trello };
static const Table webhook_table = { TABLE("webhook", webhook_fields,
                                           "A request to a server of your own.") };
static const Table healthchecks_table = { TABLE("healthchecks", healthchecks_fields,
                                                "Pings as Healthchecks takes them.") };

static const struct {
    const char *type;
    const Table *table;
} types[] = {
    { "smtp", &smtp_table },           { "slack", &slack_table },
    { "pagerduty", &pagerduty_table }, { "trello", &trello_table },
    { "webhook", &webhook_table },     { "healthchecks", &healthchecks_table },
};

const Table *const channel_tables[] = { &smtp_table,   &slack_table,   &pagerduty_table,
                                        &trello_table, &webhook_table, &healthchecks_table,
                                        NULL };

const Table *channel_table(const char *type)
{
    for (size_t i = 0; type && i < G_N_ELEMENTS(types); i++)
        if (strcmp(type, types[i].type) == 0)
            return types[i].table;
    return NULL;
}

char *channel_types(void)
{
    GString *names = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", types[i].type);
    return g_string_free(names, FALSE);
}

ChannelConfig *channel_config_new(const char *name, const json_t *object)
{
    ChannelConfig *channel = g_new0(ChannelConfig, 1);

    channel->name = g_strdup(name);
    channel->type = g_strdup(json_string_value(json_object_get(object, "type")));
    channel->settings = json_deep_copy(object);
    return channel;
}

void channel_config_free(ChannelConfig *channel)
{
    if (!channel)
        return;
    g_free(channel->name);
    g_free(channel->type);
    json_decref(channel->settings);
    g_free(channel);
}
