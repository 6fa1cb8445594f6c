/* SPDX-License-Identifier: Apache-2.0 */
#include "net/smtp.h"

#include "base/error.h"
#include "net/libcurl.h"

#include <curl/curl.h>
#include <string.h>

#define TIMEOUT_MS (120 * 1000)
#define SILENCE_S  60 /* for one answer of the server */
#define SAID_MAX   400

/* ---- the conversation, overheard ----
 * libcurl says whether the mail went, but not what became of each recipient. It asks for one after
 * the other and waits for each answer, so what passes by tells. */

typedef enum { AT_GREETING, AT_LOGIN, AT_SENDER, AT_RECIPIENT, AT_DATA, AT_TEXT } Stage;

typedef struct {
    const SmtpServer *server;
    const GString *text;
    size_t sent;
    Stage stage;
    bool over;       /* QUIT has gone out, and its answer is of no interest */
    size_t n, asked; /* recipients: all, and those whose RCPT has gone out */
    unsigned *codes; /* of each recipient; 0: not answered */
    char **said;
    unsigned last_code; /* of the stage */
    char *last_said;
    struct curl_slist *recipients;
    char message[CURL_ERROR_SIZE];
} Talk;

static void talk_done(Talk *talk)
{
    for (size_t i = 0; i < talk->n; i++)
        g_free(talk->said[i]);
    g_free(talk->said);
    g_free(talk->codes);
    g_free(talk->last_said);
    curl_slist_free_all(talk->recipients);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Talk, talk_done)

static void enter(Talk *talk, Stage stage)
{
    talk->stage = stage;
    talk->last_code = 0;
    g_clear_pointer(&talk->last_said, g_free);
}

/* What follows AUTH are secrets, which are not looked at. */
static void hear_command(Talk *talk, const char *line)
{
    if (g_str_has_prefix(line, "AUTH ") && talk->stage == AT_GREETING)
        enter(talk, AT_LOGIN);
    else if (g_str_has_prefix(line, "MAIL FROM:"))
        enter(talk, AT_SENDER);
    else if (g_str_has_prefix(line, "RCPT TO:")) {
        enter(talk, AT_RECIPIENT);
        talk->asked++;
    } else if (g_str_has_prefix(line, "DATA") && talk->stage == AT_RECIPIENT) {
        enter(talk, AT_DATA);
    } else if (g_str_has_prefix(line, "QUIT") &&
               (talk->stage != AT_LOGIN || talk->last_code >= 400)) {
        talk->over = true;
    }
}

/* As a person may be shown it, whatever the server sent. */
static char *shown(const char *line, size_t len)
{
    g_autofree char *text = g_utf8_make_valid(line, (gssize)MIN(len, SAID_MAX));

    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    return g_strstrip(g_steal_pointer(&text));
}

