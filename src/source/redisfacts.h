/* SPDX-License-Identifier: Apache-2.0 */
/* What a manifest says of a Redis server (doc/redis.schema.json), as jansson values that the caller
 * owns. */
#pragma once
#include "source/rdb.h"
#include "source/redisstream.h"
#include <jansson.h>

json_t *redis_facts_source(const char *name, const RedisUrl *url);
json_t *redis_facts_server(const char *info); /* all of INFO */
/* Of the file: version, checksum, keys of each database, functions, modules. */
json_t *redis_facts_databases(const RdbWalker *walker);
json_t *redis_facts_file(const RdbWalker *walker);
/* How it was taken, and where the server was then. */
json_t *redis_facts_copy(const RedisStream *stream);
