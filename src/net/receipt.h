/* SPDX-License-Identifier: Apache-2.0 */
/* An answer while it arrives, piece by piece as libcurl hands it over. One thread. */
#pragma once
#include "net/http.h"

typedef struct {
    const HttpRequest *request;
    HttpReply reply;
    size_t header_bytes;
    bool headers_over; /* what follows the body in headers' form is none of them */
    bool enough;       /* longer than `into`: the rest need not come */
    GError *failure;
} Receipt;

void receipt_init(Receipt *receipt, const HttpRequest *request);
void receipt_done(Receipt *receipt);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Receipt, receipt_done)

/* CURLOPT_HEADERFUNCTION and CURLOPT_WRITEFUNCTION: fewer than size * n ends the transfer, with
 * failure set or enough. */
size_t receipt_header(char *line, size_t size, size_t n, void *receipt);
size_t receipt_body(char *data, size_t size, size_t n, void *receipt);
