/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to its answer: the only way to a handler leads through here. */
#pragma once
#include "daemon/webcall.h"

/* As WebServerSettings.serve; user: a Web. */
void web_dispatch(void *user, unsigned worker, WebRequest *request, WebAnswer *answer);
/* As WebServerSettings.streams. */
bool web_dispatch_streams(void *user, const WebRequest *request);
