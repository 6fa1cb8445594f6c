/* SPDX-License-Identifier: Apache-2.0 */
/* global/pg_control as it lies in a data directory, also beside a running server. Any thread. */
#pragma once
#include "pg/control.h"

/* Below the data directory. A file that was torn by the server's writing is read again.
 * BS_ERROR_NOT_FOUND, BS_ERROR_DENIED and the errors of pg_control_parse(). */
bool pg_control_read(const char *pgdata, PgControl *ret_control, GError **error);
/* The same, and the file as it is. */
bool pg_control_load(const char *pgdata, PgControl *ret_control, GBytes **ret_bytes,
                     GError **error);

#define PG_CONTROL_FILE_LEN 8192
