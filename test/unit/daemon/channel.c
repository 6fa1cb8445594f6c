/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/channel.h"

#include "base/error.h"
#include "daemon/channelhttp.h"
#include "lib/http_server.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

/* ---- a receiver that writes down what comes, and answers as it is told ---- */

typedef struct {
    HttpServer *server;
    pthread_mutex_t mutex;
    GPtrArray *heads, *bodies;
    const char *answers[8]; /* in order: status, headers, body with '|' between; then 200 */
    unsigned n;
} Receiver;

static bool receive(HttpConn *conn, const HttpServed *request, void *user)
{
    Receiver *receiver = user;
    g_autoptr(GBytes) body = http_conn_read(conn, request->body_len);
    g_auto(GStrv) answer = NULL;
    const char *next;

    pthread_mutex_lock(&receiver->mutex);
    g_ptr_array_add(receiver->heads, g_strdup(request->head));
    g_ptr_array_add(receiver->bodies,
                    g_strndup(g_bytes_get_data(body, NULL), g_bytes_get_size(body)));
    next = receiver->n < 8 ? receiver->answers[receiver->n] : NULL;
    receiver->n++;
    pthread_mutex_unlock(&receiver->mutex);
    answer = g_strsplit(next ? next : "200 OK||{}", "|", 3);
    return http_conn_answer(conn, answer[0], *answer[1] ? answer[1] : NULL, answer[2],
                            strlen(answer[2]));
}

static Receiver *receiver_new(void)
{
    Receiver *receiver = g_new0(Receiver, 1);

    pthread_mutex_init(&receiver->mutex, NULL);
    receiver->heads = g_ptr_array_new_with_free_func(g_free);
    receiver->bodies = g_ptr_array_new_with_free_func(g_free);
    receiver->server = http_server_new(receive, receiver, NULL);
    return receiver;
}

static void receiver_free(Receiver *receiver)
{
    http_server_free(receiver->server);
    g_ptr_array_unref(receiver->heads);
    g_ptr_array_unref(receiver->bodies);
    pthread_mutex_destroy(&receiver->mutex);
    g_free(receiver);
}

static const char *head(Receiver *receiver, unsigned i)
{
    return g_ptr_array_index(receiver->heads, i);
}

static const char *body(Receiver *receiver, unsigned i)
{
    return g_ptr_array_index(receiver->bodies, i);
}

static json_t *body_json(Receiver *receiver, unsigned i)
{
    json_t *json = json_loads(body(receiver, i), JSON_REJECT_DUPLICATES, NULL);

    if (!json)
        g_error("no JSON: %s", body(receiver, i));
    return json;
}

/* ---- sending ---- */

/* "env://secret" is "secret". */
static bool resolve(const char *what, const char *reference, Secret **ret_secret, GError **error)
{
    if (!g_str_has_prefix(reference, "env://") || strstr(reference, "missing")) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is not set", what);
        return false;
    }
    *ret_secret = secret_new(reference + 6, strlen(reference + 6));
    return true;
}

static json_t *failure(EventKind kind)
{
    json_t *event = event_new(kind, "node1", 1700000000);

    event_set(event, "condition", "failed");
    event_set(event, "severity", "error");
    event_set(event, "schedule", "nightly");
    event_set(event, "asset", "nightly");
    event_set(event, "run", "018bcfe56800aabbccddeeff00112233");
    event_set(event, "title", "backup of nightly failed");
    event_set(event, "text", "source app: no connection");
    event_set(event, "url", "https://backup.example.org/runs/1");
    json_object_set_new(event, "exit_code", json_integer(21));
    event_add_fact(event, "duration", "%d s", 12);
    return event;
}

/* With the receiver's place in "%s" of the settings; *ret_delivery is cleared by the caller. */
static void send_to(Receiver *receiver, const char *type, const char *settings, json_t *event,
                    json_t *state, Delivery *ret_delivery)
{
    const char *url = http_server_url(receiver->server);
    const char *const origins[] = { url, NULL };
    g_auto(GStrv) parts = g_strsplit(settings, "%s", -1);
    g_autofree char *text = g_strjoinv(url, parts);
    json_error_t why;
    json_t *object = json_loads(text, 0, &why);
    Channel channel = { .name = type, .origins = origins, .resolve = resolve, .settings = object };

    if (!object)
        g_error("%s: %s", text, why.text);
    channel_ops(type)->send(&channel, event, state, ret_delivery);
    json_decref(object);
}

