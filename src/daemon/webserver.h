/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 (libmicrohttpd): one thread speaks with the network and never waits, a few workers serve
 * requests that are whole. What is bounded: connections, headers, bodies, requests that wait for a
 * worker, and how long a client may take (daemon/webguard.h). Knows nothing of what is served.
 * Files that are sent are not held here: while a worker writes a piece the connection sleeps.
 */
#pragma once
#include "daemon/webanswer.h"
#include "daemon/webrequest.h"
#include <glib.h>
#include <stdbool.h>

#define WEB_WORKERS     4u
#define WEB_CONNECTIONS 1024u
#define WEB_PIECE       (1024u * 1024)
#define WEB_UNHEARD     (UINT64_C(64) << 20) /* of a body in chunks, after it was refused */
#define WEB_HEAD_MAX    (16u * 1024) /* request line and headers, with what the library needs */

typedef struct {
    const char *listen; /* "127.0.0.1:9898", "[::1]:0" */
    const char *certificate,
        *key; /* PEM, both or none; without them only loopback is listened on */
    /* Called by worker 0..WEB_WORKERS-1, one request at a time each. Fills answer, always. */
    void (*serve)(void *user, unsigned worker, WebRequest *request, WebAnswer *answer);
    /* By the thread of the network, of a request whose headers are there: whether its body is taken
     * in pieces of WEB_PIECE (webrequest.h, phases). serve() is called with its head, and as long
     * as it leaves an intake in the answer with each piece, the end, or that it was cut off. NULL:
     * none is. */
    bool (*streams)(void *user, const WebRequest *request);
    /* Bytes a second that such a body comes with on the whole (webpace.h), or it is cut off. 0: any
     * speed will do. */
    uint64_t slowest;
    /* By a worker, between two requests, when nothing was asked for a while. NULL: not needed. */
    void (*rest)(void *user, unsigned worker);
    void *user;
} WebServerSettings;

typedef struct WebServer WebServer;

/* BS_ERROR_CONFIG: listen is no address, or one that others reach while there is no TLS, or the key
 * does not fit. BS_ERROR_EXISTS: somebody listens there. */
WebServer *web_server_start(const WebServerSettings *settings, GError **error);
unsigned web_server_port(const WebServer *server);
/* About once a second, by the thread that started it. */
void web_server_sweep(WebServer *server);
/* Takes no more, lets what is under way end, and ends. Pipes that are still open must have been
 * ended by their makers. */
void web_server_free(WebServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebServer, web_server_free)
