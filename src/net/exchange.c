/* SPDX-License-Identifier: Apache-2.0 */
#include "net/exchange.h"

#include "base/clock.h"
#include "base/error.h"
#include "net/receipt.h"

#include <string.h>

#define TICK_MS 200 /* how often a silent request looks at the clock and at cancel */

#define TRICKLE_PER_S  256 /* slower than any line that a backup can be made over */
#define TRICKLE_STALLS 10
#define DRAIN_PER_S    (64 * 1024) /* what buffers between us and the server give away */

#define KEEPALIVE_IDLE_S  30
#define KEEPALIVE_EVERY_S 15

/* Seconds of CPU a GiB, 16 MiB bodies over loopback: receiving 0.33 with libcurl's own 16 KiB, 0.25
 * with 64, 0.23 with 256 and 512; sending 0.28 with its own 64 KiB, 0.21 with 512, 0.26 beyond. */
#define RECEIVE_BUFFER (256 * 1024L)
#define SEND_BUFFER    (512 * 1024L)

/* ---- asking ---- */

typedef struct {
    const HttpOptions *options;
    const HttpRequest *request;
    int64_t limit_ms; /* 0: none */
    CURL *easy;
    Receipt receipt;
    struct curl_slist *headers;
    unsigned sendings;
    bool refused;               /* an address was not approved */
    int64_t began_ms, moved_ms; /* moved_ms: when a byte was seen last */
    uint64_t moved;
    char text[CURL_ERROR_SIZE];
} Exchange;

static void exchange_done(Exchange *exchange)
{
    curl_slist_free_all(exchange->headers);
    receipt_done(&exchange->receipt);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Exchange, exchange_done)

static void add_header(Exchange *exchange, const char *line)
{
    struct curl_slist *longer = curl_slist_append(exchange->headers, line);

    if (!longer)
        g_error("libcurl: no memory for a header");
    exchange->headers = longer;
}

static bool is_header_text(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* What libcurl adds unasked is taken away. */
static bool set_headers(Exchange *exchange, GError **error)
{
    const HttpRequest *request = exchange->request;

    add_header(exchange, "Expect:");
    add_header(exchange, "Content-Type:");
    for (size_t i = 0; i < request->n_headers; i++) {
        const HttpHeader *header = &request->headers[i];
        g_autofree char *line = *header->value
                                    ? g_strdup_printf("%s: %s", header->name, header->value)
                                    : g_strdup_printf("%s;", header->name);

        if (!is_header_text(line)) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "not the value of a header: '%s'",
                        header->name);
            return false;
        }
        add_header(exchange, line);
    }
    curl_easy_setopt(exchange->easy, CURLOPT_HTTPHEADER, exchange->headers);
    return true;
}

/* CURLOPT_PREREQFUNCTION: before every sending, also those that libcurl repeats by itself. */
static int before_sending(void *user, G_GNUC_UNUSED char *remote, G_GNUC_UNUSED char *local,
                          G_GNUC_UNUSED int remote_port, G_GNUC_UNUSED int local_port)
{
    Exchange *exchange = user;

    exchange->sendings++;
    return exchange->request->once && exchange->sendings > 1 ? CURL_PREREQFUNC_ABORT
                                                             : CURL_PREREQFUNC_OK;
}

/* CURLOPT_OPENSOCKETFUNCTION: names are looked up by now, and this very address is connected to. */
static curl_socket_t open_socket(void *user, G_GNUC_UNUSED curlsocktype purpose,
                                 struct curl_sockaddr *address)
{
    Exchange *exchange = user;
    const HttpOptions *options = exchange->options;