/* RFC 5321, 4.2: three digits, then '-' before further lines and a space in the last one. */
static void hear_answer(Talk *talk, const char *line, size_t len)
{
    unsigned code = 0;

    if (talk->over || len < 3 || !g_ascii_isdigit(line[0]) || !g_ascii_isdigit(line[1]) ||
        !g_ascii_isdigit(line[2]) || (len > 3 && line[3] == '-'))
        return;
    code = (unsigned)((line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0'));
    talk->last_code = code;
    g_free(talk->last_said);
    talk->last_said = shown(line, len);
    if (talk->stage == AT_RECIPIENT && talk->asked > 0 && talk->asked <= talk->n) {
        talk->codes[talk->asked - 1] = code;
        g_free(talk->said[talk->asked - 1]);
        talk->said[talk->asked - 1] = g_strdup(talk->last_said);
    } else if (talk->stage == AT_DATA && code == 354) {
        enter(talk, AT_TEXT);
    }
}

/* CURLOPT_DEBUGFUNCTION */
static int overhear(G_GNUC_UNUSED CURL *easy, curl_infotype type, char *data, size_t len,
                    void *user)
{
    g_autofree char *line = NULL;

    if (type == CURLINFO_HEADER_OUT) {
        line = g_strndup(data, MIN(len, 16)); // verbs are enough
        hear_command(user, line);
    } else if (type == CURLINFO_HEADER_IN) {
        hear_answer(user, data, len);
    }
    return 0;
}

/* CURLOPT_READFUNCTION */
static size_t give_text(char *buf, size_t size, size_t n, void *user)
{
    Talk *talk = user;
    size_t len = MIN(size * n, talk->text->len - talk->sent);

    memcpy(buf, talk->text->str + talk->sent, len);
    talk->sent += len;
    return len;
}

/* CURLOPT_XFERINFOFUNCTION: about once a second. */
static int look_at_cancel(void *user, G_GNUC_UNUSED curl_off_t down_all,
                          G_GNUC_UNUSED curl_off_t down, G_GNUC_UNUSED curl_off_t up_all,
                          G_GNUC_UNUSED curl_off_t up)
{
    const Talk *talk = user;

    return cancel_is_set(talk->server->cancel);
}

/* ---- setting up ---- */

static char *url_of(const SmtpServer *server, GError **error)
{
    static const unsigned ports[] = {
        [SMTP_STARTTLS] = 587, [SMTP_IMPLICIT] = 465, [SMTP_PLAIN] = 25
    };
    bool literal = strchr(server->host, ':') != NULL;
    const char *helo = server->helo ? server->helo : g_get_host_name();
    g_autofree char *escaped = g_uri_escape_string(helo, NULL, FALSE);
    unsigned port = server->port ? server->port : ports[server->tls];

    if (!*server->host || strpbrk(server->host, "/@?#%[] \t\r\n")) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                            "the mail server's host is a name or an address");
        return NULL;
    }
    return g_strdup_printf("%s://%s%s%s:%u/%s", server->tls == SMTP_IMPLICIT ? "smtps" : "smtp",
                           literal ? "[" : "", server->host, literal ? "]" : "", port, escaped);
}

static void set_security(CURL *easy, const SmtpServer *server)
{
    curl_easy_setopt(easy, CURLOPT_USE_SSL,
                     (long)(server->tls == SMTP_PLAIN ? CURLUSESSL_NONE : CURLUSESSL_ALL));
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (server->ca_file) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, server->ca_file);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
    if (server->user) {
        curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
        curl_easy_setopt(easy, CURLOPT_USERNAME, server->user);
        curl_easy_setopt(easy, CURLOPT_PASSWORD,
                         server->password ? (const char *)secret_data(server->password) : "");
    }
}

static bool is_clean(const char *address)
{
    for (const char *c = address; *c; c++)
        if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f || strchr("<>", *c))
            return false;
    return *address != '\0';
}

static bool set_envelope(CURL *easy, Talk *talk, const char *from, const char *const *to,
                         GError **error)
{
    bool clean = is_clean(from);

    for (size_t i = 0; i < talk->n && clean; i++) {
        struct curl_slist *longer = curl_slist_append(talk->recipients, to[i]);

        if (!longer)
            g_error("libcurl: no memory for a recipient");
        talk->recipients = longer;
        clean = is_clean(to[i]);
    }
    if (!clean) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE, "an address holds what none may hold");
        return false;
    }
    curl_easy_setopt(easy, CURLOPT_MAIL_FROM, from);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, talk->recipients);
    curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    return true;
}

static void set_transfer(CURL *easy, Talk *talk)
{
    int64_t timeout_ms = talk->server->timeout_ms ? talk->server->timeout_ms : TIMEOUT_MS;

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); // those of the environment are for HTTP
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)SILENCE_S);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, talk->message);
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)talk->text->len);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_text);
    curl_easy_setopt(easy, CURLOPT_READDATA, talk);
    curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L); // or nothing would be overheard
    curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, overhear);
    curl_easy_setopt(easy, CURLOPT_DEBUGDATA, talk);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, look_at_cancel);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, talk);
}

/* ---- what it came to ---- */

static SmtpOutcome outcome_of(unsigned code)
{
    if (code / 100 == 2)
        return SMTP_DELIVERED;
    return code / 100 == 5 ? SMTP_REFUSED : SMTP_LATER;
}

