/* SPDX-License-Identifier: Apache-2.0 */
/* The socket that is listened on, and what TLS needs. */
#pragma once
#include <glib.h>
#include <stdbool.h>

/* A numeric address and a port: "127.0.0.1:9898", "[::1]:9898", "localhost:9898"; port 0: any. With
 * beyond also addresses that other machines reach, BS_ERROR_CONFIG without. BS_ERROR_EXISTS:
 * somebody listens there. Returns the descriptor, listening, or -1. */
int web_listen(const char *where, bool beyond, unsigned backlog, unsigned *ret_port,
               GError **error);
