/* SPDX-License-Identifier: Apache-2.0 */
#include "source/rdbwalking.h"

#include "base/error.h"
#include "source/rdbtext.h"
#include "source/rdbtypes.h"

#include <string.h>

#define CRC_LEN   8
#define CRC_SINCE 5 /* version */

static bool await(RdbWalker *walker, RdbState state, size_t need)
{
    walker->state = state;
    walker->need = need;
    walker->have = 0;
    return true;
}

static bool await_length(RdbWalker *walker, RdbPurpose purpose)
{
    walker->purpose = purpose;
    return await(walker, STATE_LENGTH, 1);
}

static bool pass(RdbWalker *walker, uint64_t len)
{
    walker->left = len;
    return await(walker, STATE_BULK, 0);
}

static uint64_t little(const uint8_t *data, size_t len)
{
    uint64_t value = 0;

    for (size_t i = 0; i < len; i++)
        value |= (uint64_t)data[i] << 8 * i;
    return value;
}

/* ---- keys ---- */

static void count_key(RdbWalker *walker)
{
    walker->database->keys++;
    walker->database->types[walker->code]++;
    if (walker->key.expire_ms >= 0)
        walker->database->expires++;
}

static bool begin_value(RdbWalker *walker, GError **error)
{
    walker->key.text = (const char *)walker->text->data;
    walker->key.len = walker->text->len;
    walker->key.type = walker->code;
    walker->program = rdb_type(walker->code)->program;
    count_key(walker);
    walker->in_value = true;
    return !walker->visitor->key ||
           walker->visitor->key(walker->visitor->user, &walker->key, error);
}

static bool end_value(RdbWalker *walker, GError **error)
{
    walker->in_value = false;
    walker->key.expire_ms = walker->key.idle_s = -1;
    walker->key.frequency = -1;
    return !walker->visitor->key_end || walker->visitor->key_end(walker->visitor->user, error);
}

/* ---- strings that are wanted ---- */

/* Their bytes are all in text; makes them what they mean. */
static bool decode_text(RdbWalker *walker, GError **error)
{
    if (walker->encoding == 'n') {
        uint8_t number[4];
        guint len = walker->text->len;

        memcpy(number, walker->text->data, len);
        rdb_number_text(number, len, walker->text);
    } else if (walker->encoding == 'p') {
        GByteArray *plain = g_byte_array_sized_new((guint)walker->plain_len);
        bool ok;

        g_byte_array_set_size(plain, (guint)walker->plain_len);
        ok = rdb_unpack(walker->text->data, walker->text->len, plain->data, plain->len);
        g_byte_array_unref(walker->text);
        walker->text = plain;
        if (!ok)
            return rdb_corrupt(walker, error, "a packed string cannot be unpacked");
    }
    return true;
}

static bool text_done(RdbWalker *walker, GError **error)
{
    if (!decode_text(walker, error))
        return false;
    switch (walker->code) {
    case RDB_AUX:
        rdb_keep_aux(walker);
        return true;
    case RDB_FUNCTION:
        walker->n_functions++;
        return !walker->visitor->function ||
               walker->visitor->function(walker->visitor->user, (char *)walker->text->data,
                                         walker->text->len, error);
    default:
        return begin_value(walker, error);
    }
}

/* len bytes of a string come; they are kept, or pass. */
static bool string_bytes(RdbWalker *walker, uint64_t len, GError **error)
{
    if (walker->wanted && len > RDB_TEXT_MAX)
        return rdb_corrupt(walker, error, "a key or name is longer than 64 MiB");
    return pass(walker, len);
}

/* ---- lengths ---- */

static bool step_module(RdbWalker *walker, GError **error)
{
    switch (walker->number) {
    case 0: // the end
        walker->program++;
        return await(walker, STATE_FIXED, 0);
    case 1:
    case 2:
        return await_length(walker, FOR_NUMBER);
    case 3:
        return await(walker, STATE_FIXED, 4);
    case 4:
        return await(walker, STATE_FIXED, 8);
    case 5:
        walker->wanted = false;
        return await_length(walker, FOR_STRING);
    default:
        return rdb_corrupt(walker, error, "a module wrote what is not known");
    }
}

