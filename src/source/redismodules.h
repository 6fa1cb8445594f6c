/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a Redis server can load what modules have written into a database file: the first value
 * of each of their types is restored there under a name that nobody has, and removed again. A
 * server does not tell what types it has, and to ask with a value made up for it could end it.
 */
#pragma once
#include "source/redisrestore.h"

/* Takes one file, dump.rdb, and leaves the server as it was. BS_ERROR_SETUP: it lacks a module,
 * which is named; else what redis_restore_sink_new() tells. */
Sink *redis_modules_sink_new(const RedisRestoreRequest *request, GError **error);
