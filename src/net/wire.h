/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of bytes to a server, over TCP or a Unix socket, plain or in TLS, for protocols that no
 * library speaks over a connection of ours. Waits end with the time-outs and with cancel. One
 * thread at a time. The process ignores SIGPIPE (cancel_on_signals).
 */
#pragma once
#include "base/cancel.h"
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Wire Wire;

typedef struct {
    const char *host; /* a name or an address, without brackets; NULL: path */
    uint16_t port;
    const char *path;        /* of a Unix socket */
    bool tls;                /* TLS 1.2 and later; the certificate is always verified */
    const char *server_name; /* that it has to bear; NULL: host */
    const char *ca_file;     /* PEM, instead of the system's; NULL: the system's */
    const char *cert_file;   /* ours, PEM; NULL: none */
    const char *key_file;    /* NULL: it lies in cert_file */
    int64_t connect_ms;      /* for all addresses of the name together, and TLS; 0: 10 s */
    int64_t stall_ms;        /* without a byte in the direction that is waited for; 0: 60 s */
    const Cancel *cancel;    /* borrowed for the wire's life; may be NULL */
} WireOptions;

/* BS_ERROR_UNREACHABLE: no name, nobody there, no answer in time, no TLS there; BS_ERROR_DENIED:
 * the certificate is not to be trusted, or the socket is closed to us; BS_ERROR_USAGE: a file of
 * ours cannot be read; BS_ERROR_CANCELLED. Texts name the place. */
Wire *wire_open(const WireOptions *options, GError **error);
void wire_free(Wire *wire);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wire, wire_free)

/* At least one byte; 0 at an orderly end; -1 with BS_ERROR_UNREACHABLE (lost, silent for too long)
 * or _CANCELLED. */
ssize_t wire_read(Wire *wire, void *buf, size_t len, GError **error);
/* All of it. */
bool wire_write(Wire *wire, const void *data, size_t len, GError **error);
const char *wire_place(const Wire *wire); /* "host:port" or the path; borrowed */
