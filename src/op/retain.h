/* SPDX-License-Identifier: Apache-2.0 */
/* Renewing the object locks of what is kept, where s3.object-lock asks for them. */
#pragma once
#include "op/open.h"
#include "repo/protect.h"

/* Object locks of this repository are ours to renew and to respect. */
bool op_retains(const Settings *settings, const OpenRepo *open);
/* For s3.object-lock-days from now, where less than half of them is left. packs, leave: as in
 * ProtectOptions. */
bool op_retain(const Settings *settings, OpenRepo *open, bool packs, GHashTable *leave,
               const Cancel *cancel, uint64_t *ret_n, GError **error);
