/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP server for tests: a handler says what goes back, byte by byte if it wants to. Each
 * connection is a thread; the handler is called in it, for one request after the other.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>

typedef struct HttpServer HttpServer;
typedef struct HttpConn HttpConn;

typedef struct {
    char *method, *target;
    GHashTable *headers; /* names in small letters */
    char *head;          /* as it came */
    unsigned connection; /* which of the server's, from 1 */
    unsigned number;     /* which request of this connection, from 1 */
    size_t body_len;
} HttpServed;

/* False: close the connection. */
typedef bool (*HttpHandler)(HttpConn *conn, const HttpServed *request, void *user);

typedef struct {
    const char *cert;      /* PEM with certificate and key: TLS. NULL: plain */
    const char *client_ca; /* PEM: ask for a certificate signed by this; NULL: do not ask */
    bool old;              /* nothing newer than TLS 1.1 */
} HttpServerTls;

/* On a free port of 127.0.0.1. tls may be NULL. */
HttpServer *http_server_new(HttpHandler handler, void *user, const HttpServerTls *tls);
/* Ends every connection. */
void http_server_free(HttpServer *server);
const char *http_server_url(const HttpServer *server);  /* "http://127.0.0.1:12345" */
unsigned http_server_n_connections(HttpServer *server); /* so far */
unsigned http_server_n_requests(HttpServer *server);

/* ---- for handlers ---- */

/* The next bytes of the request's body, at most max; fewer only at its end. What is not read is
 * read and thrown away after the handler. */
GBytes *http_conn_read(HttpConn *conn, size_t max);
/* False when the client is gone. */
bool http_conn_send(HttpConn *conn, const void *data, size_t len);
bool http_conn_say(HttpConn *conn, const char *text);
/* A whole answer: status line such as "200 OK", header lines with "\r\n" each or NULL, body with
 * its length. */
bool http_conn_answer(HttpConn *conn, const char *status, const char *headers, const void *body,
                      size_t len);
/* The connection ends with a reset instead of an orderly end. */
void http_conn_reset(HttpConn *conn);
/* Sleeps, but not longer than the server lives. */
void http_conn_wait(HttpConn *conn, unsigned ms);
