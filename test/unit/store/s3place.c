/* SPDX-License-Identifier: Apache-2.0 */
/* Locations of buckets, and being sent elsewhere. */
#include "base/error.h"
#include "store/s3call.h"

#include <string.h>

static void locations_are_read_as_restic_spells_them(void)
{
    static const struct {
        const char *location, *endpoint; /* as set in the environment */
        const char *want[3];             /* endpoint, bucket, prefix */
    } cases[] = {
        { "s3:https://host/bucket/prefix", NULL, { "https://host", "bucket", "prefix" } },
        { "s3:http://Host:9000/bucket", NULL, { "http://host:9000", "bucket", "" } },
        { "s3:https://host/bucket/", NULL, { "https://host", "bucket", "" } },
        { "s3:https://host/bucket//a//b/", NULL, { "https://host", "bucket", "a/b" } },
        { "s3:https://host:443/bucket", NULL, { "https://host", "bucket", "" } },
        { "s3:http://host:80/bucket", NULL, { "http://host", "bucket", "" } },
        { "s3:http://host:443/bucket", NULL, { "http://host:443", "bucket", "" } },
        { "s3:https://[::1]:9000/bucket/x", NULL, { "https://[::1]:9000", "bucket", "x" } },
        { "s3:s3.amazonaws.com/bucket/x", NULL, { "https://s3.amazonaws.com", "bucket", "x" } },
        { "s3://s3.amazonaws.com/bucket", NULL, { "https://s3.amazonaws.com", "bucket", "" } },
        { "s3:localhost:9000/bucket", NULL, { "https://localhost:9000", "bucket", "" } },
        { "s3:bucket/prefix", "http://minio:9000", { "http://minio:9000", "bucket", "prefix" } },
        { "s3:bucket", "minio:9000/", { "https://minio:9000", "bucket", "" } },
        { "s3:host.org/bucket", "http://minio:9000", { "https://host.org", "bucket", "" } },
        { "s3:https://host/b.u-c_K3t/a b/\xc3\xa4+%41",
          NULL,
          { "https://host", "b.u-c_K3t", "a b/\xc3\xa4+%41" } },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(S3Place) place = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i].location);
        s3_place_parse(cases[i].location, cases[i].endpoint, &place, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(place.endpoint, ==, cases[i].want[0]);
        g_assert_cmpstr(place.bucket, ==, cases[i].want[1]);
        g_assert_cmpstr(place.prefix, ==, cases[i].want[2]);
    }
}