static DeliveryOutcome outcome_of(Receiver *receiver, const char *type, const char *settings,
                                  json_t *event)
{
    g_auto(Delivery) delivery = { 0 };
    json_t *state = json_object();

    send_to(receiver, type, settings, event, state, &delivery);
    g_test_message("%s: %s", type, delivery.said ? delivery.said : "no words");
    json_decref(state);
    return delivery.outcome;
}

#define SLACK "{\"url\": \"env://%s/services/T/B/x\"}"
#define PAGERDUTY                                                                                  \
    "{\"url\": \"%s/v2/enqueue\", \"routing_key\": \"env://rrr\", \"severity\": \"critical\"}"
#define WEBHOOK "{\"url\": \"%s/hook\", \"secret\": \"env://key\"}"
#define PING    "{\"url\": \"%s/ping/{schedule}?create=1\"}"
#define TRELLO                                                                                     \
    "{\"url\": \"%s\", \"key\": \"env://kkk\", \"token\": \"env://ttt\", \"list\": \"aa11\","      \
    " \"done_list\": \"bb22\"}"

static void slack_escapes_and_cuts(void)
{
    Receiver *receiver = receiver_new();
    json_t *event = failure(EVENT_OPENED);
    g_autofree char *amps = g_strnfill(5000, '&');
    g_autofree char *longer = g_strnfill(400, 'x');
    json_t *sent, *blocks;
    const char *text;

    event_set(event, "title", "<!channel> & <https://evil.example|here>");
    event_set(event, "text", amps);
    for (int i = 0; i < 12; i++) {
        g_autofree char *name = g_strdup_printf("fact %d", i);

        event_add_fact(event, name, "%s", longer);
    }
    g_assert_cmpint(outcome_of(receiver, "slack", SLACK, event), ==, DELIVERY_DONE);
    sent = body_json(receiver, 0);
    g_assert_cmpstr(event_text(sent, "text"), ==,
                    "&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;");
    blocks = json_object_get(json_array_get(json_object_get(sent, "attachments"), 0), "blocks");
    g_assert_cmpstr(event_text(json_array_get(blocks, 0), "type"), ==, "header");
    text = event_text(json_object_get(json_array_get(blocks, 1), "text"), "text");
    g_assert_cmpint(g_utf8_strlen(text, -1), <=, 3000);
    g_assert_null(strstr(text, "& "));
    g_assert_cmpuint(json_array_size(json_object_get(json_array_get(blocks, 2), "fields")), ==, 10);
    g_assert_true(g_str_has_prefix(head(receiver, 0), "POST /services/T/B/x HTTP/1.1\r\n"));
    json_decref(sent);
    json_decref(event);
    receiver_free(receiver);
}

static void pagerduty_opens_and_resolves_by_one_key(void)
{
    Receiver *receiver = receiver_new();
    static const EventKind kinds[] = { EVENT_OPENED, EVENT_RESOLVED, EVENT_TEST };
    static const char *const actions[] = { "trigger", "resolve", "trigger", "resolve" };
    g_autofree char *title = g_strnfill(3000, 't');

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        json_t *event = failure(kinds[i]);

        event_set(event, "title", title);
        g_assert_cmpint(outcome_of(receiver, "pagerduty", PAGERDUTY, event), ==, DELIVERY_DONE);
        json_decref(event);
    }
    g_assert_cmpuint(receiver->bodies->len, ==, 4);
    for (unsigned i = 0; i < 4; i++) {
        json_t *sent = body_json(receiver, i), *payload = json_object_get(sent, "payload");

        g_assert_cmpstr(event_text(sent, "event_action"), ==, actions[i]);
        g_assert_cmpstr(event_text(sent, "dedup_key"), ==, "backstay/node1/nightly/failed");
        g_assert_cmpstr(event_text(sent, "routing_key"), ==, "rrr");
        g_assert_cmpint(g_utf8_strlen(event_text(payload, "summary"), -1), ==, 1024);
        g_assert_cmpstr(event_text(payload, "severity"), ==, "critical");
        g_assert_cmpstr(event_text(payload, "timestamp"), ==, "2023-11-14T22:13:20Z");
        json_decref(sent);
    }
    receiver_free(receiver);
}

