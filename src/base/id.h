/* SPDX-License-Identifier: Apache-2.0 */
/* A 32-byte SHA-256 value: the name of every object and blob (repository format, "Words"). */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ID_LEN       32
#define ID_HEX_LEN   64
#define ID_SHORT_LEN 8

typedef struct {
    uint8_t bytes[ID_LEN];
} Id;

typedef struct {
    char text[ID_HEX_LEN + 1];
} IdText;

/* By value, so that they can stand in an argument list: id_hex(&id).text */
IdText id_hex(const Id *id);
IdText id_short(const Id *id); /* the first eight digits */

/* Exactly 64 lower-case hex digits; anything else is false. */
bool id_parse(const char *text, Id *ret_id);
bool id_parse_len(const char *text, size_t len, Id *ret_id);

static inline bool id_equal(const Id *a, const Id *b)
{
    return memcmp(a->bytes, b->bytes, ID_LEN) == 0;
}

static inline int id_compare(const Id *a, const Id *b)
{
    return memcmp(a->bytes, b->bytes, ID_LEN);
}

/* For GHashTable with Id * as key. */
guint id_hash(gconstpointer id);
gboolean id_equal_func(gconstpointer a, gconstpointer b);

/* Random bytes from the system; the process ends if it cannot give any. */
void random_bytes(void *buf, size_t len);
