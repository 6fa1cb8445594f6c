/* SPDX-License-Identifier: Apache-2.0 */
/* The certificate and key of the page: TLS 1.2 and later. Any thread. */
#pragma once
#include <glib.h>
#include <microhttpd.h>
#include <stdbool.h>

typedef struct {
    char *certificate, *key; /* PEM; NULL: no TLS */
    struct MHD_OptionItem options[4];
} WebTls;

/* Wipes the key, which the library has copied when it has started. */
void web_tls_clear(WebTls *tls);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(WebTls, web_tls_clear)

/* Paths; both NULL: no TLS. BS_ERROR_NOT_FOUND and the like: a file cannot be read. */
bool web_tls_load(const char *certificate, const char *key, WebTls *ret_tls, GError **error);
/* Whether they can be read and fit, without listening anywhere. BS_ERROR_CONFIG. */
bool web_tls_check(const char *certificate, const char *key, GError **error);
void web_tls_say_no_fit(GError **error);
