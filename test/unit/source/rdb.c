/* SPDX-License-Identifier: Apache-2.0 */
#include "source/rdb.h"

#include "base/error.h"
#include "codec/crc64.h"
#include "lib/redis_server.h"
#include "source/rdbtext.h"
#include "source/rdbtypes.h"

#include <string.h>

/* ---- walking ---- */

/* What DUMP would give of each key: its type and value, the file's version, a checksum. */
typedef struct {
    GHashTable *dumps; /* "db key" -> hexadecimal text */
    GString *name, *dump, *functions;
    unsigned version;
    uint64_t expires;
} Seen;

static bool see_key(void *user, const RdbKey *key, GError **error)
{
    Seen *seen = user;

    (void)error;
    g_string_printf(seen->name, "%u %.*s", key->database, (int)key->len, key->text);
    g_string_truncate(seen->dump, 0);
    g_string_append_c(seen->dump, (char)key->type);
    seen->expires += key->expire_ms >= 0;
    return true;
}

static bool see_value(void *user, const void *data, size_t len, GError **error)
{
    Seen *seen = user;

    (void)error;
    g_assert_cmpuint(len, >, 0);
    g_string_append_len(seen->dump, data, (gssize)len);
    return true;
}

static char *hex(const void *data, size_t len)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < len; i++)
        g_string_append_printf(out, "%02x", ((const uint8_t *)data)[i]);
    return g_string_free(out, FALSE);
}

static bool see_end(void *user, GError **error)
{
    Seen *seen = user;
    uint64_t sum;

    (void)error;
    g_string_append_c(seen->dump, (char)seen->version);
    g_string_append_c(seen->dump, 0);
    sum = GUINT64_TO_LE(crc64(0, seen->dump->str, seen->dump->len));
    g_string_append_len(seen->dump, (char *)&sum, sizeof sum);
    g_hash_table_insert(seen->dumps, g_strdup(seen->name->str),
                        hex(seen->dump->str, seen->dump->len));
    return true;
}

static bool see_function(void *user, const char *code, size_t len, GError **error)
{
    (void)error;
    g_string_append_len(((Seen *)user)->functions, code, (gssize)len);
    return true;
}

static bool walk(RdbWalker *walker, const void *data, size_t len, size_t slice, size_t *ret_used,
                 GError **error)
{
    *ret_used = 0;
    for (size_t at = 0; at < len && !rdb_ended(walker); at += slice) {
        size_t used;

        if (!rdb_feed(walker, (const char *)data + at, MIN(slice, len - at), &used, error))
            return false;
        *ret_used += used;
    }
    return rdb_finish(walker, error);
}

static const RdbDatabase *database(const RdbWalker *walker, uint32_t number)
{
    const GArray *all = rdb_databases(walker);

    for (guint i = 0; i < all->len; i++)
        if (g_array_index(all, RdbDatabase, i).number == number)
            return &g_array_index(all, RdbDatabase, i);
    return NULL;
}

/* ---- files of a real server ---- */