static void webhooks_are_signed(void)
{
    Receiver *receiver = receiver_new();
    json_t *event = failure(EVENT_OPENED);
    g_autofree char *signature = NULL, *signed_text = NULL, *stamp = NULL, *line = NULL;
    const char *at;
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned len;
    json_t *sent;

    g_assert_cmpint(outcome_of(receiver, "webhook", WEBHOOK, event), ==, DELIVERY_DONE);
    at = strstr(head(receiver, 0), "X-Backstay-Timestamp: ");
    g_assert_nonnull(at);
    at += strlen("X-Backstay-Timestamp: ");
    stamp = g_strndup(at, strcspn(at, "\r"));
    signed_text = g_strdup_printf("%s.%s.%s", stamp, event_text(event, "id"), body(receiver, 0));
    HMAC(EVP_sha256(), "key", 3, (const uint8_t *)signed_text, strlen(signed_text), mac, &len);
    signature = g_strdup("X-Backstay-Signature: sha256=");
    for (unsigned i = 0; i < len; i++) {
        char *longer = g_strdup_printf("%s%02x", signature, mac[i]);

        g_free(signature);
        signature = longer;
    }
    g_assert_nonnull(strstr(head(receiver, 0), signature));
    line = g_strdup_printf("\r\nX-Backstay-Delivery: %s\r\n", event_text(event, "id"));
    g_assert_nonnull(strstr(head(receiver, 0), line));
    sent = body_json(receiver, 0);
    g_assert_true(json_equal(sent, event));
    json_decref(sent);
    json_decref(event);
    receiver_free(receiver);
}

