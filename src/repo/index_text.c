/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "codec/json.h"
#include "codec/seal.h"
#include "repo/index.h"
#include <yajl/yajl_parse.h>

#define DEPTH_MAX 128 // of values we pass over

/* Where in the document the parser stands; each is one nesting deeper than the one before. */
typedef enum { AT_START, AT_ROOT, AT_PACKS, AT_PACK, AT_BLOBS, AT_BLOB } Place;

/* The member whose value comes next. */
typedef enum {
    MEMBER_NONE,
    MEMBER_OTHER,
    MEMBER_PACKS,
    MEMBER_ID,
    MEMBER_BLOBS,
    MEMBER_TYPE,
    MEMBER_OFFSET,
    MEMBER_LENGTH,
    MEMBER_PLAIN_LEN,
} Member;

typedef struct {
    Place place;
    Member member;
    unsigned skip; // nesting inside a value that is passed over
    Id pack;
    bool has_pack;
    GArray *blobs; // of PackBlob: those of the current pack, as its id may come last
    PackBlob blob;
    unsigned seen; // bits of Member in the current blob
    IndexEachPack each;
    void *user;
    GError *problem;
} Parser;

static int fail(Parser *parser, const char *problem)
{
    g_set_error_literal(&parser->problem, BS_ERROR, BS_ERROR_CORRUPT, problem);
    return 0;
}

static bool passes_over(const Parser *parser)
{
    return parser->skip > 0 || parser->member == MEMBER_OTHER;
}

static int on_null(void *context)
{
    Parser *parser = context;

    if (passes_over(parser))
        return 1;
    switch (parser->member) {
    case MEMBER_PACKS:
    case MEMBER_BLOBS:
    case MEMBER_PLAIN_LEN:
        return 1;
    default:
        return fail(parser, "null where a value must be");
    }
}

static int on_boolean(void *context, int value)
{
    Parser *parser = context;

    (void)value;
    return passes_over(parser) ? 1 : fail(parser, "unexpected truth value");
}