static const char fill[] =
    "local function many(n, f) for i = 1, n do f(i) end end "
    "redis.call('SET', 'text', 'hello'); redis.call('SET', '123', '456'); "
    "redis.call('SET', '-70000', '-70000'); redis.call('SET', '2000000000', '99999999999'); "
    "redis.call('SET', string.rep('packed', 50), string.rep('y', 100000)); "
    "redis.call('SET', 'int8', '-5'); redis.call('SET', 'int16', '3000'); "
    "many(20, function(i) redis.call('RPUSH', 'list', i) end); "
    "many(3000, function(i) redis.call('RPUSH', 'long list', 'element ' .. i) end); "
    "redis.call('RPUSH', 'plain node', string.rep('z', 20000), 'b'); "
    "many(10, function(i) redis.call('SADD', 'intset', i * 7) end); "
    "many(900, function(i) redis.call('SADD', 'set', 'm' .. i) end); "
    "many(10, function(i) redis.call('ZADD', 'zset', i / 3, 'm' .. i) end); "
    "many(900, function(i) redis.call('ZADD', 'long zset', i / 3, 'm' .. i) end); "
    "redis.call('ZADD', 'endless', '-inf', 'a', '+inf', 'b'); "
    "many(10, function(i) redis.call('HSET', 'hash', 'f' .. i, i) end); "
    "many(900, function(i) redis.call('HSET', 'long hash', 'f' .. i, 'v' .. i) end); "
    "many(500, function(i) redis.call('XADD', 'stream', i .. '-1', 'f', 'v' .. i) end); "
    "redis.call('XDEL', 'stream', '7-1'); "
    "redis.call('XGROUP', 'CREATE', 'stream', 'g1', '0'); "
    "redis.call('XGROUP', 'CREATE', 'stream', 'g2', '$'); "
    "redis.call('XREADGROUP', 'GROUP', 'g1', 'c1', 'COUNT', 30, 'STREAMS', 'stream', '>'); "
    "redis.call('XREADGROUP', 'GROUP', 'g1', 'c2', 'COUNT', 3, 'STREAMS', 'stream', '>'); "
    "redis.call('XADD', 'empty stream', '1-1', 'a', 'b'); redis.call('XDEL', 'empty stream', "
    "'1-1'); "
    "redis.call('SET', 'dying', 'x', 'PX', 90000000); redis.call('EXPIRE', 'hash', 90000); "
    "redis.call('SELECT', 9); many(700, function(i) redis.call('SET', 'k' .. i, i) end); "
    "redis.call('SETEX', 'also', 90000, 'x')";

static RedisServer *filled_server(const char *configuration)
{
    RedisServer *server = redis_server_start(configuration);
    g_autofree char *script = g_strdup_printf("EVAL \"%s\" 0", fill);

    g_free(redis_server_cli(server, script));
    g_free(redis_server_cli(server, "FUNCTION LOAD \"#!lua name=lib\n"
                                    "redis.register_function('f', function() return 1 end)\""));
    return server;
}

static void saved_file(const RedisServer *server, char **ret_data, size_t *ret_len)
{
    g_autofree char *path = g_build_filename(server->directory, "dump.rdb", NULL);

    g_free(redis_server_cli(server, "SAVE"));
    g_assert_true(g_file_get_contents(path, ret_data, ret_len, NULL));
}

static Seen seen_new(unsigned version)
{
    return (Seen){ .dumps = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free),
                   .name = g_string_new(NULL),
                   .dump = g_string_new(NULL),
                   .functions = g_string_new(NULL),
                   .version = version };
}

static void seen_done(Seen *seen)
{
    g_hash_table_unref(seen->dumps);
    g_string_free(seen->name, TRUE);
    g_string_free(seen->dump, TRUE);
    g_string_free(seen->functions, TRUE);
}

/* DUMP of every key, by the server. */
static void assert_same_dumps(const RedisServer *server, const Seen *seen)
{
    static const char script[] =
        "local out = {} for _, db in ipairs({0, 9}) do redis.call('SELECT', db) "
        "for _, k in ipairs(redis.call('KEYS', '*')) do "
        "local d = redis.call('DUMP', k); local h = {} "
        "for i = 1, #d do h[i] = string.format('%02x', d:byte(i)) end "
        "out[#out + 1] = db .. ' ' .. k; out[#out + 1] = table.concat(h) end end return out";
    g_autofree char *command = g_strdup_printf("EVAL \"%s\" 0", script);
    g_autofree char *printed = redis_server_cli(server, command);
    g_auto(GStrv) lines = g_strsplit(printed, "\n", -1);
    guint n = g_strv_length(lines);

    g_assert_cmpuint(n, ==, 2 * g_hash_table_size(seen->dumps));
    for (guint i = 0; i < n; i += 2) {
        const char *dump = g_hash_table_lookup(seen->dumps, lines[i]);

        g_assert_cmpstr(dump, ==, lines[i + 1]);
    }
}

