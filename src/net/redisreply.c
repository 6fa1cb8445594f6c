/* SPDX-License-Identifier: Apache-2.0 */
#include "net/redisreply.h"

#include "base/error.h"

#include <hiredis/hiredis.h>
#include <string.h>

#define NODES_MAX   (1 << 18) /* of one reply: strings, numbers and arrays */
#define FAILURE_MAX 300       /* of a server's text that goes into ours */

#if HIREDIS_MAJOR >= 1
typedef size_t Count;
#else
typedef int Count;
#endif

struct RedisReader {
    redisReader *parser;
    size_t max, fed;
    unsigned nodes; /* of this reply */
};

/* ---- nodes, as hiredis makes them ---- */

void redis_reply_free(RedisReply *reply)
{
    if (!reply)
        return;
    for (size_t i = 0; i < reply->n_items; i++)
        redis_reply_free(reply->items[i]);
    g_free(reply->items);
    g_free(reply->text);
    g_free(reply);
}

static void *add_node(const redisReadTask *task, RedisReply *node)
{
    RedisReader *reader = task->privdata;

    if (++reader->nodes > NODES_MAX) {
        redis_reply_free(node);
        return NULL; // "out of memory", says hiredis
    }
    if (task->parent)
        ((RedisReply *)task->parent->obj)->items[task->idx] = node;
    return node;
}

static RedisReply *node_new(RedisType type)
{
    RedisReply *node = g_new0(RedisReply, 1);

    node->type = type;
    return node;
}

static void *create_string(const redisReadTask *task, char *data, size_t len)
{
    RedisReply *node = node_new(task->type == REDIS_REPLY_ERROR ? REDIS_FAILURE : REDIS_TEXT);

    node->text = g_malloc(len + 1);
    memcpy(node->text, data, len);
    node->text[len] = '\0';
    node->len = len;
    return add_node(task, node);
}

static void *create_array(const redisReadTask *task, Count n)
{
    RedisReply *node;

    if ((size_t)n > NODES_MAX)
        return NULL;
    node = node_new(REDIS_ARRAY);
    node->items = g_new0(RedisReply *, (size_t)n + 1);
    node->n_items = (size_t)n;
    return add_node(task, node);
}

static void *create_integer(const redisReadTask *task, long long value)
{
    RedisReply *node = node_new(REDIS_INTEGER);

    node->integer = value;
    return add_node(task, node);
}

static void *create_nil(const redisReadTask *task)
{
    return add_node(task, node_new(REDIS_NIL));
}

static void free_object(void *node)
{
    redis_reply_free(node);
}

#if HIREDIS_MAJOR >= 1
/* RESP3, which we do not ask for; a server that sends it unasked must not make hiredis invent
 * pointers. */
static void *create_double(const redisReadTask *task, G_GNUC_UNUSED double value, char *text,
                           size_t len)
{
    return create_string(task, text, len);
}

static void *create_bool(const redisReadTask *task, int value)
{
    return create_integer(task, value);
}
#endif

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
#if HIREDIS_MAJOR >= 1
    .createDouble = create_double,
    .createBool = create_bool,
#endif
};

/* ---- the reader ---- */

static redisReader *parser_new(RedisReader *reader)
{
    redisReader *parser = redisReaderCreateWithFunctions(&functions);

    g_assert(parser);
    parser->privdata = reader;
    return parser;
}

RedisReader *redis_reader_new(void)
{
    RedisReader *reader = g_new0(RedisReader, 1);

    reader->parser = parser_new(reader);
    return reader;
}

void redis_reader_free(RedisReader *reader)
{
    if (!reader)
        return;
    redisReaderFree(reader->parser);
    g_free(reader);
}

void redis_reader_begin(RedisReader *reader, size_t max)
{
    reader->max = max;
    reader->fed = 0;
    reader->nodes = 0;
}

void redis_reader_feed(RedisReader *reader, const char *data, size_t len)
{
    reader->fed += len;
    // a failure stays in the parser, and next() tells of it
    (void)redisReaderFeed(reader->parser, data, len);
}

static bool refuse(const RedisReader *reader, GError **error)
{
    if (reader->parser->err == REDIS_ERR_OOM)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "a reply of more than %d parts, which is no answer to what was asked",
                    NODES_MAX);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "no Redis server answers there");
    return false;
}

bool redis_reader_next(RedisReader *reader, RedisReply **ret_reply, GError **error)
{
    void *reply = NULL;

    if (redisReaderGetReply(reader->parser, &reply) != REDIS_OK)
        return refuse(reader, error);
    if (!reply && reader->fed > reader->max) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "a reply of more than %zu bytes",
                    reader->max);
        return false;
    }
    *ret_reply = reply;
    return true;
}

size_t redis_reader_rest(RedisReader *reader, char *buf, size_t max)
{
    size_t len = reader->parser->len - reader->parser->pos;

    g_assert(len <= max);
    if (len > 0)
        memcpy(buf, reader->parser->buf + reader->parser->pos, len);
    redisReaderFree(reader->parser);
    reader->parser = parser_new(reader);
    return len;
}

/* ---- errors ---- */

static const struct {
    const char *start;
    int code;
} failures[] = {
    { "NOAUTH", BS_ERROR_AUTH },
    { "WRONGPASS", BS_ERROR_AUTH },
    { "ERR invalid password", BS_ERROR_AUTH },
    { "ERR operation not permitted", BS_ERROR_AUTH }, // before 2.8, of a missing login
    { "DENIED", BS_ERROR_AUTH },                      // protected mode
    { "NOPERM", BS_ERROR_DENIED },
    { "READONLY", BS_ERROR_DENIED },
    { "LOADING", BS_ERROR_UNREACHABLE },
    { "BUSYKEY", BS_ERROR_EXISTS },
    { "BUSY", BS_ERROR_TRANSIENT },
    { "TRYAGAIN", BS_ERROR_TRANSIENT },
    { "MASTERDOWN", BS_ERROR_TRANSIENT },
    { "CLUSTERDOWN", BS_ERROR_TRANSIENT },
    { "ERR max number of clients", BS_ERROR_TRANSIENT },
    { "NOSCRIPT", BS_ERROR_NOT_FOUND },
    { "OOM", BS_ERROR_NO_SPACE },
    { "ERR unknown command", BS_ERROR_UNSUPPORTED },
};

void redis_failure(const char *text, GError **error)
{
    // the arguments of a command that is not known, a password maybe, are repeated behind this
    const char *arguments = strstr(text, ", with args beginning with");
    size_t len = arguments ? (size_t)(arguments - text) : strlen(text);
    g_autofree char *valid = g_utf8_make_valid(text, (gssize)MIN(len, FAILURE_MAX));
    int code = BS_ERROR_FAILED;

    g_strdelimit(g_strchomp(valid), "\r\n\t\033", ' ');
    for (size_t i = 0; i < G_N_ELEMENTS(failures); i++)
        if (g_str_has_prefix(text, failures[i].start)) {
            code = failures[i].code;
            break;
        }
    g_set_error(error, BS_ERROR, code, "server: %s", valid);
}
