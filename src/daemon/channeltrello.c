/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trello: comments on one card, or a card of its own for each incident: opened in a list,
 * commented on, and moved or closed when it is over. The card's description bears the incident's
 * key, by which it is found again: nothing has to be remembered, and a card is opened once also
 * when the answer to the first attempt was lost. Limits: texts 16384 characters.
 */
#include "daemon/channelhttp.h"

#include <string.h>

#define CARD_TEXT_MAX 16000
#define CARD_NAME_MAX 500

typedef struct {
    const Channel *channel;
    const json_t *event;
    Delivery *delivery;
    char *login; /* the Authorization header: so that no log of a proxy holds the token */
} Trello;

static void trello_done(Trello *trello)
{
    if (trello->login)
        secret_wipe(trello->login, strlen(trello->login));
    g_free(trello->login);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Trello, trello_done)

static bool log_in(Trello *trello)
{
    g_autoptr(Secret) key = channel_secret(trello->channel, "key", trello->delivery);
    g_autoptr(Secret) token =
        key ? channel_secret(trello->channel, "token", trello->delivery) : NULL;

    if (!token)
        return false;
    trello->login =
        g_strdup_printf("OAuth oauth_consumer_key=\"%s\", oauth_token=\"%s\"",
                        (const char *)secret_data(key), (const char *)secret_data(token));
    return true;
}

/* path and names in it are ids and words of ours. body is taken. ret_answer may be NULL. */
static bool ask(const Trello *trello, const char *method, const char *path, json_t *body,
                json_t **ret_answer)
{
    HttpHeader headers[] = { { "Authorization", trello->login }, { "Accept", "application/json" } };
    g_autofree char *url = g_strconcat(channel_setting(trello->channel, "url"), path, NULL);
    g_autofree char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    ChannelRequest request = { .method = method,
                               .url = url,
                               .headers = headers,
                               .n_headers = G_N_ELEMENTS(headers),
                               .type = text ? "application/json" : NULL,
                               .body = text };
    g_auto(HttpReply) reply = { 0 };

    json_decref(body);
    if (!channel_ask(trello->channel, &request, &reply, trello->delivery))
        return false;
    if (!ret_answer)
        return true;
    *ret_answer = json_loadb((const char *)reply.body->data, reply.body->len, 0, NULL);
    if (!*ret_answer)
        delivery_say(trello->delivery, DELIVERY_LATER, "the answer is no JSON");
    return *ret_answer != NULL;
}

static bool is_id(const char *text)
{
    return *text &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
               strlen(text);
}

static char *text_of(const json_t *event)
{
    GString *out = g_string_new(NULL);
    g_autofree char *all = NULL;
    const char *name;
    json_t *value;

    g_string_append_printf(out, "**%s**\n\n%s\n\n", event_text(event, "title"),
                           event_text(event, "text"));
    json_object_foreach(json_object_get(event, "facts"), name, value)
        g_string_append_printf(out, "- %s: %s\n", name, json_string_value(value));
    if (*event_text(event, "url"))
        g_string_append_printf(out, "\n%s\n", event_text(event, "url"));
    all = g_string_free(out, FALSE);
    return event_cut(all, CARD_TEXT_MAX);
}

/* state: the comment that an attempt before this has made. */
static bool comment(const Trello *trello, const char *card, json_t *state)
{
    g_autofree char *text = text_of(trello->event);
    g_autofree char *path = g_strdup_printf("/1/cards/%s/actions/comments", card);

    if (json_object_get(state, card))
        return true;
    if (!is_id(card)) {
        delivery_say(trello->delivery, DELIVERY_REFUSED, "'%s' is no card's id", card);
        return false;
    }
    if (!ask(trello, "POST", path, json_pack("{s:s}", "text", text), NULL))
        return false;
    json_object_set_new(state, card, json_true());
    return true;
}

/* *ret_card: the id of the incident's open card, NULL when there is none. */
static bool find_card(const Trello *trello, const char *list, const char *key, char **ret_card)
{
    g_autofree char *path = g_strdup_printf("/1/lists/%s/cards?fields=desc", list);
    json_t *cards = NULL;
    const json_t *card;
    size_t i;

    if (!ask(trello, "GET", path, NULL, &cards))
        return false;
    json_array_foreach(cards, i, card)
    {
        const char *id = event_text(card, "id");

        if (!*ret_card && is_id(id) && g_str_has_suffix(event_text(card, "desc"), key))
            *ret_card = g_strdup(id);
    }
    json_decref(cards);
    return true;
}

static bool open_card(const Trello *trello, const char *list, const char *key)
{
    g_autofree char *text = text_of(trello->event);
    g_autofree char *desc = g_strdup_printf("%.*s\n\n%s", CARD_TEXT_MAX - 300, text, key);
    g_autofree char *valid = g_utf8_make_valid(desc, -1);
    g_autofree char *name = event_cut(event_text(trello->event, "title"), CARD_NAME_MAX);
    json_t *card = json_pack("{s:s, s:s, s:s}", "idList", list, "name", name, "desc", valid);
    json_t *labels = json_object_get(trello->channel->settings, "labels");

    if (json_array_size(labels) > 0)
        json_object_set(card, "idLabels", labels);
    return ask(trello, "POST", "/1/cards", card, NULL);
}

static bool end_card(const Trello *trello, const char *card)
{
    const char *done = channel_setting(trello->channel, "done_list");
    g_autofree char *path = g_strdup_printf("/1/cards/%s", card);

    return ask(trello, "PUT", path,
               *done ? json_pack("{s:s, s:b}", "idList", done, "dueComplete", 1)
                     : json_pack("{s:b}", "closed", 1),
               NULL);
}

static bool keep_card(const Trello *trello, const char *list, json_t *state)
{
    g_autofree char *key = event_incident_key(trello->event);
    g_autofree char *marked = g_strconcat("\n", key, NULL);
    g_autofree char *card = NULL;

    if (!is_id(list)) {
        delivery_say(trello->delivery, DELIVERY_REFUSED, "'%s' is no list's id", list);
        return false;
    }
    if (!find_card(trello, list, marked, &card))
        return false;
    if (event_kind(trello->event) == EVENT_RESOLVED)
        return !card || (comment(trello, card, state) && end_card(trello, card));
    if (!card)
        return open_card(trello, list, key);
    // one that is there at the opening was made by an attempt whose answer was lost, or by hand
    return event_kind(trello->event) == EVENT_OPENED || comment(trello, card, state);
}

static void trello_send(const Channel *channel, const json_t *event, json_t *state,
                        Delivery *delivery)
{
    g_auto(Trello) trello = { .channel = channel, .event = event, .delivery = delivery };
    const char *card = channel_setting(channel, "card");
    const char *list = channel_setting(channel, "list");
    bool incident = event_kind(event) & EVENT_INCIDENT;

    if (!log_in(&trello))
        return;
    if ((!*card || comment(&trello, card, state)) &&
        (!*list || !incident || keep_card(&trello, list, state)))
        delivery->outcome = DELIVERY_DONE;
}

const ChannelOps channel_trello = {
    .type = "trello",
    .kinds = EVENT_INCIDENT | EVENT_SUCCEEDED | EVENT_REPORT | EVENT_TEST,
    .send = trello_send,
};