static SmtpAnswer *answers_of(Talk *talk)
{
    SmtpAnswer *answers = g_new0(SmtpAnswer, talk->n);

    for (size_t i = 0; i < talk->n; i++) {
        answers[i].outcome = outcome_of(talk->codes[i]);
        if (answers[i].outcome != SMTP_DELIVERED)
            answers[i].said = g_steal_pointer(&talk->said[i]);
    }
    return answers;
}

/* None was accepted, so the text was not sent. */
static void set_all_refused(const Talk *talk, GError **error)
{
    size_t i = 0;

    while (i < talk->n && outcome_of(talk->codes[i]) == SMTP_REFUSED)
        i++;
    g_set_error(error, BS_ERROR, i == talk->n ? BS_ERROR_NOT_FOUND : BS_ERROR_TRANSIENT,
                "no recipient is accepted: %s", talk->last_said ? talk->last_said : "no answer");
}

/* The server's own words, at a point where a refusal stops everything. */
static void set_refusal(const Talk *talk, GError **error)
{
    static const char *const what[] = {
        [AT_GREETING] = "the server greets",   [AT_LOGIN] = "the login is refused",
        [AT_SENDER] = "the sender is refused", [AT_RECIPIENT] = "the recipient is refused",
        [AT_DATA] = "the mail is refused",     [AT_TEXT] = "the mail is refused"
    };
    bool for_good = talk->last_code / 100 == 5 && talk->stage != AT_GREETING;
    bool login = talk->stage == AT_LOGIN || talk->last_code == 530 || talk->last_code == 535;
    int code = !for_good ? BS_ERROR_TRANSIENT : login ? BS_ERROR_AUTH : BS_ERROR_DENIED;

    g_set_error(error, BS_ERROR, code, "%s: %s", what[talk->stage], talk->last_said);
}

static void set_failure(const Talk *talk, CURLcode result, GError **error)
{
    const char *message = *talk->message ? talk->message : curl_easy_strerror(result);

    if (result == CURLE_ABORTED_BY_CALLBACK)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CANCELLED, "interrupted");
    else if (result == CURLE_USE_SSL_FAILED)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_UNREACHABLE,
                            "the server offers no STARTTLS, and nothing is sent without; its port "
                            "for TLS from the start may be 465");
    else if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR ||
             result == CURLE_SSL_CACERT_BADFILE)
        g_set_error(error, BS_ERROR, BS_ERROR_UNREACHABLE, "no TLS that is to be trusted: %s",
                    message);
    else if (talk->stage == AT_RECIPIENT && talk->asked == talk->n && talk->last_code > 0)
        set_all_refused(talk, error);
    else if (talk->last_code >= 400)
        set_refusal(talk, error);
    else if (result == CURLE_LOGIN_DENIED)
        g_set_error(error, BS_ERROR, BS_ERROR_AUTH, "the login is refused: %s", message);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "%s", message);
}

void smtp_answers_free(SmtpAnswer *answers, size_t n)
{
    for (size_t i = 0; answers && i < n; i++)
        g_free(answers[i].said);
    g_free(answers);
}

static bool converse(CURL *easy, Talk *talk, const char *from, const char *const *to,
                     GError **error)
{
    g_autofree char *url = url_of(talk->server, error);
    CURLcode result;

    if (!url || !set_envelope(easy, talk, from, to, error))
        return false;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set_security(easy, talk->server);
    set_transfer(easy, talk);
    result = curl_easy_perform(easy);
    if (result == CURLE_OK)
        return true;
    set_failure(talk, result, error);
    g_prefix_error(error, "%s: ", talk->server->host);
    return false;
}

bool smtp_send(const SmtpServer *server, const char *from, const char *const *to, size_t n,
               const GString *text, SmtpAnswer **ret_answers, GError **error)
{
    g_auto(Talk) talk = { .server = server, .text = text, .n = n };
    CURL *easy;
    bool sent;

    g_return_val_if_fail(n > 0, false);
    libcurl_init();
    talk.codes = g_new0(unsigned, n);
    talk.said = g_new0(char *, n);
    easy = curl_easy_init();
    g_assert(easy);
    sent = converse(easy, &talk, from, to, error);
    curl_easy_cleanup(easy);
    if (sent)
        *ret_answers = answers_of(&talk);
    return sent;
}
