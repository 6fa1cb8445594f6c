/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is told of itself. */
#pragma once
#include "config/field.h"
#include "config/reference.h"

typedef struct {
    char *listen;                    /* "127.0.0.1:9898" */
    char *tls_certificate, *tls_key; /* files (PEM); both or neither */
    char *catalogue; /* "sqlite:/path", or postgresql://... without a password; NULL: a file of
                      * SQLite in the daemon's state directory */
    Reference catalogue_password;
    char *metrics_prefix;             /* "backstay" */
    char *textfile, *base_url, *node; /* NULL: not given */
    char **webhook_origins; /* where webhooks may go; NULL: anywhere but to this network */
    int64_t sweep_minute;   /* of the day in Etc/UTC: when retention looks at everything */
} ServerConfig;

extern const Table server_table;

/* Of a checked and completed object. */
void server_config_init(ServerConfig *server, const json_t *object);
void server_config_done(ServerConfig *server);
