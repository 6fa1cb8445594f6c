/* SPDX-License-Identifier: Apache-2.0 */
#include "op/factways.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/secret.h"
#include "codec/dotenv.h"
#include "config/types.h"
#include "net/redis.h"
#include "op/runhooks.h"
#include "pg/conn.h"
#include "pg/url.h"
#include "source/source.h"
#include "source/sqlitequery.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TIMEOUT_S  30
#define DOTENV_MAX ((size_t)1 << 20)
#define REPLY_MAX  ((size_t)64 << 10) /* of a Redis server */
#define SQLITE     "sqlite:"

typedef struct {
    const FactAsking *with;
    int64_t timeout_ms;
} Asking;

static bool ask_variable(const Asking *asking, const char *name, char **ret_value, GError **error)
{
    const char *value = g_getenv(name);

    (void)asking;
    if (!value) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "the variable %s is not set", name);
        return false;
    }
    *ret_value = source_fact_line(value);
    return true;
}

static bool ask_file(const Asking *asking, const char *path, char **ret_value, GError **error)
{
    const char *name = json_string_value(json_object_get(asking->with->fact, "variable"));
    const size_t bound = name ? DOTENV_MAX : FACT_MAX;
    // a pipe would be waited for
    fs_autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    g_autofree char *text = g_malloc0(bound + 1), *value = NULL;
    size_t len;

    if (fd < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    if (!fs_read_full(fd, text, bound, &len, path, error))
        return false;
    value = name ? dotenv_get(text, name) : NULL;
    if (name && (!value || len == bound)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    value ? "%s is too long for a file of variables" : "%s has no variable %s",
                    path, name);
        return false;
    }
    *ret_value = source_fact_line(name ? value : text);
    secret_wipe(text, bound);
    if (value)
        secret_wipe(value, strlen(value));
    return true;
}

static void keep_first(const char *text, void *user)
{
    char **line = user;

    if (!*line && *text)
        *line = source_fact_line(text);
}

static bool ask_command(const Asking *asking, const char *command, char **ret_value, GError **error)
{
    static char *none[] = { NULL };
    g_autofree char *line = NULL;
    const HookRun hook = { .run = "",
                           .schedule = "",
                           .state = "",
                           .sources = none,
                           .hidden = asking->with->hidden,
                           .timeout_ms = asking->timeout_ms,
                           .cancel = asking->with->cancel,
                           .line = keep_first,
                           .user = &line };

    if (!hook_run("the command", command, &hook, error))
        return false;
    *ret_value = line ? g_steal_pointer(&line) : g_strdup("");
    return true;
}

static const char *operand(const Asking *asking)
{
    char *const *operands = asking->with->operands;

    return operands && operands[0] ? operands[0] : "";
}

static const char *database_url(const Asking *asking)
{
    const char *url = operand(asking);

    if (g_str_has_prefix(url, "pgcluster:"))
        url += strlen("pgcluster:");
    return g_str_has_prefix(url, "postgresql://") || g_str_has_prefix(url, "postgres://") ? url
                                                                                          : NULL;
}

static bool ask_postgres(const Asking *asking, const char *text, const char *sql, char **ret_value,
                         GError **error)
{
    g_autoptr(PgUrl) url = pg_url_parse(text, error);
    g_autoptr(PgConn) conn = url ? pg_connect_server(url, asking->with->cancel, error) : NULL;
    g_autofree char *limit =
        g_strdup_printf("SET statement_timeout = %" G_GINT64_FORMAT, asking->timeout_ms);
    g_autoptr(PgRows) set = conn ? pg_query(conn, limit, NULL, error) : NULL;
    g_autoptr(PgRows) rows = set ? pg_query(conn, sql, NULL, error) : NULL;
    const char *value;

    if (!rows)
        return false;
    value = pg_rows_count(rows) > 0 ? pg_rows_get(rows, 0, 0) : NULL;
    *ret_value = value ? source_fact_line(value) : NULL;
    return true;
}

/* What an open database, or one that was not closed, has beside it. Without that it is all there
 * is, and SQLite need not leave such files behind where it only looks. */
static bool is_closed(const char *path)
{
    static const char *const companions[] = { "-wal", "-journal" };

    for (size_t i = 0; i < G_N_ELEMENTS(companions); i++) {
        g_autofree char *companion = g_strconcat(path, companions[i], NULL);

        if (g_file_test(companion, G_FILE_TEST_EXISTS))
            return false;
    }
    return true;
}

static bool ask_sqlite(const Asking *asking, const char *path, const char *sql, char **ret_value,
                       GError **error)
{
    SqliteAsking question = {
        .path = path,
        .name = path,
        .alone = is_closed(path),
        .timeout_ms = asking->timeout_ms,
        .cancel = asking->with->cancel,
    };
    g_autofree char *value = NULL;

    if (!sqlite_ask(&question, sql, &value, error))
        return false;
    *ret_value = value ? source_fact_line(value) : NULL;
    return true;
}

static bool ask_database(const Asking *asking, const char *sql, char **ret_value, GError **error)
{
    const char *url = database_url(asking);

    if (url)
        return ask_postgres(asking, url, sql, ret_value, error);
    if (g_str_has_prefix(operand(asking), SQLITE))
        return ask_sqlite(asking, operand(asking) + strlen(SQLITE), sql, ret_value, error);
    g_set_error_literal(error, BS_ERROR, BS_ERROR_CONFIG,
                        redis_url_is(operand(asking))
                            ? "a Redis server knows no sql; write redis: GET key"
                            : "sql is for sources whose url is postgresql://... or sqlite:...");
    return false;
}

