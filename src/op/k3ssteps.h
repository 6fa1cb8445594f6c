/* SPDX-License-Identifier: Apache-2.0 */
/* What is left for people to do when a snapshot of a k3s server (source/k3s.h) was restored to a
 * directory, or is to be. */
#pragma once
#include "repo/repo.h"
#include "repo/snapshot.h"

typedef struct {
    const char *path;   /* of the snapshot; NULL: all of it */
    const char *target; /* the directory */
    const char *name;   /* as people know it */
    bool done;          /* false: it was only looked at */
} K3sRestored;

/* Sentences in their order, to be freed; none when this is no such snapshot, or only a part of the
 * server that it holds. *ret_steps: NULL then. BS_ERROR_CORRUPT: its manifest does not say where
 * the server was. */
bool k3s_steps(Repo *repo, const Snapshot *snapshot, const K3sRestored *restored, char ***ret_steps,
               GError **error);
