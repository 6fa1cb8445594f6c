/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares JSON with a table. All problems are told, not the first one. What comes back is
 * canonical: keys in the order of the table, texts as their type keeps them, and no nulls.
 */
#pragma once
#include "config/field.h"

typedef struct {
    Problems *problems;
    const json_t
        *sections; /* object of objects: what a name may be; NULL: names are not compared */
    /* Texts that are "env://NAME", "file://PATH" or "cred://NAME" become what these hold; not those
     * of secrets. Only for files: whoever has the API shall not read files by it. */
    bool resolve;
    bool nulls; /* null is as good as nothing, as usual in an API */
} Check;

/* Sparse: without what is not said. New; some of it is missing where there was a problem. */
json_t *check_object(const Check *check, const Table *table, const json_t *object,
                     const char *pointer);
/* Adds what the object leaves open, and tells what is missing and cannot be; then verifies. */
void check_complete(const Check *check, const Table *table, json_t *object, const char *pointer);
/* The name of a repository, source, schedule or channel. */
bool check_name(const char *name, GError **error);
/* True when text is no reference, or *ret_text is what it stands for. *ret_text is to be freed. */
bool check_resolve(const Check *check, const char *text, const char *pointer, char **ret_text);
