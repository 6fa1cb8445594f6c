/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of a server that held rows before something was restored into them. One thread. */
#pragma once
#include "pg/conn.h"

typedef struct PgHeld PgHeld;

PgHeld *pg_held_new(void);
void pg_held_free(PgHeld *held); /* takes NULL */

/* Those of the database that conn is to, by now; a second time it changes nothing. */
bool pg_held_look(PgHeld *held, PgConn *conn, GError **error);
/* name: quoted, with its schema, in the encoding that conn speaks. */
bool pg_held_has(const PgHeld *held, PgConn *conn, const char *name, bool *ret_has, GError **error);