    if (!options->approve(&address->addr, options->approve_user)) {
        exchange->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_approval(CURL *easy, Exchange *exchange)
{
    if (!exchange->options->approve)
        return;
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, exchange);
}

static void set_method(CURL *easy, const HttpRequest *request)
{
    if (g_str_equal(request->method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (request->body || g_str_equal(request->method, "PUT") ||
        g_str_equal(request->method, "POST")) {
        // libcurl reads it where it lies, and sends it again from there if it has to
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body ? request->body : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_connection(CURL *easy, const HttpOptions *options)
{
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_EVERY_S);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (options->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); // else the system's would count, too
    }
    if (options->client_cert) {
        curl_easy_setopt(easy, CURLOPT_SSLCERT, options->client_cert);
        curl_easy_setopt(easy, CURLOPT_SSLKEY, options->client_cert);
    }
}

static bool set_up(Exchange *exchange, GError **error)
{
    CURL *easy = exchange->easy;

    curl_easy_reset(easy); // connections and sessions stay
    set_connection(easy, exchange->options);
    set_approval(easy, exchange);
    curl_easy_setopt(easy, CURLOPT_URL, exchange->request->url);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "backstay/" BS_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->text);
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, before_sending);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, receipt_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange->receipt);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receipt_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange->receipt);
    set_method(easy, exchange->request);
    return set_headers(exchange, error);
}

/* ---- waiting ---- */

static uint64_t sent(const Exchange *exchange)
{
    curl_off_t n = 0;

    (void)curl_easy_getinfo(exchange->easy, CURLINFO_SIZE_UPLOAD_T, &n);
    return (uint64_t)n;
}

/* False with BS_ERROR_TRANSIENT when nothing moves any more. */
static bool check_moving(Exchange *exchange, GError **error)
{
    const int64_t stall_ms = exchange->options->stall_ms;
    const size_t body_len = exchange->request->body_len;
    uint64_t up = sent(exchange);
    uint64_t moved = up + exchange->receipt.header_bytes + exchange->receipt.reply.body_len;
    int64_t now_ms = clock_monotonic_ms();
    int64_t patience_ms = stall_ms;

    if (moved != exchange->moved) {
        exchange->moved = moved;
        exchange->moved_ms = now_ms;
    }
    if (up >= body_len)
        patience_ms += (int64_t)body_len * 1000 / DRAIN_PER_S;
    if (exchange->limit_ms > 0 && now_ms - exchange->began_ms > exchange->limit_ms) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_TRANSIENT,
                            "not answered soon enough after the interruption");
        return false;
    }
    if (now_ms - exchange->moved_ms > patience_ms) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                    "no byte came or went for %" G_GINT64_FORMAT " s", patience_ms / 1000);
        return false;
    }
    if (now_ms - exchange->began_ms >
        TRICKLE_STALLS * stall_ms + (int64_t)moved * 1000 / TRICKLE_PER_S) {
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT,
                    "slower than %d bytes a second for %" G_GINT64_FORMAT " s", TRICKLE_PER_S,
                    (now_ms - exchange->began_ms) / 1000);
        return false;
    }
    return true;
}

/* Until libcurl is through; its result is in *ret_result. False: we have given up. */
static bool wait_for_end(Exchange *exchange, CURLM *multi, CURLcode *ret_result, GError **error)
{
    int running, left;

    for (;;) {
        const CURLMsg *message;
        CURLMcode result = curl_multi_perform(multi, &running);

        if (result != CURLM_OK)
            g_error("libcurl: %s", curl_multi_strerror(result));
        message = curl_multi_info_read(multi, &left);
        if (message) {
            *ret_result = message->data.result;
            return true;
        }
        if (!cancel_check(exchange->options->cancel, error) || !check_moving(exchange, error))
            return false;
        (void)curl_multi_poll(multi, NULL, 0, TICK_MS, NULL);
    }
}

static bool perform(Exchange *exchange, CURLM *multi, CURLcode *ret_result, GError **error)
{
    bool ended;

    exchange->began_ms = exchange->moved_ms = clock_monotonic_ms();
    curl_multi_add_handle(multi, exchange->easy);
    ended = wait_for_end(exchange, multi, ret_result, error);
    if (!ended)
        // a resolver that still waits is left behind, or this would wait for it
        curl_easy_setopt(exchange->easy, CURLOPT_QUICK_EXIT, 1L);
    curl_multi_remove_handle(multi, exchange->easy);
    return ended;
}