static void sees_what_the_server_has(void)
{
    static const char *const configurations[] = { NULL, "rdbcompression no\nrdbchecksum no\n",
                                                  "list-max-listpack-size 2\n"
                                                  "list-compress-depth 1\n"
                                                  "hash-max-listpack-entries 0\n" };
    static const size_t slices[] = { 1, 7, 1000, 1 << 20 };

    for (size_t c = 0; c < G_N_ELEMENTS(configurations); c++) {
        RedisServer *server = filled_server(configurations[c]);
        g_autofree char *data = NULL;
        size_t len;

        saved_file(server, &data, &len);
        for (size_t i = 0; i < G_N_ELEMENTS(slices); i++) {
            Seen seen = seen_new(10);
            RdbVisitor visitor = { see_key, see_value, see_end, see_function, &seen };
            g_autoptr(RdbWalker) walker = rdb_walker_new(&visitor);
            g_autoptr(GError) error = NULL;
            size_t used;

            walk(walker, data, len, slices[i], &used, &error);
            g_assert_no_error(error);
            g_assert_cmpuint(used, ==, len);
            g_assert_cmpuint(rdb_size(walker), ==, len);
            g_assert_cmpuint(rdb_version(walker), ==, 10);
            g_assert_cmpint(rdb_has_checksum(walker), ==, c != 1);
            g_assert_cmpuint(database(walker, 0)->keys, ==, 20);
            g_assert_cmpuint(database(walker, 0)->expires, ==, 2);
            g_assert_cmpuint(database(walker, 0)->types[0], ==, 8);
            g_assert_cmpuint(database(walker, 9)->keys, ==, 701);
            g_assert_cmpuint(database(walker, 9)->expires, ==, 1);
            g_assert_cmpuint(seen.expires, ==, 3);
            g_assert_cmpstr(rdb_aux(walker, "redis-ver"), ==, "7.0.15");
            g_assert_nonnull(rdb_aux(walker, "used-mem"));
            g_assert_cmpuint(rdb_n_functions(walker), ==, 1);
            g_assert_nonnull(strstr(seen.functions->str, "register_function"));
            g_assert_cmpuint(rdb_modules(walker)->len, ==, 0);
            if (i == 1)
                assert_same_dumps(server, &seen);
            seen_done(&seen);
        }
        redis_server_stop(server);
    }
}

static void finds_every_damage(void)
{
    RedisServer *server = filled_server(NULL);
    g_autofree char *data = NULL;
    size_t len, used;

    saved_file(server, &data, &len);
    for (size_t cut = 0; cut < len; cut += MAX(1, len / 300)) {
        g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
        g_autoptr(GError) error = NULL;

        g_assert_false(walk(walker, data, cut, 4096, &used, &error));
        g_assert_error(error, BS_ERROR, BS_ERROR_CORRUPT);
    }
    for (unsigned i = 0; i < 2000; i++) {
        g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
        size_t at = (size_t)g_test_rand_int_range(0, (gint32)len);
        char bit = (char)(1 << g_test_rand_int_range(0, 8));

        data[at] ^= bit;
        if (walk(walker, data, len, 4096, &used, NULL))
            g_error("bit %d of byte %zu does not matter", bit, at);
        data[at] ^= bit;
    }
    redis_server_stop(server);
}

static void stops_at_its_end(void)
{
    RedisServer *server = filled_server(NULL);
    g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
    g_autoptr(GByteArray) more = g_byte_array_new();
    g_autofree char *data = NULL;
    size_t len, used;

    saved_file(server, &data, &len);
    g_byte_array_append(more, (guint8 *)data, (guint)len);
    g_byte_array_append(more, (const guint8 *)"*1\r\n$4\r\nPING\r\n", 14);
    g_assert_true(rdb_feed(walker, more->data, more->len, &used, NULL));
    g_assert_cmpuint(used, ==, len);
    g_assert_true(rdb_ended(walker) && rdb_finish(walker, NULL));
    redis_server_stop(server);
}

