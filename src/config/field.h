/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables that say what may stand in a configuration. One row a key: by it the file and what the
 * HTTP API is given are checked (config/check.h), structs are filled, and the manual page, `config
 * generate` and `config show` are printed.
 */
#pragma once
#include "config/problems.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What a text means. */
typedef struct {
    const char *name; /* in the manual page: "DURATION" */
    const char *what; /* may stand there: "a duration such as 30s, 5m, 1h30m or 2d" */
    /* place: of what it becomes, NULL to check only. Errors may be of any code, and leave out what
     * .what says anyway when they have nothing to add. */
    bool (*parse)(const char *text, void *place, GError **error);
    /* How it is kept, when not as it is written; may be NULL. */
    char *(*normal)(const char *text);
    bool copied;    /* place is a char *, and parse only checks */
    bool reference; /* to a secret, which is never itself here */
    bool number;    /* may be written as a number, too */
} FieldType;

typedef enum {
    FIELD_TEXT,    /* place: what its type says */
    FIELD_LIST,    /* of such texts; char ** */
    FIELD_FLAG,    /* bool */
    FIELD_NUMBER,  /* int */
    FIELD_OBJECT,  /* by a table; its rows' places are beside those of this table */
    FIELD_JSON,    /* the same, kept as it is: json_t * */
    FIELD_OBJECTS, /* a list of them; json_t *, an array */
    FIELD_PAIRS,   /* names to texts; json_t * */
} FieldKind;

typedef struct Table Table;

typedef struct {
    const char *key;
    FieldKind kind;
    size_t offset;            /* of the place, in bytes from the begin of the struct */
    const FieldType *type;    /* of a text, or of those in a list */
    const char *const *words; /* the only texts, NULL-terminated; instead of a type */
    const char *section;      /* a text that is the name of something there; instead of a type */
    int min, max;             /* of a number */
    const Table *table;
    const char *fallback; /* JSON; NULL: nothing */
    bool required;
    const char *help;    /* small first letter, no full stop */
    const char *example; /* YAML, for `config generate`; NULL: not in it */
} Field;

struct Table {
    const char *title; /* of its part of the manual page; may be NULL */
    const char *help;
    const Field *fields;
    size_t n;
    /* What no row can say. Only for an object without problems, as check_object() returns it. */
    void (*verify)(const json_t *object, const char *pointer, Problems *problems);
};

/* NULL: no such key. */
const Field *table_find(const Table *table, const char *key);
/* "cron, enabled, keep": for problems. */
char *table_keys(const Table *table);

/* Takes what a checked object says into a struct of zeros, whose places are base + offset. */
void table_fill(const Table *table, const json_t *object, void *base);
void table_clear(const Table *table, void *base);