/* ---- what it came to ---- */

static bool has_one_of(const char *text, const char *const *parts)
{
    for (; *parts; parts++)
        if (strstr(text, *parts))
            return true;
    return false;
}

/*
 * One side has said no to TLS, and will again. Anything else may be the line: a changed byte is
 * "bad record mac", or a "wrong version number" once the handshake is over. libcurl has the same
 * codes for both, so the words of OpenSSL decide.
 */
static bool is_refusal(CURLcode result, const char *text)
{
    static const char *const handshake[] = { "handshake failure",
                                             "protocol version",
                                             "unsupported protocol",
                                             "wrong version number",
                                             "no shared cipher",
                                             "http request",
                                             NULL };
    static const char *const always[] = { "alert certificate", "alert bad certificate",
                                          "alert unknown ca", "alert access denied", NULL };

    if (result == CURLE_SSL_CONNECT_ERROR && has_one_of(text, handshake))
        return true;
    return (result == CURLE_SSL_CONNECT_ERROR || result == CURLE_RECV_ERROR ||
            result == CURLE_SEND_ERROR) &&
           has_one_of(text, always);
}

/* As our own texts begin: "Failed to connect" small, "SSL certificate problem" as it is. */
static char *text_of(const Exchange *exchange, CURLcode result)
{
    char *text = g_strdup(*exchange->text ? exchange->text : curl_easy_strerror(result));

    if (g_ascii_islower(text[1]) && !g_str_has_prefix(text, "OpenSSL"))
        text[0] = g_ascii_tolower(text[0]);
    return text;
}

static void set_curl_error(const Exchange *exchange, CURLcode result, GError **error)
{
    g_autofree char *text = text_of(exchange, result);

    if (exchange->refused && result == CURLE_COULDNT_CONNECT)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_DENIED,
                            "its address lies in a network that may not be asked");
    else if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_ISSUER_ERROR)
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "the server's certificate is not to be trusted: %s; if an authority of your "
                    "own has signed it, name that authority's certificate with --cacert",
                    text);
    else if (result == CURLE_SSL_CERTPROBLEM || result == CURLE_SSL_CACERT_BADFILE)
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED, "a certificate of our own: %s", text);
    else if (result == CURLE_URL_MALFORMAT)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s", text);
    else if (is_refusal(result, text))
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED, "TLS is refused: %s", text);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "%s", text);
}

static bool is_whole(Exchange *exchange, CURLcode result, GError **error)
{
    // libcurl lets an answer pass that ends within its headers
    if ((result == CURLE_OK && exchange->receipt.headers_over) || exchange->receipt.enough)
        return true;
    if (result == CURLE_OK)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_TRANSIENT,
                            "the connection ended within the answer's headers");
    else if (exchange->receipt.failure)
        g_propagate_error(error, g_steal_pointer(&exchange->receipt.failure));
    else if (result == CURLE_ABORTED_BY_CALLBACK)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_TRANSIENT,
                            "the connection ended before an answer came");
    else
        set_curl_error(exchange, result, error);
    return false;
}

/* ---- all of it ---- */

bool exchange_run(CURL *easy, CURLM *multi, const HttpOptions *options, int64_t limit_ms,
                  const HttpRequest *request, HttpReply *ret_reply, GError **error)
{
    g_auto(Exchange)
        exchange = { .options = options, .limit_ms = limit_ms, .request = request, .easy = easy };
    CURLcode result = CURLE_OK;
    bool whole;

    receipt_init(&exchange.receipt, request);
    whole = set_up(&exchange, error) && perform(&exchange, multi, &result, error) &&
            is_whole(&exchange, result, error);
    curl_easy_reset(easy); // it must not point to what ends here
    if (!whole)
        return false;
    *ret_reply = exchange.receipt.reply;
    exchange.receipt.reply = (HttpReply){ 0 };
    return true;
}