/* ---- files of older servers, and of none ---- */

/* Letter by letter after rdb.c of Redis 2.6: a list, a set with a number, scores as text (-inf and
 * nan, too), a hash that expires in 2038 and a length of 14 bits in it, a packed key. */
static void reads_old_files(void)
{
    static const char file[] = "REDIS0004\xfe\x03"
                               "\x01\x01l\x02\x01"
                               "a\x01"
                               "b"
                               "\x02\x01s\x01\xc0\x05"
                               "\x03\x01z\x03\x01m\x03"
                               "1.5\x01n\xff\x01o\xfd"
                               "\xfd\xff\xff\xff\x7f\x04\x01h\x01\x01"
                               "f\x40\x02vw"
                               "\x00\xc3\x05\x0b\x00x\xe0\x01\x00\x80\x00\x00\x00\x01y"
                               "\xff";
    g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
    g_autoptr(GError) error = NULL;
    size_t used;

    walk(walker, file, sizeof file - 1, 1, &used, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(used, ==, sizeof file - 1);
    g_assert_cmpuint(database(walker, 3)->keys, ==, 5);
    g_assert_cmpuint(database(walker, 3)->expires, ==, 1);
    g_assert_false(rdb_has_checksum(walker));
}

/* Every program, with counts of 0 and 2, as Redis' loader reads them. */
static void knows_all_types(void)
{
    static const struct {
        const char *label, *bytes;
        size_t len;
    } cases[] = {
#define CASE(label, bytes) { label, bytes, sizeof(bytes) - 1 }
        CASE("module", "\x07\x01k\x81"
                       "\x91\x02\x04\x10\x41\x02\x0c\x01"
                       "\x02\x05\x01\x05\x05\x01"
                       "a\x03"
                       "1234\x04"
                       "12345678\x00"),
        CASE("module aux", "\xf7\x81"
                           "\x91\x02\x04\x10\x41\x02\x0c\x01"
                           "\x02\x01\x05\x02hi\x00"
                           "\x00\x01k\x01v"),
        CASE("stream 1", "\x0f\x01k\x00\x00\x01\x02\x00"),
        CASE("stream 2",
             "\x13\x01k\x01\x01i\x01l\x01\x02\x03\x04\x05\x06\x07\x08\x01\x01g\x01\x02\x03"
             "\x01"
             "0123456789abcdef"
             "12345678"
             "\x05"
             "\x01\x01"
             "c"
             "12345678\x01"
             "0123456789abcdef"),
        CASE("stream 3",
             "\x15\x01k\x00\x01\x02\x03\x04\x05\x06\x07\x08\x01\x01g\x01\x02\x03\x00\x01\x01"
             "c"
             "12345678"
             "12345678\x00"),
        CASE("hash with expiring fields", "\x18\x01k"
                                          "12345678\x02\x00\x01"
                                          "f\x01v\x05\x01g\x01w"),
        CASE("the same, listpack", "\x19\x01k"
                                   "12345678\x02lp"),
        CASE("set, listpack", "\x14\x01k\x02lp"),
        CASE("slots, sizes, idle, frequency",
             "\xf4\x01\x02\x03\xfb\x01\x00\xf8\x05\xf9\xff\x00\x01k\x01v"),
        CASE("the second database comes back", "\xfe\x00\x00\x01k\x01v\xfe\x01\xfe\x00"),
#undef CASE
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GByteArray) file = g_byte_array_new();
        g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
        g_autoptr(GError) error = NULL;
        uint64_t sum;
        size_t used;

        g_test_message("%s", cases[i].label);
        g_byte_array_append(file, (const guint8 *)"REDIS0012", 9);
        g_byte_array_append(file, (const guint8 *)cases[i].bytes, (guint)cases[i].len);
        g_byte_array_append(file, (const guint8 *)"\xff", 1);
        sum = GUINT64_TO_LE(crc64(0, file->data, file->len));
        g_byte_array_append(file, (const guint8 *)&sum, sizeof sum);
        walk(walker, file->data, file->len, 1, &used, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(database(walker, 0)->keys, ==, 1);
        g_assert_cmpuint(rdb_modules(walker)->len, ==, i < 2 ? 1 : 0);
    }
}

static void refuses_by_name(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        int code;
        const char *part;
    } cases[] = {
#define CASE(bytes, code, part) { bytes, sizeof(bytes) - 1, code, part }
        CASE("", BS_ERROR_CORRUPT, "ends early"),
        CASE("REDIS00", BS_ERROR_CORRUPT, "ends early"),
        CASE("SQLite format 3", BS_ERROR_CORRUPT, "begins with"),
        CASE("REDIS00x1", BS_ERROR_CORRUPT, "begins with"),
        CASE("REDIS0000", BS_ERROR_VERSION, "version 0"),
        CASE("REDIS0013", BS_ERROR_VERSION, "version 13"),
        CASE("REDIS0009\x06\x01k", BS_ERROR_UNSUPPORTED, "module before"),
        CASE("REDIS0009\x16\x01k", BS_ERROR_UNSUPPORTED, "release candidate"),
        CASE("REDIS0010\xf6\x01k", BS_ERROR_UNSUPPORTED, "release candidate"),
        CASE("REDIS0009\x08\x01k", BS_ERROR_CORRUPT, "unknown type"),
        CASE("REDIS0009\xc8\x01k", BS_ERROR_CORRUPT, "unknown type"),
        CASE("REDIS0009\x00\x81\xff\xff\xff\xff\xff\xff\xff\xff", BS_ERROR_CORRUPT, "64 MiB"),
        CASE("REDIS0009\x00\xc3\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff", BS_ERROR_CORRUPT,
             "64 MiB"),
        CASE("REDIS0009\x00\xc3\x02\x05\x20\x00", BS_ERROR_CORRUPT, "unpacked"),
        CASE("REDIS0009\x00\xc4", BS_ERROR_CORRUPT, "unknown way"),
        CASE("REDIS0009\x00\x82", BS_ERROR_CORRUPT, "unknown way"),
        CASE("REDIS0009\x01\x01k\xc0", BS_ERROR_CORRUPT, "where a length"),
        CASE("REDIS0009\x07\x01k\x01\x06", BS_ERROR_CORRUPT, "module wrote"),
        CASE("REDIS0009\xfe\x81\x00\x00\x00\x01\x00\x00\x00\x00", BS_ERROR_CORRUPT, "too large"),
        CASE("REDIS0009\xff"
             "12345678",
             BS_ERROR_CORRUPT, "checksum"),
#undef CASE
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(RdbWalker) walker = rdb_walker_new(NULL);
        g_autoptr(GError) error = NULL;
        size_t used;

        g_assert_false(walk(walker, cases[i].bytes, cases[i].len, 1, &used, &error));
        g_test_message("%s", error->message);
        g_assert_error(error, BS_ERROR, cases[i].code);
        g_assert_nonnull(strstr(error->message, cases[i].part));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rdb/sees-what-the-server-has", sees_what_the_server_has);
    g_test_add_func("/rdb/finds-every-damage", finds_every_damage);
    g_test_add_func("/rdb/stops-at-its-end", stops_at_its_end);
    g_test_add_func("/rdb/reads-old-files", reads_old_files);
    g_test_add_func("/rdb/knows-all-types", knows_all_types);
    g_test_add_func("/rdb/refuses-by-name", refuses_by_name);
    return g_test_run();
}
