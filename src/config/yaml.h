/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file (version 1.2, core schema) as a tree of JSON values, and where in the file each of
 * them stands. Refused are duplicate keys, tags, a second document, and what grows beyond bounds:
 * size, depth, and values, of which an alias counts as many as it stands for. There are no floating
 * point numbers, and none with a zero in front: they stay text.
 */
#pragma once
#include "config/problems.h"
#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#define YAML_BYTES_MAX (1024u * 1024)

/* Lines and columns count from 1. */
typedef struct {
    unsigned line, column;         /* of the value */
    unsigned key_line, key_column; /* of the key that names it; of list items the same */
    const char *variable;          /* it came from the environment: its name, constant; or NULL */
} Mark;

/* JSON pointer -> Mark, owned. */
GHashTable *marks_new(void);
/* NULL: it stands nowhere. pointer "" is the whole file. Borrowed. */
const Mark *marks_find(GHashTable *marks, const char *pointer);

/* An empty text is an empty object. False with at least one problem, which then has a line, but no
 * pointer. */
bool yaml_parse(const char *text, size_t len, json_t **ret_root, GHashTable *marks,
                Problems *problems);
