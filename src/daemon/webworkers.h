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

WebWorkers *web_workers_new(void (*serve)(void *, unsigned, WebRequest *, WebAnswer *), void *user,
                            GError **error);
/* False: too many wait. */
bool web_workers_give(WebWorkers *workers, WebWork *work);
/* Serves what waits, then ends the threads. */
void web_workers_free(WebWorkers *workers);
