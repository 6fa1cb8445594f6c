/* SPDX-License-Identifier: Apache-2.0 */
/* The words after `wal` that print more than a line. */
#pragma once
#include "cmd/command.h"
#include "op/open.h"

bool wal_list_run(const Context *context, OpenRepo *open, GError **error);
/* limits: as of --max-lag; NULL or empty for none. */
bool wal_lag_run(const Context *context, OpenRepo *open, const char *url, char *const *limits,
                 GError **error);
bool wal_check_run(const Context *context, OpenRepo *open, bool read_data, GError **error);

typedef struct {
    char *slot, *partial_interval;
    gboolean recreate_slot, no_loop;
} WalReceiveOptions;

/* system_id: as written, or NULL. */
bool wal_receive_run(const Context *context, const WalReceiveOptions *options,
                     const char *system_id, const char *location, GError **error);
