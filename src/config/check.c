/* SPDX-License-Identifier: Apache-2.0 */
#include "config/check.h"

#include "base/error.h"
#include "base/secret.h"
#include "config/reference.h"
#include <string.h>

#define NAME_MAX_BYTES 64
#define TEXT_MAX_BYTES 16384

bool check_name(const char *name, GError **error)
{
    size_t len = strlen(name);

    if (len > 0 && len <= NAME_MAX_BYTES && g_ascii_isalnum(*name) &&
        strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == len)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "is no name; write letters, digits, \".\", \"_\" and \"-\", at most %d, beginning "
                "with a letter or digit",
                NAME_MAX_BYTES);
    return false;
}

/* ---- texts ---- */

/* Not of command://: what would be run to read a configuration? */
static bool is_looked_up(const char *text)
{
    return reference_is(text) && !g_str_has_prefix(text, "command://");
}

bool check_resolve(const Check *check, const char *text, const char *pointer, char **ret_text)
{
    g_autoptr(Secret) value = NULL;
    g_autoptr(GError) problem = NULL;

    *ret_text = NULL;
    if (!check->resolve || !is_looked_up(text))
        return true;
    if (!reference_resolve("this value", text, &value, &problem)) {
        problems_add(check->problems, pointer, "%s", problem->message);
        return false;
    }
    *ret_text = g_strdup(secret_data(value));
    return true;
}

static bool is_reference(const Field *field)
{
    return field->type && field->type->reference;
}

/* A value where another may stand behind a reference: NULL after a problem. */
static json_t *resolved(const Check *check, const Field *field, const json_t *value,
                        const char *pointer)
{
    g_autofree char *text = NULL;
    gint64 number;

    if (!json_is_string(value) || is_reference(field))
        return json_incref((json_t *)value);
    if (!check_resolve(check, json_string_value(value), pointer, &text))
        return NULL;
    if (!text)
        return json_incref((json_t *)value);
    if (field->kind == FIELD_FLAG && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
        return json_boolean(*text == 't');
    if (field->kind == FIELD_NUMBER &&
        g_ascii_string_to_signed(text, 10, G_MININT, G_MAXINT, &number, NULL))
        return json_integer(number);
    return g_utf8_validate(text, -1, NULL) ? json_string(text) : json_string("");
}

static char *word_list(const char *const *words)
{
    g_autofree char *list = g_strjoinv(", ", (char **)words);

    return g_strdup_printf("one of %s", list);
}

static char *what_stands_there(const Field *field)
{
    if (field->words)
        return word_list(field->words);
    if (field->section)
        return g_strdup_printf("a name of %s", field->section);
    return g_strdup(field->type->what);
}

static bool fits_words(const Check *check, const Field *field, const char *text,
                       const char *pointer)
{
    g_autofree char *list = NULL;

    if (g_strv_contains(field->words, text))
        return true;
    list = word_list(field->words);
    problems_add(check->problems, pointer, "\"%s\" is not known; write %s", text, list);
    return false;
}

static bool names_something(const Check *check, const Field *field, const char *text,
                            const char *pointer)
{
    const json_t *section;
    g_autoptr(GString) known = NULL;
    const char *name;
    const json_t *value;

    if (!check->sections)
        return true;
    section = json_object_get(check->sections, field->section);
    if (json_object_get(section, text))
        return true;
    known = g_string_new(NULL);
    json_object_foreach((json_t *)section, name, value)
        g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", name);
    problems_add(check->problems, pointer, "there is no \"%s\" in %s; there %s", text,
                 field->section, known->len > 0 ? "is: " : "is none");
    if (known->len > 0) {
        Problem *problem = g_ptr_array_index(check->problems, check->problems->len - 1);
        char *whole = g_strconcat(problem->text, known->str, NULL);

        g_free(problem->text);
        problem->text = whole;
    }
    return false;
}

static bool fits_type(const Check *check, const FieldType *type, const char *text,
                      const char *pointer)
{
    g_autoptr(GError) problem = NULL;

    if (type->parse(text, NULL, &problem))
        return true;
    // what was found is told with the error or not at all: it may be a secret
    problems_add(check->problems, pointer, "%s", problem->message);
    return false;
}

static bool fits_text(const Check *check, const Field *field, const char *text, const char *pointer)
{
    if (strlen(text) > TEXT_MAX_BYTES) {
        problems_add(check->problems, pointer, "longer than %d bytes", TEXT_MAX_BYTES);
        return false;
    }
    if (field->words)
        return fits_words(check, field, text, pointer);
    if (field->section)
        return names_something(check, field, text, pointer);
    return fits_type(check, field->type, text, pointer);
}

static json_t *wrong_kind(const Check *check, const json_t *value, const char *pointer,
                          const char *wanted)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",    [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a fraction", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "nothing",
    };

    problems_add(check->problems, pointer, "%s stands here; write %s", names[json_typeof(value)],
                 wanted);
    return NULL;
}

static json_t *check_text(const Check *check, const Field *field, const json_t *value,
                          const char *pointer)
{
    g_autofree char *text = NULL, *normal = NULL, *wanted = what_stands_there(field);

    if (json_is_integer(value) && field->type && field->type->number)
        text = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_string(value))
        text = g_strdup(json_string_value(value));
    else if (json_is_null(value) || !field->type || !field->type->reference)
        return wrong_kind(check, value, pointer, wanted);
    else
        text = g_strdup("");
    if (!fits_text(check, field, text, pointer))
        return NULL;
    if (field->type && field->type->normal)
        normal = field->type->normal(text);
    return json_string(normal ? normal : text);
}

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
        return wrong_kind(check, value, pointer, "a list");
    json_array_foreach((json_t *)value, i, item)
    {
        g_autofree char *place = pointer_index(pointer, i);
        json_auto_t *meant = resolved(check, field, item, place);

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
        return wrong_kind(check, value, pointer, "a list");
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
        return wrong_kind(check, value, pointer, "names with texts");
    }
    json_object_foreach((json_t *)value, name, item)
    {
        g_autofree char *place = pointer_join(pointer, name);
        json_auto_t *meant = resolved(check, field, item, place);

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
        return wrong_kind(check, value, pointer, wanted);
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
        return wrong_kind(check, value, pointer, "true or false");
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
        (void)wrong_kind(check, object, pointer, wanted);
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
        meant = resolved(check, field, value, place);
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
