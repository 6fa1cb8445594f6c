/* SPDX-License-Identifier: Apache-2.0 */
/* An S3 store before a server that gives the answers of a script, whatever it is asked for. */
#pragma once
#include "lib/http_server.h"
#include "lib/s3_store.h"

#include <pthread.h>

#define XML                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define ERROR(code)            XML "<Error><Code>" code "</Code><Message>why</Message></Error>"
#define ERROR_MORE(code, more) XML "<Error><Code>" code "</Code>" more "</Error>"

typedef struct {
    const char *status, *headers, *body; /* status NULL: the connection ends */
} Answer;

typedef struct {
    const Answer *answers;
    size_t n;
    pthread_mutex_t mutex;
    GPtrArray *asked; /* of char *: heads and bodies */
    HttpServer *server;
    S3TestStore test;
    Store *store; /* bucket "bucket", prefix "pre" */
} Script;

/* options may be NULL; answers are borrowed until the end. */
void script_begin(Script *script, const Answer *answers, size_t n, const S3Options *options);
void script_begin_at(Script *script, const Answer *answers, size_t n, const S3TestPlace *at);
/* Asserts that everything was said, and nothing else asked for. */
void script_end(Script *script);

/* Request i, from 0, has this part, or has not. */
void assert_asked(Script *script, guint i, const char *part);
void assert_not_asked(Script *script, guint i, const char *part);

/* error by its address: the call that sets it stands in the same list of arguments. */
void assert_failed(bool ok, GError *const *error, int code, const char *part);
