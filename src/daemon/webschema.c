/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes as JSON Schema 2020-12, which OpenAPI 3.1 is built on. */
#include "daemon/webshape.h"

#include <string.h>

static void set_int(json_t *schema, const char *name, int64_t value)
{
    json_object_set_new(schema, name, json_integer(value));
}

static json_t *typed(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *text_schema(const ShapeField *field)
{
    json_t *schema = typed("string");

    if (field->kind == SHAPE_ID) {
        json_object_set_new(schema, "pattern", json_string("^[0-9a-f]{32}$"));
    } else if (field->kind == SHAPE_TIME) {
        json_object_set_new(schema, "format", json_string("date-time"));
    } else if (field->words) {
        json_t *words = json_array();

        for (const char *const *word = field->words; *word; word++)
            json_array_append_new(words, json_string(*word));
        json_object_set_new(schema, "enum", words);
    } else {
        if (field->min > 0)
            set_int(schema, "minLength", 1); // bounds are in bytes, a schema counts characters
        if (field->max > 0)
            set_int(schema, "maxLength", field->max);
    }
    return schema;
}

static json_t *list_schema(json_t *items)
{
    json_t *schema = typed("array");

    json_object_set_new(schema, "items", items);
    return schema;
}

static json_t *bare_schema(const ShapeField *field, json_t *schemas)
{
    json_t *schema;

    switch (field->kind) {
    case SHAPE_TEXT:
    case SHAPE_ID:
    case SHAPE_TIME:
        return text_schema(field);
    case SHAPE_BOOL:
        return typed("boolean");
    case SHAPE_NUMBER:
        return typed("number");
    case SHAPE_INT:
        schema = typed("integer");
        set_int(schema, "minimum", field->min);
        if (field->max > 0)
            set_int(schema, "maximum", field->max);
        return schema;
    case SHAPE_TEXTS:
        return list_schema(text_schema(&(ShapeField){ .kind = SHAPE_TEXT, .words = field->words }));
    case SHAPE_LIST:
        return list_schema(shape_schema(field->of, schemas));
    case SHAPE_OBJECT:
        return field->of ? shape_schema(field->of, schemas) : typed("object");
    case SHAPE_ANY:
        break;
    }
    return json_object();
}

json_t *shape_field_schema(const ShapeField *field, json_t *schemas)
{
    json_t *schema = bare_schema(field, schemas);

    if (field->flags & SHAPE_NULL)
        schema = json_pack("{s:[o, {s:s}]}", "anyOf", schema, "type", "null");
    if (field->summary)
        json_object_set_new(schema, "description", json_string(field->summary));
    return schema;
}

static json_t *object_schema(const Shape *shape, json_t *schemas)
{
    json_t *schema = typed("object"), *properties = json_object(), *required = json_array();

    for (const ShapeField *field = shape->fields; field && field->name; field++) {
        json_object_set_new(properties, field->name, shape_field_schema(field, schemas));
        if (field->flags & SHAPE_REQUIRED)
            json_array_append_new(required, json_string(field->name));
    }
    json_object_set_new(schema, "properties", properties);
    json_object_set_new(schema, "required", required);
    if (shape->fields)
        json_object_set_new(schema, "additionalProperties", json_false());
    return schema;
}

static json_t *forms_schema(const Shape *shape, json_t *schemas)
{
    json_t *forms = json_array();

    for (const Shape *const *form = shape->forms; *form; form++)
        json_array_append_new(forms, shape_schema(*form, schemas));
    return json_pack("{s:o}", "oneOf", forms);
}

json_t *shape_schema(const Shape *shape, json_t *schemas)
{
    g_autofree char *reference = g_strconcat("#/components/schemas/", shape->name, NULL);

    if (!json_object_get(schemas, shape->name)) {
        // there before it is made, for a shape may hold itself
        json_object_set_new(schemas, shape->name, json_object());
        json_object_set_new(schemas, shape->name,
                            shape->forms ? forms_schema(shape, schemas)
                                         : object_schema(shape, schemas));
    }
    return json_pack("{s:s}", "$ref", reference);
}
