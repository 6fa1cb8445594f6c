/* SPDX-License-Identifier: Apache-2.0 */
/* What forget must know beyond its groups: base backups of clusters stay for the sake of WAL. */
#pragma once
#include "op/forget.h"

/* Changes the decisions of a policy, which must be about snapshots of plan->snapshots: all there
 * are. Those that the window (request->keep_pitr) needs stay, and so does the newest base of a
 * cluster whose WAL is held. */
bool forget_keep_bases(OpenRepo *open, const ForgetRequest *request, const Cancel *cancel,
                       ForgetPlan *plan, GError **error);
/* Of snapshots that were named: BS_ERROR_GUARD where the newest base would go. */
bool forget_guard_bases(OpenRepo *open, const ForgetPlan *plan, GError **error);
