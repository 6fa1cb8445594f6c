/* SPDX-License-Identifier: Apache-2.0 */
/* `wal serve`, and how `wal push` uses it. */
#pragma once
#include "cmd/command.h"
#include "op/walclient.h"
#include "op/walserve.h"

/* Options of `wal`; members as the option parser wants them. */
typedef struct {
    char *socket, *server, *group;
    gint jobs; /* 0: the default */
} WalServerOptions;

bool wal_serve_run(const Context *context, const WalServerOptions *options, GError **error);
/* As op_wal_hand_over(). */
bool wal_hand_over(const Context *context, const WalServerOptions *options,
                   const WalClusterFrom *from, bool *ret_done, WalPushed *ret_pushed,
                   GError **error);
