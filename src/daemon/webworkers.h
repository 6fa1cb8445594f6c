/* SPDX-License-Identifier: Apache-2.0 */
/* A few threads that serve requests in turn, and a bounded row of those that wait for one. */
#pragma once
#include "daemon/webserver.h"

typedef struct WebWorkers WebWorkers;

typedef struct {
    WebRequest *request;
    WebAnswer *answer;
    void (*done)(void *user); /* by the worker; the item is not touched after it */
    void *user;
} WebWork;

/* rest: by a worker that nothing was given to for a while, once, until it has served again. */
WebWorkers *web_workers_new(void (*serve)(void *, unsigned, WebRequest *, WebAnswer *),
                            void (*rest)(void *, unsigned), void *user, GError **error);
/* False: too many wait, or it was stopped. */
bool web_workers_give(WebWorkers *workers, WebWork *work);
/* Serves what waits, then ends the threads; takes no more. */
void web_workers_stop(WebWorkers *workers);
void web_workers_free(WebWorkers *workers);
