/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webshape.h"

#include "base/error.h"
#include "codec/rfc3339.h"
#include <string.h>

#define DEPTH_MAX 16u
#define TEXT_MAX  1024
#define TEXTS_MAX 64

/* ---- what comes in ---- */

static bool wrong(GError **error, const char *where, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool wrong(GError **error, const char *where, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s: %s", *where ? where : "the body", text);
    return false;
}

/* The library's own parser goes 2048 deep, one frame each; nobody needs that here. */
static bool is_shallow(const char *text, size_t len)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
        } else if (text[i] == '"') {
            quoted = true;
        } else if (text[i] == '{' || text[i] == '[') {
            if (++depth > DEPTH_MAX)
                return false;
        } else if ((text[i] == '}' || text[i] == ']') && depth > 0) {
            depth--;
        }
    }
    return true;
}

static bool check_length(const ShapeField *field, size_t len, const char *where, GError **error)
{
    size_t max = field->max > 0 ? (size_t)field->max : TEXT_MAX;

    if (len < (size_t)field->min)
        return wrong(error, where, "is shorter than %" G_GINT64_FORMAT " bytes", field->min);
    if (len > max)
        return wrong(error, where, "is longer than %zu bytes", max);
    return true;
}

static bool check_text(const ShapeField *field, const char *text, size_t len, const char *where,
                       GError **error)
{
    Timestamp time;

    if (strlen(text) != len)
        return wrong(error, where, "holds a zero byte");
    if (field->kind == SHAPE_ID && (len != 32 || strspn(text, "0123456789abcdef") != 32))
        return wrong(error, where, "is no id of 32 small hexadecimal digits");
    if (field->kind == SHAPE_TIME && !rfc3339_parse(text, len, &time, NULL))
        return wrong(error, where, "is no time such as 2026-11-21T03:00:00Z");
    if (field->words && !g_strv_contains(field->words, text)) {
        g_autofree char *words = g_strjoinv(", ", (char **)field->words);

        return wrong(error, where, "is none of %s", words);
    }
    return field->kind != SHAPE_TEXT || check_length(field, len, where, error);
}

static bool check_int(const ShapeField *field, int64_t value, const char *where, GError **error)
{
    if (value >= field->min && (field->max == 0 || value <= field->max))
        return true;
    return wrong(error, where, "is not from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, field->min,
                 field->max);
}

static bool check_texts(const ShapeField *field, const json_t *list, const char *where,
                        GError **error)
{
    size_t max = field->max > 0 ? (size_t)field->max : TEXTS_MAX;

    if (json_array_size(list) > max)
        return wrong(error, where, "has more than %zu members", max);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        const ShapeField each = { .kind = SHAPE_TEXT, .words = field->words };
        g_autofree char *place = g_strdup_printf("%s/%zu", where, i);

        if (!json_is_string(item))
            return wrong(error, place, "is no text");
        if (!check_text(&each, json_string_value(item), json_string_length(item), place, error))
            return false;
    }
    return true;
}

static bool check_object(const Shape *shape, const json_t *object, const char *where,
                         GError **error);

static bool check_list(const ShapeField *field, const json_t *list, const char *where,
                       GError **error)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        g_autofree char *place = g_strdup_printf("%s/%zu", where, i);

        if (!json_is_object(item))
            return wrong(error, place, "is no object");
        if (!check_object(field->of, item, place, error))
            return false;
    }
    return true;
}

