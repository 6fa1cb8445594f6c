/* SPDX-License-Identifier: Apache-2.0 */
#include "store/carry.h"

#include "base/clock.h"
#include "base/error.h"
#include "codec/hash.h"

#include <string.h>

#define WHOLE_MAX (32u * 1024 * 1024) /* twice the usual pack; larger ones go in pieces */
#define LOOKS     4                   /* with 1, 2 and 3 seconds between them */
#define SAME_MAX  UINT32_MAX          /* what is put if absent is a segment of WAL, or smaller */

/* ---- putting ---- */

static bool prove(Store *to, const char *key, uint64_t size, GError **error)
{
    g_autoptr(GError) failure = NULL;
    uint64_t there = 0;

    for (unsigned n = 1; to->acks_may_lie; n++) {
        bool found = store_stat(to, key, &there, &failure);

        if (found && there == size)
            break;
        if (!found && !g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (n == LOOKS) {
            g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                        "%s: the store acknowledged %s, but %s; it cannot be relied on",
                        to->location, key, found ? "holds another length" : "does not have it");
            return false;
        }
        g_clear_error(&failure);
        clock_sleep_ms(n * 1000);
    }
    return true;
}

bool carry_put(Store *to, const char *key, const void *data, size_t len, GError **error)
{
    return store_put(to, key, data, len, false, error) && prove(to, key, len, error);
}

/* ---- carrying ---- */

static bool wrong_bytes(const Store *from, const char *key, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: %s: content does not match its name",
                from->location, key);
    return false;
}

static bool wrong_length(const Store *from, const char *key, uint64_t size, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                "%s: %s: not the %" G_GUINT64_FORMAT " bytes that the listing told", from->location,
                key, size);
    return false;
}

static bool carry_whole(Store *from, Store *to, const char *key, uint64_t size, const Id *want,
                        GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    const void *data;
    gsize len;
    Id actual;

    if (!store_get_whole(from, key, (size_t)size, &bytes, error))
        return false;
    data = g_bytes_get_data(bytes, &len);
    if (len != size)
        return wrong_length(from, key, size, error);
    hash_bytes(data, len, &actual);
    if (want && !id_equal(want, &actual))
        return wrong_bytes(from, key, error);
    return carry_put(to, key, data, len, error);
}

typedef struct {
    Store *from;
    const char *key;
    uint64_t at, size;
    Hash *hash;
    const Id *want;
} Reading;

/* At the end the hash decides whether what was read becomes an object. */
static bool read_piece(void *user, void *buf, size_t room, size_t *ret_len, GError **error)
{
    Reading *reading = user;
    size_t len = (size_t)MIN(room, reading->size - reading->at);
    Id actual;

    if (len > 0) {
        if (!store_get(reading->from, reading->key, reading->at, buf, len, error))
            return false;
        hash_update(reading->hash, buf, len);
        reading->at += len;
    } else {
        hash_final(reading->hash, &actual);
        if (reading->want && !id_equal(reading->want, &actual))
            return wrong_bytes(reading->from, reading->key, error);
    }
    *ret_len = len;
    return true;
}

static bool carry_in_pieces(Store *from, Store *to, const char *key, uint64_t size, const Id *want,
                            GError **error)
{
    g_autoptr(Hash) hash = hash_new();
    Reading reading = { .from = from, .key = key, .size = size, .hash = hash, .want = want };
    uint64_t there;

    if (!store_stat(from, key, &there, error))
        return false;
    if (there != size)
        return wrong_length(from, key, size, error);
    return store_put_stream(to, key, read_piece, &reading, error) && prove(to, key, size, error);
}

bool carry_object(Store *from, Store *to, const char *key, uint64_t size, const Id *want,
                  GError **error)
{
    return size <= WHOLE_MAX ? carry_whole(from, to, key, size, want, error)
                             : carry_in_pieces(from, to, key, size, want, error);
}

static bool holds_same(Store *store, const char *key, const void *data, size_t len, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;

    if (!store_get_whole(store, key, len, &bytes, &failure)) {
        if (g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT)) // longer
            return false;
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    return g_bytes_get_size(bytes) == len &&
           (len == 0 || memcmp(g_bytes_get_data(bytes, NULL), data, len) == 0);
}

bool carry_put_same(Store *to, const char *key, const void *data, size_t len, GError **error)
{
    g_autoptr(GError) failure = NULL, problem = NULL;

    if (store_put(to, key, data, len, true, &failure))
        return prove(to, key, len, error);
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (holds_same(to, key, data, len, &problem))
        return true;
    if (problem)
        g_propagate_error(error, g_steal_pointer(&problem));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_EXISTS, "%s: another %s is there already",
                    to->location, key);
    return false;
}

bool carry_same(Store *from, Store *to, const char *key, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    return store_get_whole(from, key, SAME_MAX, &bytes, error) &&
           carry_put_same(to, key, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), error);
}
