/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the WAL that a repository holds is complete and sound: of each snapshot of a cluster the
 * WAL from its start to its stop, and no gap on the way from the oldest one to the newest segment
 * of the newest timeline. */
#pragma once
#include "op/wallist.h"

typedef struct {
    const char *code; /* "wal-gap", "wal-missing", "wal-damaged"; "wal-abandoned" is none: segments
                         that a later timeline has left behind */
    uint64_t system_id;
    uint32_t timeline;
    const Id *snapshot;       /* that needs it; NULL: none in particular */
    const char *first, *last; /* names of files, both included; NULL where there are none */
    const char *message;
} WalProblem;

/* How far a recovery comes. */
typedef struct {
    uint64_t system_id;
    const Id *snapshot; /* the oldest one on the way */
    int64_t since; /* Unix seconds: when that backup had ended, the first moment; 0: not known */
    uint32_t from_timeline, timeline;
    uint64_t from, end; /* LSN: where it begins, and up to where every byte is held */
    unsigned gaps;      /* told as problems; with any, end is at the first */
} WalWay;

typedef struct {
    bool read_data; /* open every object that is held */
    void (*problem)(const WalProblem *problem, void *user);
    void (*way)(const WalWay *way, void *user);
    void *user;
} WalCheck;

typedef struct {
    unsigned snapshots, complete; /* of clusters */
    unsigned n_read;              /* objects that were opened */
    unsigned gaps, missing, damaged, abandoned;
} WalCheckResult;

/* True also when there were problems, which *ret_result counts. */
bool op_wal_check(OpenRepo *open, const WalCheck *check, const Cancel *cancel,
                  WalCheckResult *ret_result, GError **error);
