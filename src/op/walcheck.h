/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the WAL that a repository holds is complete and sound: of each snapshot of a cluster the
 * WAL from its start to its stop, and no gap between its start and the newest segment. */
#pragma once
#include "op/wallist.h"

typedef struct {
    const char *code; /* "wal-gap", "wal-missing", "wal-damaged" */
    uint64_t system_id;
    uint32_t timeline;
    const Id *snapshot;       /* that needs it; NULL: none in particular */
    const char *first, *last; /* names of files, both included; NULL where there are none */
    const char *message;
} WalProblem;

typedef struct {
    bool read_data; /* open every object that is held */
    void (*problem)(const WalProblem *problem, void *user);
    void *user;
} WalCheck;

typedef struct {
    unsigned snapshots, complete; /* of clusters */
    unsigned n_read;              /* objects that were opened */
    unsigned gaps, missing, damaged;
} WalCheckResult;

/* True also when there were problems, which *ret_result counts. */
bool op_wal_check(OpenRepo *open, const WalCheck *check, const Cancel *cancel,
                  WalCheckResult *ret_result, GError **error);
