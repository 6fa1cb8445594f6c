/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
#include "pg/conn.h"
#include <jansson.h>

/* What tools for schema changes have noted in the database connected to: an array of what
 * source/migrations.h says, by schema and table. The connection is to be closed afterwards: its
 * time-outs are changed. Errors of the server, such as a table that may not be read. */
bool pg_migrations(PgConn *conn, json_t **ret_migrations, GError **error);