static bool begin_loop(RdbWalker *walker, GError **error)
{
    if (walker->depth == RDB_LOOPS)
        return rdb_corrupt(walker, error, "too deep"); // no program is
    walker->loops[walker->depth].start = walker->program;
    walker->loops[walker->depth].left = walker->number;
    walker->depth++;
    if (walker->number > 0)
        return await(walker, STATE_FIXED, 0);
    // none: on behind the bracket that closes it
    for (unsigned open = 1; open > 0; walker->program++)
        open += (*walker->program == '(') - (*walker->program == ')');
    walker->depth--;
    return await(walker, STATE_FIXED, 0);
}

static bool length_done(RdbWalker *walker, GError **error)
{
    switch (walker->purpose) {
    case FOR_NUMBER:
        if (walker->first_number &&
            (walker->code == RDB_MODULE || walker->code == RDB_MODULE_AUX)) {
            walker->module = walker->number;
            rdb_add_module(walker);
        }
        walker->first_number = false;
        return await(walker, STATE_FIXED, 0);
    case FOR_LOOP:
        return begin_loop(walker, error);
    case FOR_STRING:
        walker->encoding = 'r';
        return string_bytes(walker, walker->number, error);
    case FOR_PACKED:
        walker->packed_len = walker->number;
        return await_length(walker, FOR_PLAIN);
    case FOR_PLAIN:
        walker->plain_len = walker->number;
        walker->encoding = 'p';
        if (walker->wanted && walker->plain_len > RDB_TEXT_MAX)
            return rdb_corrupt(walker, error, "a key or name is longer than 64 MiB");
        return string_bytes(walker, walker->packed_len, error);
    case FOR_MODULE:
        return step_module(walker, error);
    }
    return false;
}

/* A string that is no plain one: rdb.h, RDB_ENC_INT8 and so on. */
static bool special_string(RdbWalker *walker, uint8_t how, GError **error)
{
    if (walker->purpose != FOR_STRING)
        return rdb_corrupt(walker, error, "a string stands where a length should");
    if (how == 3)
        return await_length(walker, FOR_PACKED);
    if (how > 3)
        return rdb_corrupt(walker, error, "a string is written in an unknown way");
    walker->encoding = 'n';
    return pass(walker, UINT64_C(1) << how);
}

static bool length_begun(RdbWalker *walker, GError **error)
{
    uint8_t first = walker->small[0];

    switch (first >> 6) {
    case 0:
        walker->number = first;
        return length_done(walker, error);
    case 1:
        walker->number = (uint64_t)(first & 63) << 8; // and a byte
        return await(walker, STATE_LENGTH_REST, 1);
    case 2:
        walker->number = 0;
        if (first != 0x80 && first != 0x81)
            return rdb_corrupt(walker, error, "a length is written in an unknown way");
        return await(walker, STATE_LENGTH_REST, first == 0x80 ? 4 : 8);
    default:
        return special_string(walker, first & 63, error);
    }
}

static bool length_rest(RdbWalker *walker, GError **error)
{
    uint64_t rest = 0;

    for (size_t i = 0; i < walker->need; i++)
        rest = rest << 8 | walker->small[i];
    walker->number |= rest;
    return length_done(walker, error);
}

/* ---- records ---- */

static bool begin_key(RdbWalker *walker, GError **error)
{
    const RdbType *type = rdb_type(walker->code);

    if (!type)
        return rdb_corrupt(walker, error, "a value of an unknown type");
    if (!type->program) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "the database holds a %s, which only that can read", type->name);
        return false;
    }
    if (!walker->database && !rdb_choose_database(walker, 0, error))
        return false;
    walker->program = "k"; // its own follows when the key is known
    return await(walker, STATE_FIXED, 0);
}

static bool begin_record(RdbWalker *walker, GError **error)
{
    walker->code = walker->small[0];
    walker->first_number = true;
    walker->depth = 0;
    if (walker->code == RDB_EOF)
        return await(walker, STATE_CRC, walker->version >= CRC_SINCE ? CRC_LEN : 0);
    if (walker->code == RDB_FUNCTION_PRE_GA) {
        g_set_error(error, BS_ERROR, BS_ERROR_UNSUPPORTED,
                    "the database holds functions of a release candidate of Redis 7.0, which only "
                    "that can read");
        return false;
    }
    walker->program = rdb_record_program(walker->code);
    return walker->program ? await(walker, STATE_FIXED, 0) : begin_key(walker, error);
}

