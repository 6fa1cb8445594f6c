/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redisput.h"

#include "base/error.h"
#include "base/fs.h"
#include "codec/crc64.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MEMORY_MAX (32u * 1024 * 1024)
#define PENDING    256                /* answers that are waited for together */
#define FLYING_MAX (4u * 1024 * 1024) /* bytes of values that are */
#define COPY_LEN   (1u << 20)
#define NAME_SHOWN 80

struct RedisPut {
    RedisConn *conn;
    unsigned version;
    bool skipping;
    /* the key */
    GByteArray *name;
    uint32_t database;
    int64_t expire_ms, idle_s;
    int frequency;
    /* its value */
    GByteArray *value;
    int spool; /* -1: all is in value */
    uint64_t spooled;
    uint64_t crc;
    /* on their way */
    GQueue *pending; /* of char *: what to name when it fails */
    size_t flying;
    bool chosen;
    uint32_t chosen_database;
};

RedisPut *redis_put_new(RedisConn *conn)
{
    RedisPut *put = g_new0(RedisPut, 1);

    put->conn = conn;
    put->name = g_byte_array_new();
    put->value = g_byte_array_new();
    put->pending = g_queue_new();
    put->spool = -1;
    return put;
}

void redis_put_free(RedisPut *put)
{
    if (!put)
        return;
    fs_clear_fd(&put->spool);
    g_byte_array_unref(put->name);
    g_byte_array_unref(put->value);
    g_queue_free_full(put->pending, g_free);
    g_free(put);
}

void redis_put_version(RedisPut *put, unsigned version)
{
    put->version = version;
}

/* ---- answers ---- */

static bool fail(const RedisPut *put, const char *what, GError *failure, GError **error)
{
    if (strstr(failure->message, "payload version or checksum")) {
        failure->code = BS_ERROR_VERSION;
        g_prefix_error(&failure,
                       "the server is older than the one that was saved (version %u of the "
                       "format): ",
                       put->version);
    }
    g_propagate_prefixed_error(error, failure, "%s: ", what);
    return false;
}

static bool receive_all(RedisPut *put, GError **error)
{
    while (!g_queue_is_empty(put->pending)) {
        g_autofree char *what = g_queue_pop_head(put->pending);
        GError *failure = NULL;

        if (!redis_receive(put->conn, NULL, &failure))
            return fail(put, what, failure, error);
    }
    put->flying = 0;
    return true;
}

bool redis_put_finish(RedisPut *put, GError **error)
{
    return receive_all(put, error);
}

/* ---- sending ---- */

/* A key on its way behind a SELECT that fails would come into another database. */
static bool choose_database(RedisPut *put, GError **error)
{
    char number[16];
    RedisArg args[2] = { { "SELECT", 6 }, { number, 0 } };

    if (put->chosen && put->chosen_database == put->database)
        return true;
    args[1].len = (size_t)g_snprintf(number, sizeof number, "%u", put->database);
    g_queue_push_tail(put->pending,
                      g_strdup_printf("database %s (the server may have fewer: \"databases\" in "
                                      "redis.conf)",
                                      number));
    put->chosen = redis_send(put->conn, args, 2, error) && receive_all(put, error);
    put->chosen_database = put->database;
    return put->chosen;
}

static bool send_spooled(RedisPut *put, GError **error)
{
    g_autofree char *buffer = g_malloc(COPY_LEN);

    for (uint64_t at = 0; at < put->spooled;) {
        size_t n;

        if (!fs_pread_full(put->spool, buffer, COPY_LEN, at, &n, "spooled value", error) ||
            !redis_long_piece(put->conn, buffer, n, error))
            return false;
        if (n == 0) {
            g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "spooled value: it became shorter");
            return false;
        }
        at += n;
    }
    return true;
}

static bool send_text(RedisPut *put, const char *text, GError **error)
{
    return redis_arg(put->conn, text, strlen(text), error);
}

static bool send_number(RedisPut *put, int64_t number, GError **error)
{
    char text[32];

    g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT, number);
    return send_text(put, text, error);
}

