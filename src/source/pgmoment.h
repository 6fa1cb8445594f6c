/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One moment of databases, for as long as it is needed: in each a transaction whose snapshot
 * pg_dump takes over (PostgreSQL documentation, "Snapshot Synchronization Functions"). A server has
 * no snapshot of several databases: they are taken one right after the other. One thread.
 */
#pragma once
#include "base/cancel.h"
#include "pg/url.h"
#include <stdbool.h>

typedef struct PgMoment PgMoment;

/* Logs in to each. databases: NULL for all that can be entered, but for the keys of excluded.
 * cancel is borrowed for its life. */
PgMoment *pg_moment_new(const PgUrl *url, char *const *databases, GHashTable *excluded,
                        const Cancel *cancel, GError **error);
bool pg_moment_open(PgMoment *moment, GError **error);
/* For pg_dump --snapshot. NULL: there is none of this database. */
const char *pg_moment_snapshot(const PgMoment *moment, const char *database);
void pg_moment_free(PgMoment *moment); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PgMoment, pg_moment_free)