static bool parse_u32(const char *text, size_t len, uint32_t *ret_value)
{
    uint64_t value = 0;

    if (len == 0 || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    if (value > UINT32_MAX)
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

static int on_number(void *context, const char *text, size_t len)
{
    Parser *parser = context;
    uint32_t *value;

    if (passes_over(parser))
        return 1;
    switch (parser->member) {
    case MEMBER_OFFSET:
        value = &parser->blob.offset;
        break;
    case MEMBER_LENGTH:
        value = &parser->blob.length;
        break;
    case MEMBER_PLAIN_LEN:
        value = &parser->blob.plain_len;
        break;
    default:
        return fail(parser, "unexpected number");
    }
    if (!parse_u32(text, len, value))
        return fail(parser, "number is no length below 4 GiB");
    parser->seen |= 1u << parser->member;
    return 1;
}

static bool is(const unsigned char *text, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(text, word, len) == 0;
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
    Parser *parser = context;

    if (passes_over(parser))
        return 1;
    if (parser->member == MEMBER_TYPE) {
        if (is(text, len, "data"))
            parser->blob.type = BLOB_DATA;
        else if (is(text, len, "tree"))
            parser->blob.type = BLOB_TREE;
        else
            return fail(parser, "unknown blob type");
    } else if (parser->member == MEMBER_ID) {
        Id *id = parser->place == AT_BLOB ? &parser->blob.id : &parser->pack;

        if (!id_parse_len((const char *)text, len, id))
            return fail(parser, "id is not 64 hex digits");
        parser->has_pack |= parser->place == AT_PACK;
    } else {
        return fail(parser, "unexpected string");
    }
    parser->seen |= 1u << parser->member;
    return 1;
}

static int enter_unknown(Parser *parser)
{
    if (++parser->skip > DEPTH_MAX)
        return fail(parser, "nested too deeply");
    return 1;
}

static int on_start_map(void *context)
{
    Parser *parser = context;

    if (passes_over(parser))
        return enter_unknown(parser);
    switch (parser->place) {
    case AT_START:
        parser->place = AT_ROOT;
        break;
    case AT_PACKS:
        parser->place = AT_PACK;
        parser->has_pack = false;
        g_array_set_size(parser->blobs, 0);
        break;
    case AT_BLOBS:
        parser->place = AT_BLOB;
        parser->blob = (PackBlob){ 0 };
        parser->seen = 0;
        break;
    default:
        return fail(parser, "unexpected object");
    }
    return 1;
}

/* Called five times for every blob: the length tells most of them apart. */
static Member member_named(Place place, const unsigned char *text, size_t len)
{
#define NAMED(place, name, member)                                                                 \
    {                                                                                              \
        place, member, sizeof(name) - 1, name                                                      \
    }
    static const struct {
        Place place;
        Member member;
        size_t len;
        const char *name;
    } members[] = {
        NAMED(AT_BLOB, "id", MEMBER_ID),
        NAMED(AT_BLOB, "type", MEMBER_TYPE),
        NAMED(AT_BLOB, "offset", MEMBER_OFFSET),
        NAMED(AT_BLOB, "length", MEMBER_LENGTH),
        NAMED(AT_BLOB, "uncompressed_length", MEMBER_PLAIN_LEN),
        NAMED(AT_PACK, "id", MEMBER_ID),
        NAMED(AT_PACK, "blobs", MEMBER_BLOBS),
        NAMED(AT_ROOT, "packs", MEMBER_PACKS),
    };
#undef NAMED

    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        if (members[i].len == len && members[i].place == place &&
            memcmp(members[i].name, text, len) == 0)
            return members[i].member;
    return MEMBER_OTHER;
}

static int on_map_key(void *context, const unsigned char *text, size_t len)
{
    Parser *parser = context;

    if (parser->skip == 0)
        parser->member = member_named(parser->place, text, len);
    return 1;
}

static int end_blob(Parser *parser)
{
    const unsigned needed =
        1u << MEMBER_ID | 1u << MEMBER_TYPE | 1u << MEMBER_OFFSET | 1u << MEMBER_LENGTH;
    const PackBlob *blob = &parser->blob;

    if ((parser->seen & needed) != needed)
        return fail(parser, "blob without id, type, offset or length");
    if (blob->length < SEAL_OVERHEAD)
        return fail(parser, "blob shorter than its seal");
    if ((uint64_t)blob->offset + blob->length > UINT32_MAX)
        return fail(parser, "blob ends beyond 4 GiB");
    g_array_append_vals(parser->blobs, blob, 1);
    parser->place = AT_BLOBS;
    parser->member = MEMBER_NONE;
    return 1;
}

static int end_pack(Parser *parser)
{
    if (!parser->has_pack)
        return fail(parser, "pack without id");
    if (!parser->each(&parser->pack, (const PackBlob *)(void *)parser->blobs->data,
                      parser->blobs->len, parser->user, &parser->problem))
        return 0;
    parser->place = AT_PACKS;
    parser->member = MEMBER_NONE;
    return 1;
}

static int on_end_map(void *context)
{
    Parser *parser = context;

    if (parser->skip > 0) {
        parser->skip--;
        return 1;
    }
    if (parser->place == AT_BLOB)
        return end_blob(parser);
    if (parser->place == AT_PACK)
        return end_pack(parser);
    parser->place = AT_START;
    return 1;
}

static int on_start_array(void *context)
{
    Parser *parser = context;

    if (passes_over(parser))
        return enter_unknown(parser);
    if (parser->member == MEMBER_PACKS) {
        parser->place = AT_PACKS;
    } else if (parser->member == MEMBER_BLOBS) {
        parser->place = AT_BLOBS;
        g_array_set_size(parser->blobs, 0);
    } else {
        return fail(parser, "unexpected list");
    }
    parser->member = MEMBER_NONE;
    return 1;
}

static int on_end_array(void *context)
{
    Parser *parser = context;

    if (parser->skip > 0) {
        parser->skip--;
        return 1;
    }
    parser->place = parser->place == AT_BLOBS ? AT_PACK : AT_ROOT;
    return 1;
}

static void set_syntax_error(yajl_handle handle, GError **error)
{
    unsigned char *text = yajl_get_error(handle, 0, NULL, 0);

    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "index text, byte %zu: %s",
                yajl_get_bytes_consumed(handle), g_strchomp((char *)text));
    yajl_free_error(handle, text);
}

bool index_text_parse(const char *text, size_t len, IndexEachPack each, void *user, GError **error)
{
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_map_key,
        .yajl_end_map = on_end_map,
        .yajl_start_array = on_start_array,
        .yajl_end_array = on_end_array,
    };
    g_autoptr(GArray) blobs = g_array_new(false, false, sizeof(PackBlob));
    Parser parser = { .blobs = blobs, .each = each, .user = user };
    yajl_handle handle = yajl_alloc(&callbacks, NULL, &parser);
    yajl_status status;

    // what we read from it is hex and digits; names of unknown members need not be UTF-8
    yajl_config(handle, yajl_dont_validate_strings, 1);
    status = yajl_parse(handle, (const unsigned char *)text, len);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(handle);
    if (parser.problem) {
        if (parser.problem->domain == BS_ERROR && parser.problem->code == BS_ERROR_CORRUPT)
            g_prefix_error(&parser.problem,
                           "index text, byte %zu: ", yajl_get_bytes_consumed(handle));
        g_propagate_error(error, parser.problem);
    } else if (status != yajl_status_ok) {
        set_syntax_error(handle, error);
    }
    yajl_free(handle);
    return status == yajl_status_ok;
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
