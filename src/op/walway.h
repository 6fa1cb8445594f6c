/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the WAL of a cluster goes on without a hole: from the oldest base backup over its
 * timelines to the newest segment of the newest one. */
#pragma once
#include "op/walbase.h"
#include "op/walcheck.h"

typedef struct {
    OpenRepo *open;
    const WalCluster *cluster;
    const GArray *bases; /* of WalBase: of all clusters */
    uint64_t floor;      /* LSN: before it retention has removed what is not missed; 0: nowhere */
    void (*problem)(const WalProblem *problem, void *user);
    void (*way)(const WalWay *way, void *user);
    void *user;
} WalWayCheck;

/* Problems are told, and no failure; with "wal-abandoned" what lies on no way any more. A cluster
 * without a base is held against each timeline's own holes. */
bool wal_way_check(const WalWayCheck *check, const Cancel *cancel, GError **error);
