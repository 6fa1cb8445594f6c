/* SPDX-License-Identifier: Apache-2.0 */
/* A Redis database file, as a backup of the server would have taken it. */
#include "base/error.h"
#include "source/importing.h"
#include "source/pgfacts.h"
#include "source/rdb.h"
#include "source/redisfacts.h"

static bool feed(void *user, const void *data, size_t len, GError **error)
{
    size_t used;

    if (!rdb_feed(user, data, len, &used, error))
        return false;
    if (used == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "not a whole Redis database file: something comes after its end (at byte "
                "%" G_GUINT64_FORMAT ")",
                rdb_size(user));
    return false;
}

static bool finish(void *user, GError **error)
{
    return rdb_finish(user, error);
}

static json_t *describe_server(const RdbWalker *walker)
{
    const char *version = rdb_aux(walker, "redis-ver");
    json_t *server = json_object();

    if (version)
        (void)json_object_set_new(server, "version", pg_facts_text(version, NULL));
    return server;
}

bool import_rdb(Import *import, GError **error)
{
    g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
    PgWatcher watcher = { feed, finish, NULL, walker };
    json_t *pushed = json_object(), *file;
    bool ok = pg_push_inlet(&import->push, import->inlet, "dump.rdb", &watcher, pushed, error);

    if (ok) {
        file = redis_facts_file(walker);
        (void)json_object_update(file, pushed);
        (void)json_object_set_new(import->manifest, "rdb", file);
        (void)json_object_set_new(import->manifest, "databases", redis_facts_databases(walker));
        (void)json_object_set_new(import->manifest, "server", describe_server(walker));
        if (!rdb_has_checksum(walker))
            g_ptr_array_add(import->source->base.notes,
                            g_strdup("the file has no checksum (the server had rdbchecksum no): "
                                     "its structure is whole, but a changed value would not show"));
    }
    json_decref(pushed);
    return ok;
}
