/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer by libcurl, with the patience and the checks that http.h promises. */
#pragma once
#include "net/http.h"
#include <curl/curl.h>

/* In the thread that holds both handles, until the answer is whole or has failed; errors are those
 * of http.h. easy lies in no multi handle, multi has no other; both can be used again whatever
 * comes out. limit_ms: for all of it, whatever moves; 0: none. */
bool exchange_run(CURL *easy, CURLM *multi, const HttpOptions *options, int64_t limit_ms,
                  const HttpRequest *request, HttpReply *ret_reply, GError **error);
