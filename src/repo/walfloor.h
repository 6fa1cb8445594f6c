/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The note that retention has removed WAL of a cluster from between base backups that stay: before
 * this position (the floor) only the WAL that each base needs to become consistent is held on
 * purpose. Without it nobody could tell what was removed from what was lost. A record
 * (repo/record.h) of kind "wal-floor", saved before the first object goes; an older one may lie
 * beside it after a crash, so the highest counts. Any thread.
 */
#pragma once
#include "repo/repo.h"

/* Durable when it returns true; then older ones are gone. Nothing is done when one as high is held
 * already. */
bool wal_floor_raise(Repo *repo, uint64_t system_id, uint64_t lsn, GError **error);
/* 0: nothing was ever removed from between. BS_ERROR_CORRUPT: a record cannot be read. */
bool wal_floor_load(Repo *repo, uint64_t system_id, uint64_t *ret_lsn, GError **error);
