/* SPDX-License-Identifier: Apache-2.0 */
/* Single objects of the S3 store, and answers that a sound server does not give. */
#include "base/clock.h"
#include "base/error.h"
#include "lib/s3_script.h"
#include "lib/tempdir.h"

#include <string.h>

/* MD5 of "text", of nothing in particular, and the ETag of one part "text". */
#define MD5_TEXT  "1cb251ec0d568de6a929b520c4aed8d1"
#define MD5_OTHER "00000000000000000000000000000000"

/* ---- what refusals mean ---- */

static void refusals_say_what_can_be_done(void)
{
    static const struct {
        Answer answer;
        int code;
        const char *part;
        int64_t wait_ms;
    } cases[] = {
        { { "404 No", "", ERROR("NoSuchKey") }, BS_ERROR_NOT_FOUND, "NoSuchKey): why", 0 },
        { { "404 No", "", ERROR("NoSuchBucket") }, BS_ERROR_NO_REPO, "backstay init", 0 },
        { { "404 No", "", "<html>default backend</html>" },
          BS_ERROR_TRANSIENT,
          "not from an S3",
          0 },
        { { "404 No", "", "" }, BS_ERROR_TRANSIENT, "not from an S3 server", 0 },
        { { "500 Oh", "", ERROR("InternalError") }, BS_ERROR_TRANSIENT, "HTTP 500", 0 },
        { { "502 Oh", "", "<html>nginx & co" }, BS_ERROR_TRANSIENT, "HTTP 502", 0 },
        { { "503 Oh", "Retry-After: 7\r\n", ERROR("SlowDown") },
          BS_ERROR_TRANSIENT,
          "SlowDown",
          7000 },
        { { "504 Oh", "", "" }, BS_ERROR_TRANSIENT, "HTTP 504", 0 },
        { { "429 Oh", "Retry-After: 1\r\n", "" }, BS_ERROR_TRANSIENT, "HTTP 429", 1000 },
        { { "408 Oh", "", "" }, BS_ERROR_TRANSIENT, "HTTP 408", 0 },
        { { "400 Oh", "", ERROR("RequestTimeout") }, BS_ERROR_TRANSIENT, "RequestTimeout", 0 },
        { { "409 Oh", "", ERROR("OperationAborted") }, BS_ERROR_TRANSIENT, "OperationAborted", 0 },
        { { "403 No", "", ERROR("AccessDenied") },
          BS_ERROR_DENIED,
          "s3: get data/a: access denied",
          0 },
        { { "403 No", "", ERROR("SignatureDoesNotMatch") }, BS_ERROR_DENIED, "the secret key", 0 },
        { { "403 No", "", ERROR("InvalidAccessKeyId") }, BS_ERROR_DENIED, "this access key", 0 },
        { { "400 No", "", ERROR("ExpiredToken") }, BS_ERROR_DENIED, "the session has ended", 0 },
        { { "403 No", "", ERROR("InvalidObjectState") }, BS_ERROR_DENIED, "an archive class", 0 },
        { { "403 No", "", "" }, BS_ERROR_DENIED, "HTTP 403", 0 },
        { { "401 No", "", "" }, BS_ERROR_DENIED, "HTTP 401", 0 },
        { { "403 No", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", ERROR("RequestTimeTooSkewed") },
          BS_ERROR_DENIED,
          "Z, the server's 1994-11-06T08:49:37Z; set this machine's clock",
          0 },
        { { "403 No", "",
            ERROR_MORE("RequestTimeTooSkewed",
                       "<RequestTime>early</RequestTime><ServerTime>late</ServerTime>") },
          BS_ERROR_DENIED,
          "clock said early, the server's late",
          0 },
        { { "403 No", "", ERROR("QuotaExceeded") }, BS_ERROR_NO_SPACE, "the store is full", 0 },
        { { "507 No", "", "" }, BS_ERROR_NO_SPACE, "the store is full", 0 },
        { { "416 No", "", ERROR("InvalidRange") }, BS_ERROR_CORRUPT, "shorter", 0 },
        { { "501 No", "", ERROR("NotImplemented") }, BS_ERROR_UNSUPPORTED, "NotImplemented", 0 },
        { { "405 No", "", ERROR("MethodNotAllowed") },
          BS_ERROR_UNSUPPORTED,
          "MethodNotAllowed",
          0 },
        { { "400 No", "", ERROR("InvalidArgument") }, BS_ERROR_FAILED, "InvalidArgument): why", 0 },
        { { "301 Moved", "", ERROR("PermanentRedirect") }, BS_ERROR_FAILED, "elsewhere", 0 },
        { { "200 OK", "", ERROR("InternalError") },
          BS_ERROR_TRANSIENT,
          "HTTP 200 InternalError",
          0 },
        { { "200 OK", "", ERROR("Whatever") }, BS_ERROR_TRANSIENT, "Whatever", 0 },
        { { "403 No", "", "<Error><Code>Access" }, BS_ERROR_DENIED, "HTTP 403)", 0 },
        { { "400 No", "", ERROR_MORE("X", "<Message>a\nb\x1b[31m\xff</Message>") },
          BS_ERROR_FAILED,
          "HTTP 400",
          0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        Script script;
        g_autoptr(GBytes) data = NULL;
        g_autoptr(GError) error = NULL;

        // who is denied asks whether it is there at all
        const Answer answers[] = { cases[i].answer, cases[i].answer };
        bool twice = strstr(cases[i].answer.body ? cases[i].answer.body : "", "AccessDenied<");

        script_begin(&script, answers, twice ? 2 : 1, NULL);
        assert_failed(store_get_whole(script.store, "data/a", 100000, &data, &error), &error,
                      cases[i].code, cases[i].part);
        g_assert_cmpint(bs_error_wait_ms(error), ==, cases[i].wait_ms);
        for (const char *c = error->message; *c; c++)
            g_assert_false(g_ascii_iscntrl(*c));
        script_end(&script);
    }
}

/* ---- regions ---- */

static void a_region_is_learned_once(void)
{
    static const Answer first[] = {
        { "400 No", "", ERROR_MORE("AuthorizationHeaderMalformed", "<Region>eu-1</Region>") },
        { "301 Moved", "x-amz-bucket-region: eu-1\r\n", ERROR("PermanentRedirect") },
        { "400 No", "x-amz-bucket-region: eu-1\r\n", ERROR("IllegalLocationConstraintException") },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(first); i++) {
        const Answer answers[] = { first[i], { "200 OK", "", "text" }, { "200 OK", "", "text" } };
        Script script;

        script_begin(&script, answers, 3, NULL);
        for (unsigned round = 0; round < 2; round++) {
            g_autoptr(GBytes) data = NULL;
            g_autoptr(GError) error = NULL;

            store_get_whole(script.store, "data/a", 10, &data, &error);
            g_assert_no_error(error);
        }
        assert_asked(&script, 0, "/us-east-1/s3/aws4_request");
        assert_asked(&script, 1, "/eu-1/s3/aws4_request");
        assert_asked(&script, 2, "/eu-1/s3/aws4_request");
        script_end(&script);
    }
}

static void being_sent_round_in_circles_ends(void)
{
    static const Answer answers[] = {
        { "301 Moved", "x-amz-bucket-region: eu-1\r\n", ERROR("PermanentRedirect") },
        { "301 Moved", "x-amz-bucket-region: eu-2\r\n", ERROR("PermanentRedirect") },
    };
    Script script;
    g_autoptr(GError) error = NULL;

    script_begin(&script, answers, 2, NULL);
    assert_failed(store_remove(script.store, "data/a", &error), &error, BS_ERROR_FAILED,
                  "the server sends us elsewhere");
    script_end(&script);
}

static void a_foreign_host_gets_nothing(void)
{
    static const Answer answers[] = { { "307 Go",
                                        "Location: http://s3.example.org/bucket/data/a\r\n", "" } };
    Script script;
    g_autoptr(GError) error = NULL;

    script_begin(&script, answers, 1, NULL);
    assert_failed(store_put(script.store, "data/a", "text", 4, false, &error), &error,
                  BS_ERROR_DENIED, "http://s3.example.org/bucket/data/a");
    script_end(&script);
}

static void a_redirect_to_the_same_host_is_followed(void)
{
    Answer other_answers[] = { { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" } };
    Answer answers[] = { { "307 Go", NULL, "" } };
    g_autofree char *location = NULL;
    g_autoptr(GError) error = NULL;
    Script script, other;

    script_begin(&other, other_answers, 1, NULL);
    location = g_strdup_printf("Location: %s/bucket/pre/data/a\r\n", http_server_url(other.server));
    answers[0].headers = location;
    script_begin(&script, answers, 1, NULL);
    store_put(script.store, "data/a", "text", 4, false, &error);
    g_assert_no_error(error);
    assert_asked(&other, 0, "PUT /bucket/pre/data/a HTTP/1.1\r\n");
    script_end(&script);
    script_end(&other);
}

/* ---- keys that end ---- */

#define KEYS(name) "[default]\naws_access_key_id = " name "\naws_secret_access_key = secret\n"

static void keys_are_renewed_once(void)
{
    static const Answer answers[] = {
        { "200 OK", "", "text" },
        { "400 No", "", ERROR("ExpiredToken") },
        { "200 OK", "", "text" },
        { "403 No", "", ERROR("InvalidAccessKeyId") }, // no newer ones so soon
    };
    char *dir = tempdir_new();
    g_autofree char *file = g_build_filename(dir, "keys", NULL);
    S3TestPlace place = { .shared_file = file };
    g_autoptr(GError) denied = NULL;
    Script script;

    clock_set(clock_now());
    tempdir_write(dir, "keys", KEYS("first"), strlen(KEYS("first")));
    script_begin_at(&script, answers, G_N_ELEMENTS(answers), &place);
    for (unsigned round = 0; round < 2; round++) {
        g_autoptr(GBytes) data = NULL;
        g_autoptr(GError) error = NULL;

        store_get_whole(script.store, "data/a", 10, &data, &error);
        g_assert_no_error(error);
        tempdir_write(dir, "keys", KEYS("other"), strlen(KEYS("other")));
        if (round == 0)
            clock_sleep_ms(3600 * 1000);
    }
    assert_failed(store_remove(script.store, "data/a", &denied), &denied, BS_ERROR_DENIED,
                  "does not know this access key");
    assert_asked(&script, 1, "Credential=first/");
    assert_asked(&script, 2, "Credential=other/");
    script_end(&script);
    tempdir_remove(dir);
}

/* ---- puts ---- */

static void a_put_is_proved(void)
{
    static const struct {
        const char *label;
        Answer answers[4];
        size_t n;
        int code; /* -1: it is a success */
        const char *part;
    } cases[] = {
        { "its MD5", { { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" } }, 1, -1, NULL },
        { "in capital letters, bare",
          { { "200 OK", "ETag: 1CB251EC0D568DE6A929B520C4AED8D1\r\n", "" } },
          1,
          -1,
          NULL },
        { "another MD5, and other bytes",
          { { "200 OK", "ETag: \"" MD5_OTHER "\"\r\n", "" }, { "200 OK", "", "tex" } },
          2,
          BS_ERROR_TRANSIENT,
          "not what was sent" },
        { "another MD5, and nothing there",
          { { "200 OK", "ETag: \"" MD5_OTHER "\"\r\n", "" }, { "404 No", "", ERROR("NoSuchKey") } },
          2,
          BS_ERROR_NOT_FOUND,
          "NoSuchKey" },
        { "another MD5, but the right bytes",
          { { "200 OK", "ETag: \"" MD5_OTHER "\"\r\n", "" }, { "200 OK", "", "text" } },
          2,
          -1,
          NULL },
        { "a key service's ETag, and the length",
          { { "200 OK", "ETag: \"" MD5_OTHER "\"\r\nx-amz-server-side-encryption: aws:kms\r\n",
              "" },
            { "200 OK", "Content-Length: 4\r\n", NULL } },
          2,
          -1,
          NULL },
        { "no ETag, and the length",
          { { "200 OK", "", "" }, { "200 OK", "Content-Length: 4\r\n", NULL } },
          2,
          -1,
          NULL },
        { "no ETag, and another length",
          { { "200 OK", "", "" }, { "200 OK", "Content-Length: 3\r\n", NULL } },
          2,
          BS_ERROR_TRANSIENT,
          "another length" },
        { "no ETag, and nothing there",
          { { "200 OK", "", "" }, { "404 No", "", NULL }, { "404 No", "", ERROR("NoSuchKey") } },
          3,
          BS_ERROR_TRANSIENT,
          "it is not there" },
        { "no ETag, and no right to look, but to list",
          { { "200 OK", "", "" },
            { "403 No", "", NULL },
            { "403 No", "", ERROR("AccessDenied") },
            { "200 OK", "",
              "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>1"
              "</NextContinuationToken><Contents><Key>pre/data/a</Key><Size>4</Size><LastModified>"
              "2024-01-01T00:00:00Z</LastModified></Contents></ListBucketResult>" } },
          4,
          -1,
          NULL },
        { "no ETag, and only a longer name in the list",
          { { "200 OK", "", "" },
            { "403 No", "", NULL },
            { "403 No", "", ERROR("AccessDenied") },
            { "200 OK", "",
              "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>pre/data/ab</Key>"
              "<Size>4</Size><LastModified>2024-01-01T00:00:00Z</LastModified></Contents>"
              "</ListBucketResult>" } },
          4,
          BS_ERROR_TRANSIENT,
          "it is not there" },
        { "no ETag, and no right to anything",
          { { "200 OK", "", "" },
            { "403 No", "", NULL },
            { "403 No", "", ERROR("AccessDenied") },
            { "403 No", "", ERROR("AccessDenied") } },
          4,
          BS_ERROR_DENIED,
          "s3: stat data/a: access denied" },
        { "an error in a success",
          { { "200 OK", "", ERROR("InternalError") } },
          1,
          BS_ERROR_TRANSIENT,
          "InternalError" },
        { "the line changed a byte",
          { { "400 No", "", ERROR("BadDigest") } },
          1,
          BS_ERROR_TRANSIENT,
          "BadDigest" },
        { "no answer",
          { { NULL, NULL, NULL } },
          1,
          BS_ERROR_TRANSIENT,
          "s3: put data/a: 127.0.0.1" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Script script;
        bool ok;

        g_test_message("%s", cases[i].label);
        script_begin(&script, cases[i].answers, cases[i].n, NULL);
        ok = store_put(script.store, "data/a", "text", 4, false, &error);
        if (cases[i].code < 0)
            g_assert_no_error(error);
        else
            assert_failed(ok, &error, cases[i].code, cases[i].part);
        assert_asked(&script, 0, "Content-MD5: HLJR7A1WjeapKbUgxK7Y0Q==\r\n");
        assert_asked(&script, 0,
                     "x-amz-content-sha256: "
                     "982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1\r\n");
        script_end(&script);
    }
}

/* Asked once by reading, a server whose ETags are no MD5 is asked for lengths from then on. */
static void opaque_etags_are_learned(void)
{
    static const Answer answers[] = {
        { "200 OK", "ETag: \"" MD5_OTHER "\"\r\n", "" },
        { "200 OK", "", "text" },
        { "200 OK", "ETag: \"" MD5_OTHER "\"\r\n", "" },
        { "200 OK", "Content-Length: 4\r\n", NULL },
    };
    Script script;

    script_begin(&script, answers, G_N_ELEMENTS(answers), NULL);
    for (unsigned round = 0; round < 2; round++)
        g_assert_true(store_put(script.store, "data/a", "text", 4, false, NULL));
    assert_asked(&script, 3, "HEAD ");
    script_end(&script);
}

static void objects_are_made_as_told(void)
{
    static const Answer answers[] = {
        { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" },
        { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" },
    };
    S3Options options = { .region = "there-1",
                          .storage_class = "STANDARD_IA",
                          .encryption = "aws:kms",
                          .encryption_key = "arn:key" };
    Script script;

    script_begin(&script, answers, G_N_ELEMENTS(answers), &options);
    g_assert_true(store_put(script.store, "data/a", "text", 4, false, NULL));
    g_assert_true(store_put(script.store, "index/a", "text", 4, false, NULL));
    assert_asked(&script, 0, "x-amz-storage-class: STANDARD_IA\r\n");
    assert_not_asked(&script, 1, "x-amz-storage-class");
    for (guint i = 0; i < 2; i++) {
        assert_asked(&script, i, "/there-1/s3/");
        assert_asked(&script, i, "x-amz-server-side-encryption: aws:kms\r\n");
        assert_asked(&script, i, "x-amz-server-side-encryption-aws-kms-key-id: arn:key\r\n");
        assert_asked(&script, i,
                     "x-amz-server-side-encryption;x-amz-server-side-encryption-aws-kms-key-id");
    }
    script_end(&script);
}

/* ---- if absent ---- */

static bool put_if_absent(const Script *script, GError **error)
{
    return store_put(script->store, "config", "text", 4, true, error);
}

static void a_server_that_heeds_conditions_is_trusted(void)
{
    static const Answer answers[] = {
        { "404 No", "", ERROR("NoSuchKey") },           // we look first
        { "412 No", "", ERROR("PreconditionFailed") },  // somebody was faster
        { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" }, // no look any more
        { "409 No", "", ERROR("ConditionalRequestConflict") },
        { NULL, NULL, NULL },
    };
    g_autoptr(GError) exists = NULL, conflict = NULL, cut = NULL;
    Script script;

    script_begin(&script, answers, G_N_ELEMENTS(answers), NULL);
    assert_failed(put_if_absent(&script, &exists), &exists, BS_ERROR_EXISTS, "it exists");
    g_assert_true(put_if_absent(&script, NULL));
    assert_failed(put_if_absent(&script, &conflict), &conflict, BS_ERROR_TRANSIENT, "Conflict");
    // an answer that was lost is not asked for by itself
    assert_failed(put_if_absent(&script, &cut), &cut, BS_ERROR_TRANSIENT, "config");
    assert_asked(&script, 0, "Range: bytes=0-0\r\n");
    for (guint i = 1; i < G_N_ELEMENTS(answers); i++)
        assert_asked(&script, i, "If-None-Match: *\r\n");
    script_end(&script);
}

static void a_server_without_conditions_is_asked_first(void)
{
    static const Answer lacks[] = {
        { "501 No", "", ERROR("NotImplemented") },
        { "400 No", "",
          ERROR_MORE("InvalidArgument", "<Message>Unsupported header If-None-Match</Message>") },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lacks); i++) {
        const Answer answers[] = {
            { "404 No", "", ERROR("NoSuchKey") },
            lacks[i],
            { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" },
            { "404 No", "", ERROR("NoSuchKey") },
            { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "" },
            { "206 OK", "Content-Range: bytes 0-0/4\r\n", "t" },
            { "416 No", "", ERROR("InvalidRange") }, // an empty object is one
            { "403 No", "", ERROR("AccessDenied") },
            { "403 No", "", ERROR("AccessDenied") },
        };
        g_autoptr(GError) exists = NULL, empty = NULL, denied = NULL;
        Script script;

        script_begin(&script, answers, G_N_ELEMENTS(answers), NULL);
        g_assert_true(put_if_absent(&script, NULL));
        g_assert_true(put_if_absent(&script, NULL));
        assert_failed(put_if_absent(&script, &exists), &exists, BS_ERROR_EXISTS, "it exists");
        assert_failed(put_if_absent(&script, &empty), &empty, BS_ERROR_EXISTS, "it exists");
        assert_failed(put_if_absent(&script, &denied), &denied, BS_ERROR_DENIED, "AccessDenied");
        assert_asked(&script, 1, "If-None-Match: *\r\n");
        assert_not_asked(&script, 2, "If-None-Match");
        assert_not_asked(&script, 4, "If-None-Match");
        script_end(&script);
    }
}

/* ---- reading ---- */

/* Asked for bytes 2 to 5. */
static void a_range_is_what_was_asked_for(void)
{
    static const struct {
        const char *label;
        Answer answer;
        int code; /* -1: it is a success */
    } cases[] = {
        { "it", { "206 OK", "Content-Range: bytes 2-5/10\r\n", "2345" }, -1 },
        { "total unknown", { "206 OK", "Content-Range: bytes 2-5/*\r\n", "2345" }, -1 },
        { "cut by the end",
          { "206 OK", "Content-Range: bytes 2-4/5\r\n", "234" },
          BS_ERROR_CORRUPT },
        { "cut by the server",
          { "206 OK", "Content-Range: bytes 2-4/10\r\n", "234" },
          BS_ERROR_TRANSIENT },
        { "shorter than it says",
          { "206 OK", "Content-Range: bytes 2-5/10\r\n", "234" },
          BS_ERROR_TRANSIENT },
        { "longer than it says",
          { "206 OK", "Content-Range: bytes 2-5/10\r\n", "23456" },
          BS_ERROR_TRANSIENT },
        { "another", { "206 OK", "Content-Range: bytes 3-6/10\r\n", "3456" }, BS_ERROR_TRANSIENT },
        { "which it does not say", { "206 OK", "", "2345" }, BS_ERROR_TRANSIENT },
        { "nonsense", { "206 OK", "Content-Range: bytes two\r\n", "2345" }, BS_ERROR_TRANSIENT },
        { "all", { "200 OK", "", "0123456789" }, BS_ERROR_UNSUPPORTED },
        { "all, of that length", { "200 OK", "", "0123" }, BS_ERROR_UNSUPPORTED },
        { "beyond",
          { "416 No", "Content-Range: bytes */1\r\n", ERROR("InvalidRange") },
          BS_ERROR_CORRUPT },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Script script;
        char buf[4];
        bool ok;

        g_test_message("%s", cases[i].label);
        script_begin(&script, &cases[i].answer, 1, NULL);
        ok = store_get(script.store, "data/a", 2, buf, 4, &error);
        if (cases[i].code < 0)
            g_assert_no_error(error);
        else
            assert_failed(ok, &error, cases[i].code, "s3: get data/a: ");
        if (ok)
            g_assert_cmpmem(buf, 4, "2345", 4);
        assert_asked(&script, 0, "Range: bytes=2-5\r\n");
        script_end(&script);
    }
}

/* What does not fit its name or its ETag is read again, once. */
static void changed_bytes_are_read_again(void)
{
#define NAMED "data/98/982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"
    static const struct {
        const char *label, *key;
        Answer answers[2];
        size_t n;
        const char *want;
    } cases[] = {
        { "fits its name", NAMED, { { "200 OK", "", "text" } }, 1, "text" },
        { "changed on the way",
          NAMED,
          { { "200 OK", "", "texT" }, { "200 OK", "", "text" } },
          2,
          "text" },
        { "changed in the store",
          NAMED,
          { { "200 OK", "", "texT" }, { "200 OK", "", "texT" } },
          2,
          "texT" },
        { "fits its ETag",
          "config",
          { { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "text" } },
          1,
          "text" },
        { "cut on the way",
          "config",
          { { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "tex" },
            { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "text" } },
          2,
          "text" },
        { "changed in the store",
          "config",
          { { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "tex" },
            { "200 OK", "ETag: \"" MD5_TEXT "\"\r\n", "tex" } },
          2,
          "tex" },
        { "the ETag of a stream",
          "wal/a",
          { { "200 OK", "ETag: \"" MD5_TEXT "-2\"\r\n", "x" } },
          1,
          "x" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GBytes) data = NULL;
        g_autoptr(GError) error = NULL;
        Script script;

        g_test_message("%s: %s", cases[i].key, cases[i].label);
        script_begin(&script, cases[i].answers, cases[i].n, NULL);
        store_get_whole(script.store, cases[i].key, 100, &data, &error);
        g_assert_no_error(error);
        g_assert_cmpmem(g_bytes_get_data(data, NULL), g_bytes_get_size(data), cases[i].want,
                        strlen(cases[i].want));
        script_end(&script);
    }
}

#define LISTED(contents)                                                                           \
    {                                                                                              \
        "200 OK", "",                                                                              \
            "<ListBucketResult><IsTruncated>false</IsTruncated>" contents "</ListBucketResult>"    \
    }
#define OBJECT(key)                                                                                \
    "<Contents><Key>pre/" key "</Key><Size>4</Size><LastModified>2024-01-01T00:00:00Z"             \
    "</LastModified></Contents>"

/* To whoever may not list all of a bucket a server says "denied" of what is absent. */
static void what_is_absent_is_not_denied(void)
{
    static const Answer answers[] = {
        { "403 No", "", ERROR("AccessDenied") }, LISTED(""),
        { "403 No", "", ERROR("AccessDenied") }, LISTED(OBJECT("locks/ab")),
        { "403 No", "", ERROR("AccessDenied") }, LISTED(OBJECT("locks/a")),
    };
    g_autoptr(GError) absent = NULL, too = NULL, denied = NULL;
    GBytes *data;
    Script script;
    char buf[1];

    script_begin(&script, answers, G_N_ELEMENTS(answers), NULL);
    assert_failed(store_get_whole(script.store, "locks/a", 10, &data, &absent), &absent,
                  BS_ERROR_NOT_FOUND, "no such object");
    assert_failed(store_get(script.store, "locks/a", 0, buf, 1, &too), &too, BS_ERROR_NOT_FOUND,
                  "no such object");
    assert_failed(store_get(script.store, "locks/a", 0, buf, 1, &denied), &denied, BS_ERROR_DENIED,
                  "AccessDenied");
    assert_asked(&script, 1, "prefix=pre%2Flocks%2Fa");
    script_end(&script);
}

static void heads_that_say_nothing_are_asked_about(void)
{
    static const Answer answers[] = {
        { "403 No", "", NULL },
        { "403 No", "", ERROR("SignatureDoesNotMatch") },
        { "403 No", "", ERROR("SignatureDoesNotMatch") },
        { "404 No", "", NULL },
        { "404 No", "", ERROR("NoSuchBucket") },
        { "200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", NULL },
        { "200 OK", "", "text" },
        { "503 Oh", "Retry-After: 3\r\n", NULL },
    };
    g_autoptr(GError) denied = NULL, no_bucket = NULL, busy = NULL;
    Script script;
    uint64_t size;

    script_begin(&script, answers, G_N_ELEMENTS(answers), NULL);
    assert_failed(store_stat(script.store, "data/a", &size, &denied), &denied, BS_ERROR_DENIED,
                  "the secret key");
    assert_failed(store_stat(script.store, "data/a", &size, &no_bucket), &no_bucket,
                  BS_ERROR_NO_REPO, "no such bucket");
    g_assert_true(store_stat(script.store, "data/a", &size, NULL));
    g_assert_cmpuint(size, ==, 4);
    assert_failed(store_stat(script.store, "data/a", &size, &busy), &busy, BS_ERROR_TRANSIENT,
                  "HTTP 503");
    g_assert_cmpint(bs_error_wait_ms(busy), ==, 3000);
    script_end(&script);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define TEST(fact, run) g_test_add_func("/s3/faults/" fact, run)
    TEST("refusals say what can be done", refusals_say_what_can_be_done);
    TEST("a region is learned once", a_region_is_learned_once);
    TEST("being sent round in circles ends", being_sent_round_in_circles_ends);
    TEST("a foreign host gets nothing", a_foreign_host_gets_nothing);
    TEST("a redirect to the same host is followed", a_redirect_to_the_same_host_is_followed);
    TEST("keys are renewed once", keys_are_renewed_once);
    TEST("a put is proved", a_put_is_proved);
    TEST("what is absent is not denied", what_is_absent_is_not_denied);
    TEST("opaque ETags are learned", opaque_etags_are_learned);
    TEST("objects are made as told", objects_are_made_as_told);
    TEST("a server that heeds conditions is trusted", a_server_that_heeds_conditions_is_trusted);
    TEST("a server without conditions is asked first", a_server_without_conditions_is_asked_first);
    TEST("a range is what was asked for", a_range_is_what_was_asked_for);
    TEST("changed bytes are read again", changed_bytes_are_read_again);
    TEST("heads that say nothing are asked about", heads_that_say_nothing_are_asked_about);
    return g_test_run();
}
