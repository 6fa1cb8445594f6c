/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client is given: a status, headers, and a body that is at hand or comes through a pipe.
 * Filled by one worker, then sent by the thread of the network.
 */
#pragma once
#include "daemon/webpipe.h"
#include <glib.h>
#include <jansson.h>

typedef struct {
    unsigned status;    /* HTTP */
    GPtrArray *headers; /* names and values in turn */
    GBytes *body;       /* NULL: none */
    WebPipe *pipe;      /* instead of a body */
    int64_t len;        /* of what comes through the pipe; -1: not known */
    void *intake;       /* instead of an answer: the body is wanted, and this takes it */
    void (*intake_free)(void *intake);
    uint64_t drain; /* of a body that is not wanted so much is read before the answer is sent, for a
                       client that does not listen while it sends; 0: it is sent at once */
} WebAnswer;

WebAnswer *web_answer_new(void);
void web_answer_free(WebAnswer *answer);
/* No more of the body is wanted. */
void web_answer_end_intake(WebAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(WebAnswer, web_answer_free)

/* Copies both. Values come from us or were checked: bytes below 0x20 are a mistake of ours. */
void web_answer_header(WebAnswer *answer, const char *name, const char *value);
/* NULL: there is none. name as it was given. */
const char *web_answer_find(const WebAnswer *answer, const char *name);
/* Takes value. */
void web_answer_json(WebAnswer *answer, unsigned status, json_t *value);
/* Copies text. */
void web_answer_text(WebAnswer *answer, unsigned status, const char *type, const char *text);
void web_answer_empty(WebAnswer *answer, unsigned status);
