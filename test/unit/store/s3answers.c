/* SPDX-License-Identifier: Apache-2.0 */
/* Listings, batches and streams of the S3 store: answers that are documents, whole and not. */
#include "base/clock.h"
#include "base/error.h"
#include "lib/s3_script.h"

#include <string.h>

#define MD5_OTHER "00000000000000000000000000000000"

/* ---- listings ---- */

#define CONTENTS(key)                                                                              \
    "<Contents><Key>pre/data/" key "</Key><Size>1</Size>"                                          \
    "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
#define PAGE(more, contents)                                                                       \
    XML "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" more contents       \
        "</ListBucketResult>"
#define LAST "<IsTruncated>false</IsTruncated>"
#define MORE(token)                                                                                \
    "<IsTruncated>true</IsTruncated><NextContinuationToken>" token "</NextContinuationToken>"

static bool append_key(const StoreObject *object, void *user, G_GNUC_UNUSED GError **error)
{
    g_string_append_printf(user, "%s ", object->key);
    return true;
}

static void listings_are_complete_or_fail(void)
{
    static const struct {
        const char *label;
        const char *pages[3];
        const char *want; /* NULL: incomplete */
        const char *part;
    } cases[] = {
        { "one page", { PAGE(LAST, CONTENTS("a") CONTENTS("b")) }, "data/a data/b ", NULL },
        { "nothing", { PAGE(LAST, "") }, "", NULL },
        { "two pages",
          { PAGE(MORE("t/1+"), CONTENTS("a")), PAGE(LAST, CONTENTS("b")) },
          "data/a data/b ",
          NULL },
        { "an empty page between",
          { PAGE(MORE("1"), CONTENTS("a")), PAGE(MORE("2"), ""), PAGE(LAST, CONTENTS("b")) },
          "data/a data/b ",
          NULL },
        { "encoded",
          { PAGE(LAST "<EncodingType>url</EncodingType>", CONTENTS("a%2Db") CONTENTS("c+d")) },
          "data/a-b ",
          NULL },
        { "not encoded", { PAGE(LAST, CONTENTS("a%2Db")) }, "", NULL },
        { "the right count",
          { PAGE(LAST "<KeyCount>1</KeyCount>", CONTENTS("a")) },
          "data/a ",
          NULL },
        { "with names of the name space",
          { "<x:ListBucketResult "
            "xmlns:x='y'><x:IsTruncated>false</x:IsTruncated></x:ListBucketResult>" },
          "",
          NULL },

        { "more, but not where",
          { PAGE("<IsTruncated>true</IsTruncated>", CONTENTS("a")) },
          NULL,
          "where" },
        { "the same token again",
          { PAGE(MORE("1"), CONTENTS("a")), PAGE(MORE("1"), CONTENTS("b")) },
          NULL,
          "the same again" },
        { "the same page again",
          { PAGE(MORE("1"), CONTENTS("a")), PAGE(MORE("2"), CONTENTS("a")) },
          NULL,
          "comes after" },
        { "twice", { PAGE(LAST, CONTENTS("a") CONTENTS("a")) }, NULL, "comes after" },
        { "out of order", { PAGE(LAST, CONTENTS("b") CONTENTS("a")) }, NULL, "comes after" },
        { "elsewhere", { PAGE(LAST, CONTENTS("../b")) }, NULL, NULL },
        { "another prefix",
          { PAGE(LAST, "<Contents><Key>pre/index/a</Key><Size>1</Size>"
                       "<LastModified>2024-01-01T00:00:00Z</LastModified></Contents>") },
          NULL,
          "is not below pre/data/" },
        { "another count",
          { PAGE(LAST "<KeyCount>2</KeyCount>", CONTENTS("a")) },
          NULL,
          "2 keys holds 1" },
        { "not said whether there is more",
          { PAGE("", CONTENTS("a")) },
          NULL,
          "not a ListBucketResult" },
        { "no size",
          { PAGE(LAST, "<Contents><Key>pre/data/a</Key>"
                       "<LastModified>2024-01-01T00:00:00Z</LastModified></Contents>") },
          NULL,
          "lacks its key, size or time" },
        { "another document", { XML "<html><body/></html>" }, NULL, "not a ListBucketResult" },
        { "half a document", { XML "<ListBucketResult>" LAST CONTENTS("a") }, NULL, "not the XML" },
        { "no document", { "" }, NULL, "empty" },
        { "an error", { ERROR("InternalError") }, NULL, "InternalError" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) keys = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        Answer answers[3];
        Script script;
        size_t n = 0;
        bool ok;

        for (; n < 3 && cases[i].pages[n]; n++)
            answers[n] = (Answer){ "200 OK", "", cases[i].pages[n] };
        g_test_message("%s", cases[i].label);
        script_begin(&script, answers, n, NULL);
        ok = store_list(script.store, "data/", append_key, keys, &error);
        if (cases[i].want) {
            g_assert_no_error(error);
            g_assert_cmpstr(keys->str, ==, cases[i].want);
        } else if (cases[i].part) {
            assert_failed(ok, &error, BS_ERROR_TRANSIENT, cases[i].part);
            g_assert_true(g_str_has_prefix(error->message, "s3: list data/: "));
        } else {
            // a name that leads out is an object like others, but none of ours
            g_assert_no_error(error);
            g_assert_cmpstr(keys->str, ==, "");
        }
        assert_asked(&script, 0,
                     "GET /bucket?list-type=2&encoding-type=url&prefix=pre%2Fdata%2F HTTP");
        if (i == 2)
            assert_asked(&script, 1, "&continuation-token=t%2F1%2B HTTP");
        script_end(&script);
    }
}

