/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Partitions that a choice of tables or schemas leaves out: pg_dump takes a partitioned table
 * without them, and so without a row, unless it is told otherwise (--table-and-children, from 16
 * on; nothing takes those in other schemas than the chosen ones). One thread.
 */
#pragma once
#include "pg/conn.h"
#include "source/pgdump.h"

typedef struct PgPartitions PgPartitions;

/* All of the database connected to. Changes the client encoding of conn: names are compared as
 * bytes. */
PgPartitions *pg_partitions_load(PgConn *conn, GError **error);
void pg_partitions_free(PgPartitions *partitions);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgPartitions, pg_partitions_free)

/* BS_ERROR_UNSUPPORTED: the dump, whose table of contents is complete, holds a partitioned table
 * and not all of its partitions; names them. */
bool pg_partitions_check(const PgPartitions *partitions, const PgDump *dump, GError **error);
