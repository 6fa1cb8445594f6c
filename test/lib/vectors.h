/* SPDX-License-Identifier: Apache-2.0 */
/* The golden bytes of test/fixtures/restic/vectors.json, for tests of any folder. */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <string.h>

static inline json_t *vectors_load(void)
{
    g_autofree char *path = g_build_filename(g_getenv("FIXTURES"), "restic", "vectors.json", NULL);
    json_error_t problem;
    json_t *vectors = json_load_file(path, JSON_ALLOW_NUL, &problem);

    if (!vectors)
        g_error("%s: %s", path, problem.text);
    return vectors;
}

static inline const char *vector_text(const json_t *object, const char *field)
{
    const char *text = json_string_value(json_object_get(object, field));

    if (!text)
        g_error("the vector has no text %s", field);
    return text;
}

static inline json_int_t vector_int(const json_t *object, const char *field)
{
    g_assert_true(json_is_integer(json_object_get(object, field)));
    return json_integer_value(json_object_get(object, field));
}

/* With a zero after the bytes, which does not count. */
static inline GByteArray *bytes_from_hex(const char *hex)
{
    GByteArray *bytes = g_byte_array_new();
    const guint8 zero = 0;

    for (; *hex; hex += 2) {
        guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));

        g_byte_array_append(bytes, &byte, 1);
    }
    g_byte_array_append(bytes, &zero, 1);
    g_byte_array_set_size(bytes, bytes->len - 1);
    return bytes;
}

static inline GByteArray *vector_bytes(const json_t *object, const char *field)
{
    return bytes_from_hex(vector_text(object, field));
}