static void webhooks_have_templates(void)
{
    static const struct {
        const char *template, *want;
    } cases[] = {
        { "{\\\"t\\\":\\\"{{title}}\\\"}", "{\"t\":\"a \\\"b\\\"\\n\\u00E4\"}" },
        { "{{ kind }} {{exit_code}} {{none}}.", "opened 21 ." },
        { "{{facts}}", "{\"duration\":\"12 s\"}" },
        { "{{title", "{{title" },
        { "{ {x} }", "{ {x} }" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Receiver *receiver = receiver_new();
        json_t *event = failure(EVENT_OPENED);
        g_autofree char *settings = g_strdup_printf(
            "{\"url\": \"%%s/\", \"method\": \"PUT\", \"body\": \"%s\","
            " \"headers\": {\"Content-Type\": \"text/plain\", \"X-Token\": \"env://tok\"}}",
            cases[i].template);

        event_set(event, "title", "a \"b\"\n\xc3\xa4");
        g_assert_cmpint(outcome_of(receiver, "webhook", settings, event), ==, DELIVERY_DONE);
        g_assert_cmpstr(body(receiver, 0), ==, cases[i].want);
        g_assert_true(g_str_has_prefix(head(receiver, 0), "PUT / "));
        g_assert_nonnull(strstr(head(receiver, 0), "\r\nX-Token: tok\r\n"));
        g_assert_nonnull(strstr(head(receiver, 0), "\r\nContent-Type: text/plain\r\n"));
        g_assert_null(strstr(head(receiver, 0), "Signature"));
        json_decref(event);
        receiver_free(receiver);
    }
}

static void answers_are_judged(void)
{
    static const struct {
        const char *answer;
        DeliveryOutcome outcome;
        int64_t wait_ms;
        const char *said;
    } cases[] = {
        { "204 None||", DELIVERY_DONE, 0, NULL },
        { "429 Slow|Retry-After: 7\r\n|", DELIVERY_LATER, 7000, "HTTP 429" },
        { "500 Oh||it broke\x01 here", DELIVERY_LATER, 0, "it broke  here" },
        { "503 Busy|Retry-After: 99999999\r\n|", DELIVERY_LATER, 600000, "HTTP 503" },
        { "401 Who||", DELIVERY_LATER, 0, "HTTP 401" },
        { "404 None||no_service", DELIVERY_LATER, 0, "no_service" },
        { "400 Bad||invalid_payload", DELIVERY_REFUSED, 0, "invalid_payload" },
        { "410 Gone||", DELIVERY_REFUSED, 0, "HTTP 410" },
        { "302 There|Location: http://127.0.0.1:1/\r\n|", DELIVERY_REFUSED, 0, "redirect" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Receiver *receiver = receiver_new();
        json_t *event = failure(EVENT_OPENED), *state = json_object();
        g_auto(Delivery) delivery = { 0 };

        receiver->answers[0] = cases[i].answer;
        send_to(receiver, "webhook", WEBHOOK, event, state, &delivery);
        g_test_message("%s: %s", cases[i].answer, delivery.said ? delivery.said : "");
        g_assert_cmpint(delivery.outcome, ==, cases[i].outcome);
        g_assert_cmpint(delivery.wait_ms, ==, cases[i].wait_ms);
        g_assert_true(cases[i].said ? strstr(delivery.said, cases[i].said) != NULL
                                    : delivery.said == NULL);
        g_assert_cmpuint(receiver->n, ==, 1);
        json_decref(state);
        json_decref(event);
        receiver_free(receiver);
    }
}

/* What stands in webhook_origins may lie here; nothing else may, whatever it is called. */
static void this_network_is_closed(void)
{
    Receiver *receiver = receiver_new();
    const char *port = strrchr(http_server_url(receiver->server), ':');
    const char *const other[] = { "http://127.0.0.1:1", "https://hooks.example.org", NULL };
    const char *const *const lists[] = { NULL, other };
    static const char *const hosts[] = { "127.0.0.1",    "localhost",          "2130706433",
                                         "127.0.0.1#@x", "[::ffff:127.0.0.1]", "x@127.0.0.1",
                                         "127.0.0.1\\@x" };
    json_t *event = failure(EVENT_OPENED);

    for (size_t i = 0; i < G_N_ELEMENTS(hosts) * 2; i++) {
        g_autofree char *url = g_strdup_printf("http://%s%s/", hosts[i / 2], port);
        json_t *settings = json_pack("{s:s}", "url", url), *state = json_object();
        Channel channel = { .resolve = resolve, .settings = settings, .origins = lists[i % 2] };
        g_auto(Delivery) delivery = { 0 };

        channel_webhook.send(&channel, event, state, &delivery);
        g_test_message("%s: %s", url, delivery.said);
        g_assert_cmpint(delivery.outcome, !=, DELIVERY_DONE);
        json_decref(settings);
        json_decref(state);
    }
    g_assert_cmpuint(http_server_n_connections(receiver->server), ==, 0);
    json_decref(event);
    receiver_free(receiver);
}

static void origins_have_one_spelling(void)
{
    static const struct {
        const char *url, *origin;
    } cases[] = {
        { "https://Hooks.Example.org/x?y#z", "https://hooks.example.org:443" },
        { "http://a", "http://a:80" },
        { "http://a:8080?x", "http://a:8080" },
        { "http://[::1]/", "http://[::1]:80" },
        { "http://[::1]:81/", "http://[::1]:81" },
        { "http://u@a/", NULL },
        { "http://a\\b/", NULL },
        { "http://a b/", NULL },
        { "http:///x", NULL },
        { "ftp://a/", NULL },
        { "", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *origin = channel_origin(cases[i].url);

        g_assert_cmpstr(origin, ==, cases[i].origin);
    }
}

static void pings_come_in_pairs(void)
{
    Receiver *receiver = receiver_new();
    static const struct {
        EventKind kind;
        int code;
        const char *line;
    } cases[] = {
        { EVENT_STARTED, 0,
          "POST /ping/nightly/start?create=1&rid=018bcfe5-6800-aabb-ccdd-eeff00112233 " },
        { EVENT_ENDED, 0, "POST /ping/nightly?create=1&rid=018bcfe5-6800-aabb-ccdd-eeff00112233 " },
        { EVENT_ENDED, 21,
          "POST /ping/nightly/21?create=1&rid=018bcfe5-6800-aabb-ccdd-eeff00112233 " },
        { EVENT_ENDED, -1,
          "POST /ping/nightly/fail?create=1&rid=018bcfe5-6800-aabb-ccdd-eeff00112233 " },
        { EVENT_TEST, 0, "POST /ping/nightly/log?create=1&rid=" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        json_t *event = failure(cases[i].kind);

        json_object_set_new(event, "exit_code", json_integer(cases[i].code));
        g_assert_cmpint(outcome_of(receiver, "healthchecks", PING, event), ==, DELIVERY_DONE);
        g_test_message("%s", head(receiver, i));
        g_assert_true(g_str_has_prefix(head(receiver, i), cases[i].line));
        json_decref(event);
    }
    receiver_free(receiver);
}

static void uptime_kuma_is_pushed_to(void)
{
    Receiver *receiver = receiver_new();
    json_t *started = failure(EVENT_STARTED), *ended = failure(EVENT_ENDED);
    const char *settings = "{\"url\": \"%s/api/push/tok?status=up&msg=OK&ping=\"}";

    json_object_set_new(ended, "seconds", json_integer(3));
    g_assert_cmpint(outcome_of(receiver, "healthchecks", settings, started), ==, DELIVERY_DONE);
    g_assert_cmpuint(receiver->n, ==, 0);
    g_assert_cmpint(outcome_of(receiver, "healthchecks", settings, ended), ==, DELIVERY_DONE);
    g_assert_true(g_str_has_prefix(
        head(receiver, 0),
        "GET /api/push/tok?status=down&msg=backup%20of%20nightly%20failed&ping=3000 "));
    json_decref(started);
    json_decref(ended);
    receiver_free(receiver);
}

static void trello_opens_comments_and_moves_a_card(void)
{
    Receiver *receiver = receiver_new();
    const char *cards =
        "200 OK||[{\"id\":\"c0\",\"desc\":\"x\"},{\"id\":\"c1\",\"desc\":\"text\\n\\n"
        "backstay/node1/nightly/failed\"}]";
    json_t *opened = failure(EVENT_OPENED), *again = failure(EVENT_REMINDED);
    json_t *resolved = failure(EVENT_RESOLVED), *sent;

    receiver->answers[0] = "200 OK||[]";
    receiver->answers[2] = receiver->answers[3] = receiver->answers[5] = cards;
    g_assert_cmpint(outcome_of(receiver, "trello", TRELLO, opened), ==, DELIVERY_DONE);
    // an answer that was lost: the card is there, no second one is opened
    g_assert_cmpint(outcome_of(receiver, "trello", TRELLO, opened), ==, DELIVERY_DONE);
    g_assert_cmpint(outcome_of(receiver, "trello", TRELLO, again), ==, DELIVERY_DONE);
    g_assert_cmpint(outcome_of(receiver, "trello", TRELLO, resolved), ==, DELIVERY_DONE);
    g_assert_cmpuint(receiver->n, ==, 8);
    g_assert_true(g_str_has_prefix(head(receiver, 0), "GET /1/lists/aa11/cards?fields=desc "));
    g_assert_nonnull(strstr(head(receiver, 0),
                            "\r\nAuthorization: OAuth oauth_consumer_key=\"kkk\","
                            " oauth_token=\"ttt\"\r\n"));
    g_assert_true(g_str_has_prefix(head(receiver, 1), "POST /1/cards "));
    sent = body_json(receiver, 1);
    g_assert_cmpstr(event_text(sent, "idList"), ==, "aa11");
    g_assert_true(g_str_has_suffix(event_text(sent, "desc"), "\nbackstay/node1/nightly/failed"));
    json_decref(sent);
    g_assert_true(g_str_has_prefix(head(receiver, 4), "POST /1/cards/c1/actions/comments "));
    g_assert_true(g_str_has_prefix(head(receiver, 6), "POST /1/cards/c1/actions/comments "));
    g_assert_true(g_str_has_prefix(head(receiver, 7), "PUT /1/cards/c1 "));
    g_assert_cmpstr(body(receiver, 7), ==, "{\"idList\":\"bb22\",\"dueComplete\":true}");
    json_decref(opened);
    json_decref(again);
    json_decref(resolved);
    receiver_free(receiver);
}

/* A comment that an attempt has made is not made again by the next one. */
static void trello_goes_on_where_it_failed(void)
{
    Receiver *receiver = receiver_new();
    const char *settings = "{\"url\": \"%s\", \"key\": \"env://k\", \"token\": \"env://t\","
                           " \"card\": \"dfhA3Cv7\", \"list\": \"aa11\"}";
    json_t *event = failure(EVENT_OPENED), *state = json_object();
    g_auto(Delivery) first = { 0 }, second = { 0 };

    receiver->answers[1] = "500 Oh||";
    receiver->answers[2] = "200 OK||[]";
    send_to(receiver, "trello", settings, event, state, &first);
    g_assert_cmpint(first.outcome, ==, DELIVERY_LATER);
    send_to(receiver, "trello", settings, event, state, &second);
    g_assert_cmpint(second.outcome, ==, DELIVERY_DONE);
    g_assert_cmpuint(receiver->n, ==, 4);
    json_decref(event);
    json_decref(state);
    receiver_free(receiver);
}

static void what_is_missing_is_for_later(void)
{
    Receiver *receiver = receiver_new();
    json_t *event = failure(EVENT_OPENED);

    g_assert_cmpint(outcome_of(receiver, "slack", "{\"url\": \"env://missing\"}", event), ==,
                    DELIVERY_LATER);
    g_assert_cmpint(
        outcome_of(receiver, "trello",
                   "{\"url\": \"%s\", \"key\": \"env://k\", \"token\": \"env://missing\","
                   " \"card\": \"x\"}",
                   event),
        ==, DELIVERY_LATER);
    g_assert_cmpuint(receiver->n, ==, 0);
    json_decref(event);
    receiver_free(receiver);
}

static void texts_are_cut_between_characters(void)
{
    static const struct {
        const char *text;
        size_t n;
        const char *want;
    } cases[] = {
        { "abc", 3, "abc" },
        { "abcd", 3, "ab\xe2\x80\xa6" },
        { "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f", 3, "\xc3\xa4\xc3\xb6\xe2\x80\xa6" },
        { "\xf0\x9f\x92\xbe\xf0\x9f\x92\xbe", 1, "\xe2\x80\xa6" },
        { "\xff", 3, "\xef\xbf\xbd" },
        { "", 3, "" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *cut = event_cut(cases[i].text, cases[i].n);

        g_assert_cmpstr(cut, ==, cases[i].want);
    }
}

static void incident_keys_fit(void)
{
    json_t *event = failure(EVENT_OPENED);
    g_autofree char *name = g_strnfill(300, 'n');
    g_autofree char *key = NULL;

    event_set(event, "asset", name);
    key = event_incident_key(event);
    g_assert_cmpuint(strlen(key), <=, 255);
    json_decref(event);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    g_test_add_func("/channel/slack escapes and cuts", slack_escapes_and_cuts);
    g_test_add_func("/channel/pagerduty opens and resolves by one key",
                    pagerduty_opens_and_resolves_by_one_key);
    g_test_add_func("/channel/webhooks are signed", webhooks_are_signed);
    g_test_add_func("/channel/webhooks have templates", webhooks_have_templates);
    g_test_add_func("/channel/answers are judged", answers_are_judged);
    g_test_add_func("/channel/this network is closed", this_network_is_closed);
    g_test_add_func("/channel/origins have one spelling", origins_have_one_spelling);
    g_test_add_func("/channel/pings come in pairs", pings_come_in_pairs);
    g_test_add_func("/channel/uptime kuma is pushed to", uptime_kuma_is_pushed_to);
    g_test_add_func("/channel/trello opens, comments and moves a card",
                    trello_opens_comments_and_moves_a_card);
    g_test_add_func("/channel/trello goes on where it failed", trello_goes_on_where_it_failed);
    g_test_add_func("/channel/what is missing is for later", what_is_missing_is_for_later);
    g_test_add_func("/channel/texts are cut between characters", texts_are_cut_between_characters);
    g_test_add_func("/channel/incident keys fit", incident_keys_fit);
    return g_test_run();
}
