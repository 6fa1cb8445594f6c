/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request that is being served: what was asked, by whom, and what is at hand to answer it. Used
 * by one worker.
 */
#pragma once
#include "config/configuration.h"
#include "daemon/webroute.h"
#include "daemon/webthrottle.h"
#include "state/catalog.h"
#include <stdatomic.h>

typedef struct WebDownloads WebDownloads; /* daemon/webcarrier.h */
typedef struct WebHub WebHub;             /* daemon/webhub.h */

/* The process. Nothing in it changes while requests are served, but for what locks itself. */
typedef struct {
    const Configuration *configuration;
    const char *control; /* socket of the scheduler */
    const char *runs;    /* directory of the runs' directories */
    const char *uploads; /* of daemon/uploads.h */
    const char *program; /* of ours, to start the command line */
    const WebRoute *routes;
    bool secure;   /* clients come by TLS, here or at a proxy */
    char *host;    /* of base_url, with its port; NULL: none */
    bool loopback; /* listens there alone */
    WebThrottle *throttle;
    WebHub *hub;
    WebDownloads *downloads;
    atomic_uint previews, tests, uploading; /* that are under way */
    Catalog *catalogs[4];                   /* one for each worker */
} Web;

typedef struct {
    char *user; /* NULL: nobody */
    WebRole role;
    char *session;    /* hash of its secret; NULL: none */
    char *csrf;       /* what the client has to show */
    int64_t login_at; /* Unix ms; 0: not by a password */
    char *token;      /* id; NULL: none */
    bool metrics;     /* a token for ROUTE_LOCAL alone */
} WebIdentity;

void web_identity_clear(WebIdentity *who);

struct WebCall {
    Web *web;
    Catalog *catalog;
    const WebRequest *request;
    const WebRoute *route;
    const char *params[WEB_PARAMS_MAX];
    json_t *body; /* checked against the route's; NULL: it has none */
    WebIdentity who;
};

/* The value of a parameter of the query, which was checked; NULL: not given. */
const char *web_query(const WebCall *call, const char *name);
int64_t web_query_int(const WebCall *call, const char *name, int64_t otherwise);
/* RFC 3339 of Unix ms, or null for 0. New reference. */
json_t *web_time(int64_t ms);
/* Text, or null. New reference. */
json_t *web_text(const char *text);

/* Asks the scheduler; takes the request. What it refuses has the status of its reason, its absence
 * is 503. */
bool web_ask(WebCall *call, json_t *request, json_t **ret_answer, GError **error);
/* The same for what begins a run, whose id is the answer (202). */
bool web_order(WebCall *call, json_t *request, WebAnswer *answer, GError **error);
/* Tells it without need for an answer: false when it did not hear, which it will at its start. */
bool web_tell(WebCall *call, json_t *request);

/* "version" of the ETag `"v<version>"` in If-Match; 412 when it is not this one. */
bool web_match(const WebCall *call, unsigned version, GError **error);
void web_etag(WebAnswer *answer, unsigned version);

/* {"items": [...], "next": cursor or null}: takes both. New reference. */
json_t *web_page(json_t *items, const char *next);
