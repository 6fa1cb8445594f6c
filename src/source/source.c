/* SPDX-License-Identifier: Apache-2.0 */
#include "source/source.h"
#include "base/error.h"
#include <string.h>

#define KID_MAX 64
#define KEY_MIN 32 /* what is so long and of the letters of base64 may be a key: 24 bytes */

void source_init(Source *source, const SourceOps *ops, char *name)
{
    source->ops = ops;
    source->name = name;
    source->paths = g_new0(char *, 2);
    source->paths[0] = g_strconcat("/", name, NULL);
    source->tags = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(source->tags, g_strconcat("source=", name, NULL));
    g_ptr_array_add(source->tags, g_strconcat("kind=", ops->kind, NULL));
    source->notes = g_ptr_array_new_with_free_func(g_free);
}

static void free_query(gpointer data)
{
    SourceQuery *query = data;

    g_free(query->name);
    g_free(query->sql);
    g_free(query);
}

void source_add_query(Source *source, const char *name, const char *sql, int64_t timeout_ms,
                      bool required)
{
    SourceQuery *query = g_new(SourceQuery, 1);

    *query = (SourceQuery){ g_strdup(name), g_strdup(sql), timeout_ms, required };
    if (!source->queries)
        source->queries = g_ptr_array_new_with_free_func(free_query);
    g_ptr_array_add(source->queries, query);
}

void source_set_fact(Source *source, const char *name, const char *value)
{
    if (!source->facts)
        source->facts = json_object();
    (void)json_object_set_new(source->facts, name, value ? json_string(value) : json_null());
}

char *source_fact_line(const char *text)
{
    g_autofree char *line = g_strndup(text, MIN(strcspn(text, "\r\n"), FACT_MAX));

    return g_utf8_make_valid(g_strstrip(line), -1);
}

bool source_check_fact(const char *name, const char *value, GError **error)
{
    size_t len = value ? strlen(value) : 0;
    bool key = len > KID_MAX;

    if (strcmp(name, FACT_KID) != 0)
        return true;
    if (len >= KEY_MIN && !g_uuid_string_is_valid(value))
        key |= strspn(value,
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=_-") == len;
    if (key)
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "what was found looks like a key itself and is not recorded; name what holds "
                    "the id of the key");
    return !key;
}

void source_add_facts(const Source *source, json_t *manifest)
{
    if (source->facts)
        (void)json_object_set(manifest, "facts", source->facts);
    if (source->group)
        (void)json_object_set(manifest, "group", source->group);
}

void source_free(Source *source)
{
    if (!source)
        return;
    g_clear_pointer(&source->name, g_free);
    g_clear_pointer(&source->paths, g_strfreev);
    g_clear_pointer(&source->tags, g_ptr_array_unref);
    g_clear_pointer(&source->notes, g_ptr_array_unref);
    g_clear_pointer(&source->facts, json_decref);
    g_clear_pointer(&source->queries, g_ptr_array_unref);
    g_clear_pointer(&source->group, json_decref);
    source->ops->free(source);
}
