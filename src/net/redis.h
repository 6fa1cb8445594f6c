/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection to a Redis server (RESP2: https://redis.io/docs/reference/protocol-spec), logged in
 * and with the database of its URL chosen. Replies are bounded, because a server may be anybody.
 * One thread at a time; after an error of the connection itself (BS_ERROR_UNREACHABLE, _CORRUPT,
 * _CANCELLED) only redis_conn_free() is left. The process ignores SIGPIPE (cancel_on_signals).
 */
#pragma once
#include "base/cancel.h"
#include "net/redisurl.h"
#include <sys/types.h>

typedef struct RedisConn RedisConn;

typedef struct {
    const char *ca_file;  /* for rediss://, where the URL has no cacert; NULL: the system's */
    int64_t connect_ms;   /* 0: 10 s */
    int64_t stall_ms;     /* the server is silent for so long; 0: 60 s */
    size_t reply_max;     /* bytes of one reply; 0: 16 MiB */
    const Cancel *cancel; /* borrowed for the connection's life; may be NULL */
} RedisOptions;

/* options: NULL for the defaults. BS_ERROR_UNREACHABLE: nobody answers, or the server is loading
 * its data; BS_ERROR_AUTH: the login is refused, or a password is missing; BS_ERROR_DENIED: the
 * certificate is not to be trusted; BS_ERROR_NOT_FOUND: no such database; BS_ERROR_TRANSIENT: no
 * connection is free; BS_ERROR_CANCELLED. */
RedisConn *redis_connect(const RedisUrl *url, const RedisOptions *options, GError **error);
void redis_conn_free(RedisConn *conn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisConn, redis_conn_free)

/* ---- commands ---- */

typedef enum {
    REDIS_NIL,
    REDIS_TEXT, /* a string or a status, any bytes */
    REDIS_INTEGER,
    REDIS_ARRAY,
    REDIS_FAILURE, /* within an array; as the whole reply it is a GError */
} RedisType;

typedef struct RedisReply {
    RedisType type;
    int64_t integer;
    char *text; /* of REDIS_TEXT and REDIS_FAILURE, zero-terminated; else NULL */
    size_t len;
    struct RedisReply **items;
    size_t n_items;
} RedisReply;
void redis_reply_free(RedisReply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RedisReply, redis_reply_free)

typedef struct {
    const void *data;
    size_t len;
} RedisArg;

/*
 * One command and its reply. ret_reply: NULL when it does not matter. An error that the server
 * answers becomes BS_ERROR_AUTH (NOAUTH, WRONGPASS), _DENIED (NOPERM, READONLY), _TRANSIENT (BUSY,
 * TRYAGAIN, ...), _UNREACHABLE (LOADING), _NOT_FOUND (NOSCRIPT), _EXISTS (BUSYKEY), _NO_SPACE
 * (OOM), _UNSUPPORTED (unknown command) or _FAILED, and the connection goes on.
 */
bool redis_command(RedisConn *conn, const RedisArg *args, size_t n_args, RedisReply **ret_reply,
                   GError **error);
/* The same with texts, NULL at the end. */
bool redis_ask(RedisConn *conn, const char *const *words, RedisReply **ret_reply, GError **error);

/* Several commands on their way: send gathers (what is gathered goes out before a reply is waited
 * for, and when it is much), receive gives one reply after the other. */
bool redis_send(RedisConn *conn, const RedisArg *args, size_t n_args, GError **error);
bool redis_receive(RedisConn *conn, RedisReply **ret_reply, GError **error);
/* A command with an argument that is not in memory: begin says how many there are, each is an arg,
 * or a long one of len bytes that are given in pieces. */
bool redis_begin(RedisConn *conn, size_t n_args, GError **error);
bool redis_arg(RedisConn *conn, const void *data, size_t len, GError **error);
bool redis_long_arg(RedisConn *conn, uint64_t len, GError **error);
bool redis_long_piece(RedisConn *conn, const void *data, size_t len, GError **error);
bool redis_long_end(RedisConn *conn, GError **error);

/* ---- what a server sends to a replica ---- */

/* The next line without its end and a "+" before it; empty lines, which keep the connection alive,
 * are passed over. A line with "-" is an error as above. Freed by the caller. From here on only
 * this and redis_read_raw(). */
bool redis_read_line(RedisConn *conn, char **ret_line, GError **error);
/* What comes next, as it is: at least one byte, 0 at the end, -1 on failure. */
ssize_t redis_read_raw(RedisConn *conn, void *buf, size_t len, GError **error);

const char *redis_conn_place(const RedisConn *conn); /* "host:port"; borrowed */