/* ---- Redis ---- */

/* What is sent for what is written: a value is never fetched whole. %s is the key. */
static const struct {
    const char *name;
    unsigned n; /* words behind it */
} redis_commands[] = {
    { "GET", 1 },   { "HGET", 2 },  { "DBSIZE", 0 }, { "STRLEN", 1 }, { "LLEN", 1 },
    { "SCARD", 1 }, { "ZCARD", 1 }, { "HLEN", 1 },   { "XLEN", 1 },   { "TYPE", 1 },
};

static bool parse_redis(const char *text, GStrv *ret_words, GError **error)
{
    g_auto(GStrv) words = NULL;

    if (!g_shell_parse_argv(text, NULL, &words, NULL))
        words = NULL;
    for (size_t i = 0; words && i < G_N_ELEMENTS(redis_commands); i++)
        if (g_ascii_strcasecmp(words[0], redis_commands[i].name) == 0 &&
            g_strv_length(words) == redis_commands[i].n + 1) {
            *ret_words = g_steal_pointer(&words);
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "redis: %s: only what reads one small thing is asked: GET KEY, HGET KEY FIELD, "
                "DBSIZE, and STRLEN, LLEN, SCARD, ZCARD, HLEN, XLEN or TYPE of a KEY",
                text);
    return false;
}

static char *redis_text(const RedisReply *reply)
{
    if (reply->type == REDIS_INTEGER)
        return g_strdup_printf("%" G_GINT64_FORMAT, reply->integer);
    return reply->type == REDIS_TEXT ? source_fact_line(reply->text) : NULL;
}

/* The beginning of a value that may be large; nothing when there is none. */
static bool redis_get(RedisConn *conn, const char *key, char **ret_value, GError **error)
{
    const char *const exists[] = { "EXISTS", key, NULL };
    const char *const range[] = { "GETRANGE", key, "0", G_STRINGIFY(FACT_MAX), NULL };
    g_autoptr(RedisReply) there = NULL, reply = NULL;

    if (!redis_ask(conn, exists, &there, error) || !redis_ask(conn, range, &reply, error))
        return false;
    *ret_value = there->integer > 0 ? redis_text(reply) : NULL;
    return true;
}

static bool ask_redis(const Asking *asking, const char *text, char **ret_value, GError **error)
{
    RedisOptions options = { .connect_ms = asking->timeout_ms,
                             .stall_ms = asking->timeout_ms,
                             .reply_max = REPLY_MAX,
                             .cancel = asking->with->cancel };
    g_autoptr(RedisUrl) url = NULL;
    g_autoptr(RedisConn) conn = NULL;
    g_autoptr(RedisReply) reply = NULL;
    g_auto(GStrv) words = NULL;

    if (!parse_redis(text, &words, error))
        return false;
    if (!redis_url_is(operand(asking))) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_CONFIG,
                            "redis is for sources whose url is redis://...");
        return false;
    }
    url = redis_url_parse(operand(asking), error);
    conn = url ? redis_connect(url, &options, error) : NULL;
    if (!conn)
        return false;
    if (g_ascii_strcasecmp(words[0], "GET") == 0)
        return redis_get(conn, words[1], ret_value, error);
    if (!redis_ask(conn, (const char *const *)words, &reply, error))
        return false;
    *ret_value = redis_text(reply);
    return true;
}

static const struct {
    const char *key;
    bool (*ask)(const Asking *asking, const char *what, char **ret_value, GError **error);
} ways[] = {
    { "sql", ask_database },    { "env", ask_variable }, { "file", ask_file },
    { "command", ask_command }, { "redis", ask_redis },
};

/* ---- one of them ---- */

const char *fact_name(const json_t *fact)
{
    return json_string_value(json_object_get(fact, "name"));
}

bool fact_needs_server(const json_t *fact)
{
    return json_object_get(fact, "sql") || json_object_get(fact, "redis");
}

int64_t fact_timeout_ms(const json_t *fact)
{
    const char *text = json_string_value(json_object_get(fact, "timeout"));
    int64_t seconds = TIMEOUT_S;

    if (text && (!type_wait.parse(text, &seconds, NULL) || seconds <= 0))
        seconds = TIMEOUT_S;
    return seconds * 1000;
}

bool fact_ask(const FactAsking *with, char **ret_value, GError **error)
{
    Asking asking = { with, fact_timeout_ms(with->fact) };
    g_autofree char *value = NULL;
    bool ok = true;

    if (with->most_ms > 0)
        asking.timeout_ms = MIN(asking.timeout_ms, with->most_ms);
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        const char *what = json_string_value(json_object_get(with->fact, ways[i].key));

        if (!what)
            continue;
        ok = ways[i].ask(&asking, what, &value, error) &&
             source_check_fact(fact_name(with->fact), value, error);
        break;
    }
    if (!ok) {
        g_prefix_error(error, "fact %s: ", fact_name(with->fact));
        return false;
    }
    *ret_value = g_steal_pointer(&value);
    return true;
}
