/* SPDX-License-Identifier: Apache-2.0 */
/* How a connection is made, and what it means when it is not: the errors of pg_connect(). */
#pragma once
#include "base/cancel.h"
#include "pg/url.h"

/* To be ended by PQfinish(). */
PGconn *pg_login(const PgUrl *url, const char *database, const Cancel *cancel, GError **error);

/* The same for a connection that speaks the replication protocol; which database the URL names does
 * not matter. Unless the URL says otherwise, a server that is gone is noticed within minutes. */
PGconn *pg_login_replication(const PgUrl *url, const Cancel *cancel, GError **error);

/* Lines joined to one, for an error text. */
char *pg_one_line(const char *text);
