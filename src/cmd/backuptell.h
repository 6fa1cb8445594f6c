/* SPDX-License-Identifier: Apache-2.0 */
/* What commands say that make a snapshot: one source down the road, with its progress and its
 * summary, as text or in restic's shape. */
#pragma once
#include "cmd/command.h"
#include "op/backup.h"
#include <jansson.h>

typedef struct {
    bool no_scan; /* nothing is estimated, and no progress shown */
    json_t *more; /* what the summary says besides; may be NULL; borrowed */
} BackupTelling;

/* Backs up and tells. *problems grows by what was left out. */
bool backup_and_tell(const Context *context, OpenRepo *open, Source *source,
                     const BackupRequest *request, const BackupTelling *telling, unsigned *problems,
                     GError **error);
/* BS_ERROR_PARTIAL when anything was left out. */
bool backup_complete(unsigned problems, GError **error);
