/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back of a plain dump: a sink that takes one script of pg_dump and has psql run it in one
 * transaction, which is ended by us, and only after the script proved whole and the one that was
 * recorded: psql itself would take a script that ends early for a good one. What a custom dump
 * allows (choices, several jobs, another owner, replacing what is there) a script does not.
 *
 * psql gets nothing but SQL and rows: its own commands, which could run programs, are taken out,
 * and it is told to refuse them (\restrict, of PostgreSQL 13.22, 14.19, 15.14, 16.10, 17.6 and 18).
 */
#pragma once
#include "source/pgrestore.h"

/* As pg_restore_sink_new(); request->recorded must be there. BS_ERROR_USAGE: something was asked
 * for that a script does not allow. */
Sink *pg_replay_sink_new(const PgRestoreRequest *request, GError **error);

/* The same of a script that makes and enters its databases itself, of pg_dumpall or pg_dump
 * --create: each part of it is run in a session of its own, without a transaction around all, for
 * databases cannot be made in one. So it is pushed twice.
 *
 * run false: only read, and compared with what was recorded; finish looks at the server.
 * BS_ERROR_NOT_EMPTY: a database that it makes is there, or one that it enters holds something; not
 * with force, which leaves those that are there as they are and goes on in them. request->preview,
 * when there is one, is filled.
 * run true: run, up to the first error, and the rows of each table compared; with force not of one
 * that held rows before, which is noted, and then request->preview says that not all are counted.
 * Roles and tablespaces that are there stay as they are, which is noted. */
Sink *pg_replay_server_sink_new(const PgRestoreRequest *request, bool run, GError **error);

/* BS_ERROR_USAGE: something is asked for that no script allows. */
bool pg_replay_allows(const PgRestoreRequest *request, GError **error);
