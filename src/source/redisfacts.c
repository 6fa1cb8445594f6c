/* SPDX-License-Identifier: Apache-2.0 */
#include "source/redisfacts.h"

#include "source/pgfacts.h"
#include "source/rdbtypes.h"
#include "source/redisinfo.h"

json_t *redis_facts_source(const char *name, const RedisUrl *url)
{
    g_autofree char *shown = redis_url_redacted(url);
    json_t *source = json_object();

    (void)json_object_set_new(source, "kind", json_string("redis"));
    (void)json_object_set_new(source, "name", pg_facts_text(name, NULL));
    (void)json_object_set_new(source, "url", pg_facts_text(shown, NULL));
    return source;
}

static void add_field(json_t *object, const char *key, const char *info, const char *field)
{
    g_autofree char *value = redis_info_get(info, field);

    if (value)
        (void)json_object_set_new(object, key, pg_facts_text(value, NULL));
}

json_t *redis_facts_server(const char *info)
{
    json_t *server = json_object();

    add_field(server, "version", info, "redis_version");
    add_field(server, "mode", info, "redis_mode");
    add_field(server, "role", info, "role");
    add_field(server, "run_id", info, "run_id");
    (void)json_object_set_new(server, "used_memory",
                              json_integer(redis_info_number(info, "used_memory", -1)));
    (void)json_object_set_new(server, "appendonly",
                              json_boolean(redis_info_number(info, "aof_enabled", 0) != 0));
    return server;
}

static json_t *describe_types(const RdbDatabase *database)
{
    json_t *types = json_object();

    for (uint8_t type = 0; type < RDB_TYPES; type++) {
        const char *name;
        json_int_t before;

        if (database->types[type] == 0)
            continue;
        name = rdb_type(type)->name; // several stand for one, as they are written
        before = json_integer_value(json_object_get(types, name));
        (void)json_object_set_new(types, name,
                                  json_integer(before + (json_int_t)database->types[type]));
    }
    return types;
}

json_t *redis_facts_databases(const RdbWalker *walker)
{
    const GArray *databases = rdb_databases(walker);
    json_t *list = json_array();

    for (guint i = 0; i < databases->len; i++) {
        const RdbDatabase *one = &g_array_index(databases, RdbDatabase, i);
        json_t *database = json_object();

        (void)json_object_set_new(database, "number", json_integer(one->number));
        (void)json_object_set_new(database, "keys", json_integer((json_int_t)one->keys));
        (void)json_object_set_new(database, "expires", json_integer((json_int_t)one->expires));
        (void)json_object_set_new(database, "types", describe_types(one));
        (void)json_array_append_new(list, database);
    }
    return list;
}

json_t *redis_facts_file(const RdbWalker *walker)
{
    const GPtrArray *modules = rdb_modules(walker);
    json_t *file = json_object(), *names = json_array();

    (void)json_object_set_new(file, "version", json_integer(rdb_version(walker)));
    (void)json_object_set_new(file, "checksum", json_boolean(rdb_has_checksum(walker)));
    (void)json_object_set_new(file, "functions", json_integer((json_int_t)rdb_n_functions(walker)));
    for (guint i = 0; i < modules->len; i++)
        (void)json_array_append_new(names, json_string(modules->pdata[i]));
    (void)json_object_set_new(file, "modules", names);
    return file;
}

json_t *redis_facts_copy(const RedisStream *stream)
{
    json_t *copy = json_object();

    (void)json_object_set_new(copy, "method", json_string(redis_stream_method(stream)));
    if (redis_stream_replid(stream)) {
        (void)json_object_set_new(copy, "replication_id",
                                  pg_facts_text(redis_stream_replid(stream), NULL));
        (void)json_object_set_new(copy, "offset", json_integer(redis_stream_offset(stream)));
    }
    return copy;
}
