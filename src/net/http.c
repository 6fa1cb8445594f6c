/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "net/exchange.h"
#include "net/libcurl.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define CONNECTIONS 8
#define CONNECT_MS  (30 * 1000)
#define STALL_MS    (60 * 1000)
#define PEM_MAX     ((size_t)4 * 1024 * 1024)

#define TIDY_MS       3000 /* after an interruption, all that is tidied up */
#define TIDY_LEAST_MS 1000 /* one request of it, also when it begins late */

struct HttpClient {
    HttpOptions options; /* its strings are ours */
    CURLSH *share;       /* names and TLS sessions */
    pthread_mutex_t share_mutex[CURL_LOCK_DATA_LAST];
    pthread_mutex_t mutex; /* idle */
    GPtrArray *idle;       /* of Line, the one used last at the end */
    atomic_bool silent;    /* asked after an interruption, and no answer came */
};

/* What makes requests, one at a time, and keeps the connection of the last. */
typedef struct {
    CURL *easy;
    CURLM *multi;
    char *origin; /* scheme://host:port */
} Line;

/* ---- client ---- */

static void lock_share(G_GNUC_UNUSED CURL *easy, curl_lock_data data,
                       G_GNUC_UNUSED curl_lock_access access, void *user)
{
    HttpClient *client = user;

    pthread_mutex_lock(&client->share_mutex[data]);
}

static void unlock_share(G_GNUC_UNUSED CURL *easy, curl_lock_data data, void *user)
{
    HttpClient *client = user;

    pthread_mutex_unlock(&client->share_mutex[data]);
}

static void share_init(HttpClient *client)
{
    for (size_t i = 0; i < G_N_ELEMENTS(client->share_mutex); i++)
        pthread_mutex_init(&client->share_mutex[i], NULL);
    client->share = curl_share_init();
    g_assert(client->share);
    curl_share_setopt(client->share, CURLSHOPT_USERDATA, client);
    curl_share_setopt(client->share, CURLSHOPT_LOCKFUNC, lock_share);
    curl_share_setopt(client->share, CURLSHOPT_UNLOCKFUNC, unlock_share);
    curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS);
    curl_share_setopt(client->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
}

static void line_free(gpointer pointer)
{
    Line *line = pointer;

    curl_easy_cleanup(line->easy);
    curl_multi_cleanup(line->multi);
    g_free(line->origin);
    g_free(line);
}

/* curl would say so at the first request, and for a file without any certificate never. */
static bool check_pem(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    if (!path)
        return true;
    if (!fs_read_file(path, PEM_MAX, &bytes, error)) {
        (*error)->code = BS_ERROR_USAGE;
        return false;
    }
    if (g_strstr_len(g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), "-----BEGIN"))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: holds no certificate in PEM form", path);
    return false;
}

