/* SPDX-License-Identifier: Apache-2.0 */
#include "net/redisurl.h"

#include "base/error.h"

#include <string.h>

#define PORT         6379
#define HOST         "127.0.0.1"
#define DATABASE_MAX 65535 /* far beyond any server's; 16 are usual */

struct RedisUrl {
    bool tls;
    char *host, *path, *user, *cacert, *cert, *key, *sni;
    uint16_t port;
    Secret *password;
    bool names_database;
    uint32_t database;
};

static const struct {
    const char *text;
    bool tls, socket;
} schemes[] = { { "redis://", false, false },
                { "rediss://", true, false },
                { "unix://", false, true } };

static bool fail(GError **error, const char *what)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "not a Redis URL: %s; write redis://user:password@host:port, rediss:// for TLS, or "
                "redis:///path/of/redis.sock",
                what);
    return false;
}

bool redis_url_is(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
        if (g_str_has_prefix(text, schemes[i].text))
            return true;
    return false;
}

/* ---- parts ---- */

static void wipe_free(char *text)
{
    if (text)
        secret_wipe(text, strlen(text));
    g_free(text);
}

/* NULL: a lone %, or %00. */
static char *unescape(const char *text, size_t len)
{
    return g_uri_unescape_segment(text, text + len, NULL);
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    return *text && g_ascii_string_to_unsigned(text, 10, 0, max, ret_value, NULL);
}

/* "user:password". A lone word would be a user for some programs and a password for redis-cli: what
 * may be a password must not be shown as a name. */
static bool parse_login(RedisUrl *url, const char *text, size_t len, GError **error)
{
    const char *colon = memchr(text, ':', len);
    char *password;

    if (!colon)
        return fail(error, "before the @ stands one word; write user:password@, :password@, or "
                           "user:@ with the password in REDISCLI_AUTH");
    if (colon > text) {
        url->user = unescape(text, (size_t)(colon - text));
        if (!url->user)
            return fail(error, "special characters of the user are written %XX");
    }
    password = unescape(colon + 1, len - (size_t)(colon - text) - 1);
    if (!password)
        return fail(error, "special characters of the password are written %XX");
    if (*password)
        url->password = secret_new(password, strlen(password));
    wipe_free(password);
    return true;
}

static bool parse_port(RedisUrl *url, const char *text, GError **error)
{
    uint64_t port;

    if (!parse_number(text, 65535, &port) || port == 0)
        return fail(error, "the port is no number from 1 to 65535");
    url->port = (uint16_t)port;
    return true;
}

/* "host", "host:port", "[v6]:port", ":port", "". */
static bool parse_host(RedisUrl *url, const char *text, GError **error)
{
    g_autofree char *plain = NULL;
    char *colon;

    if (*text == '[') {
        const char *end = strchr(text, ']');

        if (!end || (end[1] && end[1] != ':'))
            return fail(error, "the address in brackets does not end");
        url->host = g_strndup(text + 1, (size_t)(end - text) - 1);
        return !end[1] || parse_port(url, end + 2, error);
    }
    plain = g_strdup(text);
    colon = strchr(plain, ':');
    if (colon) {
        if (strchr(colon + 1, ':'))
            return fail(error, "an address with colons stands in brackets");
        *colon = '\0';
    }
    url->host = *plain ? unescape(plain, strlen(plain)) : g_strdup(HOST);
    if (!url->host)
        return fail(error, "the host is not written properly");
    return !colon || parse_port(url, colon + 1, error);
}

static bool set_database(RedisUrl *url, const char *text, GError **error)
{
    uint64_t database;

    if (!parse_number(text, DATABASE_MAX, &database))
        return fail(error, "the database is no number");
    url->names_database = true;
    url->database = (uint32_t)database;
    return true;
}

static bool parse_option(RedisUrl *url, const char *name, const char *value, GError **error)
{
    const struct {
        const char *name;
        char **place;
    } texts[] = { { "cacert", &url->cacert },
                  { "cert", &url->cert },
                  { "key", &url->key },
                  { "sni", &url->sni } };

    if (strcmp(name, "db") == 0)
        return set_database(url, value, error);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        if (strcmp(name, texts[i].name) == 0 && *value && url->tls) {
            g_free(*texts[i].place);
            *texts[i].place = g_strdup(value);
            return true;
        }
    return fail(error, "behind the ? stands what is not known; db, and with rediss:// cacert, "
                       "cert, key and sni can be given");
}

static bool parse_query(RedisUrl *url, const char *query, GError **error)
{
    g_auto(GStrv) pairs = g_strsplit(query, "&", -1);

    for (char **pair = pairs; *pair; pair++) {
        char *equals = strchr(*pair, '=');
        g_autofree char *value = equals ? unescape(equals + 1, strlen(equals + 1)) : NULL;

        if (!value)
            return fail(error, "behind the ? stands no name=value");
        *equals = '\0';
        if (!parse_option(url, *pair, value, error))
            return false;
    }
    return true;
}

