/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a server that runs on this machine has a directory as one of its tablespaces. */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * ret_pid: of a process of that server, or 0. A server's working directory is its data directory,
 * and its tablespaces are what the links in pg_tblspc/ there lead to. Processes that do not let
 * themselves be looked at (another user's, another container's) cannot be seen.
 */
bool pg_tablespace_find_user(const char *dir, pid_t *ret_pid, GError **error);
