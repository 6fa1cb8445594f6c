/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/web.h"

#include "base/error.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/places.h"
#include "daemon/uploads.h"
#include "daemon/webcarrier.h"
#include "daemon/webdispatch.h"
#include "daemon/webhub.h"
#include "daemon/weblogin.h"
#include "daemon/webroutes.h"
#include "daemon/webserver.h"
#include "daemon/webtls.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define TURN_MS 1000
#define FILES   4096u /* descriptors: connections, and what serves them */

G_STATIC_ASSERT(WEB_WORKERS == G_N_ELEMENTS(((Web *)0)->catalogs));

static void web_done(Web *web)
{
    web_downloads_free(web->downloads);
    web_hub_free(web->hub);
    for (guint i = 0; i < G_N_ELEMENTS(web->catalogs); i++)
        catalog_free(web->catalogs[i]);
    web_throttle_free(web->throttle);
    g_free(web->host);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Web, web_done)

static bool open_catalogs(Web *web, const Places *places, GError **error)
{
    const ServerConfig *server = &web->configuration->server;
    g_autofree char *file = g_build_filename(places->state, "catalogue.db", NULL);
    g_autofree char *usual = g_strconcat("sqlite:", file, NULL);
    g_autoptr(Secret) password = NULL;

    if (server->catalogue_password &&
        !reference_resolve("server.catalogue_password", server->catalogue_password, &password,
                           error))
        return false;
    // the scheduler has opened it: one that is gone is no reason for a new one with a setup token
    if (!catalog_open_existing(server->catalogue ? server->catalogue : usual, password,
                               &web->catalogs[0], error))
        return false;
    for (guint i = 1; i < G_N_ELEMENTS(web->catalogs); i++)
        if (!catalog_reopen(web->catalogs[0], &web->catalogs[i], error))
            return false;
    return true;
}

/* The host and port of base_url, as a client puts them into Host. */
static char *host_of(const char *base_url)
{
    const char *after = base_url ? strstr(base_url, "://") : NULL;

    return after ? g_strndup(after + 3, strcspn(after + 3, "/")) : NULL;
}

/* Only to those who read the log of this machine, and only until somebody can administer. NULL:
 * somebody can. */
static void offer_setup(const char *token, unsigned port)
{
    if (token)
        (void)fprintf(stderr,
                      "Nobody can administer yet. Make an administrator within an hour by POST "
                      "/api/setup at port %u with this token, which works once: %s\n",
                      port, token);
}

static void raise_limits(void)
{
    struct rlimit limit;

    // if that fails the library accepts fewer connections, and that is all
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES) {
        limit.rlim_cur = MIN(limit.rlim_max, FILES);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static volatile sig_atomic_t reload_asked;

static void ask_reload(G_GNUC_UNUSED int number)
{
    reload_asked = 1;
}

/* *ret_next: what is to be served from now on, or NULL: a renewal that went wrong takes nobody's
 * page away. */
static void reload(const char *path, Configuration **ret_next)
{
    g_autoptr(Configuration) next = NULL;
    g_autoptr(GError) error = NULL;

    reload_asked = 0;
    if (configuration_load(path, &next, &error) &&
        web_tls_check(next->server.tls_certificate, next->server.tls_key, &error)) {
        *ret_next = g_steal_pointer(&next);
        return;
    }
    log_error("the configuration is wrong, the old one stays", "error", error->message, NULL);
}

static void wait_for_end(const char *path, WebServer *server, const Cancel *stop,
                         Configuration **ret_next)
{
    while (!cancel_is_set(stop) && !*ret_next) {
        (void)poll(NULL, 0, TURN_MS);
        web_server_sweep(server);
        if (reload_asked)
            reload(path, ret_next);
    }
}

/* A request that was served leaves much behind that the next one may need, in an hour. */
static void rest(void *user, unsigned worker)
{
    catalog_rest(((Web *)user)->catalogs[worker]);
    memory_give_back();
}

/* Until stop, or until there is another configuration. */
static bool serve(const char *path, const Configuration *configuration, const Places *places,
                  const char *program, const Cancel *stop, Configuration **ret_next, GError **error)
{
    const ServerConfig *config = &configuration->server;
    g_auto(Web) web = {
        .configuration = configuration,
        .control = places->control,
        .runs = places->runs,
        .uploads = places->uploads,
        .program = program,
        .routes = web_routes,
        .secure = config->tls_certificate ||
                  (config->base_url && g_str_has_prefix(config->base_url, "https://")),
        .loopback = !config->tls_certificate,
        .host = host_of(config->base_url),
    };
    const WebServerSettings settings = {
        .listen = config->listen,
        .certificate = config->tls_certificate,
        .key = config->tls_key,
        .serve = web_dispatch,
        .streams = web_dispatch_streams,
        .slowest = config->upload_min_speed,
        .rest = rest,
        .user = &web,
    };
    g_autoptr(WebServer) server = NULL;
    g_autofree char *port = NULL, *token = NULL;

    web.throttle = web_throttle_new();
    web.downloads = web_downloads_new();
    // before there are workers: each connection to the catalogue is one thread's alone
    if (!open_catalogs(&web, places, error) || !web_setup_prepare(web.catalogs[0], &token, error))
        return false;
    web.hub = web_hub_new(web.control, error);
    server = web.hub ? web_server_start(&settings, error) : NULL;
    if (!server)
        return false;
    offer_setup(token, web_server_port(server));
    port = g_strdup_printf("%u", web_server_port(server));
    log_info("HTTP server is ready", "listen", settings.listen, "port", port, NULL);
    wait_for_end(path, server, stop, ret_next);
    // what fills pipes has ended when the server does
    web_hub_stop(web.hub);
    g_clear_pointer(&web.downloads, web_downloads_free);
    return true;
}

bool web_run(const char *config, const char *program, const Cancel *stop, GError **error)
{
    g_autofree char *own = program ? g_strdup(program) : g_file_read_link("/proc/self/exe", error);
    const struct sigaction on_hangup = { .sa_handler = ask_reload, .sa_flags = SA_RESTART };
    g_autoptr(Configuration) configuration = NULL;
    g_auto(Places) places = { 0 };

    if (!own || !configuration_load(config, &configuration, error) || !places_open(&places, error))
        return false;
    uploads_clean_parts(places.uploads); // what the process before us did not finish
    raise_limits();
    memory_share_arenas();
    (void)sigaction(SIGHUP, &on_hangup, NULL); // it cannot fail for this signal
    while (!cancel_is_set(stop)) {
        Configuration *next = NULL;

        if (!serve(config, configuration, &places, own, stop, &next, error))
            return false;
        if (next) {
            configuration_free(configuration);
            configuration = next;
        }
    }
    return true;
}
