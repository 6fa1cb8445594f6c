/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a Redis server is:
 *
 *   redis://[[user]:password@]host[:port][/db]     port 6379, host 127.0.0.1 when left out
 *   rediss://...                                   the same in TLS
 *   redis:///path/of/redis.sock, unix:///path      a Unix socket
 *
 * with ?db=N&cacert=FILE&cert=FILE&key=FILE&sni=NAME behind it (the last four as redis-cli names
 * them). Special characters of user and password are written %XX. A password that the text leaves
 * out comes from REDISCLI_AUTH, as with redis-cli. Immutable but for redis_url_set_password();
 * threads may share it.
 */
#pragma once
#include "base/secret.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct RedisUrl RedisUrl;

bool redis_url_is(const char *text); /* one of the schemes above */
/* BS_ERROR_USAGE; the error repeats nothing of the text, it may hold a password. */
RedisUrl *redis_url_parse(const char *text, GError **error);
void redis_url_free(RedisUrl *url);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisUrl, redis_url_free)

/* Instead of the one in the text. Copied; NULL: none. */
void redis_url_set_password(RedisUrl *url, const Secret *password);

const char *redis_url_host(const RedisUrl *url); /* NULL: a socket */
uint16_t redis_url_port(const RedisUrl *url);
const char *redis_url_socket(const RedisUrl *url);     /* NULL: a host */
const char *redis_url_user(const RedisUrl *url);       /* NULL: the default user */
const Secret *redis_url_password(const RedisUrl *url); /* NULL: none */
bool redis_url_names_database(const RedisUrl *url);    /* the text chooses one */
uint32_t redis_url_database(const RedisUrl *url);
bool redis_url_tls(const RedisUrl *url);
/* NULL: not given. */
const char *redis_url_cacert(const RedisUrl *url);
const char *redis_url_cert(const RedisUrl *url);
const char *redis_url_key(const RedisUrl *url);
const char *redis_url_sni(const RedisUrl *url);

/* For people and the manifest: "***" in place of a password, and what else was given. */
char *redis_url_redacted(const RedisUrl *url);
/* "redis-<host>-<port>" or "redis-local-<path>", not yet escaped: of the server, whatever the
 * database. */
char *redis_url_server_name(const RedisUrl *url);