/* All of it was read; what it says of the next key is kept. */
static bool end_record(RdbWalker *walker, GError **error)
{
    bool ok = true;

    walker->program = NULL;
    switch (walker->code) {
    case RDB_SELECT:
        ok = rdb_choose_database(walker, walker->number, error);
        break;
    case RDB_EXPIRE_MS:
        walker->key.expire_ms = MAX((int64_t)little(walker->small, 8), 0);
        break;
    case RDB_EXPIRE:
        walker->key.expire_ms = (int64_t)little(walker->small, 4) * 1000;
        break;
    case RDB_IDLE:
        walker->key.idle_s = (int64_t)MIN(walker->number, (uint64_t)INT64_MAX);
        break;
    case RDB_FREQ:
        walker->key.frequency = walker->small[0];
        break;
    default:
        if (walker->in_value)
            ok = end_value(walker, error);
    }
    return ok && await(walker, STATE_CODE, 1);
}

/* The next letter of the program. */
static bool step(RdbWalker *walker, GError **error)
{
    char letter = *walker->program;

    if (letter == '\0')
        return end_record(walker, error);
    if (letter == 'M')
        return await_length(walker, FOR_MODULE); // and again, until the end
    walker->program++;
    switch (letter) {
    case 'L':
        return await_length(walker, FOR_NUMBER);
    case 's':
    case 'k':
        walker->wanted = letter == 'k';
        if (walker->wanted)
            g_byte_array_set_size(walker->text, 0);
        return await_length(walker, FOR_STRING);
    case 'f':
        return await(walker, STATE_FLOAT, 1);
    case 'g':
        return await(walker, STATE_FIXED, 16);
    case '(':
        return await_length(walker, FOR_LOOP);
    case ')':
        if (--walker->loops[walker->depth - 1].left > 0)
            walker->program = walker->loops[walker->depth - 1].start;
        else
            walker->depth--;
        return await(walker, STATE_FIXED, 0);
    default:
        return await(walker, STATE_FIXED, (size_t)(letter - '0'));
    }
}

/* ---- what the bytes were ---- */

static bool magic_done(RdbWalker *walker, GError **error)
{
    const char *digits = (char *)walker->small + 5;

    if (memcmp(walker->small, "REDIS", 5) != 0 || strspn(digits, "0123456789") != 4)
        return rdb_corrupt(walker, error, "it begins with other bytes");
    walker->version = (unsigned)g_ascii_strtoull(digits, NULL, 10);
    if (walker->version >= 1 && walker->version <= RDB_VERSION_MAX)
        return await(walker, STATE_CODE, 1);
    g_set_error(error, BS_ERROR, BS_ERROR_VERSION,
                "the database is written in version %u of the format, known are 1 to %u; update "
                "Backstay",
                walker->version, RDB_VERSION_MAX);
    return false;
}

/* Texts of 253 and more are no text: not a number, and the two infinities. */
static bool float_done(RdbWalker *walker)
{
    return pass(walker, walker->small[0] < 253 ? walker->small[0] : 0);
}

static bool crc_done(RdbWalker *walker, GError **error)
{
    uint64_t said = walker->need > 0 ? little(walker->small, CRC_LEN) : 0;

    if (said != 0 && said != walker->crc)
        return rdb_corrupt(walker, error, "its checksum does not fit");
    walker->checksum = said != 0;
    return await(walker, STATE_ENDED, 0);
}

bool rdb_step(RdbWalker *walker, GError **error)
{
    switch (walker->state) {
    case STATE_MAGIC:
        return magic_done(walker, error);
    case STATE_CODE:
        return begin_record(walker, error);
    case STATE_LENGTH:
        return length_begun(walker, error);
    case STATE_LENGTH_REST:
        return length_rest(walker, error);
    case STATE_FLOAT:
        return float_done(walker);
    case STATE_BULK:
        if (walker->wanted) {
            walker->wanted = false;
            return text_done(walker, error) && await(walker, STATE_FIXED, 0);
        }
        return step(walker, error);
    case STATE_FIXED:
        return step(walker, error);
    case STATE_CRC:
        return crc_done(walker, error);
    case STATE_ENDED:
        break;
    }
    return true;
}
