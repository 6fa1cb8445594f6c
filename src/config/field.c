/* SPDX-License-Identifier: Apache-2.0 */
#include "config/field.h"

#include <string.h>

const Field *table_find(const Table *table, const char *key)
{
    for (size_t i = 0; i < table->n; i++)
        if (strcmp(table->fields[i].key, key) == 0)
            return &table->fields[i];
    return NULL;
}

char *table_keys(const Table *table)
{
    GString *keys = g_string_new(NULL);

    for (size_t i = 0; i < table->n; i++)
        g_string_append_printf(keys, "%s%s", i > 0 ? ", " : "", table->fields[i].key);
    return g_string_free(keys, FALSE);
}

/* A text, also of what was written as a number. */
static char *text_of(const json_t *value)
{
    if (json_is_integer(value))
        return g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    return g_strdup(json_string_value(value));
}

static char **list_of(const json_t *list)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    const json_t *item;
    size_t i;

    json_array_foreach((json_t *)list, i, item)
        g_strv_builder_add(builder, json_string_value(item));
    return g_strv_builder_end(builder);
}

static bool is_copied(const Field *field)
{
    return field->words || field->section || field->type->copied;
}

static void fill_text(const Field *field, const json_t *value, void *place)
{
    g_autofree char *text = text_of(value);

    if (is_copied(field))
        *(char **)place = g_steal_pointer(&text);
    else
        (void)field->type->parse(text, place, NULL); // it was checked
}

static void fill(const Field *field, const json_t *value, void *base)
{
    void *place = (char *)base + field->offset;

    switch (field->kind) {
    case FIELD_TEXT:
        fill_text(field, value, place);
        break;
    case FIELD_LIST:
        *(char ***)place = list_of(value);
        break;
    case FIELD_FLAG:
        *(bool *)place = json_is_true(value);
        break;
    case FIELD_NUMBER:
        *(int *)place = (int)json_integer_value(value);
        break;
    case FIELD_OBJECT:
        table_fill(field->table, value, base);
        break;
    case FIELD_JSON:
    case FIELD_OBJECTS:
    case FIELD_PAIRS:
        *(json_t **)place = json_deep_copy(value);
        break;
    }
}

void table_fill(const Table *table, const json_t *object, void *base)
{
    for (size_t i = 0; i < table->n; i++) {
        const json_t *value = json_object_get(object, table->fields[i].key);

        if (value)
            fill(&table->fields[i], value, base);
    }
}

static void clear(const Field *field, void *base)
{
    void *place = (char *)base + field->offset;

    if (field->kind == FIELD_OBJECT)
        table_clear(field->table, base);
    else if (field->kind == FIELD_TEXT && is_copied(field))
        g_clear_pointer((char **)place, g_free);
    else if (field->kind == FIELD_LIST)
        g_clear_pointer((char ***)place, g_strfreev);
    else if (field->kind >= FIELD_JSON)
        g_clear_pointer((json_t **)place, json_decref);
}

void table_clear(const Table *table, void *base)
{
    for (size_t i = 0; i < table->n; i++)
        clear(&table->fields[i], base);
}
