/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/lockothers.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec/rfc3339.h"
#include "repo/lockstate.h"
#include "repo/locktext.h"
#include <string.h>

#define STALE_AFTER_S (30 * 60) /* repository format, "Locks" */
#define LIST_TRIES    5

/* ---- reading the locks ---- */

static void lock_info_clear(gpointer pointer)
{
    LockInfo *info = pointer;

    g_free(info->hostname);
    g_free(info->username);
}

static bool is_old(Timestamp time)
{
    return clock_now().sec - time.sec > STALE_AFTER_S;
}

static void fill_readable(LockInfo *info, LockText *text)
{
    info->readable = true;
    info->time = text->time;
    info->exclusive = text->exclusive;
    info->hostname = g_steal_pointer(&text->hostname);
    info->username = g_steal_pointer(&text->username);
    info->pid = text->pid;
}

static void fill_unreadable(LockInfo *info, const FileInfo *file, const char *why)
{
    log_debug("lock cannot be read", "lock", id_hex(&file->id).text, "why", why, NULL);
    info->time = (Timestamp){ .sec = file->modified_at };
    info->hostname = g_strdup("");
    info->username = g_strdup("");
}

static bool is_damage(const GError *failure)
{
    return g_error_matches(failure, BS_ERROR, BS_ERROR_CORRUPT) ||
           g_error_matches(failure, BS_ERROR, BS_ERROR_UNSUPPORTED);
}

/* NOT_FOUND: released since it was listed. */
static bool read_lock(Repo *repo, const FileInfo *file, LockInfo *ret_info, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) failure = NULL;
    LockInfo info = { .id = file->id };
    LockText text;

    if (repo_load(repo, FILE_LOCK, &file->id, &bytes, &failure) &&
        locktext_decode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), &text, &failure))
        fill_readable(&info, &text);
    else if (is_damage(failure))
        fill_unreadable(&info, file, failure->message);
    else {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    info.stale = is_old(info.time);
    *ret_info = info;
    return true;
}

/* What a listing of the locks cannot be relied upon for: it is asked for again. */
typedef enum {
    LISTED_WELL,
    /* One was gone when it was read: it was released, or its holder has just written a new one that
     * the listing may have missed. */
    LISTED_MOVED,
    /* Our own is not in it as we wrote it: what else is missing, and who sees us? */
    LISTED_WITHOUT_OWN,
} Listed;

/* One listing and what lies there but for own (or NULL). */
static bool read_listed(Repo *repo, const LockOwn *own, GArray **ret_locks, Listed *ret_listed,
                        GError **error)
{
    g_autoptr(GArray) locks = g_array_new(FALSE, FALSE, sizeof(LockInfo));
    g_autoptr(GArray) files = NULL;
    bool own_seen = false, moved = false;

    g_array_set_clear_func(locks, lock_info_clear);
    if (!repo_list(repo, FILE_LOCK, &files, NULL, error))
        return false;
    for (guint i = 0; i < files->len; i++) {
        const FileInfo *file = &g_array_index(files, FileInfo, i);
        g_autoptr(GError) failure = NULL;
        LockInfo info;

        if (own && id_equal(&file->id, &own->id)) {
            own_seen = file->size == own->len;
            continue;
        }
        // of no size is the rest of an interrupted upload; `check` names it
        if (file->size == 0)
            continue;
        if (read_lock(repo, file, &info, &failure))
            g_array_append_val(locks, info);
        else if (g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
            moved = true;
        else {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
    }
    *ret_listed = own && !own_seen ? LISTED_WITHOUT_OWN : moved ? LISTED_MOVED : LISTED_WELL;
    *ret_locks = g_steal_pointer(&locks);
    return true;
}

static LockInfo *find_lock(GArray *locks, const Id *id)
{
    for (guint i = 0; i < locks->len; i++) {
        LockInfo *info = &g_array_index(locks, LockInfo, i);

        if (id_equal(&info->id, id))
            return info;
    }
    return NULL;
}

/* A state file without its lock object has done its duty, unless that lies in another copy of the
 * repository: so it is kept until such a lock is told dead by its age. */
static void mark_dead(GArray *locks, const GArray *dead, const char *state_dir, const char *repo_id)
{
    for (guint i = 0; i < dead->len; i++) {
        const Id *id = &g_array_index(dead, Id, i);
        LockInfo *info = find_lock(locks, id);

        if (info)
            info->stale = true;
        else
            lockstate_forget(state_dir, repo_id, id, STALE_AFTER_S);
    }
}

/* All but own, which may be NULL: what we have written ourselves need not be read, but must be
 * there for others to read. */
static bool list_others(Repo *repo, const char *state_dir, const LockOwn *own, GArray **ret_locks,
                        GError **error)
{
    // the dead before the listing: an object that came later than both cannot be theirs
    g_autoptr(GArray) dead = state_dir ? lockstate_dead(state_dir, repo_id(repo)) : NULL;
    g_autoptr(GArray) locks = NULL;
    Listed listed = LISTED_MOVED;

    for (unsigned tries = 0; listed != LISTED_WELL && tries < LIST_TRIES; tries++) {
        if (listed == LISTED_WITHOUT_OWN)
            clock_sleep_ms(LOCK_SETTLE_MS << tries); // Swift's listings may lag for seconds
        g_clear_pointer(&locks, g_array_unref);
        if (!read_listed(repo, own, &locks, &listed, error))
            return false;
    }
    if (listed == LISTED_WITHOUT_OWN) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "the store took our lock %s, but does not list it as it was written, so that "
                    "nobody would know that we are at work; what it says cannot be relied upon",
                    id_short(&own->id).text);
        return false;
    }
    if (dead)
        mark_dead(locks, dead, state_dir, repo_id(repo));
    *ret_locks = g_steal_pointer(&locks);
    return true;
}

