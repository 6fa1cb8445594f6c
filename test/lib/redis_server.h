/* SPDX-License-Identifier: Apache-2.0 */
/* A throw-away redis-server for a test, in a directory of its own, on a Unix socket; with a port
 * when the configuration asks for one. It dies with the test. */
#pragma once
#include <glib.h>

typedef struct {
    char *directory, *socket;
    char *url;     /* "redis:///.../redis.sock" */
    unsigned port; /* a free one; what "%u" in the configuration becomes */
    GPid pid;
} RedisServer;

/* configuration: further lines of redis.conf, with "%u" at most once; may be NULL. Ends the test
 * program when it cannot be had. */
RedisServer *redis_server_start(const char *configuration);
/* In the directory of one that was stopped by redis_server_kill(). */
void redis_server_again(RedisServer *server, const char *configuration);
void redis_server_kill(RedisServer *server); /* SIGKILL, waits; the directory stays */
void redis_server_stop(RedisServer *server); /* and removes it; frees */
/* What redis-cli prints, as the default user; asserts that it ends with status 0. */
char *redis_server_cli(const RedisServer *server, const char *arguments);
