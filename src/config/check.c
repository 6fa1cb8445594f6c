/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include "config/checking.h"
#include <string.h>

/* ---- lists ---- */

/* One text stands for a list of one. */
static json_t *check_list(const Check *check, const Field *field, const json_t *value,
                          const char *pointer)
{
    json_auto_t *list = json_array();
    const json_t *item;
    size_t i;

    if (json_is_string(value)) {
        json_array_append_new(list, check_text(check, field, value, pointer));
        return g_steal_pointer(&list);
    }
    if (!json_is_array(value))
        return check_wrong_kind(check, value, pointer, "a list");
    json_array_foreach((json_t *)value, i, item)
    {
        g_autofree char *place = pointer_index(pointer, i);
        json_auto_t *meant = check_resolved(check, field, item, place);

        if (meant)
            json_array_append_new(list, check_text(check, field, meant, place));
    }
    if (json_array_size(value) == 0 && field->required)
        problems_add(check->problems, pointer, "the list is empty");
    return g_steal_pointer(&list);
}

static json_t *check_objects(const Check *check, const Field *field, const json_t *value,
                             const char *pointer)
{
    json_t *list = json_array();
    const json_t *item;
    size_t i;

    if (!json_is_array(value)) {
        json_decref(list);
        return check_wrong_kind(check, value, pointer, "a list");
    }
    json_array_foreach((json_t *)value, i, item)
    {
        g_autofree char *place = pointer_index(pointer, i);
        json_t *object = check_object(check, field->table, item, place);

        check_complete(check, field->table, object, place);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *check_pairs(const Check *check, const Field *field, const json_t *value,
                           const char *pointer)
{
    json_t *pairs = json_object();
    const json_t *item;
    const char *name;

    if (!json_is_object(value)) {
        json_decref(pairs);
        return check_wrong_kind(check, value, pointer, "names with texts");
    }
    json_object_foreach((json_t *)value, name, item)
    {
        g_autofree char *place = pointer_join(pointer, name);
        json_auto_t *meant = check_resolved(check, field, item, place);

        if (meant)
            json_object_set_new(pairs, name, check_text(check, field, meant, place));
    }
    return pairs;
}

/* ---- any field ---- */

static json_t *check_number(const Check *check, const Field *field, const json_t *value,
                            const char *pointer)
{
    g_autofree char *wanted = g_strdup_printf("a number from %d to %d", field->min, field->max);

    if (!json_is_integer(value))
        return check_wrong_kind(check, value, pointer, wanted);
    if (json_integer_value(value) < field->min || json_integer_value(value) > field->max) {
        problems_add(check->problems, pointer, "%" JSON_INTEGER_FORMAT " is out of range; write %s",
                     json_integer_value(value), wanted);
        return NULL;
    }
    return json_incref((json_t *)value);
}

static json_t *check_field(const Check *check, const Field *field, const json_t *value,
                           const char *pointer)
{
    switch (field->kind) {
    case FIELD_TEXT:
        return check_text(check, field, value, pointer);
    case FIELD_LIST:
        return check_list(check, field, value, pointer);
    case FIELD_NUMBER:
        return check_number(check, field, value, pointer);
    case FIELD_OBJECTS:
        return check_objects(check, field, value, pointer);
    case FIELD_PAIRS:
        return check_pairs(check, field, value, pointer);
    case FIELD_OBJECT:
    case FIELD_JSON:
        return check_object(check, field->table, value, pointer);
    case FIELD_FLAG:
        if (json_is_boolean(value))
            return json_incref((json_t *)value);
        return check_wrong_kind(check, value, pointer, "true or false");
    }
    g_assert_not_reached();
}

static void tell_unknown(const Check *check, const Table *table, const json_t *object,
                         const char *pointer)
{
    const json_t *value;
    const char *key;

    json_object_foreach((json_t *)object, key, value)
    {
        g_autofree char *place = NULL, *known = NULL;

        if (table_find(table, key))
            continue;
        place = pointer_join(pointer, key);
        known = table_keys(table);
        problems_add_key(check->problems, place, "unknown key; known are %s", known);
    }
}

/* An empty place in a file is no mistake where a list or an object may stand: all of it may be
 * commented out. */
static bool is_nothing(const Check *check, const Field *field, const json_t *value)
{
    return !value || (json_is_null(value) &&
                      (check->nulls || field->kind == FIELD_LIST || field->kind >= FIELD_OBJECT));
}

json_t *check_object(const Check *check, const Table *table, const json_t *object,
                     const char *pointer)
{
    json_t *checked = json_object();

    if (!json_is_object(object)) {
        g_autofree char *known = table_keys(table), *wanted = NULL;

        wanted = g_strdup_printf("keys with values; known are %s", known);
        (void)check_wrong_kind(check, object, pointer, wanted);
        return checked;
    }
    tell_unknown(check, table, object, pointer);
    for (size_t i = 0; i < table->n; i++) {
        const Field *field = &table->fields[i];
        g_autofree char *place = pointer_join(pointer, field->key);
        const json_t *value = json_object_get(object, field->key);
        json_auto_t *meant = NULL;

        if (is_nothing(check, field, value))
            continue;
        meant = check_resolved(check, field, value, place);
        if (meant)
            json_object_set_new(checked, field->key, check_field(check, field, meant, place));
    }
    return checked;
}

/* ---- what is left open ---- */

/* What is wrong already is neither missing nor to be compared with other values. */
static bool is_wrong(const Check *check, const char *pointer)
{
    size_t len = strlen(pointer);

    for (guint i = 0; i < check->problems->len; i++) {
        const Problem *problem = g_ptr_array_index(check->problems, i);

        if (problem->pointer && strncmp(problem->pointer, pointer, len) == 0 &&
            (problem->pointer[len] == '/' || problem->pointer[len] == '\0'))
            return true;
    }
    return false;
}

static void complete_field(const Check *check, const Field *field, json_t *object,
                           const char *pointer)
{
    json_t *value = json_object_get(object, field->key);
    g_autofree char *place = pointer_join(pointer, field->key);

    if (field->kind == FIELD_OBJECT || field->kind == FIELD_JSON) {
        json_t *inner = value ? json_incref(value) : json_object();

        check_complete(check, field->table, inner, place);
        if (!value && json_object_size(inner) > 0)
            json_object_set(object, field->key, inner);
        json_decref(inner);
    } else if (!value && field->fallback) {
        json_object_set_new(object, field->key, json_loads(field->fallback, JSON_DECODE_ANY, NULL));
    } else if (!value && field->required && !is_wrong(check, place)) {
        problems_add(check->problems, place, "is missing: %s", field->help);
    }
}

/* Keys in the order of the table, whoever set them. */
static void put_in_order(const Table *table, json_t *object)
{
    json_auto_t *ordered = json_object();

    for (size_t i = 0; i < table->n; i++) {
        json_t *value = json_object_get(object, table->fields[i].key);

        if (value)
            json_object_set(ordered, table->fields[i].key, value);
    }
    json_object_clear(object);
    json_object_update(object, ordered);
}

void check_complete(const Check *check, const Table *table, json_t *object, const char *pointer)
{
    for (size_t i = 0; i < table->n; i++)
        complete_field(check, &table->fields[i], object, pointer);
    put_in_order(table, object);
    if (table->verify && !is_wrong(check, pointer))
        table->verify(object, pointer, check->problems);
}
