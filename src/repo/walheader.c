/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "codec/json.h"
#include "repo/walobject.h"

#include <jansson.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* The identifier is a text, for it needs more bits than the numbers of many JSON readers have. */
char *wal_header_encode(const WalHeader *header)
{
    GString *text = g_string_new("{\"system_identifier\":\"");

    g_string_append_printf(text, "%" G_GUINT64_FORMAT "\",\"timeline\":%u,\"name\":",
                           header->object.system_id, wal_object_timeline(&header->object));
    json_append_string(text, header->object.name, strlen(header->object.name));
    g_string_append_printf(text, ",\"length\":%" G_GUINT64_FORMAT ",\"sha256\":\"%s\"}\n",
                           header->len, id_hex(&header->sha256).text);
    g_assert(text->len <= WAL_HEADER_MAX);
    return g_string_free(text, FALSE);
}

static bool fail(const char *what, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "header of a WAL file is damaged: %s", what);
    return false;
}

static bool parse_number(const json_t *object, const char *field, uint64_t max, uint64_t *ret)
{
    const json_t *value = json_object_get(object, field);
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0 || (uint64_t)number > max)
        return false;
    *ret = (uint64_t)number;
    return true;
}

static bool decode_fields(const json_t *object, WalHeader *header, GError **error)
{
    const char *id = json_string_value(json_object_get(object, "system_identifier"));
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *sha256 = json_string_value(json_object_get(object, "sha256"));
    guint64 system_id;
    uint64_t timeline;

    if (!id || !g_ascii_string_to_unsigned(id, 10, 1, UINT64_MAX, &system_id, NULL))
        return fail("system_identifier", error);
    if (!name || !wal_object_init(&header->object, system_id, name, NULL))
        return fail("name", error);
    if (!parse_number(object, "timeline", UINT32_MAX, &timeline) ||
        timeline != wal_object_timeline(&header->object))
        return fail("timeline", error);
    if (!parse_number(object, "length", WAL_CONTENT_MAX, &header->len))
        return fail("length", error);
    if (!sha256 || !id_parse(sha256, &header->sha256))
        return fail("sha256", error);
    return true;
}

bool wal_header_decode(const void *text, size_t len, WalHeader *ret_header, size_t *ret_len,
                       GError **error)
{
    const char *newline = memchr(text, '\n', MIN(len, WAL_HEADER_MAX));
    size_t header_len = newline ? (size_t)(newline - (const char *)text) : 0;
    g_autoptr(json_t) object = json_loadb(text, header_len, JSON_REJECT_DUPLICATES, NULL);
    WalHeader header;

    if (!json_is_object(object))
        return fail("no line of JSON", error);
    if (!decode_fields(object, &header, error))
        return false;
    *ret_header = header;
    *ret_len = header_len + 1;
    return true;
}
