/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "codec/json.h"
#include "codec/jsonreader.h"
#include "codec/seal.h"
#include "repo/index.h"
#include <string.h>

/* Where in the document the parser stands; each is one nesting deeper than the one before. */
typedef enum { AT_START, AT_ROOT, AT_PACKS, AT_PACK, AT_BLOBS, AT_BLOB } Place;

/* The member whose value comes next. */
typedef enum {
    MEMBER_PACKS = 1,
    MEMBER_ID,
    MEMBER_BLOBS,
    MEMBER_TYPE,
    MEMBER_OFFSET,
    MEMBER_LENGTH,
    MEMBER_PLAIN_LEN,
} Member;

static const JsonKey keys[] = {
    JSON_KEY(AT_BLOB, MEMBER_ID, "id"),
    JSON_KEY(AT_BLOB, MEMBER_TYPE, "type"),
    JSON_KEY(AT_BLOB, MEMBER_OFFSET, "offset"),
    JSON_KEY(AT_BLOB, MEMBER_LENGTH, "length"),
    JSON_KEY(AT_BLOB, MEMBER_PLAIN_LEN, "uncompressed_length"),
    JSON_KEY(AT_PACK, MEMBER_ID, "id"),
    JSON_KEY(AT_PACK, MEMBER_BLOBS, "blobs"),
    JSON_KEY(AT_ROOT, MEMBER_PACKS, "packs"),
};

typedef struct {
    JsonReader base;
    Id pack;
    bool has_pack;
    GArray *blobs; // of PackBlob: those of the current pack, as its id may come last
    PackBlob blob;
    unsigned seen; // bits of Member in the current blob
    IndexEachPack each;
    void *user;
} Parser;

static bool read_null(JsonReader *reader)
{
    switch (reader->field) {
    case MEMBER_PACKS:
    case MEMBER_BLOBS:
    case MEMBER_PLAIN_LEN:
        return true;
    default:
        return json_refuse(reader, "null where a value must be");
    }
}

static bool read_number(JsonReader *reader, const char *text, size_t len)
{
    Parser *parser = (Parser *)reader;
    uint32_t *place;
    uint64_t value;

    switch (reader->field) {
    case MEMBER_OFFSET:
        place = &parser->blob.offset;
        break;
    case MEMBER_LENGTH:
        place = &parser->blob.length;
        break;
    case MEMBER_PLAIN_LEN:
        place = &parser->blob.plain_len;
        break;
    default:
        return json_refuse(reader, "unexpected number");
    }
    if (!json_parse_uint(text, len, UINT32_MAX, &value))
        return json_refuse(reader, "number is no length below 4 GiB");
    *place = (uint32_t)value;
    parser->seen |= 1u << reader->field;
    return true;
}

