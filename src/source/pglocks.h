/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What pg_restore --jobs needs to restore partitioned and inherited tables. It keeps two jobs from
 * waiting for each other by the tables that entries of the archive depend on: those of an entry of
 * the last section count as locked by it. But a statement about a partitioned table locks its
 * partitions, and attaching an index may lock the tables above; pg_dump names neither. So one job
 * adds a constraint to the parent while another copies rows into a partition, the server ends one
 * of them ("deadlock detected"), and the restore has failed with half of the tables filled. Here
 * the tables that are locked are added to what the entries depend on.
 */
#pragma once
#include "source/pgdump.h"

/* Takes head: the archive's first bytes, at least as far as dump has its table of contents. Returns
 * them with what was missing; the same bytes when nothing was. An archive that says where its data
 * lie (pg_dump wrote it to a file, not to a pipe) is left alone, because bytes may not move there.
 */
GByteArray *pg_locks_complete(const PgDump *dump, GByteArray *head);
