/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a server runs in a data directory: PostgreSQL documentation, "Server Files", and
 * CreateLockFile(): the first line of postmaster.pid is its process id, negative of a single-user
 * backend. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * ret_pid: of the server, or 0. The file alone is no proof: a server that was killed leaves it, and
 * its number may be another process's by now; a server's working directory is its data directory. A
 * process that does not let itself be looked at counts as the server. One in another container
 * cannot be seen. BS_ERROR_CORRUPT: the file does not say which process. No directory, no server.
 */
bool pg_postmaster_find(const char *pgdata, pid_t *ret_pid, GError **error);
