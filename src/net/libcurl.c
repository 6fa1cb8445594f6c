/* SPDX-License-Identifier: Apache-2.0 */
#include "net/libcurl.h"

#include <curl/curl.h>
#include <glib.h>
#include <pthread.h>

static void init(void)
{
    CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);

    if (result != CURLE_OK)
        g_error("libcurl: %s", curl_easy_strerror(result));
}

void libcurl_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, init);
}