bool lock_list(Repo *repo, const char *state_dir, GArray **ret_locks, GError **error)
{
    return list_others(repo, state_dir, NULL, ret_locks, error);
}

bool lock_remove_stale(Repo *repo, const char *state_dir, bool all, unsigned *ret_removed,
                       GError **error)
{
    g_autoptr(GArray) locks = NULL;
    unsigned n = 0;

    if (!lock_list(repo, state_dir, &locks, error))
        return false;
    for (guint i = 0; i < locks->len; i++) {
        const LockInfo *info = &g_array_index(locks, LockInfo, i);

        if (!all && !info->stale)
            continue;
        if (!repo_remove(repo, FILE_LOCK, &info->id, error))
            return false;
        n++;
    }
    if (ret_removed)
        *ret_removed = n;
    return true;
}

/* ---- conflicts ---- */

static bool conflicts(const LockInfo *info, bool exclusive)
{
    return exclusive || (info->readable && info->exclusive);
}

static void set_locked_error(const LockInfo *info, GError **error)
{
    char since[RFC3339_MAX];

    rfc3339_format((Timestamp){ .sec = info->time.sec }, since);
    if (!info->readable)
        g_set_error(
            error, BS_ERROR, BS_ERROR_LOCKED,
            "the lock %s from %s cannot be read, so somebody may be at work; if nobody is, remove "
            "it with `backstay unlock --remove-all`",
            id_short(&info->id).text, since);
    else
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "repository is locked%s by %s on %s (PID %" G_GINT64_FORMAT
                    ", lock %s) since %s; wait for it, or after a crash run `backstay unlock`",
                    info->exclusive ? " exclusively" : "", info->username, info->hostname,
                    info->pid, id_short(&info->id).text, since);
}

bool lockothers_check(Repo *repo, const LockOptions *options, const LockOwn *own, GError **error)
{
    g_autoptr(GArray) locks = NULL;

    if (!list_others(repo, options->state_dir, own, &locks, error))
        return false;
    for (guint i = 0; i < locks->len; i++) {
        const LockInfo *info = &g_array_index(locks, LockInfo, i);
        g_autoptr(GError) failure = NULL;

        if (info->readable && info->stale) {
            // where removing is not allowed it still counts as absent
            if (!repo_remove(repo, FILE_LOCK, &info->id, &failure))
                log_debug("stale lock stays", "lock", id_hex(&info->id).text, "why",
                          failure->message, NULL);
        } else if (conflicts(info, options->exclusive)) {
            set_locked_error(info, error);
            return false;
        }
    }
    return true;
}
