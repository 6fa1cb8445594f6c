/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The WAL server: a process that holds a repository open and archives the files that others hand it
 * through a local socket (doc/wal-protocol.md).
 */
#pragma once
#include "op/open.h"

typedef struct {
    const char *socket; /* NULL: the usual place */
    const char
        *group;    /* whose members may hand over files, too; NULL: only its own user and root */
    unsigned jobs; /* files at once */
} WalServe;

/*
 * Until stop is set: then nobody finds the socket any more, and what is under way is finished, for
 * a minute at most. BS_ERROR_LOCKED: another server has the socket. Fails at the start when the
 * repository cannot be opened; later every file that is handed over fails until it can be.
 */
bool op_wal_serve(const Settings *settings, const WalServe *serve, const Cancel *stop,
                  GError **error);
