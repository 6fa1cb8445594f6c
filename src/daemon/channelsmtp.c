/* SPDX-License-Identifier: Apache-2.0 */
/* Mail. What opens, reminds of and resolves an incident is one thread in a mail program. */
#include "daemon/channel.h"

#include "base/error.h"
#include "codec/rfc3339.h"
#include "net/mail.h"
#include "net/smtp.h"

#include <string.h>

/* ---- texts ---- */

static char *plain_of(const json_t *event)
{
    GString *out = g_string_new(event_text(event, "text"));
    const char *name;
    json_t *value;

    g_string_append(out, "\n\n");
    json_object_foreach(json_object_get(event, "facts"), name, value)
        g_string_append_printf(out, "%s: %s\n", name, json_string_value(value));
    if (*event_text(event, "url"))
        g_string_append_printf(out, "\n%s\n", event_text(event, "url"));
    g_string_append_printf(out, "\n-- \nBackstay on %s, %s\n", event_text(event, "instance"),
                           event_text(event, "time"));
    return g_string_free(out, FALSE);
}

static void add_row(GString *out, const char *name, const char *value)
{
    g_autofree char *row = g_markup_printf_escaped(
        "<tr><td style=\"padding-right:1em;color:#666\">%s</td><td>%s</td></tr>\n", name, value);

    g_string_append(out, row);
}

static char *html_of(const json_t *event)
{
    g_autofree char *head =
        g_markup_printf_escaped("<html><body style=\"font-family:sans-serif\"><h2>%s</h2>\n"
                                "<pre style=\"white-space:pre-wrap\">%s</pre>\n<table>\n",
                                event_text(event, "title"), event_text(event, "text"));
    GString *out = g_string_new(head);
    const char *url = event_text(event, "url");
    const char *name;
    json_t *value;

    json_object_foreach(json_object_get(event, "facts"), name, value)
        add_row(out, name, json_string_value(value));
    g_string_append(out, "</table>\n");
    if (g_str_has_prefix(url, "http")) {
        g_autofree char *link = g_markup_printf_escaped("<p><a href=\"%s\">%s</a></p>\n", url, url);

        g_string_append(out, link);
    }
    g_string_append(out, "</body></html>\n");
    return g_string_free(out, FALSE);
}

static int64_t time_of(const json_t *event)
{
    const char *text = event_text(event, "time");
    Timestamp at = { 0 };

    (void)rfc3339_parse(text, strlen(text), &at, NULL);
    return at.sec;
}

static GString *text_of(const Channel *channel, const json_t *event, char **to, GError **error)
{
    g_autofree char *plain = plain_of(event), *html = html_of(event);
    g_autofree char *about =
        g_strconcat(event_text(event, "kind"), *event_text(event, "condition") ? "/" : "",
                    event_text(event, "condition"), NULL);
    const char *thread = event_text(event, "thread");
    Mail mail = { .from = channel_setting(channel, "from"),
                  .to = (const char *const *)to,
                  .subject = event_text(event, "title"),
                  .text = plain,
                  .html = html,
                  .date = time_of(event),
                  .id = event_text(event, "id"),
                  .thread = *thread ? thread : NULL,
                  .list = "backstay",
                  .event = about };

    return mail_build(&mail, error);
}

/* ---- to whom ---- */

static char **recipients_of(const Channel *channel, const json_t *event)
{
    const json_t *own = json_object_get(event, "recipients");
    const json_t *list = json_array_size(own) > 0 ? own : json_object_get(channel->settings, "to");
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item) if (json_is_string(item))
        g_strv_builder_add(builder, json_string_value(item));
    return g_strv_builder_end(builder);
}

/* The addresses alone of those who have no answer for good yet. */
static char **waiting_of(char **recipients, const json_t *state, GError **error)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (size_t i = 0; recipients[i]; i++) {
        g_auto(MailAddress) address = { 0 };

        if (!mail_address_parse(recipients[i], &address, error))
            return NULL;
        if (!json_object_get(state, address.address))
            g_strv_builder_add(builder, address.address);
    }
    return g_strv_builder_end(builder);
}

