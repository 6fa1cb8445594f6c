/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/jsonreader.h"
#include "base/error.h"
#include <string.h>
#include <yajl/yajl_parse.h>

#define DEPTH_MAX     128 /* of what is passed over; far beyond what any writer has a use for */
#define FIELD_UNKNOWN (-1)
#define SAFE_DIGITS   19 /* so many of them always fit into 64 bits */

bool json_refuse(JsonReader *reader, const char *problem)
{
    g_clear_error(&reader->error);
    g_set_error_literal(&reader->error, BS_ERROR, BS_ERROR_CORRUPT, problem);
    return false;
}

/* ---- values ---- */

bool json_parse_uint(const char *text, size_t len, uint64_t max, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t i = 0;

    for (size_t safe = MIN(len, SAFE_DIGITS); i < safe; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';

        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    for (; i < len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)text[i] - '0';

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (len == 0 || value > max)
        return false;
    *ret_value = value;
    return true;
}

GBytes *json_parse_base64(const char *text, size_t len)
{
    size_t padding = 0;
    g_autofree guchar *out = NULL;
    gint state = 0;
    guint save = 0;

    while (padding < 2 && padding < len && text[len - 1 - padding] == '=')
        padding++;
    if (len % 4 != 0)
        return NULL;
    for (size_t i = 0; i < len - padding; i++)
        if (!g_ascii_isalnum(text[i]) && text[i] != '+' && text[i] != '/')
            return NULL;
    out = g_malloc(len / 4 * 3 + 1);
    len = g_base64_decode_step(text, len, out, &state, &save);
    return g_bytes_new_take(g_steal_pointer(&out), len);
}

/* ---- tokens ---- */

/* Whether the value that comes now is of no interest. */
static bool passes_over(const JsonReader *reader)
{
    return reader->passed_over > 0 || reader->field == FIELD_UNKNOWN;
}

static int on_null(void *user)
{
    JsonReader *reader = user;

    return passes_over(reader) || reader->ops->null(reader);
}

static int on_boolean(void *user, int value)
{
    JsonReader *reader = user;

    (void)value;
    return passes_over(reader) || json_refuse(reader, "a boolean where none belongs");
}

static int on_number(void *user, const char *text, size_t len)
{
    JsonReader *reader = user;

    return passes_over(reader) || reader->ops->number(reader, text, len);
}

static int on_string(void *user, const unsigned char *text, size_t len)
{
    JsonReader *reader = user;

    return passes_over(reader) || reader->ops->string(reader, (const char *)text, len);
}

static bool has_name(const JsonKey *key, int place, const unsigned char *name, size_t len)
{
    return key->len == len && key->place == place && memcmp(key->name, name, len) == 0;
}

static const JsonKey *find_key(const JsonReader *reader, const unsigned char *name, size_t len)
{
    for (size_t i = 0; i < reader->ops->n_keys; i++)
        if (has_name(&reader->ops->keys[i], reader->place, name, len))
            return &reader->ops->keys[i];
    return NULL;
}

/* Writers have an order: the next key is mostly the one behind the last. */
static int on_key(void *user, const unsigned char *name, size_t len)
{
    JsonReader *reader = user;
    const JsonKey *key = reader->next_key;

    if (reader->passed_over > 0)
        return 1;
    if (key == reader->ops->keys + reader->ops->n_keys || !has_name(key, reader->place, name, len))
        key = find_key(reader, name, len);
    reader->field = key ? key->field : FIELD_UNKNOWN;
    if (key)
        reader->next_key = key + 1;
    return 1;
}

static bool begin(JsonReader *reader, bool list)
{
    if (passes_over(reader))
        return ++reader->passed_over <= DEPTH_MAX || json_refuse(reader, "nested too deeply");
    if (!reader->ops->begin(reader, list))
        return false;
    reader->field = 0;
    reader->next_key = reader->ops->keys;
    return true;
}

static int on_start_map(void *user)
{
    return begin(user, false);
}

static int on_start_array(void *user)
{
    return begin(user, true);
}

static int on_end(void *user)
{
    JsonReader *reader = user;

    if (reader->passed_over > 0) {
        reader->passed_over--;
        return 1;
    }
    reader->field = 0;
    return reader->ops->end(reader);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

/* ---- the whole ---- */

static void tell(JsonReader *reader, yajl_handle json, size_t at, GError **error)
{
    if (!reader->error) {
        unsigned char *problem = yajl_get_error(json, 0, NULL, 0);

        (void)json_refuse(reader, g_strchomp((char *)problem));
        yajl_free_error(json, problem);
    }
    if (g_error_matches(reader->error, BS_ERROR, BS_ERROR_CORRUPT))
        g_prefix_error(&reader->error, "byte %zu: ", at);
    g_propagate_error(error, g_steal_pointer(&reader->error));
}

bool json_read(JsonReader *reader, const char *text, size_t len, GError **error)
{
    yajl_handle json = yajl_alloc(&callbacks, NULL, reader);
    yajl_status status;
    size_t at;

    yajl_config(json, yajl_dont_validate_strings, (int)reader->ops->any_bytes);
    status = yajl_parse(json, (const unsigned char *)text, len);
    at = yajl_get_bytes_consumed(json);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(json);
    if (status != yajl_status_ok)
        tell(reader, json, at, error);
    yajl_free(json);
    return status == yajl_status_ok;
}
