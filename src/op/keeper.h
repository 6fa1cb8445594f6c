/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps a repository open, without a lock, for threads that come and go, and its master key in
 * locked memory. What has failed is opened anew, and what is older than half a minute, too: a
 * mirror may have been added meanwhile, or the keys of a bucket have changed. Any thread.
 */
#pragma once
#include "op/open.h"

typedef struct Keeper Keeper;

/* settings and cancel are borrowed; both must outlive it. use: of the mirrors. */
Keeper *keeper_new(const Settings *settings, MirrorUse use, const Cancel *cancel);
void keeper_free(Keeper *keeper); /* when all are given back */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keeper, keeper_free)

typedef struct KeptRepo KeptRepo;

/* Waits for whoever opens it just now. A failure to open counts for everybody for a second. Only
 * what several threads may do may be done with the repository. */
bool keeper_take(Keeper *keeper, KeptRepo **ret_kept, GError **error);
OpenRepo *kept_open(KeptRepo *kept);
/* failure: of what was done with it, or NULL; after one nobody else gets the same. */
void keeper_give(Keeper *keeper, KeptRepo *kept, const GError *failure);
