/* SPDX-License-Identifier: Apache-2.0 */
/* Inside op/reach.c: whether the recovery of one base backup reaches the target on one way. */
#pragma once
#include "op/reach.h"

typedef enum {
    REACHED,
    TOO_EARLY,   /* before the base is consistent */
    NOT_REACHED, /* the WAL that is held ends before */
    UNUSABLE,    /* it does not even become consistent */
    NOT_ON_WAY,  /* its timeline does not lead there */
} Verdict;

typedef struct {
    const WalHeld *held;
    uint32_t timeline; /* where the way ends */
    const WalTarget *target;
    uint64_t limit; /* LSN: what begins here or later is not looked at */
} ReachBase;

/*
 * Opens the base. False: it could not be found out. True: *ret_verdict; with REACHED what is known
 * is filled in but for base and snapshots, else *ret_problem says why, BS_ERROR_WAL_GAP.
 */
bool reach_base(ClusterBase *base, const ReachBase *asked, const Cancel *cancel,
                Verdict *ret_verdict, Reach *reach, GError **ret_problem, GError **error);