/* RESTORE key ttl value ABSTTL [IDLETIME s | FREQ n] */
static bool send_restore(RedisPut *put, GError **error)
{
    bool use = put->idle_s >= 0 || put->frequency >= 0;

    return redis_begin(put->conn, use ? 7 : 5, error) && send_text(put, "RESTORE", error) &&
           redis_arg(put->conn, put->name->data, put->name->len, error) &&
           send_number(put, MAX(put->expire_ms, 0), error) &&
           redis_long_arg(put->conn, put->spooled + put->value->len, error) &&
           send_spooled(put, error) &&
           redis_long_piece(put->conn, put->value->data, put->value->len, error) &&
           redis_long_end(put->conn, error) && send_text(put, "ABSTTL", error) &&
           (!use || (send_text(put, put->idle_s >= 0 ? "IDLETIME" : "FREQ", error) &&
                     send_number(put, put->idle_s >= 0 ? put->idle_s : put->frequency, error)));
}

static char *describe(const RedisPut *put)
{
    g_autofree char *text =
        g_strndup((const char *)put->name->data, MIN(put->name->len, NAME_SHOWN));
    g_autofree char *shown = g_strescape(text, NULL);

    return g_strdup_printf("database %u, key \"%s\"", put->database, shown);
}

/* ---- values ---- */

static void begin_value(RedisPut *put, uint8_t type)
{
    put->skipping = false;
    put->spooled = 0;
    put->crc = 0;
    g_byte_array_set_size(put->value, 0);
    g_byte_array_append(put->value, &type, 1);
    put->crc = crc64(0, &type, 1);
}

void redis_put_skip(RedisPut *put)
{
    put->skipping = true;
}

void redis_put_begin(RedisPut *put, const RdbKey *key)
{
    g_byte_array_set_size(put->name, 0);
    g_byte_array_append(put->name, (const guint8 *)key->text, (guint)key->len);
    put->database = key->database;
    put->expire_ms = key->expire_ms;
    put->idle_s = key->idle_s;
    put->frequency = key->frequency;
    begin_value(put, key->type);
}

static bool spool_value(RedisPut *put, GError **error)
{
    if (put->spool < 0)
        put->spool = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (put->spool < 0) {
        bs_error_errno(error, errno, "a file for a large value in %s; set TMPDIR", g_get_tmp_dir());
        return false;
    }
    if (!fs_pwrite_all(put->spool, put->value->data, put->value->len, put->spooled, "spooled value",
                       error))
        return false;
    put->spooled += put->value->len;
    g_byte_array_set_size(put->value, 0);
    return true;
}

bool redis_put_piece(RedisPut *put, const void *data, size_t len, GError **error)
{
    if (put->skipping)
        return true;
    if (put->value->len + len > MEMORY_MAX && !spool_value(put, error))
        return false;
    put->crc = crc64(put->crc, data, len);
    g_byte_array_append(put->value, data, (guint)len);
    return true;
}

bool redis_put_end(RedisPut *put, GError **error)
{
    const uint8_t version[2] = { (uint8_t)put->version, (uint8_t)(put->version >> 8) };
    uint64_t sum;

    if (put->skipping)
        return true;
    if (!redis_put_piece(put, version, sizeof version, error))
        return false;
    sum = GUINT64_TO_LE(put->crc);
    g_byte_array_append(put->value, (const guint8 *)&sum, sizeof sum);
    if (!choose_database(put, error))
        return false;
    g_queue_push_tail(put->pending, describe(put));
    put->flying += put->value->len + put->name->len;
    if (!send_restore(put, error))
        return false;
    return (g_queue_get_length(put->pending) < PENDING && put->flying < FLYING_MAX &&
            put->spooled == 0) ||
           receive_all(put, error);
}

bool redis_put_probe(RedisPut *put, uint32_t database, GError **error)
{
    g_autofree char *random = g_uuid_string_random();
    g_autofree char *name = g_strconcat("backstay:probe:", random, NULL);
    const RdbKey key = { .database = database,
                         .text = name,
                         .len = strlen(name),
                         .expire_ms = -1,
                         .idle_s = -1,
                         .frequency = -1 };

    redis_put_begin(put, &key);
    return redis_put_piece(put, "\1x", 2, error) && redis_put_end(put, error) &&
           receive_all(put, error) &&
           redis_ask(put->conn, (const char *const[]){ "DEL", name, NULL }, NULL, error);
}
