/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request of a channel. No redirect is followed. An address that is not of the open internet is
 * connected to only when the URL's origin is one of channel->origins.
 */
#pragma once
#include "daemon/channel.h"
#include "net/http.h"

typedef struct {
    const char *method, *url;
    const HttpHeader *headers; /* besides Content-Type */
    size_t n_headers;
    const char *type; /* Content-Type; NULL: no body */
    const char *body;
    const char *ca_file; /* NULL: the system's */
    bool listed; /* refused unless the origin is one of channel->origins, if there are any */
} ChannelRequest;

/* True for 2xx, with the answer in *ret_reply (which may be NULL); otherwise *delivery says what
 * came of it: 429, 5xx and lost connections are for later, as is a login or a place that may be put
 * right; other 4xx and redirects are refusals. */
bool channel_ask(const Channel *channel, const ChannelRequest *request, HttpReply *ret_reply,
                 Delivery *delivery);
/* "https://host:port", in small letters, the port always there. NULL: no plain URL of http or
 * https. */
char *channel_origin(const char *url);
