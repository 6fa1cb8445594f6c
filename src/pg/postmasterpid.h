/* SPDX-License-Identifier: Apache-2.0 */
/*
 * postmaster.pid, which a running server keeps in its data directory: where it can be reached. As
 * pg_ctl(1) and the documentation, "Database File Layout", describe it. Pure; any thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    int64_t pid;
    char *host; /* the first socket directory, else the first address it listens on; NULL: none */
    unsigned port; /* 0: not yet written */
} PostmasterPid;
void postmaster_pid_clear(PostmasterPid *file);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PostmasterPid, postmaster_pid_clear)

/* A server that is just starting has not written all lines. BS_ERROR_CORRUPT: not even a pid. */
bool postmaster_pid_parse(const char *text, size_t len, PostmasterPid *ret_file, GError **error);
