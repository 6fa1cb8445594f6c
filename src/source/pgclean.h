/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pg_restore --clean needs to replace partitioned tables. A dump holds for each entry the
 * statement that drops it, also for the constraints and triggers that a partition inherits; these
 * PostgreSQL refuses to drop one by one. They go with their table, which is dropped a moment later
 * by its own statement, so theirs are taken out of the archive on its way to pg_restore.
 */
#pragma once
#include "source/pgdump.h"

/* head: the archive's first bytes, at least as far as dump has its table of contents. No byte moves
 * and none is added: the offsets that an archive holds stay true. */
void pg_clean_prepare(const PgDump *dump, uint8_t *head, size_t len);
