/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walsegment.h"

#include "base/error.h"
#include "pg/walpage.h"

#include <string.h>

#define PART      ".part."
#define LSN_LEN   16u
#define TRIES_MAX 10u /* a receiver replaces parts every few seconds */

/* ---- names ---- */

void wal_part_init(WalObject *object, uint64_t system_id, const WalName *segment, uint64_t lsn)
{
    g_autofree char *name =
        g_strdup_printf("%s" PART "%016" G_GINT64_MODIFIER "X", wal_name_text(segment).text, lsn);
    bool ok = wal_object_init(object, system_id, name, NULL);

    g_assert(ok && segment->kind == WAL_SEGMENT);
}

static bool parse_lsn(const char *text, uint64_t *ret_lsn)
{
    uint64_t lsn = 0;

    if (strlen(text) != LSN_LEN)
        return false;
    for (; *text; text++) {
        if (!g_ascii_isxdigit(*text) || g_ascii_islower(*text))
            return false;
        lsn = lsn << 4 | (uint64_t)g_ascii_xdigit_value(*text);
    }
    *ret_lsn = lsn;
    return true;
}

bool wal_part_parse(const char *name, WalName *ret_segment, uint64_t *ret_lsn)
{
    const char *part = strstr(name, PART);
    g_autofree char *whole = part ? g_strndup(name, (gsize)(part - name)) : NULL;
    WalName segment;
    uint64_t lsn;

    if (!part || !parse_lsn(part + strlen(PART), &lsn) || !wal_name_parse(whole, &segment, NULL) ||
        segment.kind != WAL_SEGMENT)
        return false;
    *ret_segment = segment;
    *ret_lsn = lsn;
    return true;
}

/* ---- what is held ---- */

void wal_segment_clear(WalSegment *held)
{
    g_clear_pointer(&held->content, g_bytes_unref);
}

static bool get_whole(Repo *repo, uint64_t system_id, const WalName *segment, WalSegment *held,
                      GError **error)
{
    size_t len;

    if (!wal_object_init(&held->object, system_id, wal_name_text(segment).text, error) ||
        !wal_object_get(repo, &held->object, &held->content, error))
        return false;
    len = g_bytes_get_size(held->content);
    if (!wal_segment_size_valid(len)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%s: %zu bytes is no size of a segment",
                    wal_object_key(&held->object).text, len);
        return false;
    }
    held->whole = true;
    held->segment_size = (uint32_t)len;
    if (!wal_name_lsn(segment, held->segment_size, &held->begin, error))
        return false;
    held->end = held->begin + len;
    return true;
}

/* The last of the names: the one that reaches furthest. False: there is none. */
static bool find_newest(const GArray *objects, const WalName *segment, WalObject *ret_object)
{
    for (guint i = objects->len; i > 0; i--) {
        const WalObject *object = &g_array_index(objects, WalInfo, i - 1).object;
        WalName of;
        uint64_t lsn;

        if (wal_part_parse(object->name, &of, &lsn) && wal_name_compare(&of, segment) == 0) {
            *ret_object = *object;
            return true;
        }
    }
    return false;
}

/* Its first page says how long its segment will be, its name where it ends. */
static bool place_part(const WalName *segment, WalSegment *held, GError **error)
{
    size_t len;
    const void *data = g_bytes_get_data(held->content, &len);
    WalName of;
    WalPage page;

    if (!wal_part_parse(held->object.name, &of, &held->end) ||
        !wal_page_parse_first(segment, data, len, &page, error) ||
        !wal_name_lsn(segment, page.segment_size, &held->begin, error))
        return false;
    held->segment_size = page.segment_size;
    if (page.system_id != held->object.system_id) {
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH,
                    "its content is of cluster %" G_GUINT64_FORMAT, page.system_id);
        return false;
    }
    if (held->end - held->begin == len && len <= page.segment_size)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT, "%zu bytes do not end where its name says", len);
    return false;
}

static bool get_part(Repo *repo, const WalName *segment, WalSegment *held, GError **error)
{
    if (!wal_object_get(repo, &held->object, &held->content, error))
        return false;
    if (place_part(segment, held, error))
        return true;
    g_prefix_error(error, "%s: ", wal_object_key(&held->object).text);
    return false;
}

/*
 * A receiver stores first and removes then: the newer part before the older, the whole before the
 * last part. So what is gone since the listing has been replaced, and only when the whole is looked
 * for once more after a listing without parts there is none.
 */
static bool get_any(Repo *repo, uint64_t system_id, const WalName *segment, WalSegment *held,
                    GError **error)
{
    bool no_parts = false;

    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        g_autoptr(GArray) objects = NULL;

        g_clear_error(error);
        wal_segment_clear(held);
        *held = (WalSegment){ 0 };
        if (get_whole(repo, system_id, segment, held, error))
            return true;
        if (no_parts || !g_error_matches(*error, BS_ERROR, BS_ERROR_NOT_FOUND))
            return false;
        g_clear_error(error);
        if (!wal_object_list(repo, system_id, segment->timeline, &objects, NULL, error))
            return false;
        no_parts = !find_newest(objects, segment, &held->object);
        if (no_parts)
            continue;
        if (get_part(repo, segment, held, error))
            return true;
        if (!g_error_matches(*error, BS_ERROR, BS_ERROR_NOT_FOUND))
            return false;
    }
    g_prefix_error(error, "replaced faster than it can be read: ");
    (*error)->code = BS_ERROR_TRANSIENT;
    return false;
}

bool wal_segment_get(Repo *repo, uint64_t system_id, const WalName *segment, WalSegment *ret_held,
                     GError **error)
{
    g_auto(WalSegment) held = { 0 };
    GError *failure = NULL;

    if (get_any(repo, system_id, segment, &held, &failure)) {
        *ret_held = held;
        held.content = NULL;
        return true;
    }
    g_propagate_error(error, failure);
    return false;
}

GBytes *wal_segment_file(const WalSegment *held)
{
    size_t len;
    const void *data = g_bytes_get_data(held->content, &len);
    uint8_t *file;

    if (held->whole)
        return g_bytes_ref(held->content);
    file = g_malloc0(held->segment_size);
    memcpy(file, data, len);
    return g_bytes_new_take(file, held->segment_size);
}
