/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/s3_store.h"

void s3_test_store_open(const S3TestPlace *place, S3TestStore *ret_store)
{
    HttpOptions http = { .ca_file = place->ca, .stall_ms = place->stall_ms };
    AwsSources sources = { .access_key = place->access_key,
                           .secret_key = place->secret_key,
                           .session_token = place->session_token,
                           .shared_file = place->shared_file };
    S3Place where = { .endpoint = (char *)place->endpoint,
                      .bucket = (char *)place->bucket,
                      .prefix = place->prefix ? (char *)place->prefix : "" };
    S3Options options = place->options;
    g_autoptr(GError) error = NULL;

    http_client_new(&http, &ret_store->http, &error);
    g_assert_no_error(error);
    aws_credentials_new(&sources, ret_store->http, &ret_store->credentials, &error);
    g_assert_no_error(error);
    options.place = &where;
    options.http = ret_store->http;
    options.credentials = ret_store->credentials;
    ret_store->store = s3_store_new(&options);
}

void s3_test_store_close(S3TestStore *store)
{
    store_free(store->store);
    aws_credentials_free(store->credentials);
    http_client_free(store->http);
}
