/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webtls.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/secret.h"
#include <string.h>

#define PEM_MAX    (1024u * 1024)
#define PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

void web_tls_clear(WebTls *tls)
{
    if (tls->key)
        secret_wipe(tls->key, strlen(tls->key));
    g_free(tls->key);
    g_free(tls->certificate);
    *tls = (WebTls){ 0 };
}

static char *load_pem(const char *path, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    const char *data;

    if (!fs_read_file(path, PEM_MAX, &bytes, error)) {
        g_prefix_error(error, "server.tls: ");
        return NULL;
    }
    data = g_bytes_get_data(bytes, &len);
    return g_strndup(data, len);
}

void web_tls_say_no_fit(GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "server.tls: the certificate and the key do not fit, or are no PEM");
}

bool web_tls_load(const char *certificate, const char *key, WebTls *ret_tls, GError **error)
{
    g_auto(WebTls) tls = { 0 };

    if (certificate &&
        (!(tls.certificate = load_pem(certificate, error)) || !(tls.key = load_pem(key, error))))
        return false;
    *ret_tls = tls;
    memset(&tls, 0, sizeof tls);
    ret_tls->options[0] =
        (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0, ret_tls->certificate };
    ret_tls->options[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, ret_tls->key };
    ret_tls->options[2] =
        (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)PRIORITIES };
    ret_tls->options[3] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    return true;
}

static enum MHD_Result
serve_nobody(G_GNUC_UNUSED void *user, G_GNUC_UNUSED struct MHD_Connection *connection,
             G_GNUC_UNUSED const char *path, G_GNUC_UNUSED const char *method,
             G_GNUC_UNUSED const char *version, G_GNUC_UNUSED const char *data,
             G_GNUC_UNUSED size_t *len, G_GNUC_UNUSED void **room)
{
    return MHD_NO;
}

/* The library looks at both when it starts. */
bool web_tls_check(const char *certificate, const char *key, GError **error)
{
    g_auto(WebTls) tls = { 0 };
    struct MHD_Daemon *daemon;

    if (!web_tls_load(certificate, key, &tls, error))
        return false;
    if (!tls.certificate)
        return true;
    daemon = MHD_start_daemon(MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TLS, 0, NULL, NULL, serve_nobody,
                              NULL, MHD_OPTION_ARRAY, tls.options, MHD_OPTION_END);
    if (daemon)
        MHD_stop_daemon(daemon);
    else
        web_tls_say_no_fit(error);
    return daemon != NULL;
}
