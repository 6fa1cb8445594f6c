/* SPDX-License-Identifier: Apache-2.0 */
/* What a backup of a data directory says of itself: backup_manifest, and its part of manifest.json
 * (doc/pgcluster.schema.json). One thread. */
#pragma once
#include "pg/control.h"
#include "source/pgdirkeep.h"
#include "source/pgdirread.h"
#include "source/pgdirwal.h"
#include <jansson.h>

/* Of all that was read, as pgdata/backup_manifest. */
bool pg_dir_manifest_push(PgDirRead *read, const PgControl *control, const PgDirWal *wal,
                          PgTree *tree, GError **error);

/* n_kept: files taken over from the last backup. damage: of PgDirDamage. To be freed by
 * json_decref(). */
json_t *pg_dir_describe(const PgDirCircumstances *circumstances, uint64_t n_kept,
                        const GArray *damage);
/* BS_ERROR_PARTIAL: for people. */
GError *pg_dir_damage_error(const PgDirDamage *damage);
