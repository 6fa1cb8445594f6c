/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client has sent, taken apart: RFC 9110 and 3986. Nothing in it is believed; every length
 * was bounded while it was read. Made in the thread of the network, then used by one worker.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define WEB_BODY_MAX     (64u * 1024)
#define WEB_SEGMENTS_MAX 12u

/* What a worker is given: all of it, or of one that is streamed its parts in turn. */
typedef enum {
    WEB_PHASE_ALL,
    WEB_PHASE_HEAD,  /* nothing of the body has come */
    WEB_PHASE_PIECE, /* the body is what came since the last time */
    WEB_PHASE_END,   /* the same, and the last */
    WEB_PHASE_CUT,   /* the client is gone; nobody waits for an answer */
} WebPhase;

typedef struct {
    char id[17];  /* random, for the log and for whoever asks what happened */
    char *method; /* as sent; head tells that HEAD became GET */
    bool head;
    char *path;          /* as sent, for the log: only what web_request_split() accepted */
    char **segments;     /* of the path, decoded; "/" has none */
    GHashTable *query;   /* name -> value, decoded */
    GHashTable *headers; /* small name -> value; one that came twice: WEB_TWICE */
    GByteArray *body;
    bool streamed; /* the body is no document but a file, and comes in pieces */
    bool chunked;  /* such a one that has not told its length */
    bool whole;    /* all of such a one has come */
    bool slow;     /* such a one was cut off because it was */
    WebPhase phase;
    uint64_t len, taken; /* of the body, as it was told (chunked: 0); what has come of it
                            (streamed ones) */
    char *peer;          /* address, without the port */
    bool loopback;       /* the peer is this machine, and no proxy told otherwise */
    bool secure;         /* TLS */
    const char *refusal; /* NULL, or why it was refused before it was whole; constant */
    unsigned refusal_status;
} WebRequest;

WebRequest *web_request_new(const char *method, const char *peer, bool secure);
void web_request_free(WebRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebRequest, web_request_free)

/* Refuses what could mean something else further on: escapes that are none, bytes below 0x20, empty
 * segments and "." and "..", before or after decoding, more than WEB_SEGMENTS_MAX. */
bool web_request_split(WebRequest *request, const char *raw_path);
/* Both as sent, '+' already made a blank. The same name twice is refused. */
bool web_request_add_query(WebRequest *request, const char *name, const char *value);
void web_request_add_header(WebRequest *request, const char *name, const char *value);
/* False: more than WEB_BODY_MAX together; the request is refused. */
bool web_request_add_body(WebRequest *request, const void *data, size_t len);
/* After the headers: whether a body of this kind is taken (a length that is told, not above the
 * bound; of a streamed one chunks, too). Sets the refusal. */
bool web_request_check_head(WebRequest *request);

void web_request_refuse(WebRequest *request, unsigned status, const char *why);
/* By its small name; NULL: none, or it came twice. */
const char *web_request_header(const WebRequest *request, const char *name);
/* The value of one cookie; newly allocated or NULL. Two of the same name are none. */
char *web_request_cookie(const WebRequest *request, const char *name);

/* %XX to bytes. NULL: no escape, a byte below 0x20 or 0x7f, or not UTF-8. */
char *web_unescape(const char *text);