/* A number is a database, anything else the path of a socket where no host is named. */
static bool parse_path(RedisUrl *url, const char *path, bool socket, bool has_host, GError **error)
{
    uint64_t ignored;

    if (!socket && (strlen(path) <= 1 || parse_number(path + 1, UINT64_MAX, &ignored)))
        return strlen(path) <= 1 || set_database(url, path + 1, error);
    if (has_host || url->tls || strlen(path) <= 1)
        return fail(error, socket ? "the path of the socket is missing"
                                  : "behind the host stands no number of a database");
    url->path = unescape(path, strlen(path));
    g_clear_pointer(&url->host, g_free);
    return url->path || fail(error, "the path is not written properly");
}

/* ---- the whole ---- */

static bool parse_rest(RedisUrl *url, const char *rest, bool socket, GError **error)
{
    size_t authority = strcspn(rest, "/?");
    const char *path = rest + authority;
    size_t path_len = strcspn(path, "?");
    g_autofree char *place = NULL, *path_text = g_strndup(path, path_len);
    const char *at = NULL;

    if (strchr(rest, '#'))
        return fail(error, "a # in it is written %23");
    for (const char *c = rest; c < path; c++)
        if (*c == '@')
            at = c;
    // a / in a password would end it early, and the rest be taken for a path
    if (strchr(path_text, '@') && !at)
        return fail(error, "a / or ? before the @ is written %2F or %3F");
    if (at && !parse_login(url, rest, (size_t)(at - rest), error))
        return false;
    place = at ? g_strndup(at + 1, (size_t)(path - at) - 1) : g_strndup(rest, authority);
    return parse_host(url, place, error) &&
           parse_path(url, path_text, socket, *place != '\0', error) &&
           (!path[path_len] || parse_query(url, path + path_len + 1, error));
}

RedisUrl *redis_url_parse(const char *text, GError **error)
{
    g_autoptr(RedisUrl) url = g_new0(RedisUrl, 1);

    url->port = PORT;
    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (!g_str_has_prefix(text, schemes[i].text))
            continue;
        url->tls = schemes[i].tls;
        if (!parse_rest(url, text + strlen(schemes[i].text), schemes[i].socket, error))
            return NULL;
        if (!url->password && g_getenv("REDISCLI_AUTH") && *g_getenv("REDISCLI_AUTH"))
            url->password =
                secret_new(g_getenv("REDISCLI_AUTH"), strlen(g_getenv("REDISCLI_AUTH")));
        return g_steal_pointer(&url);
    }
    (void)fail(error, "it begins with none of redis://, rediss:// and unix://");
    return NULL;
}

void redis_url_free(RedisUrl *url)
{
    if (!url)
        return;
    g_free(url->host);
    g_free(url->path);
    g_free(url->user);
    g_free(url->cacert);
    g_free(url->cert);
    g_free(url->key);
    g_free(url->sni);
    secret_free(url->password);
    g_free(url);
}

void redis_url_set_password(RedisUrl *url, const Secret *password)
{
    g_clear_pointer(&url->password, secret_free);
    if (password)
        url->password = secret_new(secret_data(password), secret_len(password));
}

const char *redis_url_host(const RedisUrl *url)
{
    return url->host;
}

uint16_t redis_url_port(const RedisUrl *url)
{
    return url->port;
}

const char *redis_url_socket(const RedisUrl *url)
{
    return url->path;
}

const char *redis_url_user(const RedisUrl *url)
{
    return url->user;
}

const Secret *redis_url_password(const RedisUrl *url)
{
    return url->password;
}

bool redis_url_names_database(const RedisUrl *url)
{
    return url->names_database;
}

uint32_t redis_url_database(const RedisUrl *url)
{
    return url->database;
}

bool redis_url_tls(const RedisUrl *url)
{
    return url->tls;
}

const char *redis_url_cacert(const RedisUrl *url)
{
    return url->cacert;
}

const char *redis_url_cert(const RedisUrl *url)
{
    return url->cert;
}

const char *redis_url_key(const RedisUrl *url)
{
    return url->key;
}

const char *redis_url_sni(const RedisUrl *url)
{
    return url->sni;
}

/* ---- names ---- */

static void append_option(GString *out, char *joint, const char *name, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(out, "%c%s=", *joint, name);
    g_string_append_uri_escaped(out, value, "/", FALSE);
    *joint = '&';
}

char *redis_url_redacted(const RedisUrl *url)
{
    GString *out = g_string_new(url->tls ? "rediss://" : "redis://");
    char joint = '?';

    if (url->user)
        g_string_append_uri_escaped(out, url->user, NULL, FALSE);
    if (url->user || url->password)
        g_string_append(out, url->password ? ":***@" : ":@");
    if (url->path)
        g_string_append_uri_escaped(out, url->path, "/", FALSE);
    else
        g_string_append_printf(out, strchr(url->host, ':') ? "[%s]:%u" : "%s:%u", url->host,
                               url->port);
    if (url->names_database && url->path) {
        g_string_append_printf(out, "?db=%u", url->database);
        joint = '&';
    } else if (url->names_database) {
        g_string_append_printf(out, "/%u", url->database);
    }
    append_option(out, &joint, "cacert", url->cacert);
    append_option(out, &joint, "cert", url->cert);
    append_option(out, &joint, "key", url->key);
    append_option(out, &joint, "sni", url->sni);
    return g_string_free(out, FALSE);
}

char *redis_url_server_name(const RedisUrl *url)
{
    if (url->path)
        return g_strdup_printf("redis-local-%s", url->path + strspn(url->path, "/"));
    return g_strdup_printf("redis-%s-%u", url->host, url->port);
}
