/* SPDX-License-Identifier: Apache-2.0 */
#include "op/importfrom.h"

#include "base/error.h"
#include "net/public.h"
#include "op/openstore.h"
#include "store/retry.h"
#include <string.h>

#define PART_LEN      (8u << 20)
#define REDIRECTS_MAX 5
#define DEADLINE_MS   (5 * 60 * 1000) /* of a part, with all tries */

/* A file in parts, from a server that is asked for each. */
typedef struct PartsInlet PartsInlet;
struct PartsInlet {
    Inlet base;
    bool (*get)(PartsInlet *inlet, uint64_t offset, void *buf, size_t len, GError **error);
    const Cancel *cancel;
    uint64_t size, at; /* of the file; where the next part begins */
    uint8_t *part;
    size_t have, used; /* bytes of it */

    HttpClient *http; /* https: */
    char *url, *etag;
    RetryPolicy retry;

    OpenStore store; /* s3: */
    char *key;
};

static bool parts_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    PartsInlet *inlet = (PartsInlet *)base;

    if (!cancel_check(inlet->cancel, error))
        return false;
    if (inlet->used == inlet->have && inlet->at < inlet->size) {
        inlet->used = 0;
        inlet->have = (size_t)MIN(PART_LEN, inlet->size - inlet->at);
        if (!inlet->get(inlet, inlet->at, inlet->part, inlet->have, error))
            return false;
        inlet->at += inlet->have;
    }
    *ret_n = MIN(len, inlet->have - inlet->used);
    memcpy(buf, inlet->part + inlet->used, *ret_n);
    inlet->used += *ret_n;
    return true;
}

static void parts_free(Inlet *base)
{
    PartsInlet *inlet = (PartsInlet *)base;

    http_client_free(inlet->http);
    open_store_done(&inlet->store);
    g_free(inlet->part);
    g_free(inlet->url);
    g_free(inlet->etag);
    g_free(inlet->key);
    g_free(inlet);
}

static const InletOps parts_ops = {
    .name = "parts",
    .read = parts_read,
    .free = parts_free,
};

static PartsInlet *parts_new(const Cancel *cancel)
{
    PartsInlet *inlet = g_new0(PartsInlet, 1);

    inlet->base.ops = &parts_ops;
    inlet->cancel = cancel;
    inlet->part = g_malloc(PART_LEN);
    inlet->retry = (RetryPolicy){ .deadline_ms = DEADLINE_MS, .cancel = cancel };
    return inlet;
}

/* ---- names ---- */

bool import_from_is(const char *url)
{
    return g_str_has_prefix(url, "https://") || g_str_has_prefix(url, "http://") ||
           g_str_has_prefix(url, "s3:");
}

char *import_from_shown(const char *url)
{
    // what comes behind may be a signature that lets anybody in
    return g_strndup(url, strcspn(url, "?#"));
}

char *import_from_file(const char *url)
{
    g_autofree char *shown = import_from_shown(url);

    return g_path_get_basename(shown);
}

/* ---- https ---- */

/* One request for a part, tried again. */
typedef struct {
    PartsInlet *inlet;
    uint64_t offset;
    void *buf;
    size_t len;
    HttpReply reply;
} Ask;

static bool ask_once(void *user, GError **error)
{
    Ask *ask = user;
    g_autofree char *range = g_strdup_printf("bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                                             ask->offset, ask->offset + ask->len - 1);
    // packed on the way it would be other bytes than those that lie there
    HttpHeader headers[] = { { "Range", range },
                             { "Accept-Encoding", "identity" },
                             { "If-Match", ask->inlet->etag } };
    HttpRequest request = {
        .method = "GET",
        .url = ask->inlet->url,
        .headers = headers,
        .n_headers = ask->inlet->etag ? 3 : 2,
        .into = ask->buf,
        .into_len = ask->buf ? ask->len : 0,
        .bound = PART_LEN,
    };

    http_reply_clear(&ask->reply);
    if (!http_request(ask->inlet->http, &request, &ask->reply, error))
        return false;
    if (ask->reply.status != 429 && ask->reply.status < 500)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_TRANSIENT, "the server answers with status %u",
                ask->reply.status);
    bs_error_set_wait_ms(*error, http_retry_after_ms(&ask->reply));
    return false;
}

static bool ask_for(PartsInlet *inlet, uint64_t offset, void *buf, size_t len, Ask *ask,
                    GError **error)
{
    *ask = (Ask){ .inlet = inlet, .offset = offset, .buf = buf, .len = len };
    return retry_run(&inlet->retry, "get a part of the file", ask_once, ask, error);
}

static bool https_get(PartsInlet *inlet, uint64_t offset, void *buf, size_t len, GError **error)
{
    Ask ask;
    bool ok = ask_for(inlet, offset, buf, len, &ask, error);
    unsigned status = ask.reply.status;
    uint64_t came = ask.reply.body_len;

    http_reply_clear(&ask.reply);
    if (!ok || (status == 206 && came == len))
        return ok;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "the server answers with status %u to a part of the file; it changed meanwhile, or "
                "is cut off",
                status);
    return false;
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool go_on(PartsInlet *inlet, const HttpReply *reply, GError **error)
{
    const char *location = http_reply_header(reply, "location");
    char *next =
        location ? g_uri_resolve_relative(inlet->url, location, G_URI_FLAGS_ENCODED, NULL) : NULL;

    if (!next || !g_str_has_prefix(next, "https://")) {
        g_free(next);
        g_set_error(error, BS_ERROR, BS_ERROR_DENIED,
                    "the server leads to something else than "
                    "https");
        return false;
    }
    g_free(inlet->url);
    inlet->url = next;
    return true;
}

