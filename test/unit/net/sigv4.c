/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vectors are AWS's own: the test suite of Signature Version 4, and the examples of the Amazon
 * S3 API Reference, "Signature Calculations for the Authorization Header". Those marked "computed"
 * were made with Python's hmac module from the published rules.
 */
#include "net/sigv4.h"

#include <string.h>

#define EMPTY      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define STS_TOKEN                                                                                  \
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSP" \
    "fIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT" \
    "7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlz" \
    "m8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

typedef struct {
    const char *label;
    const char *method, *path, *query;
    HttpHeader extra[4];
    const char *payload; /* NULL: of nothing */
    const char *token;
    const char *names, *signature;
} Vector;

static const Vector suite[] = {
    { "get-vanilla", .names = "host;x-amz-date",
      .signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
    { "get-vanilla-empty-query-key", .query = "Param1=value1", .names = "host;x-amz-date",
      .signature = "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb" },
    { "get-vanilla-query-order-key-case", .query = "Param2=value2&Param1=value1",
      .names = "host;x-amz-date",
      .signature = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
    { "get-vanilla-query-order-encoded", .query = "Param-3=Value3&Param=Value2&%E1%88%B4=Value1",
      .names = "host;x-amz-date",
      .signature = "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac" },
    { "get-vanilla-query-unreserved", .query = UNRESERVED "=" UNRESERVED,
      .names = "host;x-amz-date",
      .signature = "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
    { "get-vanilla-utf8-query", .query = "%E1%88%B4=bar", .names = "host;x-amz-date",
      .signature = "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04" },
    { "get-utf8", .path = "/\u1234", .names = "host;x-amz-date",
      .signature = "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
    { "get-unreserved", .path = "/" UNRESERVED, .names = "host;x-amz-date",
      .signature = "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
    { "get-space-unnormalized", .path = "/example space/", .names = "host;x-amz-date",
      .signature = "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741" },
    { "get-slashes-unnormalized", .path = "//example//", .names = "host;x-amz-date",
      .signature = "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5" },
    { "get-header-value-trim",
      .extra = { { "My-Header1", " value1" }, { "My-Header2", " \"a   b   c\"" } },
      .names = "host;my-header1;my-header2;x-amz-date",
      .signature = "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
    { "get-header-value-order",
      .extra = { { "My-Header1", "value4" },
                 { "My-Header1", "value1" },
                 { "My-Header1", "value3" },
                 { "My-Header1", "value2" } },
      .names = "host;my-header1;x-amz-date",
      .signature = "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01" },
    { "get-vanilla-with-session-token",
      .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
      .names = "host;x-amz-date;x-amz-security-token",
      .signature = "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8" },
    { "post-sts-header-before", "POST", .token = STS_TOKEN,
      .names = "host;x-amz-date;x-amz-security-token",
      .signature = "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead" },
    { "post-header-key-sort", "POST", .extra = { { "My-Header1", "value1" } },
      .names = "host;my-header1;x-amz-date",
      .signature = "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c" },
    { "post-header-value-case", "POST", .extra = { { "My-Header1", "VALUE1" } },
      .names = "host;my-header1;x-amz-date",
      .signature = "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d" },
    { "post-x-www-form-urlencoded", "POST",
      .extra = { { "Content-Type", "application/x-www-form-urlencoded" },
                 { "Content-Length", "13" },
                 { "X-Amz-Content-Sha256",
                   "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e" } },
      .payload = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
      .names = "content-length;content-type;host;x-amz-content-sha256;x-amz-date",
      .signature = "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b" },
};

static const Vector s3[] = {
    { "GET Object", .path = "/test.txt", .extra = { { "Range", "bytes=0-9" } },
      .names = "host;range;x-amz-content-sha256;x-amz-date",
      .signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
    { "PUT Object", "PUT", "/test%24file.text",
      .extra = { { "x-amz-storage-class", "REDUCED_REDUNDANCY" },
                 { "Date", "Fri, 24 May 2013 00:00:00 GMT" } },
      .payload = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      .names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      .signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
    { "GET Bucket Lifecycle", .query = "lifecycle", .names = "host;x-amz-content-sha256;x-amz-date",
      .signature = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
    { "Get Bucket (List Objects)", .query = "prefix=J&max-keys=2",
      .names = "host;x-amz-content-sha256;x-amz-date",
      .signature = "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
    { "computed: an escaped path stays as it is", .path = "/a%20b%2Bc/~d%3De",
      .names = "host;x-amz-content-sha256;x-amz-date",
      .signature = "cc898c8b76cea826bcf091c5d1c0902309daeb420a71399e6ba95d5b44bb5d59" },
    { "computed: an unsigned payload", "PUT", "/test.txt", .payload = "UNSIGNED-PAYLOAD",
      .names = "host;x-amz-content-sha256;x-amz-date",
      .signature = "e5cba710bd56728f6e6842f3f79fa900e5f47e04debe3dd607877436ccd9b25a" },
    { "computed: one parameter several times", .query = "b=2&a=2&b=1&a&c=%2F",
      .names = "host;x-amz-content-sha256;x-amz-date",
      .signature = "4615a143c0d9266d57bb6ac23e743a941a20ae63d3b55a58207e72e464d5b833" },
};

static size_t extra_count(const Vector *vector)
{
    size_t n = 0;

    while (n < G_N_ELEMENTS(vector->extra) && vector->extra[n].name)
        n++;
    return n;
}

/* The request holds what all of a family share. */
static void check(const Vector *vector, SigV4Request request, AwsKeys keys, const char *day)
{
    g_auto(SigV4Signature) signature = { 0 };
    g_autofree char *want =
        g_strdup_printf("AWS4-HMAC-SHA256 Credential=%s/%s/us-east-1/%s/aws4_request, "
                        "SignedHeaders=%s, Signature=%s",
                        keys.access_key, day, request.service, vector->names, vector->signature);

    g_test_message("%s", vector->label);
    request.method = vector->method ? vector->method : "GET";
    request.path = vector->path ? vector->path : "/";
    request.query = vector->query;
    request.extra = vector->extra;
    request.n_extra = extra_count(vector);
    request.payload = vector->payload ? vector->payload : EMPTY;
    request.region = "us-east-1";
    keys.session_token = vector->token;
    sigv4_sign(&request, &keys, &signature);
    g_assert_cmpstr(signature.authorization, ==, want);
    g_assert_true(g_str_has_prefix(signature.date, day));
}

static void the_suite_of_aws_is_signed_alike(void)
{
    const SigV4Request request = { .host = "example.amazonaws.com",
                                   .service = "service",
                                   .escape_path_again = true,
                                   .now = 1440938160 }; // 2015-08-30T12:36:00Z
    const AwsKeys keys = { .access_key = "AKIDEXAMPLE",
                           .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };

    for (size_t i = 0; i < G_N_ELEMENTS(suite); i++)
        check(&suite[i], request, keys, "20150830");
}

static void the_examples_of_s3_are_signed_alike(void)
{
    const SigV4Request request = { .host = "examplebucket.s3.amazonaws.com",
                                   .service = "s3",
                                   .now = 1369353600 }; // 2013-05-24T00:00:00Z
    const AwsKeys keys = { .access_key = "AKIAIOSFODNN7EXAMPLE",
                           .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };

    for (size_t i = 0; i < G_N_ELEMENTS(s3); i++)
        check(&s3[i], request, keys, "20130524");
}

static void other_services_escape_the_path_twice(void)
{
    SigV4Request raw = { .method = "GET",
                         .host = "h",
                         .path = "/a%20b",
                         .payload = EMPTY,
                         .region = "r",
                         .service = "sts",
                         .escape_path_again = true },
                 twice = raw;
    const AwsKeys keys = { .access_key = "a", .secret_key = "s" };
    g_auto(SigV4Signature) one = { 0 };
    g_auto(SigV4Signature) two = { 0 };

    twice.path = "/a%2520b";
    twice.escape_path_again = false;
    sigv4_sign(&raw, &keys, &one);
    sigv4_sign(&twice, &keys, &two);
    g_assert_cmpstr(one.authorization, ==, two.authorization);
}

static void every_part_of_a_request_is_signed(void)
{
    static const HttpHeader header = { "x-amz-storage-class", "STANDARD" };
    const SigV4Request base = { .method = "GET",
                                .host = "h",
                                .path = "/p",
                                .query = "q=1",
                                .payload = EMPTY,
                                .region = "r",
                                .service = "s3",
                                .now = 1 };
    const AwsKeys keys = { .access_key = "a", .secret_key = "s" };
    const AwsKeys other_keys = { .access_key = "a", .secret_key = "t" };
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    SigV4Request changed[10];

    for (size_t i = 0; i < G_N_ELEMENTS(changed); i++)
        changed[i] = base;
    changed[1].method = "PUT";
    changed[2].host = "h:8080";
    changed[3].path = "/p/";
    changed[4].query = "q=2";
    changed[5].payload = "UNSIGNED-PAYLOAD";
    changed[6].region = "r2";
    changed[7].now = 86401;
    changed[8].extra = &header;
    changed[8].n_extra = 1;
    for (size_t i = 0; i < G_N_ELEMENTS(changed); i++) {
        g_auto(SigV4Signature) signature = { 0 };

        // the last one differs by its key
        sigv4_sign(&changed[i], i == 9 ? &other_keys : &keys, &signature);
        g_assert_true(g_hash_table_add(
            seen, g_strdup(strstr(signature.authorization, "Signature=") + strlen("Signature="))));
    }
}

static void dates_are_utc_with_four_digit_years(void)
{
    static const struct {
        int64_t now;
        const char *want;
    } cases[] = {
        { 0, "19700101T000000Z" },          { 951827696, "20000229T123456Z" },
        { 1792900800, "20261025T040000Z" }, { INT64_C(253402300799), "99991231T235959Z" },
        { INT64_MAX, "99991231T235959Z" },  { -1, "19700101T000000Z" },
    };
    const AwsKeys keys = { .access_key = "a", .secret_key = "s" };

    g_assert_true(g_setenv("TZ", "Europe/Berlin", TRUE));
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        SigV4Request request = { .method = "GET",
                                 .host = "h",
                                 .path = "/",
                                 .payload = EMPTY,
                                 .region = "r",
                                 .service = "s3",
                                 .now = cases[i].now };
        g_auto(SigV4Signature) signature = { 0 };

        sigv4_sign(&request, &keys, &signature);
        g_assert_cmpstr(signature.date, ==, cases[i].want);
    }
}

static void escaping_keeps_only_unreserved_bytes(void)
{
    static const struct {
        const char *label, *bytes;
        bool keep_slash;
        const char *want;
    } cases[] = {
        { "nothing", "", false, "" },
        { "unreserved bytes", UNRESERVED, false, UNRESERVED },
        { "a blank is no plus", " ", false, "%20" },
        { "a plus", "+", false, "%2B" },
        { "a slash", "a/b", false, "a%2Fb" },
        { "a slash of a path", "a/b", true, "a/b" },
        { "an equals sign and an ampersand", "a=b&c", true, "a%3Db%26c" },
        { "what JavaScript leaves alone", "!*'()", true, "%21%2A%27%28%29" },
        { "a percent sign is escaped, too", "%20", true, "%2520" },
        { "capital digits", "\xc3\xbc\xff", true, "%C3%BC%FF" },
        { "three and four bytes", "\u20ac\U0001f600", true, "%E2%82%AC%F0%9F%98%80" },
        { "controls", "\x01\n\x7f", true, "%01%0A%7F" },
        { "the rest", ":?#[]@$,;\"<>\\^`{|}", true,
          "%3A%3F%23%5B%5D%40%24%2C%3B%22%3C%3E%5C%5E%60%7B%7C%7D" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GString) text = g_string_new("before:");

        g_test_message("%s", cases[i].label);
        sigv4_escape(text, cases[i].bytes, cases[i].keep_slash);
        g_assert_true(g_str_has_prefix(text->str, "before:"));
        g_assert_cmpstr(text->str + strlen("before:"), ==, cases[i].want);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sigv4/suite", the_suite_of_aws_is_signed_alike);
    g_test_add_func("/sigv4/s3", the_examples_of_s3_are_signed_alike);
    g_test_add_func("/sigv4/path-twice", other_services_escape_the_path_twice);
    g_test_add_func("/sigv4/every-part", every_part_of_a_request_is_signed);
    g_test_add_func("/sigv4/date", dates_are_utc_with_four_digit_years);
    g_test_add_func("/sigv4/escape", escaping_keeps_only_unreserved_bytes);
    return g_test_run();
}
