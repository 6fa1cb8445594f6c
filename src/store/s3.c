/* SPDX-License-Identifier: Apache-2.0 */
#include "store/s3.h"

#include "base/error.h"
#include "store/s3ops.h"

#include <string.h>

#define CONNECTIONS     8
#define STANDARD_REGION "us-east-1"

static void s3_free(Store *store)
{
    S3Store *s3 = (S3Store *)store;

    s3_place_clear(&s3->place);
    s3_address_clear(&s3->address);
    pthread_mutex_destroy(&s3->mutex);
    g_free(s3->storage_class);
    g_free(s3->encryption);
    g_free(s3->encryption_key);
    g_free(s3->region);
    g_free(s3->base.location);
    g_free(s3);
}

static const StoreOps s3_ops = {
    .name = "s3",
    .put = s3_put,
    .get = s3_get,
    .get_whole = s3_get_whole,
    .list = s3_list,
    .stat = s3_stat,
    .remove = s3_remove,
    .remove_many = s3_remove_many,
    .put_stream = s3_put_stream,
    .list_unfinished = s3_list_unfinished,
    .remove_unfinished = s3_remove_unfinished,
    .guard = s3_guard,
    .versions = s3_versions,
    .get_version = s3_get_version,
    .protect = s3_protect,
    .purge_many = s3_purge_many,
    .free = s3_free,
};

static char *location_of(const S3Place *place)
{
    return g_strconcat("s3:", place->endpoint, "/", place->bucket, *place->prefix ? "/" : "",
                       place->prefix, NULL);
}

Store *s3_store_new(const S3Options *options)
{
    S3Store *s3 = g_new0(S3Store, 1);

    s3->base.ops = &s3_ops;
    s3->base.acks_may_lie = true;
    s3->base.location = location_of(options->place);
    s3->base.far = true;
    s3->base.connections = options->connections > 0 ? options->connections : CONNECTIONS;
    s3->place.endpoint = g_strdup(options->place->endpoint);
    s3->place.bucket = g_strdup(options->place->bucket);
    s3->place.prefix = g_strdup(options->place->prefix);
    s3->style = options->style;
    s3->credentials = options->credentials;
    s3->http = options->http;
    s3->storage_class = g_strdup(options->storage_class);
    s3->encryption = g_strdup(options->encryption);
    s3->encryption_key = g_strdup(options->encryption_key);
    s3->lock = options->lock;
    s3->lock_days = options->lock_days;
    s3->retry = options->retry;
    s3->cancel = options->cancel;
    s3->region =
        options->region ? g_strdup(options->region) : s3_region_of_endpoint(s3->place.endpoint);
    s3->address.endpoint = g_strdup(s3->place.endpoint);
    s3->address.region = g_strdup(s3->region ? s3->region : STANDARD_REGION);
    pthread_mutex_init(&s3->mutex, NULL);
    return &s3->base;
}

/* ---- the bucket ---- */

static bool put_bucket(S3Store *s3, const char *region, S3Refusal *ret_refusal, GError **error)
{
    g_auto(HttpReply) reply = { 0 };
    g_autofree char *xml =
        region ? g_markup_printf_escaped(
                     "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                     "<LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>",
                     region)
               : NULL;
    HttpHeader header = { "Content-Type", "application/xml" };
    S3Call call = { .verb = "create bucket",
                    .method = "PUT",
                    .subject = s3->place.bucket,
                    .headers = &header,
                    .n_headers = xml ? 1 : 0,
                    .body = xml,
                    .body_len = xml ? strlen(xml) : 0,
                    .ret_refusal = ret_refusal };

    return s3_call(s3, &call, &reply, error);
}

/* A list of at most one key says whether it is there, and if not, why. */
static bool has_bucket(S3Store *s3, GError **error)
{
    g_autofree char *prefix = s3_full_key(s3, "");
    g_autoptr(GString) query = g_string_new("list-type=2&max-keys=1");
    g_auto(HttpReply) reply = { 0 };
    S3Call call = { .verb = "list", .method = "GET", .subject = s3->place.bucket };

    s3_query_add(query, "prefix", prefix);
    call.query = query->str;
    return s3_call(s3, &call, &reply, error);
}

/* Amazon's first region has no name here. */
static const char *constraint_of(const S3Store *s3)
{
    return g_strcmp0(s3->region, STANDARD_REGION) == 0 ? NULL : s3->region;
}

bool s3_create_bucket(Store *store, GError **error)
{
    S3Store *s3 = (S3Store *)store;
    g_autoptr(GError) failure = NULL;
    g_auto(S3Refusal) refusal = { 0 };

    g_assert(store->ops == &s3_ops);
    if (has_bucket(s3, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NO_REPO)) {
        g_clear_error(&failure);
        if (put_bucket(s3, constraint_of(s3), &refusal, &failure) ||
            // two came at the same time
            s3_refusal_has_code(&refusal, "BucketAlreadyOwnedByYou"))
            return true;
        // a server whose only region has no name of that kind
        if (s3_refusal_has_code(&refusal, "InvalidLocationConstraint"))
            return put_bucket(s3, NULL, NULL, error);
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
