/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/secret.h"
#include "config/reference.h"
#include "config/types.h"
#include <string.h>

#define REFUSED(error, ...) (g_set_error(error, BS_ERROR, BS_ERROR_CONFIG, __VA_ARGS__), false)

/* What is refused is not repeated: a password may stand in it. */

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (!g_ascii_isgraph(*text))
            return false;
    return true;
}

/* Between "://" and the first "/", "?" or "#"; the last "@" ends the user, as browsers and libpq
 * see it. */
bool url_has_password(const char *url)
{
    const char *after = strstr(url, "://");
    const char *begin = after ? after + 3 : url;
    size_t len = strcspn(begin, "/?#");
    const char *at = g_strrstr_len(begin, (gssize)len, "@");
    const char *query = strchr(begin, '?');

    return (at && memchr(begin, ':', (size_t)(at - begin))) ||
           (query && (strstr(query, "?password=") || strstr(query, "&password=") ||
                      strstr(query, "sslpassword=")));
}

char *url_without_password(const char *url)
{
    const char *after = strstr(url, "://");
    const char *begin = after ? after + 3 : url;
    const char *at = g_strrstr_len(begin, (gssize)strcspn(begin, "/?#"), "@");
    const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
    // no user either: redis://:password@host
    const char *rest = colon == begin ? at + 1 : at;

    return colon ? g_strdup_printf("%.*s%s", (int)(colon - url), url, rest) : g_strdup(url);
}

char *url_with_password(const char *url, const char *password)
{
    g_autofree char *plain = url_without_password(url);
    const char *after = strstr(plain, "://");
    const char *begin = after ? after + 3 : plain;
    const char *at = g_strrstr_len(begin, (gssize)strcspn(begin, "/?#"), "@");
    const char *rest = at ? at + 1 : begin;
    char *escaped = g_uri_escape_string(password, NULL, FALSE);
    char *full =
        g_strdup_printf("%.*s:%s@%s", (int)((at ? at : begin) - plain), plain, escaped, rest);

    secret_wipe(escaped, strlen(escaped));
    g_free(escaped);
    return full;
}

char *url_with_database(const char *url, const char *database)
{
    const char *after = strstr(url, "://");
    const char *begin = after ? after + 3 : url;
    const size_t place = strcspn(begin, "/?#");
    g_autofree char *escaped = g_uri_escape_string(database, NULL, FALSE);

    return g_strdup_printf("%.*s/%s%s", (int)(begin - url + (gssize)place), url, escaped,
                           begin + place + strcspn(begin + place, "?#"));
}

static bool has_host(const char *url, const char *scheme)
{
    const char *rest = url + strlen(scheme);

    return g_str_has_prefix(url, scheme) && *rest && !strchr("/?#:@", *rest);
}

static bool no_password(const char *url, GError **error)
{
    return !url_has_password(url) ||
           REFUSED(error, "a password stands in the URL; leave it out, and say where it is with "
                          "the key \"password\"");
}

/* ---- what is backed up ---- */

static bool is_path(const char *text)
{
    return g_path_is_absolute(text) && text[1];
}

static bool parse_source_url(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    static const char *const of_servers[] = {
        "postgresql://",         "postgres://", "pgcluster:postgresql://",
        "pgcluster:postgres://", "redis://",    "rediss://"
    };
    static const char *const of_paths[] = { "pgcluster:", "sqlite:", "volume:", "k3s:", "redis:" };

    if (!is_plain(text))
        return REFUSED(error, "blanks and special characters in URLs are written %%XX");
    for (size_t i = 0; i < G_N_ELEMENTS(of_servers); i++)
        if (g_str_has_prefix(text, of_servers[i]))
            return no_password(text, error);
    for (size_t i = 0; i < G_N_ELEMENTS(of_paths); i++)
        if (g_str_has_prefix(text, of_paths[i]) && is_path(text + strlen(of_paths[i])))
            return true;
    return REFUSED(error, "is no URL of a source; write postgresql://user@host/database, "
                          "pgcluster:/data/directory, redis://host, sqlite:/path or volume:/path, "
                          "or name files with the key \"paths\"");
}

static bool parse_location(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    const char *path = g_str_has_prefix(text, "local:") ? text + strlen("local:") : text;

    if (!is_plain(text) && !g_path_is_absolute(path))
        return REFUSED(error, "holds blanks or control characters");
    if (g_str_has_prefix(text, "s3:") && text[3])
        return !url_has_password(text) ||
               REFUSED(error, "keys stand in the location; say where they are with the key \"s3\"");
    return is_path(path) || REFUSED(error, "is no place for a repository; write an absolute path "
                                           "or s3:https://host/bucket/prefix");
}

/* ---- servers ---- */

static bool parse_url(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (!is_plain(text) || (!has_host(text, "http://") && !has_host(text, "https://")))
        return REFUSED(error, "is no URL; write https://host/path");
    return !url_has_password(text) || REFUSED(error, "a password stands in the URL; leave it out");
}

