/* SPDX-License-Identifier: Apache-2.0 */
/* The place where the WAL server is found: its socket, which one server has at a time, and who may
 * speak to it. */
#pragma once
#include "config/settings.h"

/* --socket, BACKSTAY_WAL_SOCKET, the directory that systemd gave this service, below
 * XDG_RUNTIME_DIR, /run/backstay-wal: the first that is set, for root without XDG_RUNTIME_DIR. */
char *wal_socket_path(const char *given);
/* Where somebody who wants to speak to it looks: the same without the directory of its own service.
 * NULL-terminated. *ret_named: somebody has named it. */
char **wal_socket_candidates(const char *given, bool *ret_named);

/* The repository of the settings as both ends write it: paths absolute, without a slash at the end.
 */
bool wal_repository(const Settings *settings, char **ret_location, GError **error);

typedef struct {
    int fd;   /* listens; -1: not any more */
    int lock; /* held as long as this is the server */
    char *path;
    int64_t group; /* whose members may speak to it, besides its own user and root; -1: nobody's */
} WalListener;

/* group: its name, or NULL. What a server that is gone has left is taken over; BS_ERROR_LOCKED: it
 * lives. The directory is made when it is missing. */
bool wal_listen(const char *path, const char *group, WalListener *ret_listener, GError **error);
/* From now on nobody finds it. */
void wal_listener_close(WalListener *listener);
void wal_listener_done(WalListener *listener);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WalListener, wal_listener_done)

/* A descriptor that does not block; -1 with errno: there is nobody (EAGAIN), or it was one who may
 * not speak to us (EACCES). */
int wal_accept(const WalListener *listener);