static bool check_value(const ShapeField *field, const json_t *value, const char *where,
                        GError **error)
{
    static const struct {
        json_type type;
        const char *name;
    } wants[] = {
        [SHAPE_TEXT] = { JSON_STRING, "text" },     [SHAPE_ID] = { JSON_STRING, "text" },
        [SHAPE_TIME] = { JSON_STRING, "text" },     [SHAPE_BOOL] = { JSON_TRUE, "true or false" },
        [SHAPE_INT] = { JSON_INTEGER, "number" },   [SHAPE_NUMBER] = { JSON_REAL, "number" },
        [SHAPE_TEXTS] = { JSON_ARRAY, "list" },     [SHAPE_LIST] = { JSON_ARRAY, "list" },
        [SHAPE_OBJECT] = { JSON_OBJECT, "object" },
    };
    json_type type = json_is_false(value) ? JSON_TRUE : json_typeof(value);

    if (field->kind == SHAPE_ANY || ((field->flags & SHAPE_NULL) && type == JSON_NULL))
        return true;
    if (field->kind == SHAPE_NUMBER && type == JSON_INTEGER)
        return true;
    if (type != wants[field->kind].type)
        return wrong(error, where, "is not: %s", wants[field->kind].name);
    switch (field->kind) {
    case SHAPE_TEXT:
    case SHAPE_ID:
    case SHAPE_TIME:
        return check_text(field, json_string_value(value), json_string_length(value), where, error);
    case SHAPE_INT:
        return check_int(field, json_integer_value(value), where, error);
    case SHAPE_TEXTS:
        return check_texts(field, value, where, error);
    case SHAPE_LIST:
        return check_list(field, value, where, error);
    case SHAPE_OBJECT:
        return !field->of || check_object(field->of, value, where, error);
    default:
        return true;
    }
}

static const ShapeField *find_field(const Shape *shape, const char *name)
{
    for (const ShapeField *field = shape->fields; field->name; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

/* RFC 6901, section 3. */
static char *pointer_to(const char *where, const char *name)
{
    g_autoptr(GString) place = g_string_new(name);

    g_string_replace(place, "~", "~0", 0);
    g_string_replace(place, "/", "~1", 0);
    return g_strconcat(where, "/", place->str, NULL);
}

static const Shape *form_of(const Shape *shape, const json_t *object)
{
    const Shape *const *form = shape->forms;

    if (!form)
        return shape;
    while (form[1] && !json_object_get(object, (*form)->fields->name))
        form++;
    return *form;
}

static bool check_object(const Shape *shape, const json_t *object, const char *where,
                         GError **error)
{
    const char *name;
    json_t *value;

    shape = form_of(shape, object);
    if (!shape->fields)
        return true;
    json_object_foreach((json_t *)object, name, value)
    {
        const ShapeField *field = find_field(shape, name);
        g_autofree char *place = pointer_to(where, name);

        if (!field)
            return wrong(error, place, "is not known here");
        if (!check_value(field, value, place, error))
            return false;
    }
    for (const ShapeField *field = shape->fields; field->name; field++)
        if ((field->flags & SHAPE_REQUIRED) && !json_object_get(object, field->name))
            return wrong(error, where, "'%s' is missing", field->name);
    return true;
}

bool shape_check(const Shape *shape, const json_t *object, GError **error)
{
    if (!json_is_object(object))
        return wrong(error, "", "must be an object");
    return check_object(shape, object, "", error);
}

bool shape_parse(const Shape *shape, const void *text, size_t len, json_t **ret_object,
                 GError **error)
{
    json_error_t problem;
    json_t *object;

    if (!is_shallow(text, len))
        return wrong(error, "", "is nested more than %u deep", DEPTH_MAX);
    object = json_loadb(text, len, JSON_REJECT_DUPLICATES, &problem);
    if (!object) {
        // its text may quote the body, and passwords come in bodies
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "the body is no JSON, or a member comes twice: line %d, column %d",
                    problem.line, problem.column);
        return false;
    }
    if (!shape_check(shape, object, error)) {
        json_decref(object);
        return false;
    }
    *ret_object = object;
    return true;
}

bool shape_check_text(const ShapeField *field, const char *value, GError **error)
{
    gint64 number;

    switch (field->kind) {
    case SHAPE_INT:
        if (!g_ascii_string_to_signed(value, 10, G_MININT64, G_MAXINT64, &number, NULL))
            return wrong(error, field->name, "is not: number");
        return check_int(field, number, field->name, error);
    case SHAPE_BOOL:
        if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
            return true;
        return wrong(error, field->name, "is not: true or false");
    default:
        return check_text(field, value, strlen(value), field->name, error);
    }
}

const char *shape_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

bool shape_bool(const json_t *object, const char *name, bool otherwise)
{
    const json_t *value = json_object_get(object, name);

    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

int64_t shape_int(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(object, name);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}