/* ---- removing many ---- */

static void batches_do_what_they_say(void)
{
#define RESULT(text)       XML "<DeleteResult>" text "</DeleteResult>"
#define DELETED(key)       "<Deleted><Key>pre/" key "</Key></Deleted>"
#define REFUSED(key, code) "<Error><Key>pre/" key "</Key><Code>" code "</Code></Error>"
    static const struct {
        const char *label;
        Answer answers[4];
        size_t n;
        int code; /* -1: it is a success */
        const char *part;
    } cases[] = {
        { "all", { { "200 OK", "", RESULT(DELETED("a") DELETED("b")) } }, 1, -1, NULL },
        { "one was gone",
          { { "200 OK", "", RESULT(DELETED("a") REFUSED("b", "NoSuchKey")) } },
          1,
          -1,
          NULL },
        { "one is refused, for a moment",
          { { "200 OK", "", RESULT(REFUSED("a", "InternalError") DELETED("b")) },
            { "204 OK", NULL, "" } },
          2,
          -1,
          NULL },
        { "one is refused",
          { { "200 OK", "", RESULT(REFUSED("a", "AccessDenied") DELETED("b")) },
            { "403 No", "", ERROR("AccessDenied") } },
          2,
          BS_ERROR_DENIED,
          "s3: remove a: access denied" },
        { "nothing said",
          { { "200 OK", "", "" }, { "204 OK", NULL, "" }, { "204 OK", NULL, "" } },
          3,
          -1,
          NULL },
        { "half an answer",
          { { "200 OK", "", XML "<DeleteResult>" DELETED("b") }, { "204 OK", NULL, "" } },
          2,
          -1,
          NULL },
        { "both refused, and both tried",
          { { "403 No", "", ERROR("AccessDenied") },
            { "403 No", "", ERROR("AccessDenied") },
            { "403 No", "", ERROR("AccessDenied") } },
          3,
          BS_ERROR_DENIED,
          "s3: remove a: access denied" },
        { "the server is away",
          { { "503 Oh", "", ERROR("SlowDown") } },
          1,
          BS_ERROR_TRANSIENT,
          "SlowDown" },
        { "an error in a success",
          { { "200 OK", "", ERROR("InternalError") } },
          1,
          BS_ERROR_TRANSIENT,
          "InternalError" },
    };
    static const char *const keys[] = { "a", "b" };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        Script script;
        bool ok;

        g_test_message("%s", cases[i].label);
        script_begin(&script, cases[i].answers, cases[i].n, NULL);
        ok = store_remove_many(script.store, keys, 2, &error);
        if (cases[i].code < 0)
            g_assert_no_error(error);
        else
            assert_failed(ok, &error, cases[i].code, cases[i].part);
        assert_asked(&script, 0, "POST /bucket?delete= HTTP");
        assert_asked(&script, 0,
                     "<Object><Key>pre/a</Key></Object><Object><Key>pre/b</Key></Object>");
        assert_asked(&script, 0, "Content-MD5: ");
        script_end(&script);
    }
}

static void a_server_without_batches_is_asked_one_by_one(void)
{
    static const char *const keys[] = { "a", "b" };
    static const Answer answers[] = {
        { "501 No", "", ERROR("NotImplemented") }, { "204 OK", NULL, "" }, { "204 OK", NULL, "" },
        { "404 No", "", ERROR("NoSuchKey") },      { "204 OK", NULL, "" },
    };
    Script script;

    script_begin(&script, answers, G_N_ELEMENTS(answers), NULL);
    for (unsigned round = 0; round < 2; round++)
        g_assert_true(store_remove_many(script.store, keys, 2, NULL));
    assert_asked(&script, 4, "DELETE /bucket/pre/b HTTP");
    script_end(&script);
}

