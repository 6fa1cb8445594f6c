/* SPDX-License-Identifier: Apache-2.0 */
#include "config/server.h"

#include "config/types.h"
#include <string.h>

#define AT(member) G_STRUCT_OFFSET(ServerConfig, member)

static const Field tls_fields[] = {
    { "certificate", FIELD_TEXT, AT(tls_certificate), &type_path, .help = "file of the certificate",
      .example = "/etc/backstay/tls.crt" },
    { "key", FIELD_TEXT, AT(tls_key), &type_path, .help = "file of its key",
      .example = "/etc/backstay/tls.key" },
};

static void verify_tls(const json_t *object, const char *pointer, Problems *problems)
{
    if (json_object_size(object) == 1)
        problems_add_key(problems, pointer, "certificate and key go together");
}

static const Table tls_table = { .fields = tls_fields,
                                 .n = G_N_ELEMENTS(tls_fields),
                                 .verify = verify_tls };

static const Field metrics_fields[] = {
    { "prefix", FIELD_TEXT, AT(metrics_prefix), &type_prefix, .fallback = "\"backstay\"",
      .help = "what the names of metrics begin with" },
    { "textfile", FIELD_TEXT, AT(textfile), &type_path,
      .help = "file for the text collector of node_exporter, which ends with .prom" },
    { "stores", FIELD_TEXT, AT(stores_every), &type_wait, .fallback = "\"6h\"",
      .help = "how often the daemon lists what lies in each repository, and checks the WAL there; "
              "0: never" },
    { "wal", FIELD_TEXT, AT(wal_every), &type_wait, .fallback = "\"5m\"",
      .help = "how often it asks the servers of clusters how far their WAL is archived; 0: never" },
};
static const Table metrics_table = { .fields = metrics_fields, .n = G_N_ELEMENTS(metrics_fields) };

static const Field fields[] = {
    { "listen", FIELD_TEXT, AT(listen), &type_listen,
      .help = "address and port of the HTTP server (default: there is none); beyond this machine "
              "only with tls",
      .example = "127.0.0.1:9898" },
    { "tls", FIELD_OBJECT, .table = &tls_table, .help = "for HTTPS" },
    { "catalogue", FIELD_TEXT, AT(catalogue), &type_catalogue,
      .help = "where runs are remembered: sqlite:/path (default: in the state directory), or "
              "postgresql://user@host/database, which several daemons may share" },
    { "catalogue_password", FIELD_TEXT, AT(catalogue_password), &type_reference,
      .help = "where its password is" },
    { "metrics", FIELD_OBJECT, .table = &metrics_table, .help = "what Prometheus sees" },
    { "base_url", FIELD_TEXT, AT(base_url), &type_url,
      .help = "the address of the page for links in notifications",
      .example = "https://backup.example.org" },
    { "node", FIELD_TEXT, AT(node), &type_title,
      .help = "name of this daemon among several (default: the host name)" },
    { "webhook_origins", FIELD_LIST, AT(webhook_origins), &type_origin,
      .help = "notifications go to these origins only (default: to any public one)" },
    { "restore_roots", FIELD_LIST, AT(restore_roots), &type_path,
      .help = "directories below which the HTTP API may restore files (default: none)" },
    { "upload_max", FIELD_TEXT, AT(upload_max), &type_size, .fallback = "\"16G\"",
      .help = "the largest file that may be uploaded to be imported; 0: none" },
    { "upload_min_speed", FIELD_TEXT, AT(upload_min_speed), &type_size, .fallback = "\"32K\"",
      .help = "bytes a second: what is uploaded more slowly, on the whole, is cut off; 0: never" },
    { "sweep", FIELD_TEXT, AT(sweep_minute), &type_clock, .fallback = "\"04:00\"",
      .help = "when every repository is swept by retention each day, in Etc/UTC" },
};

static bool is_loopback(const char *listen)
{
    return g_str_has_prefix(listen, "127.") || g_str_has_prefix(listen, "[::1]:") ||
           g_str_has_prefix(listen, "localhost:");
}

static void verify(const json_t *object, const char *pointer, Problems *problems)
{
    const char *listen = json_string_value(json_object_get(object, "listen"));
    const char *catalogue = json_string_value(json_object_get(object, "catalogue"));
    g_autofree char *at = pointer_join(pointer, "listen"),
                    *password = pointer_join(pointer, "catalogue_password");

    if (listen && !is_loopback(listen) && !json_object_get(object, "tls"))
        problems_add(problems, at,
                     "passwords would cross the network in the clear; listen on "
                     "127.0.0.1 or give tls a certificate and key");
    if (json_object_get(object, "catalogue_password") &&
        !(catalogue && g_str_has_prefix(catalogue, "postgres")))
        problems_add(problems, password, "only a catalogue in PostgreSQL has a password");
}

const Table server_table = {
    .title = "server",
    .help = "The daemon itself.",
    .fields = fields,
    .n = G_N_ELEMENTS(fields),
    .verify = verify,
};

void server_config_init(ServerConfig *server, const json_t *object)
{
    table_fill(&server_table, object, server);
}

void server_config_done(ServerConfig *server)
{
    table_clear(&server_table, server);
}
