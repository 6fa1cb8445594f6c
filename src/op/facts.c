/* SPDX-License-Identifier: Apache-2.0 */
#include "op/facts.h"

#include "base/error.h"
#include "pg/url.h"
#include <string.h>

#define TAG "fact."

/* ---- files: in tags ---- */

static bool has_manifest(const Source *source)
{
    static const char *const kinds[] = { "postgres", "pgcluster", "redis", "sqlite",
                                         "volume",   "k3s",       NULL };

    return g_strv_contains(kinds, source->ops->kind);
}

static bool add_tag(Source *source, const char *name, const char *value, GError **error)
{
    g_autofree char *key = pg_escape_name(name), *plain = pg_escape_name(value);

    if (strlen(value) > FACT_TAG_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "fact %s: longer than %d bytes, which a snapshot of files has no room for",
                    name, FACT_TAG_MAX);
        return false;
    }
    g_ptr_array_add(source->tags, g_strconcat(TAG, key, "=", plain, NULL));
    return true;
}

json_t *facts_of_tags(const Snapshot *snapshot)
{
    json_t *facts = NULL;

    for (char **tag = snapshot->tags; *tag; tag++) {
        const char *equals = strchr(*tag, '=');
        g_autofree char *name = NULL, *value = NULL;

        if (!g_str_has_prefix(*tag, TAG) || !equals)
            continue;
        name = g_uri_unescape_segment(*tag + strlen(TAG), equals, NULL);
        value = g_uri_unescape_string(equals + 1, NULL);
        if (!name || !value)
            continue;
        if (!facts)
            facts = json_object();
        (void)json_object_set_new(facts, name, json_string(value)); // what is no UTF-8 is left out
    }
    return facts;
}

/* ---- asking ---- */

static bool is_for_copy(const json_t *fact, const Source *source)
{
    return strcmp(source->ops->kind, "sqlite") == 0 && json_object_get(fact, "sql");
}

static bool gather_one(const FactAsking *asking, Source *source, GError **error)
{
    const char *name = fact_name(asking->fact);
    g_autofree char *value = NULL;

    if (!fact_ask(asking, &value, error))
        return false;
    if (!has_manifest(source))
        return add_tag(source, name, value ? value : "", error);
    source_set_fact(source, name, value);
    return true;
}

bool facts_gather(const FactsFrom *from, Source *source, GError **error)
{
    FactAsking asking = { .operands = from->operands,
                          .hidden = from->hidden,
                          .cancel = from->cancel };

    for (size_t i = 0; i < json_array_size(from->config->facts); i++) {
        const json_t *fact = asking.fact = json_array_get(from->config->facts, i);
        bool required = json_is_true(json_object_get(fact, "required"));
        g_autoptr(GError) failure = NULL;

        if (is_for_copy(fact, source)) {
            source_add_query(source, fact_name(fact),
                             json_string_value(json_object_get(fact, "sql")), fact_timeout_ms(fact),
                             required);
            continue;
        }
        if (gather_one(&asking, source, &failure))
            continue;
        // what took too long was cancelled, too, but by its server
        if (required || !cancel_check(from->cancel, NULL)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!source->notes) // of files, which have none of their own
            source->notes = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(source->notes, g_strdup(failure->message));
    }
    return true;
}
