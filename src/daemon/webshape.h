/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What JSON looks like that goes in or out, as a table: it checks what comes in and prints the
 * schema of both (OpenAPI 3.1, JSON Schema 2020-12), so that the two cannot differ. A member that
 * is not in the table is refused.
 */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

typedef enum {
    SHAPE_TEXT, /* UTF-8 without zero bytes, min to max bytes (max 0: 1024) */
    SHAPE_ID,   /* 32 small hexadecimal digits */
    SHAPE_TIME, /* RFC 3339 */
    SHAPE_BOOL,
    SHAPE_INT, /* min to max, (max 0: any) */
    SHAPE_NUMBER,
    SHAPE_TEXTS,  /* a list of at most max (0: 64) texts */
    SHAPE_OBJECT, /* of the shape in `of`; NULL: any object, checked elsewhere */
    SHAPE_LIST,   /* of objects like `of` */
    SHAPE_ANY,
} ShapeKind;

enum { SHAPE_REQUIRED = 1 << 0, SHAPE_NULL = 1 << 1 /* or null */ };

typedef struct Shape Shape;
typedef struct {
    const char *name;
    ShapeKind kind;
    unsigned flags;
    const char *summary;
    int64_t min, max;
    const char *const *words; /* of a text: one of them; NULL-terminated */
    const Shape *of;
} ShapeField;

struct Shape {
    const char *name;         /* in the description: "Run" */
    const ShapeField *fields; /* ends with one without a name; NULL: any object */
    /* In place of fields, ends with NULL: the first of these whose first field the object has, or
     * else the last one. */
    const Shape *const *forms;
};

/* A whole document: an object of the shape, no member twice, at most 16 deep. BS_ERROR_USAGE names
 * the place by a JSON pointer (RFC 6901). */
bool shape_parse(const Shape *shape, const void *text, size_t len, json_t **ret_object,
                 GError **error);
bool shape_check(const Shape *shape, const json_t *object, GError **error);
/* The value of a parameter of a query: TEXT, ID, TIME, BOOL, INT as text. */
bool shape_check_text(const ShapeField *field, const char *value, GError **error);

/* A reference to the shape's schema, which is put into schemas if it is not there yet, with all
 * that it needs. New reference. */
json_t *shape_schema(const Shape *shape, json_t *schemas);
json_t *shape_field_schema(const ShapeField *field, json_t *schemas);

/* Of an object that was checked: borrowed; NULL or the default where it is not there. */
const char *shape_text(const json_t *object, const char *name);
bool shape_bool(const json_t *object, const char *name, bool otherwise);
int64_t shape_int(const json_t *object, const char *name, int64_t otherwise);
