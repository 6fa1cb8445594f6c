/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local socket of doc/wal-protocol.md, on either end: packets with descriptors. Plain C without
 * GLib, as pg/walwire.h. Nothing here waits. What fails returns false or -1 with errno; EAGAIN:
 * later.
 */
#pragma once
#include "pg/walwire.h"
#include <sys/types.h>
#include <sys/un.h>

/* Where it is without being told: a directory of its own, for it has the user of PostgreSQL, and
 * what systemd makes for the daemon is another one's. */
#define WALSOCKET_NAME   "wal.sock"
#define WALSOCKET_SYSTEM "/run/backstay-wal/" WALSOCKET_NAME

/* False: the path is too long for an address (107 bytes), or empty. */
bool walsocket_address(const char *path, struct sockaddr_un *ret_address);
/* A descriptor; -1: nobody listens there (ENOENT, ECONNREFUSED), or takes no more (EAGAIN). */
int walsocket_connect(const char *path);
/* Who is at the other end. */
bool walsocket_peer(int fd, uid_t *ret_uid);

bool walsocket_send(int fd, const char *packet, size_t len, const int *fds, unsigned n_fds);
/* How long the packet is, and which descriptors came with it, which are the caller's: *ret_n of
 * them. 0: the other end has closed. -1 with EBADMSG: it is longer than a packet may be, or has
 * more descriptors; nothing of it is kept. */
ssize_t walsocket_receive(int fd, char packet[WALWIRE_MAX], int fds[WALWIRE_FDS], unsigned *ret_n);
