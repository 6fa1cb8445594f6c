/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of the operator that the manifest beside a file tells (source/importing.h). */
#include "base/error.h"
#include "source/importing.h"
#include <string.h>

#define FACTS_MAX 100

static bool fits(const char *name, const json_t *value)
{
    return strlen(name) <= FACT_MAX &&
           (json_is_null(value) ||
            (json_is_string(value) && json_string_length(value) <= FACT_MAX &&
             strlen(json_string_value(value)) == json_string_length(value)));
}

static void add(Source *source, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);
    g_autofree char *line = text ? source_fact_line(text) : NULL;
    g_autoptr(GError) failure = NULL;

    if (source_check_fact(name, line, &failure))
        source_set_fact(source, name, line);
    else
        g_ptr_array_add(source->notes,
                        g_strdup_printf("fact %s of the manifest: %s", name, failure->message));
}

/* As we write it, or as applications do that make such files themselves. */
static const json_t *key_id(const json_t *sidecar)
{
    static const char *const names[] = { "active_key_id", "passwordEncryptionKid", FACT_KID };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const json_t *value = json_object_get(sidecar, names[i]);

        if (json_is_string(value) && fits(names[i], value))
            return value;
    }
    return NULL;
}

void import_add_facts(Import *import)
{
    Source *source = &import->source->base;
    const json_t *sidecar = import->source->sidecar, *kid = key_id(sidecar);
    json_t *facts = json_object_get(sidecar, "facts"), *value;
    const char *name;

    if (json_object_size(facts) > FACTS_MAX)
        g_ptr_array_add(
            source->notes,
            g_strdup("the manifest beside the file tells too many facts; none is kept"));
    else
        json_object_foreach(facts, name, value)
        {
            if (fits(name, value))
                add(source, name, value);
        }
    if (kid && !json_object_get(facts, FACT_KID))
        add(source, FACT_KID, kid);
    source_add_facts(source, import->manifest);
}