/* "bytes 0-8388607/20000000" */
static bool read_size(const char *range, uint64_t *ret_size)
{
    const char *slash = range ? strchr(range, '/') : NULL;

    return slash && g_str_has_prefix(range, "bytes 0-") &&
           g_ascii_string_to_unsigned(slash + 1, 10, 1, INT64_MAX, ret_size, NULL);
}

/* The first part tells how long the file is. */
static bool understand(PartsInlet *inlet, HttpReply *reply, GError **error)
{
    const char *etag = http_reply_header(reply, "etag");
    uint64_t size = reply->body_len;

    if (reply->status != 200 && reply->status != 206) {
        g_set_error(error, BS_ERROR,
                    reply->status == 404 || reply->status == 410   ? BS_ERROR_NOT_FOUND
                    : reply->status == 401 || reply->status == 403 ? BS_ERROR_DENIED
                                                                   : BS_ERROR_FAILED,
                    "the server answers with status %u", reply->status);
        return false;
    }
    if (reply->status == 206 && (!read_size(http_reply_header(reply, "content-range"), &size) ||
                                 reply->body_len != MIN(size, PART_LEN))) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "the server gives another part of the file than was asked for");
        return false;
    }
    inlet->size = size;
    inlet->etag = etag && *etag == '"' ? g_strdup(etag) : NULL;
    inlet->have = (size_t)reply->body_len;
    inlet->at = inlet->have;
    memcpy(inlet->part, reply->body->data, inlet->have);
    return true;
}

static bool begin_https(PartsInlet *inlet, GError **error)
{
    for (int n = 0; n <= REDIRECTS_MAX; n++) {
        Ask ask;
        bool ok = ask_for(inlet, 0, NULL, PART_LEN, &ask, error);
        bool again = ok && is_redirect(ask.reply.status);

        if (ok)
            ok = again ? go_on(inlet, &ask.reply, error) : understand(inlet, &ask.reply, error);
        http_reply_clear(&ask.reply);
        if (!again || !ok)
            return ok;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "the server leads around in a circle");
    return false;
}

static bool is_public(const struct sockaddr *address, G_GNUC_UNUSED void *user)
{
    return public_address(address);
}

static bool add_advice(const ImportFrom *from, GError **error)
{
    if (g_error_matches(*error, BS_ERROR, BS_ERROR_DENIED) && !from->allow_private)
        g_prefix_error(error, "only servers of the open internet are asked, others with "
                              "--allow-private: ");
    else if (g_error_matches(*error, BS_ERROR, BS_ERROR_CORRUPT))
        g_prefix_error(error, "it cannot be read in parts; download it, and import the file: ");
    return false;
}

static Inlet *open_https(const ImportFrom *from, const Settings *settings, const Cancel *cancel,
                         GError **error)
{
    PartsInlet *inlet;
    HttpOptions options = {
        .ca_file = settings->cacert,
        .cancel = cancel,
        .approve = from->allow_private ? NULL : is_public,
    };

    if (!g_str_has_prefix(from->url, "https://") ||
        memchr(from->url, '@', strcspn(from->url + 8, "/?#") + 8)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "a file is taken by https:// alone, without user and password in the URL");
        return NULL;
    }
    inlet = parts_new(cancel);
    inlet->get = https_get;
    inlet->url = g_strndup(from->url, strcspn(from->url, "#"));
    if (http_client_new(&options, &inlet->http, error) &&
        (begin_https(inlet, error) || add_advice(from, error)))
        return &inlet->base;
    parts_free(&inlet->base);
    return NULL;
}

/* ---- a bucket ---- */

static bool s3_get(PartsInlet *inlet, uint64_t offset, void *buf, size_t len, GError **error)
{
    return store_get(inlet->store.store, inlet->key, offset, buf, len, error);
}

static Inlet *open_s3(const ImportFrom *from, const Settings *settings, const Cancel *cancel,
                      GError **error)
{
    PartsInlet *inlet = parts_new(cancel);
    const char *slash = strrchr(from->url, '/');
    g_autofree char *place = slash ? g_strndup(from->url, (size_t)(slash - from->url)) : NULL;

    inlet->get = s3_get;
    inlet->key = g_strdup(slash ? slash + 1 : "");
    if (!place || !*inlet->key)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: write s3:https://host/bucket/file",
                    from->url);
    else if (open_store(settings, place, "", false, cancel, &inlet->store, error) &&
             store_stat(inlet->store.store, inlet->key, &inlet->size, error))
        return &inlet->base;
    parts_free(&inlet->base);
    return NULL;
}

Inlet *import_from_open(const ImportFrom *from, const Settings *settings, const Cancel *cancel,
                        GError **error)
{
    g_autofree char *shown = import_from_shown(from->url);
    Inlet *inlet = g_str_has_prefix(from->url, "s3:") ? open_s3(from, settings, cancel, error)
                                                      : open_https(from, settings, cancel, error);

    if (!inlet)
        g_prefix_error(error, "%s: ", shown);
    return inlet;
}