bool http_client_new(const HttpOptions *options, HttpClient **ret_client, GError **error)
{
    g_autoptr(GError) failure = NULL;
    HttpClient *client;

    if (!check_pem(options->ca_file, &failure) || !check_pem(options->client_cert, &failure)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    libcurl_init();
    client = g_new0(HttpClient, 1);
    client->options = *options;
    client->options.ca_file = g_strdup(options->ca_file);
    client->options.client_cert = g_strdup(options->client_cert);
    if (options->connections == 0)
        client->options.connections = CONNECTIONS;
    if (options->connect_ms == 0)
        client->options.connect_ms = CONNECT_MS;
    if (options->stall_ms == 0)
        client->options.stall_ms = STALL_MS;
    share_init(client);
    pthread_mutex_init(&client->mutex, NULL);
    client->idle = g_ptr_array_new_with_free_func(line_free);
    *ret_client = client;
    return true;
}

void http_client_free(HttpClient *client)
{
    if (!client)
        return;
    g_ptr_array_unref(client->idle); // before what they share
    curl_share_cleanup(client->share);
    for (size_t i = 0; i < G_N_ELEMENTS(client->share_mutex); i++)
        pthread_mutex_destroy(&client->share_mutex[i]);
    pthread_mutex_destroy(&client->mutex);
    g_free((char *)client->options.ca_file);
    g_free((char *)client->options.client_cert);
    g_free(client);
}

/* ---- lines ---- */

static Line *line_new(HttpClient *client)
{
    Line *line = g_new0(Line, 1);

    line->easy = curl_easy_init();
    line->multi = curl_multi_init();
    g_assert(line->easy && line->multi);
    curl_easy_setopt(line->easy, CURLOPT_SHARE, client->share);
    curl_multi_setopt(line->multi, CURLMOPT_MAXCONNECTS, 1L);
    return line;
}

/* One that is connected to origin, the latest first; else a new one while there may be more of
 * them; else the one that has been idle for longest. */
static Line *take_line(HttpClient *client, const char *origin)
{
    Line *line = NULL;

    pthread_mutex_lock(&client->mutex);
    for (guint i = client->idle->len; i > 0 && !line; i--) {
        const Line *idle = g_ptr_array_index(client->idle, i - 1);

        if (g_str_equal(idle->origin, origin))
            line = g_ptr_array_steal_index(client->idle, i - 1);
    }
    if (!line && client->idle->len >= client->options.connections)
        line = g_ptr_array_steal_index(client->idle, 0);
    pthread_mutex_unlock(&client->mutex);
    if (!line)
        line = line_new(client);
    g_free(line->origin);
    line->origin = g_strdup(origin);
    return line;
}

static void give_line(HttpClient *client, Line *line)
{
    Line *surplus = NULL;

    pthread_mutex_lock(&client->mutex);
    g_ptr_array_add(client->idle, line);
    if (client->idle->len > client->options.connections)
        surplus = g_ptr_array_steal_index(client->idle, 0);
    pthread_mutex_unlock(&client->mutex);
    if (surplus)
        line_free(surplus);
}

/* ---- requests ---- */

/* scheme://host:port */
static char *origin_of(const char *url, GError **error)
{
    const char *host = g_str_has_prefix(url, "https://")  ? url + strlen("https://")
                       : g_str_has_prefix(url, "http://") ? url + strlen("http://")
                                                          : NULL;
    size_t len = host ? strcspn(host, "/?#") : 0;

    if (len > 0 && !memchr(host, '@', len))
        return g_strndup(url, (gsize)(host - url) + len);
    g_set_error_literal(error, BS_ERROR, BS_ERROR_USAGE,
                        "not a URL of http or https without a user");
    return NULL;
}

static const char *host_of(const char *origin)
{
    return strstr(origin, "://") + strlen("://");
}

/*
 * After an interruption somebody waits at the terminal: what is still asked for has until three
 * seconds after it, a second at least, and when one request has met silence, the others are not
 * made.
 */
static bool tidy(HttpClient *client, Line *line, const HttpRequest *request, HttpReply *ret_reply,
                 GError **error)
{
    HttpOptions options = client->options;
    int64_t limit_ms = MAX(TIDY_MS - cancel_age_ms(options.cancel), TIDY_LEAST_MS);
    int64_t began_ms = clock_monotonic_ms();
    bool whole;

    if (atomic_load(&client->silent)) {
        g_set_error_literal(error, BS_ERROR, BS_ERROR_TRANSIENT,
                            "not asked, for it does not answer since the interruption");
        return false;
    }
    options.cancel = NULL;
    whole = exchange_run(line->easy, line->multi, &options, limit_ms, request, ret_reply, error);
    if (!whole && clock_monotonic_ms() - began_ms >= limit_ms)
        atomic_store(&client->silent, true);
    return whole;
}

bool http_request(HttpClient *client, const HttpRequest *request, HttpReply *ret_reply,
                  GError **error)
{
    g_autofree char *origin = origin_of(request->url, error);
    Line *line;
    bool whole;

    if (!origin)
        return false;
    line = take_line(client, origin);
    whole =
        cancel_is_set(client->options.cancel)
            ? tidy(client, line, request, ret_reply, error)
            : exchange_run(line->easy, line->multi, &client->options, 0, request, ret_reply, error);
    give_line(client, line);
    if (!whole)
        g_prefix_error(error, "%s: ", host_of(origin));
    return whole;
}
