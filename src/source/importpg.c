/* SPDX-License-Identifier: Apache-2.0 */
/* What the manifest says of a database that was imported, whatever the form of its dump. */
#include "pg/tools.h"
#include "source/importing.h"
#include "source/pgfacts.h"

/* A dump says which, not in what version. */
void import_add_extension(json_t *list, const char *name)
{
    json_t *extension = json_object();

    (void)json_object_set_new(extension, "name", pg_facts_text(name, NULL));
    (void)json_array_append_new(list, extension);
}

static json_t *describe_server(const char *version)
{
    json_t *server = json_object();

    (void)json_object_set_new(server, "version",
                              json_integer(version ? pg_version_parse(version) : 0));
    (void)json_object_set_new(server, "version_text", pg_facts_text(version ? version : "", NULL));
    return server;
}

/* What a dump itself does not say, for a database that is made from it. */
static void add_recorded(const Import *import, const char *name, json_t *facts)
{
    static const char *const keys[] = { "owner",      "encoding",        "collate",
                                        "ctype",      "collate_version", "locale",
                                        "extensions", "locale_provider", "migrations",
                                        "tablespace" };
    const json_t *recorded = import_recorded(import, name);

    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        json_t *value = json_object_get(recorded, keys[i]);

        if (value)
            (void)json_object_set(facts, keys[i], value);
    }
}

void import_add_database(Import *import, const char *name, const char *server_version,
                         json_t *facts)
{
    json_t *databases = json_object_get(import->manifest, "databases");

    if (!databases) {
        databases = json_array();
        (void)json_object_set_new(import->manifest, "databases", databases);
    }
    (void)json_object_set_new(facts, "name", pg_facts_text(name, NULL));
    add_recorded(import, name, facts);
    (void)json_array_append(databases, facts);
    (void)json_object_set_new(import->manifest, "problems", json_array());
    (void)json_object_set_new(import->manifest, "server", describe_server(server_version));
}
