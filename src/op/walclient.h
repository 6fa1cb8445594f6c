/* SPDX-License-Identifier: Apache-2.0 */
/* Hands a WAL file to the server, if one is there (op/walserve.h): no repository is opened, and no
 * key derived. */
#pragma once
#include "op/walcluster.h"
#include "op/walfile.h"

typedef enum {
    WAL_SERVER_AUTO,    /* when one is there */
    WAL_SERVER_REQUIRE, /* BS_ERROR_UNREACHABLE without one */
    WAL_SERVER_NEVER,
} WalServerUse;

/* BS_ERROR_USAGE; text: NULL for the default. */
bool wal_server_use_parse(const char *text, WalServerUse *ret_use, GError **error);

typedef struct {
    const char *socket; /* NULL: the usual places */
    WalServerUse use;
} WalServerAt;

/*
 * *ret_done: the server says that the file is durable. Without it, and without an error, nobody was
 * there, or the answer was lost: then it is to be archived by other means, which does no harm if
 * the server did it after all. An error is what the server says of the file, with its exit status,
 * or of our own.
 */
bool op_wal_hand_over(const Settings *settings, const WalServerAt *at, const WalClusterFrom *from,
                      const Cancel *cancel, bool *ret_done, WalPushed *ret_pushed, GError **error);
