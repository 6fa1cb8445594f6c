/* SPDX-License-Identifier: Apache-2.0 */
/* Which host and region serve a bucket, and what to believe when a server names others. */
#include "store/s3call.h"

#include "base/error.h"

#include <string.h>

#define AMAZON "amazonaws.com"

static const char *host_of(const char *endpoint)
{
    return strstr(endpoint, "://") + strlen("://");
}

static size_t scheme_len(const char *endpoint)
{
    return (size_t)(host_of(endpoint) - endpoint);
}

/* ---- Amazon's names: s3.amazonaws.com, s3.eu-west-1.amazonaws.com, s3-eu-west-1.amazonaws.com,
 * s3.dualstack.eu-west-1.amazonaws.com, and the same below amazonaws.com.cn ---- */

static const char *amazon_suffix(const char *host)
{
    static const char *const suffixes[] = { "." AMAZON, "." AMAZON ".cn" };

    for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++)
        if (g_str_has_suffix(host, suffixes[i]))
            return suffixes[i];
    return NULL;
}

/* An endpoint for all buckets of a region, not one of an account's own network. */
static bool is_amazon(const char *endpoint)
{
    const char *host = host_of(endpoint);

    return amazon_suffix(host) && (g_str_has_prefix(host, "s3.") || g_str_has_prefix(host, "s3-"));
}

static char *amazon_endpoint(const char *endpoint, const char *region)
{
    const char *host = host_of(endpoint);
    const char *kind = g_str_has_prefix(host, "s3.dualstack.") ? "s3.dualstack." : "s3.";

    return g_strdup_printf("%.*s%s%s%s", (int)scheme_len(endpoint), endpoint, kind, region,
                           amazon_suffix(host));
}

/* ---- what an endpoint tells ---- */

static bool is_region(const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < len; i++)
        if (!g_ascii_isalnum(text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    return len > 0 && len <= 64;
}

/* "s3.<region>.<at least two more>", as most providers name it; a region has a dash in it, which
 * tells it from "s3.backup.example.org". */
char *s3_region_of_endpoint(const char *endpoint)
{
    g_auto(GStrv) labels = g_strsplit(host_of(endpoint), ".", -1);
    guint n = g_strv_length(labels);
    const char *region = NULL;

    if (n >= 4 && g_str_equal(labels[0], "s3"))
        region = labels[g_str_equal(labels[1], "dualstack") ? 2 : 1];
    else if (n >= 3 && g_str_has_prefix(labels[0], "s3-") && is_amazon(endpoint) &&
             !g_str_has_prefix(labels[0], "s3-external"))
        region = labels[0] + strlen("s3-");
    return region && strchr(region, '-') && is_region(region) ? g_strdup(region) : NULL;
}

/* A certificate for *.host covers one label. */
static bool is_label(const char *bucket)
{
    for (const char *c = bucket; *c; c++)
        if (!g_ascii_islower(*c) && !g_ascii_isdigit(*c) && *c != '-')
            return false;
    return *bucket != '\0';
}

bool s3_is_virtual(const S3Store *s3, const char *endpoint)
{
    switch (s3->style) {
    case S3_STYLE_VIRTUAL:
        return true;
    case S3_STYLE_AUTO:
        return is_amazon(endpoint) && is_label(s3->place.bucket);
    case S3_STYLE_PATH:
        break;
    }
    return false;
}

/* ---- being sent elsewhere ---- */

/* The part of a host that one owner has, near enough: its last two labels. An address has none. */
static const char *domain_of(const char *host)
{
    const char *dots[2] = { NULL, NULL };

    for (const char *c = host; *c; c++)
        if (*c == '.') {
            dots[0] = dots[1];
            dots[1] = c;
        }
    return dots[0] ? dots[0] + 1 : host;
}

static bool is_same_owner(const char *endpoint, const char *host)
{
    g_auto(GStrv) ours = g_strsplit(host_of(endpoint), ":", 2);
    g_auto(GStrv) theirs = g_strsplit(host, ":", 2);

    if (g_hostname_is_ip_address(theirs[0]) || g_hostname_is_ip_address(ours[0]))
        return g_ascii_strcasecmp(ours[0], theirs[0]) == 0;
    return g_ascii_strcasecmp(domain_of(ours[0]), domain_of(theirs[0])) == 0;
}

/*
 * "https://host/bucket/...", "https://bucket.host/..." or only the host: as an endpoint, when it is
 * for our bucket. The scheme stays, or becomes https.
 */
static char *endpoint_from(const S3Store *s3, const char *endpoint, const char *named)
{
    g_autofree char *dotted = g_strconcat(s3->place.bucket, ".", NULL);
    g_autofree char *in_path = g_strconcat("/", s3->place.bucket, NULL);
    const char *scheme = strstr(named, "://");
    const char *host = scheme ? scheme + strlen("://") : named;
    size_t len = strcspn(host, "/?#");
    const char *path = host + len;
    bool whole = scheme != NULL;

    if (g_str_has_prefix(host, dotted)) {
        host += strlen(dotted);
        len -= strlen(dotted);
        whole = false; // the name says whose it is
    }
    if (whole && !(g_str_has_prefix(path, in_path) &&
                   strchr("/?#", path[strlen(in_path)]))) // its zero is found, too
        return NULL;
    if (len == 0 || memchr(host, '@', len) ||
        (scheme && !g_str_has_prefix(named, "https://") &&
         (!g_str_has_prefix(named, "http://") || g_str_has_prefix(endpoint, "https://"))))
        return NULL;
    return s3_endpoint_new(g_str_has_prefix(scheme ? named : endpoint, "https://"), host, len);
}

static bool is_sent_elsewhere(const S3Refusal *refusal)
{
    return refusal->status == 301 || refusal->status == 302 || refusal->status == 307 ||
           refusal->status == 308;
}

/* Another endpoint than *used has, in *ret_endpoint; NULL there: the same. */
static bool follow_endpoint(const S3Store *s3, const S3Address *used, const S3Refusal *refusal,
                            const char *location, char **ret_endpoint, GError **error)
{
    const char *named = location ? location : refusal->endpoint;
    g_autofree char *endpoint = NULL;

    if (is_amazon(used->endpoint) && refusal->region && is_region(refusal->region)) {
        *ret_endpoint = amazon_endpoint(used->endpoint, refusal->region);
        return true;
    }
    if (!is_sent_elsewhere(refusal) || !named) {
        *ret_endpoint = NULL;
        return true;
    }
    endpoint = endpoint_from(s3, used->endpoint, named);
    if (!endpoint || !is_same_owner(used->endpoint, host_of(endpoint))) {
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "the server sends us to %s (HTTP %u); if the bucket is there, name that "
                    "endpoint in the repository's location",
                    named, refusal->status);
        return false;
    }
    *ret_endpoint = g_steal_pointer(&endpoint);
    return true;
}

bool s3_address_follow(const S3Store *s3, const S3Address *used, const S3Refusal *refusal,
                       const char *location, S3Address *ret_address, GError **error)
{
    g_auto(S3Address) next = { 0 };

    if (!is_sent_elsewhere(refusal) && refusal->status != 400 && refusal->status != 403)
        return false;
    if (!follow_endpoint(s3, used, refusal, location, &next.endpoint, error))
        return false;
    if (!next.endpoint)
        next.endpoint = g_strdup(used->endpoint);
    next.region =
        g_strdup(refusal->region && is_region(refusal->region) ? refusal->region : used->region);
    if (g_str_equal(next.endpoint, used->endpoint) && g_str_equal(next.region, used->region))
        return false;
    *ret_address = next;
    next = (S3Address){ 0 };
    return true;
}
