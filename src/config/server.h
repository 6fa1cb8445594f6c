/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon is told of itself. */
#pragma once
#include "config/field.h"
#include "config/reference.h"

typedef struct {
    char *listen;                    /* "127.0.0.1:9898"; NULL: nobody listens */
    char *tls_certificate, *tls_key; /* files (PEM); both or neither */
    char *catalogue; /* "sqlite:/path", or postgresql://... without a password; NULL: a file of
                      * SQLite in the daemon's state directory */
    Reference catalogue_password;
    char *metrics_prefix;             /* "backstay" */
    int64_t stores_every, wal_every;  /* seconds between two measurements; 0: never */
    char *textfile, *base_url, *node; /* NULL: not given */
    char **webhook_origins;    /* where webhooks may go; NULL: anywhere but to this network */
    char **restore_roots;      /* directories below which the API may restore; NULL: none */
    uint64_t upload_max;       /* bytes of a file that the API takes in; 0: none is */
    uint64_t upload_min_speed; /* bytes a second, on the whole; 0: any speed will do */
    int64_t sweep_minute;      /* of the day in Etc/UTC: when retention looks at everything */
} ServerConfig;

extern const Table server_table;

/* Of a checked and completed object. */
void server_config_init(ServerConfig *server, const json_t *object);
void server_config_done(ServerConfig *server);
