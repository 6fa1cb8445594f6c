/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON as a stream of tokens, for documents that are too large to become a tree of values and
 * whose numbers use all 64 bits: trees and index objects. The user sees what has a key that he
 * knows; anything else is passed over, nested up to a bound. One text at a time, in one thread.
 */
#pragma once
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JsonReader JsonReader;

/* A member that is known in objects of this place. Places and fields are the user's own numbers:
 * places from 0, which is outside of the document, fields from 1. */
typedef struct {
    int place, field;
    size_t len;
    const char *name;
} JsonKey;
#define JSON_KEY(place, field, name)                                                               \
    {                                                                                              \
        place, field, sizeof(name) - 1, name                                                       \
    }

/*
 * Called for what is known; reader->place and reader->field say what it is, and field is 0 for the
 * document itself and for what stands in a list. text is borrowed for the call. To stop return
 * false with reader->error set; json_refuse() does both.
 */
typedef struct {
    const JsonKey *keys; /* fastest when they stand in the order in which they are met */
    size_t n_keys;
    bool any_bytes; /* strings need not be UTF-8 */
    bool (*null)(JsonReader *reader);
    bool (*number)(JsonReader *reader, const char *text, size_t len);
    bool (*string)(JsonReader *reader, const char *text, size_t len);
    /* An object, or a list, begins: sets reader->place to its. */
    bool (*begin)(JsonReader *reader, bool list);
    /* It ends: sets reader->place to where it lies. */
    bool (*end)(JsonReader *reader);
} JsonReaderOps;

/* Begins the user's own struct. Set ops, and 0 for the rest. */
struct JsonReader {
    const JsonReaderOps *ops;
    int place, field;
    GError *error;

    unsigned passed_over;    /* open objects and lists of a value that is passed over */
    const JsonKey *next_key; /* where to look first */
};

/* BS_ERROR_CORRUPT with the byte in the text: no JSON, nested too deeply, or refused as such. Other
 * errors are the user's, unchanged. */
bool json_read(JsonReader *reader, const char *text, size_t len, GError **error);

/* BS_ERROR_CORRUPT in reader->error; false. */
bool json_refuse(JsonReader *reader, const char *problem);

/* Digits only. False: something else, or more than max. */
bool json_parse_uint(const char *text, size_t len, uint64_t max, uint64_t *ret_value);
/* Strict, unlike g_base64_decode(), which passes over what it does not know: whole groups, padded.
 * NULL for anything else. */
GBytes *json_parse_base64(const char *text, size_t len);