/* ---- streams ---- */

#define BEGUN                                                                                      \
    {                                                                                              \
        "200 OK", "",                                                                              \
            XML "<InitiateMultipartUploadResult><UploadId>id/1</UploadId>"                         \
                "</InitiateMultipartUploadResult>"                                                 \
    }
#define COMPLETE                                                                                   \
    {                                                                                              \
        "200 OK", "", XML "<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>" \
    }
/* 16 MiB of zeros, as one part, and as the whole of one part */
#define PART                                                                                       \
    {                                                                                              \
        "200 OK", "ETag: \"2c7ab85a893283e98c931e9511add182\"\r\n", ""                             \
    }
#define LENGTH                                                                                     \
    {                                                                                              \
        "200 OK", "Content-Length: 16777216\r\n", NULL                                             \
    }
#define OURS                                                                                       \
    {                                                                                              \
        "200 OK", "Content-Length: 16777216\r\nETag: \"3692065fc617ab1acea6dc7e886dc48a-1\"\r\n",  \
            NULL                                                                                   \
    }

static bool read_zeros(void *user, void *buf, size_t size, size_t *ret_len,
                       G_GNUC_UNUSED GError **error)
{
    size_t *left = user;

    *ret_len = MIN(size, *left);
    *left -= *ret_len;
    memset(buf, 0, *ret_len);
    return true;
}

static void streams_end_whole_or_not_at_all(void)
{
    static const struct {
        const char *label;
        Answer answers[8];
        size_t n;
        int code; /* -1: it is a success */
        const char *part;
    } cases[] = {
        { "well", { BEGUN, PART, COMPLETE, LENGTH }, 4, -1, NULL },
        { "each failed once",
          { { "503 Oh", "", "" },
            BEGUN,
            { "500 Oh", "", "" },
            PART,
            { "200 OK", "", ERROR("InternalError") },
            COMPLETE,
            LENGTH },
          7,
          -1,
          NULL },
        { "completed, but nobody said so",
          { BEGUN, PART, { NULL, NULL, NULL }, { "404 No", "", ERROR("NoSuchUpload") }, OURS },
          5,
          -1,
          NULL },
        { "completed, half said",
          { BEGUN, PART, { "200 OK", "", XML "<Comp" }, OURS },
          4,
          -1,
          NULL },
        { "given up by somebody",
          { BEGUN,
            PART,
            { "404 No", "", ERROR("NoSuchUpload") },
            LENGTH,
            { "404 No", "", ERROR("NoSuchUpload") } },
          5,
          BS_ERROR_NOT_FOUND,
          "NoSuchUpload" },
        { "a part is refused",
          { BEGUN, { "403 No", "", ERROR("AccessDenied") }, { "204 OK", NULL, "" } },
          3,
          BS_ERROR_DENIED,
          "s3: put wal/x: access denied" },
        { "refused, and not given up",
          { BEGUN,
            { "403 No", "", ERROR("AccessDenied") },
            { "403 No", "", ERROR("AccessDenied") } },
          3,
          BS_ERROR_DENIED,
          "s3: put wal/x: access denied" },
        { "a part arrived changed",
          { BEGUN, { "200 OK", "ETag: \"" MD5_OTHER "\"\r\n", "" }, PART, COMPLETE, LENGTH },
          5,
          -1,
          NULL },
        { "cut in the end",
          { BEGUN,
            PART,
            COMPLETE,
            { "200 OK", "Content-Length: 16777215\r\n", NULL },
            COMPLETE,
            LENGTH },
          6,
          -1,
          NULL },
        { "no id", { { "200 OK", "", "" }, BEGUN, PART, COMPLETE, LENGTH }, 5, -1, NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        size_t left = 16u << 20;
        g_autoptr(GError) error = NULL;
        Script script;
        bool ok;

        g_test_message("%s", cases[i].label);
        script_begin(&script, cases[i].answers, cases[i].n, NULL);
        ok = store_put_stream(script.store, "wal/x", read_zeros, &left, &error);
        if (cases[i].code < 0)
            g_assert_no_error(error);
        else
            assert_failed(ok, &error, cases[i].code, cases[i].part);
        script_end(&script);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    clock_set(clock_now()); // so that nobody sleeps between tries
#define TEST(fact, run) g_test_add_func("/s3/answers/" fact, run)
    TEST("listings are complete or fail", listings_are_complete_or_fail);
    TEST("batches do what they say", batches_do_what_they_say);
    TEST("a server without batches is asked one by one",
         a_server_without_batches_is_asked_one_by_one);
    TEST("streams end whole or not at all", streams_end_whole_or_not_at_all);
    return g_test_run();
}
