/* SPDX-License-Identifier: Apache-2.0 */
/* One blob: where it lies, with what it is read, and how it is opened. */
#include "base/error.h"
#include "flow/reading.h"

void plain_clear(Plain *plain)
{
    g_clear_pointer(&plain->own, g_bytes_unref);
}

bool reading_find(Reading *reading, const Id *id, BlobPlace *ret_place, GError **error)
{
    if (!index_find(repo_index(reading->repo), BLOB_DATA, id, ret_place)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "blob %s is in no index",
                    id_short(id).text);
        return false;
    }
    if (ret_place->length <= 32 || MAX(ret_place->length, ret_place->plain_len) > BLOB_MAX) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "blob %s has an impossible length",
                    id_short(id).text);
        return false;
    }
    return true;
}

bool reading_is_large(const BlobPlace *place)
{
    return blob_plain_len(place->length, place->plain_len) > BLOB_ROOM;
}

bool reading_joins(const Reading *reading, const BlobPlace *first, const BlobPlace *last,
                   const BlobPlace *next)
{
    uint64_t end = (uint64_t)last->offset + last->length;
    uint64_t next_end = (uint64_t)next->offset + next->length;

    return next->offset <= end + reading->gap_max && next_end >= end &&
           next_end - first->offset <= reading->range_max && id_equal(&next->pack, &first->pack) &&
           !reading_is_large(next) && !reading_is_large(first);
}

bool reading_open(Reading *reading, BlobOpener *opener, const Id *id, const BlobPlace *place,
                  uint8_t *sealed, uint8_t *out, Plain *ret_plain, GError **error)
{
    size_t len = blob_plain_len(place->length, place->plain_len);
    g_autofree uint8_t *large = NULL;
    Plain plain = { .data = out, .len = len };

    if (sealed && len > BLOB_ROOM) {
        plain.data = out = large = g_try_malloc(len);
        if (!large) {
            g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "no memory for a blob of %zu bytes", len);
            return false;
        }
    }
    if (sealed && blob_open(opener, id, sealed, place->length, place->plain_len, out, NULL)) {
        if (large)
            plain.own = g_bytes_new_take(g_steal_pointer(&large), len);
    } else {
        if (!blob_load(reading->repo, opener, BLOB_DATA, id, &plain.own, error))
            return false;
        plain.data = g_bytes_get_data(plain.own, &plain.len);
        if (plain.len != len) {
            g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "blob %s has two lengths",
                        id_short(id).text);
            plain_clear(&plain);
            return false;
        }
    }
    *ret_plain = plain;
    return true;
}