static bool is(const char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static bool read_type(Parser *parser, const char *text, size_t len)
{
    if (is(text, len, "data"))
        parser->blob.type = BLOB_DATA;
    else if (is(text, len, "tree"))
        parser->blob.type = BLOB_TREE;
    else
        return json_refuse(&parser->base, "unknown blob type");
    return true;
}

static bool read_id(Parser *parser, const char *text, size_t len)
{
    bool of_pack = parser->base.place == AT_PACK;

    parser->has_pack |= of_pack;
    return id_parse_len(text, len, of_pack ? &parser->pack : &parser->blob.id) ||
           json_refuse(&parser->base, "id is not 64 hex digits");
}

static bool read_string(JsonReader *reader, const char *text, size_t len)
{
    Parser *parser = (Parser *)reader;

    parser->seen |= 1u << reader->field;
    switch (reader->field) {
    case MEMBER_TYPE:
        return read_type(parser, text, len);
    case MEMBER_ID:
        return read_id(parser, text, len);
    default:
        return json_refuse(reader, "unexpected string");
    }
}

static bool begin_object(Parser *parser)
{
    switch (parser->base.place) {
    case AT_START:
        parser->base.place = AT_ROOT;
        return true;
    case AT_PACKS:
        parser->base.place = AT_PACK;
        parser->has_pack = false;
        g_array_set_size(parser->blobs, 0);
        return true;
    case AT_BLOBS:
        parser->base.place = AT_BLOB;
        parser->blob = (PackBlob){ 0 };
        parser->seen = 0;
        return true;
    default:
        return json_refuse(&parser->base, "unexpected object");
    }
}

static bool begin_list(Parser *parser)
{
    switch (parser->base.field) {
    case MEMBER_PACKS:
        parser->base.place = AT_PACKS;
        return true;
    case MEMBER_BLOBS:
        parser->base.place = AT_BLOBS;
        g_array_set_size(parser->blobs, 0);
        return true;
    default:
        return json_refuse(&parser->base, "unexpected list");
    }
}

static bool read_begin(JsonReader *reader, bool list)
{
    return list ? begin_list((Parser *)reader) : begin_object((Parser *)reader);
}

static bool end_blob(Parser *parser)
{
    const unsigned needed =
        1u << MEMBER_ID | 1u << MEMBER_TYPE | 1u << MEMBER_OFFSET | 1u << MEMBER_LENGTH;
    const PackBlob *blob = &parser->blob;

    if ((parser->seen & needed) != needed)
        return json_refuse(&parser->base, "blob without id, type, offset or length");
    if (blob->length < SEAL_OVERHEAD)
        return json_refuse(&parser->base, "blob shorter than its seal");
    if ((uint64_t)blob->offset + blob->length > UINT32_MAX)
        return json_refuse(&parser->base, "blob ends beyond 4 GiB");
    g_array_append_vals(parser->blobs, blob, 1);
    return true;
}

static bool end_pack(Parser *parser)
{
    if (!parser->has_pack)
        return json_refuse(&parser->base, "pack without id");
    return parser->each(&parser->pack, (const PackBlob *)(void *)parser->blobs->data,
                        parser->blobs->len, parser->user, &parser->base.error);
}

static bool read_end(JsonReader *reader)
{
    int place = reader->place--; // to the one outside

    if (place == AT_BLOB)
        return end_blob((Parser *)reader);
    return place != AT_PACK || end_pack((Parser *)reader);
}

static const JsonReaderOps reader_ops = {
    .keys = keys,
    .n_keys = G_N_ELEMENTS(keys),
    .any_bytes = true, // what we read is hex and digits; names of unknown members may be anything
    .null = read_null,
    .number = read_number,
    .string = read_string,
    .begin = read_begin,
    .end = read_end,
};

bool index_text_parse(const char *text, size_t len, IndexEachPack each, void *user, GError **error)
{
    g_autoptr(GArray) blobs = g_array_new(false, false, sizeof(PackBlob));
    Parser parser = { .base.ops = &reader_ops, .blobs = blobs, .each = each, .user = user };
    g_autoptr(GError) problem = NULL;

    if (json_read(&parser.base, text, len, &problem))
        return true;
    if (g_error_matches(problem, BS_ERROR, BS_ERROR_CORRUPT))
        g_prefix_error(&problem, "index text, ");
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

struct IndexText {
    GString *json;
    size_t n_blobs;
    bool has_pack, finished;
};

IndexText *index_text_new(void)
{
    IndexText *text = g_new0(IndexText, 1);

    text->json = g_string_new("{\"packs\":[");
    return text;
}

void index_text_free(IndexText *text)
{
    if (!text)
        return;
    g_string_free(text->json, true);
    g_free(text);
}

static void append_blob(GString *json, const PackBlob *blob)
{
    g_string_append(json, "{\"id\":\"");
    g_string_append_len(json, id_hex(&blob->id).text, ID_HEX_LEN);
    g_string_append(json, "\",\"type\":\"");
    g_string_append(json, blob_type_name(blob->type));
    g_string_append(json, "\",\"offset\":");
    json_append_uint(json, blob->offset);
    g_string_append(json, ",\"length\":");
    json_append_uint(json, blob->length);
    if (blob->plain_len) {
        g_string_append(json, ",\"uncompressed_length\":");
        json_append_uint(json, blob->plain_len);
    }
    g_string_append_c(json, '}');
}

void index_text_add(IndexText *text, const Id *pack, const PackBlob *blobs, size_t n)
{
    GString *json = text->json;

    g_assert(!text->finished);
    if (text->has_pack)
        g_string_append_c(json, ',');
    text->has_pack = true;
    g_string_append(json, "{\"id\":\"");
    g_string_append_len(json, id_hex(pack).text, ID_HEX_LEN);
    g_string_append(json, "\",\"blobs\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            g_string_append_c(json, ',');
        append_blob(json, &blobs[i]);
    }
    g_string_append(json, "]}");
    text->n_blobs += n;
}

size_t index_text_n_blobs(const IndexText *text)
{
    return text->n_blobs;
}

const char *index_text_finish(IndexText *text, size_t *ret_len)
{
    if (!text->finished)
        g_string_append(text->json, "]}\n");
    text->finished = true;
    *ret_len = text->json->len;
    return text->json->str;
}
