/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a Redis server that its backup and its restore ask. */
#pragma once
#include "net/redis.h"

/* INFO: all of it as one text. BS_ERROR_DENIED when the login may not ask. */
char *redis_info(RedisConn *conn, const char *section, GError **error);
/* The value of a field, to be freed; NULL: there is none. */
char *redis_info_get(const char *info, const char *field);
int64_t redis_info_number(const char *info, const char *field, int64_t otherwise);
/* A setting; NULL: it cannot be asked for. */
char *redis_config(RedisConn *conn, const char *name);
/* The server's clock, Unix time in ms. */
bool redis_time(RedisConn *conn, int64_t *ret_ms, GError **error);
