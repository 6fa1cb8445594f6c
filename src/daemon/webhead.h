/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request, from what the HTTP library has read of it. */
#pragma once
#include "daemon/webrequest.h"
#include <microhttpd.h>

WebRequest *web_head_begin(struct MHD_Connection *connection, const char *method, bool secure);
/* Path, headers and query. What is wrong with them is the request's refusal. */
void web_head_read(struct MHD_Connection *connection, const char *path, WebRequest *request);
/* For MHD_OPTION_UNESCAPE_CALLBACK: paths and queries are decoded by us, after they are taken
 * apart. */
size_t web_head_leave_escaped(void *user, struct MHD_Connection *connection, char *text);