static void other_locations_are_refused(void)
{
    static const char *const cases[][2] = {
        { "s3:", NULL },
        { "/dir", NULL },
        { "s3:https://host", NULL },
        { "s3:https://host/", NULL },
        { "s3:https:///bucket", NULL },
        { "s3:bucket/prefix", NULL },
        { "s3:bucket/prefix", "http://minio/path" },
        { "s3:bucket/prefix", "minio:port" },
        { "s3:ftp://host/bucket", NULL },
        { "s3:https://key:secret@host/bucket", NULL },
        { "s3:https://host/bu cket", NULL },
        { "s3:https://host/b", NULL },
        { "s3:https://host/..x", NULL },
        { "s3:https://host/bucket/a/../b", NULL },
        { "s3:https://host/bucket/./b", NULL },
        { "s3:https://host/bucket/a\nb", NULL },
        { "s3:https://host/bucket/\xff", NULL },
        { "s3:https://host/bucket?x", NULL },
        { "s3:https://host/bucket#x", NULL },
        { "s3:https://ho st/bucket", NULL },
        { "s3:https://host:/bucket", NULL },
        { "s3:https://host:9x/bucket", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(S3Place) place = { 0 };
        g_autoptr(GError) error = NULL;

        g_test_message("%s", cases[i][0]);
        g_assert_false(s3_place_parse(cases[i][0], cases[i][1], &place, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_USAGE);
        g_assert_null(strstr(error->message, "secret"));
        g_assert_null(place.bucket);
    }
}

static void endpoints_tell_their_region(void)
{
    static const char *const cases[][2] = {
        { "https://s3.amazonaws.com", NULL },
        { "https://s3.eu-west-1.amazonaws.com", "eu-west-1" },
        { "https://s3-eu-west-1.amazonaws.com", "eu-west-1" },
        { "https://s3-external-1.amazonaws.com", NULL },
        { "https://s3.dualstack.eu-west-1.amazonaws.com", "eu-west-1" },
        { "https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1" },
        { "https://s3.us-west-004.backblazeb2.com", "us-west-004" },
        { "https://s3.fr-par.scw.cloud", "fr-par" },
        { "https://s3.backup.example.org", NULL },
        { "https://s3-backup.example.org", NULL },
        { "http://127.0.0.1:9000", NULL },
        { "https://s3", NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *region = s3_region_of_endpoint(cases[i][0]);

        g_test_message("%s", cases[i][0]);
        g_assert_cmpstr(region, ==, cases[i][1]);
    }
}

static void amazon_has_virtual_hosts(void)
{
    static const struct {
        const char *endpoint, *bucket;
        S3Style style;
        bool want;
    } cases[] = {
        { "https://s3.amazonaws.com", "bucket", S3_STYLE_AUTO, true },
        { "https://s3.eu-west-1.amazonaws.com", "bucket-1", S3_STYLE_AUTO, true },
        { "https://s3.eu-west-1.amazonaws.com", "bucket.1", S3_STYLE_AUTO, false },
        { "https://s3.eu-west-1.amazonaws.com", "Bucket", S3_STYLE_AUTO, false },
        { "https://s3.eu-west-1.amazonaws.com", "bucket", S3_STYLE_PATH, false },
        { "https://s3.amazonaws.com.example.org", "bucket", S3_STYLE_AUTO, false },
        { "https://minio.example.org", "bucket", S3_STYLE_AUTO, false },
        { "https://minio.example.org", "bucket", S3_STYLE_VIRTUAL, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        S3Store s3 = { .style = cases[i].style, .place.bucket = (char *)cases[i].bucket };

        g_test_message("%s %s", cases[i].endpoint, cases[i].bucket);
        g_assert_cmpint(s3_is_virtual(&s3, cases[i].endpoint), ==, cases[i].want);
    }
}

static void follows_only_to_the_same_bucket_of_the_same_owner(void)
{
    static const struct {
        const char *label, *endpoint;
        unsigned status;
        const char *region, *named, *location; /* named: in the XML */
        const char *want, *want_region;        /* NULL: refused; "": nowhere */
    } cases[] = {
        { "a region", "https://host", 400, "eu-1", NULL, NULL, "https://host", "eu-1" },
        { "the same region", "https://host", 400, "here-1", NULL, NULL, "", NULL },
        { "no region", "https://host", 403, NULL, NULL, NULL, "", NULL },
        { "no name of a region", "https://host", 400, "e u/1", NULL, NULL, "", NULL },
        { "not when it is not there", "https://host", 404, "eu-1", NULL, NULL, "", NULL },
        { "Amazon", "https://s3.amazonaws.com", 301, "eu-1", "s3-eu-1.amazonaws.com", NULL,
          "https://s3.eu-1.amazonaws.com", "eu-1" },
        { "Amazon in China", "https://s3.cn-1.amazonaws.com.cn", 301, "cn-2", NULL, NULL,
          "https://s3.cn-2.amazonaws.com.cn", "cn-2" },
        { "Amazon, both families", "https://s3.dualstack.eu-1.amazonaws.com", 301, "eu-2", NULL,
          NULL, "https://s3.dualstack.eu-2.amazonaws.com", "eu-2" },
        { "an endpoint", "https://a.host.org", 301, NULL, "b.host.org", NULL, "https://b.host.org",
          "here-1" },
        { "an endpoint with our bucket", "https://a.host.org", 301, NULL, "bucket.b.host.org", NULL,
          "https://b.host.org", "here-1" },
        { "a location", "https://a.host.org", 307, NULL, NULL, "https://b.host.org/bucket/key",
          "https://b.host.org", "here-1" },
        { "a virtual location", "https://a.host.org", 307, NULL, NULL,
          "https://bucket.b.host.org:443/key", "https://b.host.org", "here-1" },
        { "another port", "http://127.0.0.1:1000", 307, NULL, NULL,
          "http://127.0.0.1:2000/bucket/key", "http://127.0.0.1:2000", "here-1" },
        { "to TLS", "http://a.host.org", 307, NULL, NULL, "https://b.host.org/bucket",
          "https://b.host.org", "here-1" },
        { "from TLS", "https://a.host.org", 307, NULL, NULL, "http://a.host.org/bucket", NULL,
          NULL },
        { "another owner", "https://a.host.org", 307, NULL, NULL, "https://a.evil.org/bucket/key",
          NULL, NULL },
        { "another address", "http://127.0.0.1", 307, NULL, NULL, "http://127.0.0.2/bucket", NULL,
          NULL },
        { "another bucket", "https://a.host.org", 307, NULL, NULL, "https://b.host.org/other/key",
          NULL, NULL },
        { "a longer bucket", "https://a.host.org", 307, NULL, NULL, "https://b.host.org/bucketx",
          NULL, NULL },
        { "a password", "https://a.host.org", 307, NULL, NULL, "https://x:y@b.host.org/bucket",
          NULL, NULL },
        { "another protocol", "http://a.host.org", 307, NULL, NULL, "ftp://a.host.org/bucket", NULL,
          NULL },
        { "nowhere", "https://a.host.org", 307, NULL, NULL, NULL, "", NULL },
        { "itself", "https://a.host.org", 301, "here-1", NULL, "https://a.host.org/bucket/key", "",
          NULL },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        S3Store s3 = { .place.bucket = (char *)"bucket" };
        S3Address used = { (char *)cases[i].endpoint, (char *)"here-1" };
        S3Refusal refusal = { .status = cases[i].status,
                              .region = (char *)cases[i].region,
                              .endpoint = (char *)cases[i].named };
        g_auto(S3Address) next = { 0 };
        g_autoptr(GError) error = NULL;
        bool follows = s3_address_follow(&s3, &used, &refusal, cases[i].location, &next, &error);

        g_test_message("%s", cases[i].label);
        if (cases[i].want && *cases[i].want) {
            g_assert_no_error(error);
            g_assert_true(follows);
            g_assert_cmpstr(next.endpoint, ==, cases[i].want);
            g_assert_cmpstr(next.region, ==, cases[i].want_region);
            continue;
        }
        g_assert_false(follows);
        g_assert_null(next.endpoint);
        if (cases[i].want)
            g_assert_no_error(error);
        else
            g_assert_error(error, BS_ERROR, BS_ERROR_DENIED);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/s3place/locations are read as restic spells them",
                    locations_are_read_as_restic_spells_them);
    g_test_add_func("/s3place/other locations are refused", other_locations_are_refused);
    g_test_add_func("/s3place/endpoints tell their region", endpoints_tell_their_region);
    g_test_add_func("/s3place/Amazon has virtual hosts", amazon_has_virtual_hosts);
    g_test_add_func("/s3place/follows only to the same bucket of the same owner",
                    follows_only_to_the_same_bucket_of_the_same_owner);
    return g_test_run();
}
