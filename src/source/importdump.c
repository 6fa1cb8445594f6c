/* SPDX-License-Identifier: Apache-2.0 */
/* A dump of pg_dump in custom format, as a backup of a database would have taken it. */
#include "base/error.h"
#include "pg/url.h"
#include "source/importing.h"
#include "source/pgdump.h"
#include "source/pgfacts.h"
#include <string.h>

#define HEADER_MAX (64u << 10) /* the names and versions that a dump begins with */

static bool feed(void *user, const void *data, size_t len, GError **error)
{
    return pgdump_feed(user, data, len, error);
}

static bool finish(void *user, GError **error)
{
    return pgdump_finish(user, error);
}

static uint64_t boundary(const void *user)
{
    return pgdump_toc_len(user);
}

/* Its name gives that of the file in the snapshot, so it has to be known before. */
static char *database_of(Import *import, GError **error)
{
    g_autoptr(PgDump) dump = pgdump_new();
    const uint8_t *data;
    const char *name;
    size_t n;

    if (import->source->database)
        return g_strdup(import->source->database);
    if (!inlet_peek(import->inlet, HEADER_MAX, &data, &n, error) ||
        !pgdump_feed(dump, data, n, error))
        return NULL;
    name = pgdump_header(dump)->database; // NULL when it did not come
    if (name && *name)
        return g_strdup(name);
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "dump: it ends early, before the name of its database");
    return NULL;
}

void import_describe_dump(Import *import, const char *name, const PgDump *dump, json_t *facts)
{
    const GPtrArray *entries = pgdump_entries(dump);
    g_autofree char *encoding = pgdump_encoding(dump);
    json_t *extensions = json_array();

    for (guint i = 0; i < entries->len; i++) {
        const PgDumpEntry *entry = entries->pdata[i];

        if (strcmp(entry->desc, "EXTENSION") == 0)
            import_add_extension(extensions, entry->tag);
    }
    (void)json_object_set_new(facts, "extensions", extensions);
    if (encoding)
        (void)json_object_set_new(facts, "encoding", pg_facts_text(encoding, NULL));
    pg_facts_add_dump(facts, dump);
    import_add_database(import, name, pgdump_header(dump)->server_version, facts);
}

bool import_dump(Import *import, GError **error)
{
    g_autofree char *name = database_of(import, error);
    g_autofree char *escaped = name ? pg_escape_name(name) : NULL;
    g_autofree char *file = g_strconcat(escaped ? escaped : "", ".dump", NULL);
    g_autoptr(PgDump) dump = pgdump_new();
    PgWatcher watcher = { feed, finish, boundary, dump };
    json_t *facts;
    bool ok;

    if (!name || !import_claim(import, file, error))
        return false;
    facts = json_object();
    ok = pg_push_inlet(&import->push, import->inlet, file, &watcher, facts, error);
    if (ok)
        import_describe_dump(import, name, dump, facts);
    json_decref(facts);
    return ok;
}
