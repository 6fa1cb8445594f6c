/* SPDX-License-Identifier: Apache-2.0 */
/* Locations of repositories in buckets. */
#include "store/s3call.h"

#include "base/error.h"

#include <string.h>

#define SCHEME "s3:"

void s3_place_clear(S3Place *place)
{
    g_clear_pointer(&place->endpoint, g_free);
    g_clear_pointer(&place->bucket, g_free);
    g_clear_pointer(&place->prefix, g_free);
}

char *s3_endpoint_new(bool tls, const char *host, size_t len)
{
    g_autofree char *small = g_ascii_strdown(host, (gssize)len);
    const char *own_port = tls ? ":443" : ":80";

    if (g_str_has_suffix(small, own_port))
        small[strlen(small) - strlen(own_port)] = '\0';
    return g_strconcat(tls ? "https://" : "http://", small, NULL);
}

static bool refuse(const char *why, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "not the location of a bucket: %s; write s3:https://host/bucket/prefix", why);
    return false;
}

/* "name", "name:port", "[::1]:port", "10.0.0.1:port"; nothing that could be a password is named. */
static bool is_host(const char *host, size_t len)
{
    const char *bracket = len > 0 && *host == '[' ? memchr(host, ']', len) : NULL;
    const char *name_end = bracket ? bracket + 1 : memchr(host, ':', len);
    const char *end = host + len;

    if (!name_end)
        name_end = end;
    for (const char *c = host; c < name_end; c++)
        if (!g_ascii_isalnum(*c) && !strchr(bracket ? "[]:." : "-._", *c))
            return false;
    if (name_end == host || (name_end < end && (*name_end != ':' || end - name_end < 2)))
        return false;
    for (const char *c = name_end + 1; c < end; c++)
        if (!g_ascii_isdigit(*c))
            return false;
    return true;
}

static bool is_bucket(const char *bucket)
{
    size_t len = strlen(bucket);

    for (size_t i = 0; i < len; i++)
        if (!g_ascii_isalnum(bucket[i]) && !strchr("-._", bucket[i]))
            return false;
    return len >= 3 && len <= 255 && *bucket != '.';
}

/* Without empty parts, as restic does; "." and ".." would name other objects with some clients. */
static bool parse_prefix(const char *text, char **ret_prefix, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    g_autoptr(GString) prefix = g_string_new(NULL);

    for (size_t i = 0; parts[i]; i++) {
        if (!*parts[i])
            continue;
        if (g_str_equal(parts[i], ".") || g_str_equal(parts[i], ".."))
            return refuse("its prefix has a part \".\" or \"..\"", error);
        if (prefix->len > 0)
            g_string_append_c(prefix, '/');
        g_string_append(prefix, parts[i]);
    }
    for (const char *c = prefix->str; *c; c++)
        if (g_ascii_iscntrl(*c))
            return refuse("its prefix has a control character", error);
    if (!g_utf8_validate(prefix->str, -1, NULL))
        return refuse("its prefix is not UTF-8", error);
    if (prefix->len >= STORE_KEY_MAX)
        return refuse("its prefix is too long", error);
    *ret_prefix = g_strdup(prefix->str);
    return true;
}

/* "bucket[/prefix]" */
static bool parse_bucket(const char *text, S3Place *place, GError **error)
{
    const char *slash = strchr(text, '/');

    place->bucket = slash ? g_strndup(text, (gsize)(slash - text)) : g_strdup(text);
    if (!is_bucket(place->bucket))
        return refuse(*place->bucket ? "that is no name of a bucket" : "it names no bucket", error);
    return parse_prefix(slash ? slash : "", &place->prefix, error);
}

/* scheme://host[:port][/], or host[:port] for https */
static bool parse_endpoint(const char *text, char **ret_endpoint, GError **error)
{
    bool tls = !g_str_has_prefix(text, "http://");
    const char *scheme = strstr(text, "://");
    const char *host = scheme ? scheme + strlen("://") : text;
    size_t len = strcspn(host, "/");

    if (scheme && tls && !g_str_has_prefix(text, "https://"))
        return refuse("an endpoint is a URL of http or https", error);
    if (!is_host(host, len))
        return refuse("that is no host; keys come from the environment", error);
    if (host[len] && host[len + 1])
        return refuse("an endpoint has no path", error);
    *ret_endpoint = s3_endpoint_new(tls, host, len);
    return true;
}

/* The first part names a host, not a bucket. */
static bool begins_with_host(const char *text)
{
    size_t len = strcspn(text, "/");

    return memchr(text, '.', len) || memchr(text, ':', len);
}

static bool parse(const char *text, const char *endpoint, S3Place *place, GError **error)
{
    const char *scheme = strstr(text, "://");
    const char *host = scheme ? scheme + strlen("://") : text;
    g_autofree char *named = NULL;
    size_t len;

    if (!scheme && !begins_with_host(text)) {
        if (!endpoint)
            return refuse("it names no host, and no endpoint is set", error);
        return parse_endpoint(endpoint, &place->endpoint, error) &&
               parse_bucket(text, place, error);
    }
    len = strcspn(host, "/");
    named = g_strndup(text, (gsize)(host - text) + len);
    return parse_endpoint(named, &place->endpoint, error) &&
           parse_bucket(host[len] ? host + len + 1 : "", place, error);
}

bool s3_place_parse(const char *location, const char *endpoint, S3Place *ret_place, GError **error)
{
    g_auto(S3Place) place = { 0 };

    if (!g_str_has_prefix(location, SCHEME))
        return refuse("it does not begin with s3:", error);
    location += strlen(SCHEME);
    if (g_str_has_prefix(location, "//")) // restic takes that, too
        location += 2;
    if (strpbrk(location, "?#"))
        return refuse("it has a '?' or a '#'", error);
    if (!parse(location, endpoint, &place, error))
        return false;
    *ret_place = place;
    place = (S3Place){ 0 };
    return true;
}
