/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redisinfo.h"

#include "base/error.h"

#include <string.h>

static bool strange(RedisConn *conn, const char *command, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: an answer to %s that means nothing",
                redis_conn_place(conn), command);
    return false;
}

char *redis_info(RedisConn *conn, const char *section, GError **error)
{
    g_autoptr(RedisReply) reply = NULL;

    if (!redis_ask(conn, (const char *const[]){ "INFO", section, NULL }, &reply, error))
        return NULL;
    if (reply->type != REDIS_TEXT) {
        (void)strange(conn, "INFO", error);
        return NULL;
    }
    return g_steal_pointer(&reply->text);
}

char *redis_info_get(const char *info, const char *field)
{
    size_t len = strlen(field);

    for (const char *line = info; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, field, len) == 0 && line[len] == ':')
            return g_strndup(line + len + 1, strcspn(line + len + 1, "\r\n"));
    return NULL;
}

int64_t redis_info_number(const char *info, const char *field, int64_t otherwise)
{
    g_autofree char *text = redis_info_get(info, field);
    int64_t value;

    return text && g_ascii_string_to_signed(text, 10, INT64_MIN, INT64_MAX, &value, NULL)
               ? value
               : otherwise;
}

char *redis_config(RedisConn *conn, const char *name)
{
    g_autoptr(RedisReply) reply = NULL;

    if (!redis_ask(conn, (const char *const[]){ "CONFIG", "GET", name, NULL }, &reply, NULL) ||
        reply->type != REDIS_ARRAY || reply->n_items != 2 || reply->items[1]->type != REDIS_TEXT)
        return NULL;
    return g_steal_pointer(&reply->items[1]->text);
}

bool redis_time(RedisConn *conn, int64_t *ret_ms, GError **error)
{
    g_autoptr(RedisReply) reply = NULL;
    guint64 parts[2];

    if (!redis_ask(conn, (const char *const[]){ "TIME", NULL }, &reply, error))
        return false;
    if (reply->type != REDIS_ARRAY || reply->n_items != 2)
        return strange(conn, "TIME", error);
    for (size_t i = 0; i < 2; i++)
        if (reply->items[i]->type != REDIS_TEXT ||
            !g_ascii_string_to_unsigned(reply->items[i]->text, 10, 0, INT64_MAX / 1000, &parts[i],
                                        NULL))
            return strange(conn, "TIME", error);
    *ret_ms = (int64_t)(parts[0] * 1000 + parts[1] / 1000);
    return true;
}
