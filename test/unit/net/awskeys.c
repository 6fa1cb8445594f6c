/* SPDX-License-Identifier: Apache-2.0 */
#include "net/awskeys.h"

#include "base/clock.h"
#include "base/error.h"
#include "lib/http_server.h"
#include "lib/tempdir.h"
#include <pthread.h>

#define NOW  INT64_C(1790000000) /* 2026-09-21T14:13:20Z */
#define ARN  "arn:aws:iam::123456789012:role/backup+1"
#define FORM "application/x-www-form-urlencoded; charset=utf-8"

/* ---- a token service with one answer ---- */

typedef struct {
    HttpServer *server;
    HttpClient *http;
    pthread_mutex_t lock;
    char *status, *headers, *body; // what it answers
    char *head, *form;             // what it was asked last
    unsigned asked;
} Sts;

static bool answer(HttpConn *conn, const HttpServed *request, void *user)
{
    Sts *sts = user;
    g_autoptr(GBytes) form = http_conn_read(conn, 1 << 20);
    bool ok;

    pthread_mutex_lock(&sts->lock);
    sts->asked++;
    g_free(sts->head);
    g_free(sts->form);
    sts->head = g_strdup(request->head);
    sts->form = g_strndup(g_bytes_get_data(form, NULL), g_bytes_get_size(form));
    ok = http_conn_answer(conn, sts->status, sts->headers, sts->body, strlen(sts->body));
    pthread_mutex_unlock(&sts->lock);
    return ok;
}

static Sts *sts_new(void)
{
    Sts *sts = g_new0(Sts, 1);

    g_assert_cmpint(pthread_mutex_init(&sts->lock, NULL), ==, 0);
    sts->server = http_server_new(answer, sts, NULL);
    g_assert_true(http_client_new(&(HttpOptions){ 0 }, &sts->http, NULL));
    return sts;
}

static void sts_free(Sts *sts)
{
    http_client_free(sts->http);
    http_server_free(sts->server);
    g_free(sts->status);
    g_free(sts->headers);
    g_free(sts->body);
    g_free(sts->head);
    g_free(sts->form);
    (void)pthread_mutex_destroy(&sts->lock);
    g_free(sts);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sts, sts_free)

static void sts_say(Sts *sts, const char *status, const char *headers, const char *body)
{
    pthread_mutex_lock(&sts->lock);
    g_free(sts->status);
    g_free(sts->headers);
    g_free(sts->body);
    sts->status = g_strdup(status);
    sts->headers = g_strdup(headers);
    sts->body = g_strdup(body);
    pthread_mutex_unlock(&sts->lock);
}

/* A set of keys "ASIA<n>" that lives so long. */
static void sts_give(Sts *sts, unsigned n, int64_t life_s)
{
    g_autoptr(GDateTime) until = g_date_time_new_from_unix_utc(clock_now().sec + life_s);
    g_autofree char *expiration = g_date_time_format(until, "%Y-%m-%dT%H:%M:%SZ");
    g_autofree char *body = g_strdup_printf(
        "<?xml version=\"1.0\"?>\n"
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
        "  <AssumeRoleResult>\n"
        "    <AssumedRoleUser><Arn>arn</Arn><AccessKeyId>not this</AccessKeyId></AssumedRoleUser>\n"
        "    <Credentials>\n"
        "      <AccessKeyId>ASIA%u</AccessKeyId>\n"
        "      <SecretAccessKey>secret/%u&amp;<![CDATA[<x>]]></SecretAccessKey>\n"
        "      <SessionToken>token+%u==</SessionToken>\n"
        "      <Expiration>%s</Expiration>\n"
        "    </Credentials>\n"
        "  </AssumeRoleResult>\n"
        "</AssumeRoleResponse>\n",
        n, n, n, expiration);

    sts_say(sts, "200 OK", NULL, body);
}

/* A role that is assumed there. */
static AwsSources role_of(const Sts *sts)
{
    return (AwsSources){ .access_key = "AK",
                         .secret_key = "base",
                         .assume_role_arn = ARN,
                         .sts_endpoint = http_server_url(sts->server) };
}

