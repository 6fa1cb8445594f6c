/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the target of a dump share. One thread, as its connection. */
#pragma once
#include "source/pgtarget.h"

struct PgTarget {
    const PgUrl *url;
    const PgDump *dump;
    const PgTargetOptions *options;
    PgConn *conn;
    bool made; /* by us, and not yet to be kept */
    bool created;
    bool absent; /* and only looked at: conn is to another database of the server */
};

/* For the user to read, when he asked for that. */
void pg_target_note(const PgTarget *target, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The first few of these names (char *), and how many more there are. */
char *pg_target_list_some(const GPtrArray *names);

/* What the dump, or its record, says of its server and its encoding; NULL: nothing. To be freed. */
char *pg_target_dumped_version(const PgTarget *target);
char *pg_target_dumped_encoding(const PgTarget *target);

/* ---- pgtargetmake.c ---- */

/* A connection to the same server, but another database; cancel may be NULL. */
PgConn *pg_target_connect_beside(const PgTarget *target, const Cancel *cancel, GError **error);
/* Notes when the database would not be made in the tablespace that it had. */
bool pg_target_look_at_tablespace(const PgTarget *target, PgConn *conn, GError **error);
/* Through conn, to another database of the server. From now on pg_target_free() drops it. */
bool pg_target_create_database(PgTarget *target, PgConn *conn, GError **error);
/* Nothing but what was made here is ever dropped; that happens after a cancel, too. A failure is
 * told by note. */
void pg_target_drop_database(const PgTarget *target);
