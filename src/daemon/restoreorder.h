/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody may ask to be restored by HTTP, and the command lines that do it: the only place
 * where values of a request become words of one. Each stands behind a "=" or a "--", so that none
 * becomes an option. The web process uses it for the preview; the scheduler makes the real ones
 * itself, whatever the web process has become.
 */
#pragma once
#include "daemon/restoretarget.h"
#include "state/catalog.h"

extern const Shape restore_body;

typedef struct {
    const Configuration *configuration;
    const RunRow *backup;
    const json_t *order; /* of restore_body's shape; is checked here, too */
    const char *run;     /* id of the restore, for the tags of a safety backup; NULL: a preview */
} RestoreOrder;

typedef struct {
    json_t *steps; /* for TaskOrder */
    json_t *about;
    RestoreTarget target;
    bool exists; /* the target, or one of a cluster's tablespaces, holds something */
    bool overwrite;
} RestorePlan;

/*
 * BS_ERROR_USAGE: no such order; _NOT_FOUND: no such snapshot or source; _DENIED: a place that is
 * not allowed; _NOT_EMPTY: something is there, and "overwrite" is not set; _GUARD: "confirm" is
 * not the target's name. A preview asks for neither of the last two.
 */
bool restore_order(const RestoreOrder *order, RestorePlan *ret_plan, GError **error);
void restore_plan_clear(RestorePlan *plan);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(RestorePlan, restore_plan_clear)