/* ---- sending ---- */

static bool server_of(const Channel *channel, SmtpServer *ret_server, Secret **ret_password,
                      Delivery *delivery)
{
    const char *security = channel_setting(channel, "security");
    const char *user = channel_setting(channel, "user");
    const char *ca_file = channel_setting(channel, "cacert");

    if (*user && !(*ret_password = channel_secret(channel, "password", delivery)))
        return false;
    *ret_server = (SmtpServer){
        .host = channel_setting(channel, "host"),
        .port = (unsigned)json_integer_value(json_object_get(channel->settings, "port")),
        .tls = strcmp(security, "tls") == 0    ? SMTP_IMPLICIT
               : strcmp(security, "none") == 0 ? SMTP_PLAIN
                                               : SMTP_STARTTLS,
        .ca_file = *ca_file ? ca_file : NULL,
        .user = *user ? user : NULL,
        .password = *ret_password,
        .cancel = channel->cancel,
    };
    return true;
}

static void take_answers(char **to, size_t n, const SmtpAnswer *answers, json_t *state,
                         Delivery *delivery)
{
    GString *said = g_string_new(NULL);

    delivery->outcome = DELIVERY_DONE;
    for (size_t i = 0; i < n; i++) {
        if (answers[i].outcome == SMTP_LATER)
            delivery->outcome = DELIVERY_LATER;
        else
            json_object_set_new(state, to[i], json_boolean(answers[i].outcome == SMTP_DELIVERED));
        if (answers[i].outcome != SMTP_DELIVERED)
            g_string_append_printf(said, "%s%s: %s", said->len > 0 ? "; " : "", to[i],
                                   answers[i].said ? answers[i].said : "not answered");
    }
    delivery->said = g_string_free(said, said->len == 0);
}

static void send_to(const Channel *channel, char **to, const GString *text, json_t *state,
                    Delivery *delivery)
{
    g_autoptr(Secret) password = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(MailAddress) from = { 0 };
    SmtpAnswer *answers = NULL;
    size_t n = g_strv_length(to);
    SmtpServer server;

    if (!server_of(channel, &server, &password, delivery))
        return;
    if (mail_address_parse(channel_setting(channel, "from"), &from, &error) &&
        smtp_send(&server, from.address, (const char *const *)to, n, text, &answers, &error)) {
        take_answers(to, n, answers, state, delivery);
        smtp_answers_free(answers, n);
        return;
    }
    // a login or a certificate may be put right in time
    delivery_say(delivery,
                 g_error_matches(error, BS_ERROR, BS_ERROR_DENIED) ||
                         g_error_matches(error, BS_ERROR, BS_ERROR_NOT_FOUND) ||
                         g_error_matches(error, BS_ERROR, BS_ERROR_USAGE)
                     ? DELIVERY_REFUSED
                     : DELIVERY_LATER,
                 "%s", error->message);
}

static void smtp_channel_send(const Channel *channel, const json_t *event, json_t *state,
                              Delivery *delivery)
{
    g_auto(GStrv) recipients = recipients_of(channel, event);
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) to = waiting_of(recipients, state, &error);
    g_autoptr(GString) text = NULL;

    if (to && !*to) {
        delivery->outcome = DELIVERY_DONE;
        return;
    }
    if (to)
        text = text_of(channel, event, recipients, &error);
    if (!text) {
        delivery_say(delivery, DELIVERY_REFUSED, "%s", error->message);
        return;
    }
    send_to(channel, to, text, state, delivery);
}

const ChannelOps channel_smtp = {
    .type = "smtp",
    .kinds = EVENT_INCIDENT | EVENT_SUCCEEDED | EVENT_REPORT | EVENT_TEST | EVENT_GROUP,
    .send = smtp_channel_send,
};