static AwsCredentials *credentials_new(const AwsSources *sources, HttpClient *http)
{
    AwsCredentials *credentials = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(aws_credentials_new(sources, http, &credentials, &error));
    g_assert_no_error(error);
    return credentials;
}

static void assert_keys(AwsCredentials *credentials, const char *access, const char *secret,
                        const char *token)
{
    g_auto(AwsKeys) keys = { 0 };
    g_autoptr(GError) error = NULL;

    g_assert_true(aws_credentials_get(credentials, &keys, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(keys.access_key, ==, access);
    g_assert_cmpstr(keys.secret_key, ==, secret);
    g_assert_cmpstr(keys.session_token, ==, token);
    g_assert_nonnull(keys.locked);
}

static void assert_set(AwsCredentials *credentials, unsigned n)
{
    g_autofree char *access = g_strdup_printf("ASIA%u", n);
    g_autofree char *secret = g_strdup_printf("secret/%u&<x>", n);
    g_autofree char *token = g_strdup_printf("token+%u==", n);

    assert_keys(credentials, access, secret, token);
}

static bool refused(AwsCredentials *credentials)
{
    g_auto(AwsKeys) keys = { 0 };

    g_assert_true(aws_credentials_get(credentials, &keys, NULL));
    return aws_credentials_refused(credentials, &keys);
}

/* ---- tests ---- */

static void given_keys_are_given(void)
{
    const AwsSources sources = { .access_key = "AK",
                                 .secret_key = "sk",
                                 .session_token = "st",
                                 .web_identity_file = "/not/read",
                                 .profile = "not read" };
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, NULL);

    assert_keys(credentials, "AK", "sk", "st");
    assert_keys(credentials, "AK", "sk", "st");
    g_assert_false(refused(credentials));
    g_assert_null(aws_credentials_region(credentials));
}

static void what_is_missing_is_told(void)
{
    static const struct {
        const char *label;
        AwsSources sources;
        const char *tells;
    } cases[] = {
        { "nothing", { 0 }, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" },
        { "no secret", { .access_key = "a" }, "AWS_SECRET_ACCESS_KEY" },
        { "no access key", { .secret_key = "verysecret" }, "AWS_ACCESS_KEY_ID" },
        { "a token alone", { .session_token = "verysecret" }, "AWS_ACCESS_KEY_ID" },
        { "no role", { .web_identity_file = "/x" }, "AWS_ROLE_ARN" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(AwsCredentials) credentials = NULL;
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        g_assert_false(aws_credentials_new(&cases[i].sources, NULL, &credentials, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_nonnull(strstr(error->message, cases[i].tells));
        g_assert_null(strstr(error->message, "verysecret"));
    }
}

static void a_web_identity_becomes_keys(void)
{
    g_autoptr(Sts) sts = sts_new();
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "token", NULL);
    const AwsSources sources = { .web_identity_file = file,
                                 .role_arn = ARN,
                                 .sts_endpoint = http_server_url(sts->server) };
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);

    tempdir_write(dir, "token", "ey.A/b+c==\n", 11);
    sts_give(sts, 1, 3600);
    assert_set(credentials, 1);
    g_assert_cmpstr(sts->form, ==,
                    "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn="
                    "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fbackup%2B1"
                    "&RoleSessionName=backstay&WebIdentityToken=ey.A%2Fb%2Bc%3D%3D");
    g_assert_true(g_str_has_prefix(sts->head, "POST / HTTP/1.1\r\n"));
    g_assert_nonnull(strstr(sts->head, FORM));
    g_assert_null(strcasestr(sts->head, "authorization"));
    // kept until five minutes before its end, and the token is read anew
    sts_give(sts, 2, 7200);
    clock_sleep_ms(3290 * 1000);
    assert_set(credentials, 1);
    g_assert_cmpuint(sts->asked, ==, 1);
    tempdir_write(dir, "token", "second", 6);
    clock_sleep_ms(11 * 1000);
    assert_set(credentials, 2);
    g_assert_cmpuint(sts->asked, ==, 2);
    g_assert_true(g_str_has_suffix(sts->form, "&WebIdentityToken=second"));
    tempdir_remove(dir);
}

static void a_token_that_cannot_be_read_is_named(void)
{
    g_autoptr(Sts) sts = sts_new();
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "token", NULL);
    g_autofree char *large = g_strnfill(70000, 'x');
    const AwsSources sources = { .web_identity_file = file,
                                 .role_arn = ARN,
                                 .sts_endpoint = http_server_url(sts->server) };
    const struct {
        const char *text;
        int code;
    } cases[] = { { NULL, BS_ERROR_NOT_FOUND },
                  { " \n", BS_ERROR_USAGE },
                  { large, BS_ERROR_USAGE } };

    sts_give(sts, 1, 3600);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
        g_auto(AwsKeys) keys = { 0 };
        g_autoptr(GError) error = NULL;

        if (cases[i].text)
            tempdir_write(dir, "token", cases[i].text, strlen(cases[i].text));
        g_assert_false(aws_credentials_get(credentials, &keys, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, file));
    }
    g_assert_cmpuint(sts->asked, ==, 0);
    tempdir_remove(dir);
}

static void a_role_is_assumed_with_signed_words(void)
{
    g_autoptr(Sts) sts = sts_new();
    g_autofree char *endpoint = g_strconcat(http_server_url(sts->server), "/sts", NULL);
    const AwsSources sources = { .access_key = "AKBASE",
                                 .secret_key = "base",
                                 .session_token = "basetoken",
                                 .assume_role_arn = ARN,
                                 .assume_session = "night",
                                 .assume_external_id = "x y",
                                 .assume_policy = "{\"a\":1}",
                                 .sts_endpoint = endpoint,
                                 .region = "eu-west-1" };
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
    const char *form = "Action=AssumeRole&Version=2011-06-15&RoleArn="
                       "arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fbackup%2B1"
                       "&RoleSessionName=night&ExternalId=x%20y&Policy=%7B%22a%22%3A1%7D";
    g_autofree char *payload = g_compute_checksum_for_string(G_CHECKSUM_SHA256, form, -1);
    static const HttpHeader type = { "content-type", FORM };
    g_auto(SigV4Signature) want = { 0 };

    sts_give(sts, 7, 3600);
    sigv4_sign(
        &(SigV4Request){ .method = "POST",
                         .host = strstr(http_server_url(sts->server), "//") + 2,
                         .path = "/sts",
                         .extra = &type,
                         .n_extra = 1,
                         .payload = payload,
                         .region = "eu-west-1",
                         .service = "sts",
                         .now = clock_now().sec },
        &(AwsKeys){ .access_key = "AKBASE", .secret_key = "base", .session_token = "basetoken" },
        &want);
    assert_set(credentials, 7);
    g_assert_cmpstr(sts->form, ==, form);
    g_assert_true(g_str_has_prefix(sts->head, "POST /sts HTTP/1.1\r\n"));
    g_assert_nonnull(strstr(sts->head, want.authorization));
    g_assert_nonnull(strstr(sts->head, want.date));
    g_assert_nonnull(strcasestr(sts->head, "\r\nx-amz-security-token: basetoken\r\n"));
}

static void refusals_say_what_the_service_said(void)
{
    static const struct {
        const char *label, *status, *headers, *body;
        int code;
        const char *tells;
        int64_t wait_ms;
    } cases[] = {
        { "denied", "403 Forbidden", NULL,
          "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
          "<Message>Not authorized\nto perform</Message></Error><RequestId>r</RequestId>"
          "</ErrorResponse>",
          BS_ERROR_DENIED, "AccessDenied: Not authorized to perform (HTTP 403)", 0 },
        { "an expired token", "400 Bad Request", NULL,
          "<ErrorResponse><Error><Code>ExpiredTokenException</Code></Error></ErrorResponse>",
          BS_ERROR_DENIED, "ExpiredTokenException (HTTP 400)", 0 },
        { "throttled", "400 Bad Request", NULL,
          "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
          BS_ERROR_TRANSIENT, "Throttling", 0 },
        { "an identity provider that does not answer", "400 Bad Request", NULL,
          "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>",
          BS_ERROR_TRANSIENT, "IDPCommunicationError", 0 },
        { "down", "503 Service Unavailable", "Retry-After: 7\r\n", "<html><b>busy",
          BS_ERROR_TRANSIENT, "(HTTP 503)", 7000 },
        { "too many requests", "429 Too Many Requests", NULL, "", BS_ERROR_TRANSIENT, "(HTTP 429)",
          0 },
        { "moved", "301 Moved Permanently", NULL, "", BS_ERROR_DENIED, "(HTTP 301)", 0 },
        { "success with nothing", "200 OK", NULL, "", BS_ERROR_CORRUPT, "XML", 0 },
        { "success with another page", "200 OK", NULL, "<html><body>hello</body></html>",
          BS_ERROR_CORRUPT, "no whole set of keys", 0 },
        { "no token among the keys", "200 OK", NULL,
          "<R><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>verysecret"
          "</SecretAccessKey><Expiration>2027-01-01T00:00:00Z</Expiration></Credentials></R>",
          BS_ERROR_CORRUPT, "no whole set of keys", 0 },
        { "no time", "200 OK", NULL,
          "<R><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>verysecret"
          "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>soon</Expiration>"
          "</Credentials></R>",
          BS_ERROR_CORRUPT, "", 0 },
        { "a key with a line break", "200 OK", NULL,
          "<R><Credentials><AccessKeyId>a&#13;&#10;x-evil: 1</AccessKeyId><SecretAccessKey>b"
          "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2027-01-01T00:00:00Z"
          "</Expiration></Credentials></R>",
          BS_ERROR_CORRUPT, "no whole set of keys", 0 },
        { "a secret beside a mistake", "200 OK", NULL,
          "<R><Credentials><SecretAccessKey>&verysecret;</SecretAccessKey></Credentials></R>",
          BS_ERROR_CORRUPT, "not the XML", 0 },
        { "cut", "200 OK", NULL, "<R><Credentials><AccessKeyId>a</AccessKeyId>", BS_ERROR_CORRUPT,
          "XML", 0 },
    };
    g_autoptr(Sts) sts = sts_new();
    const AwsSources sources = role_of(sts);

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
        g_auto(AwsKeys) keys = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].label);
        sts_say(sts, cases[i].status, cases[i].headers, cases[i].body);
        g_assert_false(aws_credentials_get(credentials, &keys, &error));
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, "credentials: role " ARN ": sts: "));
        g_assert_nonnull(strstr(error->message, cases[i].tells));
        g_assert_null(strstr(error->message, "verysecret"));
        g_assert_null(strpbrk(error->message, "\r\n"));
        g_assert_cmpint(bs_error_wait_ms(error), ==, cases[i].wait_ms);
        g_assert_null(keys.access_key);
    }
}

