/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walget.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "op/walsegment.h"
#include "repo/config.h"

#include <string.h>

#define SEGMENT_NAME_LEN 24u

/*
 * PostgreSQL asks for a segment although it lies in pg_wal already, as in that of a base backup,
 * and takes what it is given. Whether that file has all that the part has, and more: then it is
 * told of no other. One that a server has made ready for later writing begins with something else.
 */
static bool goes_on_beside(const char *dest, const WalSegment *part)
{
    g_autofree char *dir = g_path_get_dirname(dest), *base = g_path_get_basename(dest);
    g_autofree char *name = g_strndup(part->object.name, SEGMENT_NAME_LEN);
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GBytes) beside = NULL;
    size_t len, part_len, i;
    const uint8_t *bytes, *part_bytes = g_bytes_get_data(part->content, &part_len);

    if (strcmp(base, name) == 0 || !fs_read_file(path, WAL_SEGMENT_MAX, &beside, NULL))
        return false;
    bytes = g_bytes_get_data(beside, &len);
    if (len != part->segment_size || memcmp(bytes, part_bytes, part_len) != 0)
        return false;
    for (i = part_len; i < len && bytes[i] == 0; i++)
        ;
    return i < len;
}

/* A segment that PostgreSQL still writes may be there in part, which is better than nothing. */
static bool get_held(Repo *repo, const WalObject *object, const char *dest, GBytes **ret_content,
                     GError **error)
{
    g_auto(WalSegment) held = { 0 };
    WalName name;

    if (!wal_name_parse(object->name, &name, NULL) || name.kind != WAL_SEGMENT)
        return wal_object_get(repo, object, ret_content, error);
    if (!wal_segment_get(repo, object->system_id, &name, &held, error))
        return false;
    if (!held.whole && goes_on_beside(dest, &held)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "pg_wal has more of %s than the repository", object->name);
        return false;
    }
    *ret_content = wal_segment_file(&held);
    return true;
}

#define ROOM_TRIES    50
#define ROOM_PAUSE_MS 100

/* Asks the repository itself: a mirror may lack what is new, and have parts that are no longer the
 * newest. An object is absent when the store says so, and only a store that still has the
 * repository knows: a disk may have been unmounted a moment ago. */
static bool get_or_prove_absence(const Settings *settings, const WalObject *object,
                                 const char *dest, const Cancel *cancel, GBytes **ret_content,
                                 GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    if (!open_repo_using(settings, OPEN_UNLOCKED, MIRRORS_ALONE, true, cancel, &open, error))
        return false;
    if (get_held(open.repo, object, dest, ret_content, &failure))
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    if (!store_stat(repo_store(open.repo), CONFIG_KEY, &size, error)) {
        g_prefix_error(error, "%s, and the repository cannot be seen any more: ", failure->message);
        return false;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_WAL_ABSENT,
                "the repository holds no %s of cluster %" G_GUINT64_FORMAT, object->name,
                object->system_id);
    return false;
}

static bool get_object(const Settings *settings, const WalObject *object, const char *dest,
                       const Cancel *cancel, GBytes **ret_content, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GError) failure = NULL;

    if (!open_repo(settings, OPEN_UNLOCKED, true, cancel, &open, error))
        return false;
    if (wal_object_get(open.repo, object, ret_content, &failure))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return get_or_prove_absence(settings, object, dest, cancel, ret_content, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

/* What was fetched ahead must not take the room from what is needed now. */
static bool write_out(const char *path, GBytes *content, WalSpool *spool, GError **error)
{
    g_autoptr(GError) failure = NULL;
    size_t len;
    const void *data = g_bytes_get_data(content, &len);

    if (fs_write_durable(path, data, len, 0600, FS_REPLACE, &failure))
        return true;
    if (!spool || !g_error_matches(failure, BS_ERROR, BS_ERROR_NO_SPACE)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    wal_spool_give_up(spool);
    for (unsigned tries = 1;; tries++) {
        wal_spool_tidy(spool, NULL, 0, 0);
        g_clear_error(&failure);
        if (fs_write_durable(path, data, len, 0600, FS_REPLACE, &failure))
            return true;
        if (tries == ROOM_TRIES || !g_error_matches(failure, BS_ERROR, BS_ERROR_NO_SPACE))
            break;
        clock_sleep_ms(ROOM_PAUSE_MS); // what is being written there goes with its writer
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool get_segment(const Settings *settings, const WalObject *object, const WalName *name,
                        const char *path, const WalPrefetchOptions *options, const Cancel *cancel,
                        GError **error)
{
    g_auto(WalPrefetch) ahead = { .go = -1 };
    g_autoptr(GBytes) content = NULL;
    uint32_t size;

    wal_prefetch_init(&ahead, settings, options, object->system_id);
    if (ahead.spool && wal_spool_take(ahead.spool, name, path, cancel, &size)) {
        wal_prefetch_go(&ahead, name, size);
        return true;
    }
    if (!get_object(settings, object, path, cancel, &content, error))
        return false;
    if (!write_out(path, content, ahead.spool, error))
        return false;
    if (wal_segment_size_valid(g_bytes_get_size(content)))
        wal_prefetch_go(&ahead, name, (uint32_t)g_bytes_get_size(content));
    return true;
}

bool op_wal_get(const Settings *settings, const char *name, const WalClusterFrom *from,
                const WalPrefetchOptions *prefetch, const Cancel *cancel, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    uint64_t system_id;
    WalObject object;
    WalName parsed;

    // no stricter: servers also ask for what never was, such as the history of the first timeline
    if (!wal_cluster_need(from, &system_id, error) ||
        !wal_object_init(&object, system_id, name, error))
        return false;
    if (wal_name_parse(name, &parsed, NULL) && parsed.kind == WAL_SEGMENT)
        return get_segment(settings, &object, &parsed, from->path, prefetch, cancel, error);
    return get_object(settings, &object, from->path, cancel, &content, error) &&
           write_out(from->path, content, NULL, error);
}
