/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Retention of a schedule: its policy over the snapshots that bear its name, source by source, in
 * its zone. Each run left one snapshot of each source, so one run is one backup. Beside what
 * op/forget.h keeps, the newest snapshot of each source from which nothing was left out stays,
 * and the newest of each host that has made any.
 */
#pragma once
#include "op/forget.h"

typedef struct {
    const char *schedule; /* name */
    const RetentionPolicy *policy;
    const Duration *keep_pitr; /* may be NULL, or zero: none */
    const char *zone;          /* IANA; NULL: UTC */
    bool
        guarded; /* nobody looks: refuse to remove much more than a run usually makes superfluous */
} RunRetention;

/* Decides, removes nothing. */
bool run_retention_decide(OpenRepo *open, const RunRetention *retention, const Cancel *cancel,
                          ForgetPlan **ret_plan, GError **error);

/* The lock is exclusive. BS_ERROR_GUARD: nothing was removed. BS_ERROR_PARTIAL: some could not be;
 * ret_removed is set in either case. */
bool run_retention_apply(const Settings *settings, OpenRepo *open, const RunRetention *retention,
                         const Cancel *cancel, unsigned *ret_removed, GError **error);

/* BS_ERROR_GUARD: the plan removes much more than usual. For tests. */
bool run_retention_guard(const ForgetPlan *plan, GError **error);
