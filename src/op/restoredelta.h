/* SPDX-License-Identifier: Apache-2.0 */
/* What a restore with delta must know besides: what lies in the target is not to be trusted, and
 * not all of it is the restore's to remove. */
#pragma once
#include "base/cancel.h"
#include "repo/repo.h"
#include "repo/snapshot.h"

/* Refuses (BS_ERROR_NOT_EMPTY) when a PostgreSQL server runs in target, or in a directory of it
 * that the tree has, too. tree may be NULL: a single file. */
bool restore_refuse_running(Repo *repo, const Id *tree, const char *target, const Cancel *cancel,
                            GError **error);
/* What the snapshot was made of, as paths of its tree: restic puts what was given by a relative
 * path at the root, under its last component. Freed with g_strfreev(). */
GStrv restore_roots(Repo *repo, const Snapshot *snapshot);
/* Whether path, which only the target has, is within one of them: beside /srv/app in the target
 * lies what nobody asked to have saved. */
bool restore_is_stranger(char *const *roots, const char *path);