static bool parse_origin(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return (parse_url(text, NULL, NULL) && !strpbrk(strstr(text, "://") + 3, "/?#@")) ||
           REFUSED(error, "is no origin; write https://host or https://host:port");
}

static bool parse_http(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return reference_is(text) ? reference_check(text, error) : parse_url(text, NULL, error);
}

static bool parse_header(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return reference_is(text) ? reference_check(text, error) : type_text.parse(text, NULL, error);
}

static bool parse_redis(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (reference_is(text))
        return reference_check(text, error);
    if (!is_plain(text) || (!has_host(text, "redis://") && !has_host(text, "rediss://")))
        return REFUSED(error, "is no URL of Redis; write redis://host:6379");
    return !url_has_password(text) ||
           REFUSED(error, "a password stands in the URL; write where the URL is instead: "
                          "env://REDIS_URL or file:///etc/backstay/redis-url");
}

static bool parse_catalogue(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    if (g_str_has_prefix(text, "sqlite:") && is_path(text + strlen("sqlite:")))
        return true;
    if (!g_str_has_prefix(text, "postgresql://") && !g_str_has_prefix(text, "postgres://"))
        return REFUSED(error, "is no catalogue; write sqlite:/path/of/file or "
                              "postgresql://user@host/database");
    return !url_has_password(text) ||
           REFUSED(error, "a password stands in the URL; leave it out, and say where it is with "
                          "the key \"catalogue_password\"");
}

static bool parse_listen(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    const char *colon = strrchr(text, ':');
    bool host = colon && colon > text && is_plain(text) &&
                (*text == '[' ? colon[-1] == ']' : !memchr(text, ':', (size_t)(colon - text)));

    return (host && g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, NULL, NULL)) ||
           REFUSED(error, "\"%s\" is no address; write 127.0.0.1:9898 or [::1]:9898", text);
}

static bool is_address(const char *text)
{
    const char *at = strchr(text, '@');

    return at && at > text && at[1] && !strpbrk(text, " ,;<>\"()\\") && !strchr(at + 1, '@') &&
           is_plain(text);
}

static bool is_words(const char *text)
{
    if (!g_utf8_validate(text, -1, NULL) || strpbrk(text, "\"\\"))
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* RFC 5322, 3.4: alone, or behind a name and in angle brackets; the name is quoted when it is sent.
 */
static bool parse_address(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    const char *open = strrchr(text, '<');
    const size_t len = open ? strlen(open) : 0;
    g_autofree char *inside = len > 2 && open[len - 1] == '>' ? g_strndup(open + 1, len - 2) : NULL;
    const bool named = inside && is_words(text) && open == strchr(text, '<');

    return is_address(named ? inside : text) ||
           REFUSED(error,
                   "\"%s\" is no mail address; write name@example.org, or A Name "
                   "<name@example.org>",
                   text);
}

/* Prometheus, "Metric names and labels". */
static bool parse_prefix(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return (*text && !g_ascii_isdigit(*text) &&
            strspn(text, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_") == strlen(text)) ||
           REFUSED(error, "\"%s\" is no prefix of metrics; write letters, digits and _", text);
}

static bool parse_reference(const char *text, G_GNUC_UNUSED void *place, GError **error)
{
    return reference_check(text, error);
}

const FieldType type_reference = {
    "SECRET",          "file:///PATH, env://NAME, cred://NAME or command://COMMAND",
    parse_reference,   .copied = true,
    .reference = true,
};
const FieldType type_source_url = {
    "URL",
    "a URL such as postgresql://user@host/database",
    parse_source_url,
    .copied = true,
};
const FieldType type_location = {
    "REPO",
    "an absolute path or s3:https://host/bucket/prefix",
    parse_location,
    .copied = true,
};
const FieldType type_url = { "URL", "a URL such as https://host/path", parse_url, .copied = true };
const FieldType type_origin = { "ORIGIN", "an origin such as https://host", parse_origin,
                                .copied = true };
const FieldType type_http = {
    "URL",
    "a URL, or where it is: file:///PATH, env://NAME, cred://NAME",
    parse_http,
    .copied = true,
    .reference = true,
};
const FieldType type_header = {
    "TEXT",
    "a text, or where it is: file:///PATH, env://NAME, cred://NAME",
    parse_header,
    .copied = true,
    .reference = true,
};
const FieldType type_redis = {
    "URL",
    "a URL such as redis://host:6379, or where it is: env://NAME",
    parse_redis,
    .copied = true,
    .reference = true,
};
const FieldType type_catalogue = {
    "URL",
    "sqlite:/path or postgresql://user@host/database",
    parse_catalogue,
    .copied = true,
};
const FieldType type_listen = { "HOST:PORT", "an address such as 127.0.0.1:9898", parse_listen,
                                .copied = true };
const FieldType type_address = { "ADDRESS", "a mail address", parse_address, .copied = true };
const FieldType type_prefix = { "PREFIX", "letters, digits and _", parse_prefix, .copied = true };
