/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a command prints, on its way to a client: a child that opens the repository, and a thread
 * that puts its output into a pipe. One that fails before its first byte is an error; later the
 * connection is cut, so that nobody takes a part for the whole. At most WEB_DOWNLOADS at once. Any
 * thread.
 */
#pragma once
#include "daemon/webpipe.h"
#include <stdint.h>

#define WEB_DOWNLOADS 8u

typedef struct WebDownloads WebDownloads;
WebDownloads *web_downloads_new(void);
/* Ends them all and waits for that. */
void web_downloads_free(WebDownloads *downloads);

typedef struct {
    char **argv, **envp;
    uint64_t skip, len; /* of the output what is passed on; len G_MAXUINT64: all that comes */
    bool whole;         /* it is read to its end, and the exit status counts */
} WebCarry;

/* Copies what. Waits for the first byte, or the end. */
bool web_carry(WebDownloads *downloads, const WebCarry *what, WebPipe **ret_pipe, GError **error);
