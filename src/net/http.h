/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 requests over a pool of kept connections (libcurl). Any thread; a request runs in the
 * thread that asks, on a connection that is its own for that long. Redirects are not followed: what
 * they mean is the caller's business. Proxies come from the environment, as curl takes them. The
 * process ignores SIGPIPE (cancel_on_signals).
 */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct HttpClient HttpClient;

typedef struct {
    const char *ca_file;     /* PEM, instead of the system's; NULL: the system's */
    const char *client_cert; /* PEM with certificate and key; NULL: none */
    unsigned connections;    /* how many idle ones are kept; 0: 8 */
    int64_t connect_ms;      /* 0: 30 s */
    /* No byte in either direction for this long, and a second more for every 64 KiB of a body that
     * routers on the way may still hold; or a trickle below 256 bytes a second over ten times this.
     * 0: 60 s */
    int64_t stall_ms;
    /* Ends the requests under way within half a second. Those that begin when it is set are made,
     * because what has been done must still be tidied up, but not waited for: three seconds after
     * it, or after a second, they are BS_ERROR_TRANSIENT, and further ones at once. May be NULL. */
    const Cancel *cancel;
    /* Asked before each new connection about the address that it would go to, after names were
     * looked up; false: BS_ERROR_DENIED. With it proxies are not used, for they would hide the
     * address. Any thread. NULL: every address is right. */
    bool (*approve)(const struct sockaddr *address, void *user);
    void *approve_user;
} HttpOptions;

/* TLS 1.2 and later, always verified. BS_ERROR_USAGE: a file that cannot be read. */
bool http_client_new(const HttpOptions *options, HttpClient **ret_client, GError **error);
void http_client_free(HttpClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpClient, http_client_free)

typedef struct {
    const char *name, *value;
} HttpHeader;

typedef struct {
    const char *method; /* GET, HEAD, PUT, POST, DELETE */
    const char *url;    /* sent as it is written, escaped by the caller; no user, no password */
    const HttpHeader *headers; /* besides Host and Content-Length */
    size_t n_headers;
    const void *body; /* sent with a length, never chunked, never after "100-continue" */
    size_t body_len;
    /* The body of a 2xx answer goes here when it is exactly this long; shorter or longer is an
     * answer with body_len telling, and the buffer's content is undefined. */
    void *into;
    size_t into_len;
    /* Bytes of any other body of a 2xx answer that are taken; more is BS_ERROR_CORRUPT. 0: 1 MiB,
     * and that is what other answers may always have. */
    size_t bound;
    /* A kept connection may turn out to be dead when it is used; then the request is sent again on
     * a new one. With this it is not, and the answer is BS_ERROR_TRANSIENT: a first sending may
     * have arrived. */
    bool once;
} HttpRequest;

typedef struct {
    unsigned status;
    GHashTable *headers; /* names in small letters; of several alike the last */
    GByteArray *body;    /* of an answer that did not go `into`; never NULL */
    uint64_t body_len;   /* bytes that came, wherever they went */
} HttpReply;
void http_reply_clear(HttpReply *reply);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpReply, http_reply_clear)

const char *http_reply_header(const HttpReply *reply, const char *name); /* NULL: none; borrowed */

/*
 * True for every whole answer, whatever its status. BS_ERROR_TRANSIENT: no connection, no name, cut
 * off, silent for too long, or less came than Content-Length said; BS_ERROR_DENIED: the server's
 * certificate is not to be trusted (or it refuses ours), or its address is not approved;
 * BS_ERROR_CANCELLED. Texts name the host.
 */
bool http_request(HttpClient *client, const HttpRequest *request, HttpReply *ret_reply,
                  GError **error);
/* What its Date says, in Unix seconds; our own clock's where it says nothing. */
int64_t http_reply_date(const HttpReply *reply);
/* What Retry-After asks for, in ms, bounded to ten minutes; seconds or a date; 0: nothing. */
int64_t http_retry_after_ms(const HttpReply *reply);
