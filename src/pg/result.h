/* SPDX-License-Identifier: Apache-2.0 */
/* What a server answers, for the two kinds of connection: waiting that can be cancelled, and errors
 * by their SQLSTATE. The thread of the connection. */
#pragma once
#include "base/cancel.h"
#include <libpq-fe.h>

/* True when the next result is there, or the connection is lost, which the result tells. Cancelled,
 * it asks the server to end the query and goes on waiting for that, but not for long. */
bool pg_await_result(PGconn *conn, const Cancel *cancel);
/* The same for input of any kind, once. False: cancelled, and the server was asked to end. */
bool pg_await_input(PGconn *conn, const Cancel *cancel);

/* True for a statement that went well. BS_ERROR_DENIED, _UNREACHABLE (connection lost), _CANCELLED,
 * _TRANSIENT (serialization, deadlock), _NOT_FOUND, _EXISTS, _NO_SPACE, _CORRUPT (of the server's
 * data), _FAILED. result: NULL when there is none, for the connection is lost. database: whose
 * query it was, for the message; NULL: the server's. */
bool pg_check_result(PGconn *conn, const PGresult *result, const char *database, GError **error);