static void answers_are_bounded(void)
{
    g_autoptr(Sts) sts = sts_new();
    const AwsSources sources = role_of(sts);
    const size_t lengths[] = { 20000, 100000 }; // above what a field may have, and an answer

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
        g_autofree char *long_one = g_strnfill(lengths[i], 'x');
        g_autofree char *body =
            g_strdup_printf("<R><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b"
                            "</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>"
                            "2027-01-01T00:00:00Z</Expiration></Credentials></R>",
                            long_one);
        g_auto(AwsKeys) keys = { 0 };
        g_autoptr(GError) error = NULL;

        sts_say(sts, "200 OK", NULL, body);
        g_assert_false(aws_credentials_get(credentials, &keys, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
}

static void a_failed_renewal_leaves_a_set_that_is_still_good(void)
{
    g_autoptr(Sts) sts = sts_new();
    const AwsSources sources = role_of(sts);
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
    g_auto(AwsKeys) keys = { 0 };
    g_autoptr(GError) error = NULL;

    sts_give(sts, 1, 1000);
    assert_set(credentials, 1);
    sts_say(sts, "503 Service Unavailable", NULL, "");
    clock_sleep_ms(800 * 1000);
    assert_set(credentials, 1);
    g_assert_cmpuint(sts->asked, ==, 2);
    assert_set(credentials, 1); // and not asked again at once
    g_assert_cmpuint(sts->asked, ==, 2);
    clock_sleep_ms(201 * 1000);
    g_assert_false(aws_credentials_get(credentials, &keys, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_cmpuint(sts->asked, ==, 3);
    // back, but it is asked only after the pause
    sts_give(sts, 2, 1000);
    g_clear_error(&error);
    g_assert_false(aws_credentials_get(credentials, &keys, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_TRANSIENT);
    g_assert_cmpuint(sts->asked, ==, 3);
    clock_sleep_ms(11 * 1000);
    assert_set(credentials, 2);
}

static void short_lives_do_not_flood_the_service(void)
{
    g_autoptr(Sts) sts = sts_new();
    const AwsSources sources = role_of(sts);
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);

    sts_give(sts, 1, -60); // our clock is ahead
    for (unsigned i = 0; i < 50; i++)
        assert_set(credentials, 1);
    g_assert_cmpuint(sts->asked, ==, 1);
}

static void a_refused_set_is_fetched_anew_but_not_for_ever(void)
{
    g_autoptr(Sts) sts = sts_new();
    const AwsSources sources = role_of(sts);
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
    g_auto(AwsKeys) old = { 0 };

    sts_give(sts, 1, 3600);
    assert_set(credentials, 1);
    g_assert_false(refused(credentials)); // came just now: another would be no better
    clock_sleep_ms(11 * 1000);
    g_assert_true(aws_credentials_get(credentials, &old, NULL));
    sts_give(sts, 2, 3600);
    g_assert_true(refused(credentials));
    assert_set(credentials, 2);
    g_assert_cmpuint(sts->asked, ==, 2);
    g_assert_true(aws_credentials_refused(credentials, &old)); // a thread that was behind
    g_assert_false(refused(credentials));
    g_assert_cmpuint(sts->asked, ==, 2);
}

static void a_profile_is_read_anew_when_its_keys_are_refused(void)
{
    char *dir = tempdir_new();
    g_autofree char *shared = g_build_filename(dir, "credentials", NULL);
    g_autofree char *config = g_build_filename(dir, "config", NULL);
    const AwsSources sources = { .shared_file = shared, .config_file = config, .profile = "p" };
    static const char first[] = "[p]\naws_access_key_id=A1\naws_secret_access_key=s1\n";
    static const char second[] = "[p]\naws_access_key_id=A2\naws_secret_access_key=s2\n";
    static const char region[] = "[profile p]\nregion = eu-north-1\n";
    g_autoptr(AwsCredentials) credentials = NULL;

    tempdir_write(dir, "credentials", first, strlen(first));
    tempdir_write(dir, "config", region, strlen(region));
    credentials = credentials_new(&sources, NULL);
    g_assert_cmpstr(aws_credentials_region(credentials), ==, "eu-north-1");
    assert_keys(credentials, "A1", "s1", NULL);
    tempdir_write(dir, "credentials", second, strlen(second));
    assert_keys(credentials, "A1", "s1", NULL);
    clock_sleep_ms(11 * 1000);
    g_assert_true(refused(credentials));
    assert_keys(credentials, "A2", "s2", NULL);
    g_assert_cmpstr(aws_credentials_region(credentials), ==, "eu-north-1");
    tempdir_remove(dir);
}

static void a_profile_without_keys_is_told_before_any_work(void)
{
    char *dir = tempdir_new();
    g_autofree char *shared = g_build_filename(dir, "credentials", NULL);
    g_autofree char *config = g_build_filename(dir, "config", NULL);
    const AwsSources sources = { .shared_file = shared, .config_file = config, .profile = "p" };
    const AwsSources other = { .shared_file = shared, .config_file = config, .profile = "q" };
    g_autoptr(AwsCredentials) credentials = NULL;
    g_autoptr(GError) error = NULL;

    tempdir_write(dir, "credentials", "", 0);
    tempdir_write(dir, "config", "[profile p]\ncredential_process = x\n", 35);
    g_assert_false(aws_credentials_new(&sources, NULL, &credentials, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    g_assert_nonnull(strstr(error->message, "profile p has no aws_access_key_id"));
    g_clear_error(&error);
    g_assert_false(aws_credentials_new(&other, NULL, &credentials, &error));
    g_assert_error(error, BS_ERROR, BS_ERROR_NOT_FOUND);
    tempdir_remove(dir);
}

static void *get_twenty_times(void *credentials)
{
    for (unsigned i = 0; i < 20; i++)
        assert_set(credentials, 1);
    return NULL;
}

static void threads_share_one_fetch(void)
{
    g_autoptr(Sts) sts = sts_new();
    const AwsSources sources = role_of(sts);
    g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
    pthread_t threads[8];

    sts_give(sts, 1, 3600);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_assert_cmpint(pthread_create(&threads[i], NULL, get_twenty_times, credentials), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
        g_assert_cmpint(pthread_join(threads[i], NULL), ==, 0);
    g_assert_cmpuint(sts->asked, ==, 1);
}

static void wrong_endpoints_are_refused(void)
{
    static const char *const endpoints[] = {
        "sts.example.com", "ftp://h", "https://", "https:///x", "https://user@h", "https://h/?x", ""
    };
    g_autoptr(Sts) sts = sts_new();

    for (size_t i = 0; i < G_N_ELEMENTS(endpoints); i++) {
        const AwsSources sources = { .access_key = "AK",
                                     .secret_key = "base",
                                     .assume_role_arn = ARN,
                                     .sts_endpoint = endpoints[i] };
        g_autoptr(AwsCredentials) credentials = credentials_new(&sources, sts->http);
        g_auto(AwsKeys) keys = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_false(aws_credentials_get(credentials, &keys, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
    }
}

int main(int argc, char **argv)
{
    char *home = tempdir_new();
    int failed;

    g_test_init(&argc, &argv, NULL);
    g_assert_true(g_setenv("HOME", home, TRUE)); // which has no credentials of the developer's
    clock_set((Timestamp){ .sec = NOW });
    g_test_add_func("/awskeys/given", given_keys_are_given);
    g_test_add_func("/awskeys/missing", what_is_missing_is_told);
    g_test_add_func("/awskeys/web-identity", a_web_identity_becomes_keys);
    g_test_add_func("/awskeys/web-identity-file", a_token_that_cannot_be_read_is_named);
    g_test_add_func("/awskeys/role", a_role_is_assumed_with_signed_words);
    g_test_add_func("/awskeys/refusals", refusals_say_what_the_service_said);
    g_test_add_func("/awskeys/bounds", answers_are_bounded);
    g_test_add_func("/awskeys/failed-renewal", a_failed_renewal_leaves_a_set_that_is_still_good);
    g_test_add_func("/awskeys/short-lives", short_lives_do_not_flood_the_service);
    g_test_add_func("/awskeys/refused", a_refused_set_is_fetched_anew_but_not_for_ever);
    g_test_add_func("/awskeys/profile", a_profile_is_read_anew_when_its_keys_are_refused);
    g_test_add_func("/awskeys/empty-profile", a_profile_without_keys_is_told_before_any_work);
    g_test_add_func("/awskeys/threads", threads_share_one_fetch);
    g_test_add_func("/awskeys/endpoints", wrong_endpoints_are_refused);
    failed = g_test_run();
    tempdir_remove(home);
    return failed;
}
