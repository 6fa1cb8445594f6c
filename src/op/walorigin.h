/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a timeline comes from where its history says, as far as what a repository holds proves
 * it. A history is a claim: a copy of a server that was promoted, and two that made the same
 * timeline, write one, too, and their WAL must not be taken for one life. What is not held proves
 * nothing, and what cannot be read is told by others. Any thread.
 */
#pragma once
#include "pg/history.h"
#include "repo/repo.h"

/* Against the histories of the timelines that it passes. BS_ERROR_MISMATCH: one of them comes from
 * elsewhere; the text names both claims. Other errors: the store could not be asked. */
bool wal_origin_agrees(Repo *repo, uint64_t system_id, const PgHistory *history, GError **error);

/*
 * And against the WAL: where a timeline was left within a segment, PostgreSQL gives the younger one
 * a copy of what came before in it. BS_ERROR_MISMATCH: the older timeline's file has something else
 * there, so the younger one comes from another server. from: LSN; what was left before is not
 * looked at.
 */
bool wal_origin_joins(Repo *repo, uint64_t system_id, uint32_t segment_size,
                      const PgHistory *history, uint64_t from, GError **error);
