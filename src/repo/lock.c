/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/lock.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "codec/rfc3339.h"
#include "repo/lockstate.h"
#include "repo/locktext.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* repository format, "Locks" */
#define STALE_AFTER_S    (30 * 60)
#define REFRESH_EVERY_MS (5 * 60 * 1000)
#define REFRESH_AGAIN_MS (30 * 1000) /* after a failure */
#define LOST_AFTER_MS    (22 * 60 * 1000 + 30 * 1000)
#define SETTLE_MS        200
#define RETRY_FIRST_MS   5000
#define RETRY_MAX_MS     60000

#define WAKE_S     1 /* how late a refresh may be after the machine has slept */
#define LIST_TRIES 5

struct Lock {
    Repo *repo;
    char *state_dir;
    bool exclusive;
    pthread_t thread;
    Id id;            /* of the object; this and the next two the thread's until it has ended */
    size_t len;       /* of it */
    LockState *state; /* or NULL */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stop;            /* this and the rest: under the mutex */
    int64_t refreshed_ms; /* when the time in the object was taken */
    const char *lost;     /* why, or NULL */
};

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
static bool read_listed(Repo *repo, const Lock *own, GArray **ret_locks, Listed *ret_listed,
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
static bool list_others(Repo *repo, const char *state_dir, const Lock *own, GArray **ret_locks,
                        GError **error)
{
    // the dead before the listing: an object that came later than both cannot be theirs
    g_autoptr(GArray) dead = state_dir ? lockstate_dead(state_dir, repo_id(repo)) : NULL;
    g_autoptr(GArray) locks = NULL;
    Listed listed = LISTED_MOVED;

    for (unsigned tries = 0; listed != LISTED_WELL && tries < LIST_TRIES; tries++) {
        if (listed == LISTED_WITHOUT_OWN)
            clock_sleep_ms(SETTLE_MS << tries); // Swift's listings may lag for seconds
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

/* own: what we hold ourselves, or NULL. Stale locks are taken out of the way. */
static bool check_others(Repo *repo, const LockOptions *options, const Lock *own, GError **error)
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

/* ---- writing our own ---- */

static char instance[9];

static void make_instance(void)
{
    uint32_t random;

    random_bytes(&random, sizeof random);
    (void)g_snprintf(instance, sizeof instance, "%08x", random);
}

/* A hostname that no machine has: restic sends SIGHUP to the pid of a lock with its own hostname,
 * and in a container that pid is somebody else. */
static char *instance_hostname(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, make_instance);
    return g_strconcat("backstay-", instance, NULL);
}

static char *own_text(bool exclusive)
{
    g_autofree char *hostname = instance_hostname();
    LockText text = {
        .time = clock_now(),
        .exclusive = exclusive,
        .hostname = hostname,
        .username = (char *)g_get_user_name(),
        .pid = getpid(),
        .uid = getuid(),
        .gid = getgid(),
    };

    return locktext_encode(&text);
}

/* Takes back what write_object() wrote. When that fails the state file tells the next one here that
 * it is dead, and age tells everybody else. */
static void remove_object(Repo *repo, const Id *id, LockState *state)
{
    g_autoptr(GError) failure = NULL;

    if (repo_remove(repo, FILE_LOCK, id, &failure)) {
        lockstate_drop(state);
        return;
    }
    log_debug("lock stays", "lock", id_hex(id).text, "why", failure->message, NULL);
    lockstate_abandon(state);
}

/* State file first: a lock object without one could only be judged by its age. */
static bool write_object(Lock *lock, Id *ret_id, size_t *ret_len, LockState **ret_state,
                         GError **error)
{
    g_autofree char *text = own_text(lock->exclusive);
    g_autoptr(GBytes) stored = NULL;
    g_autoptr(GError) failure = NULL;
    LockState *state = NULL;
    Id id;

    if (!repo_encode(lock->repo, text, strlen(text), &stored, &id, error))
        return false;
    if (lock->state_dir) {
        state = lockstate_hold(lock->state_dir, repo_id(lock->repo), &id, &failure);
        if (!state) // a full or read-only disk here is no reason to have no backup
            log_debug("lock without state file", "why", failure->message, NULL);
    }
    if (!store_put(repo_store(lock->repo), file_key(FILE_LOCK, &id).text,
                   g_bytes_get_data(stored, NULL), g_bytes_get_size(stored), false, error)) {
        remove_object(lock->repo, &id, state); // it may have arrived
        return false;
    }
    *ret_id = id;
    *ret_len = g_bytes_get_size(stored);
    *ret_state = state;
    return true;
}

/* ---- refreshing ---- */

static void set_lost(Lock *lock, const char *why)
{
    pthread_mutex_lock(&lock->mutex);
    if (!lock->lost)
        lock->lost = why;
    pthread_mutex_unlock(&lock->mutex);
}

/* Under the mutex. Once too old it stays lost: somebody may have come and gone in between. */
static const char *why_lost(Lock *lock)
{
    if (!lock->lost && clock_monotonic_ms() - lock->refreshed_ms > LOST_AFTER_MS)
        lock->lost = "it could not be refreshed for too long";
    return lock->lost;
}

static bool is_lost(Lock *lock)
{
    bool lost;

    pthread_mutex_lock(&lock->mutex);
    lost = why_lost(lock) != NULL;
    pthread_mutex_unlock(&lock->mutex);
    return lost;
}

/* False only when the store knows no such object. */
static bool is_there(Lock *lock, const Id *id)
{
    g_autoptr(GError) failure = NULL;
    uint64_t size;

    return store_stat(repo_store(lock->repo), file_key(FILE_LOCK, id).text, &size, &failure) ||
           !g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND);
}

/* A new object with the new time, then the old one goes: there is never a moment without, also
 * where a store forgets what it took. */
static bool refresh(Lock *lock)
{
    g_autoptr(GError) failure = NULL;
    int64_t now_ms = clock_monotonic_ms();
    LockState *state;
    size_t len;
    Id id;

    if (is_lost(lock))
        return false;
    // whoever removed it no longer counts with us
    if (!is_there(lock, &lock->id)) {
        set_lost(lock, "somebody removed it");
        return false;
    }
    if (!write_object(lock, &id, &len, &state, &failure)) {
        log_debug("lock not refreshed", "why", failure->message, NULL);
        return false;
    }
    if (!is_there(lock, &id)) {
        log_debug("lock not refreshed", "why", "it does not lie there", NULL);
        remove_object(lock->repo, &id, state);
        return false;
    }
    remove_object(lock->repo, &lock->id, lock->state);
    lock->id = id;
    lock->len = len;
    lock->state = state;
    pthread_mutex_lock(&lock->mutex);
    lock->refreshed_ms = now_ms;
    pthread_mutex_unlock(&lock->mutex);
    return true;
}

/* Under the mutex. False: time to stop. Looks at the clock every second, for a timed wait does not
 * count the time in which the machine slept. */
static bool wait_until(Lock *lock, int64_t due_ms)
{
    while (!lock->stop && clock_monotonic_ms() < due_ms) {
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += WAKE_S;
        (void)pthread_cond_timedwait(&lock->wake, &lock->mutex, &until);
    }
    return !lock->stop;
}

static void *keep_fresh(void *user)
{
    Lock *lock = user;
    int64_t due_ms;

    pthread_mutex_lock(&lock->mutex);
    due_ms = lock->refreshed_ms + REFRESH_EVERY_MS;
    while (wait_until(lock, due_ms)) {
        bool fresh;

        pthread_mutex_unlock(&lock->mutex);
        fresh = refresh(lock);
        pthread_mutex_lock(&lock->mutex);
        due_ms = clock_monotonic_ms() + (fresh ? REFRESH_EVERY_MS : REFRESH_AGAIN_MS);
    }
    pthread_mutex_unlock(&lock->mutex);
    return NULL;
}

/* Signals are for the thread that asks whether it was cancelled. */
static bool start_thread(Lock *lock, GError **error)
{
    sigset_t all, before;
    int errnum;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    errnum = pthread_create(&lock->thread, NULL, keep_fresh, lock);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (errnum == 0)
        return true;
    bs_error_errno(error, errnum, "start a thread for the lock");
    return false;
}

/* ---- taking and giving back ---- */

static Lock *lock_new(Repo *repo, const LockOptions *options)
{
    Lock *lock = g_new0(Lock, 1);
    pthread_condattr_t attributes;

    lock->repo = repo;
    lock->state_dir = g_strdup(options->state_dir);
    lock->exclusive = options->exclusive;
    pthread_mutex_init(&lock->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&lock->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return lock;
}

static void lock_free(Lock *lock)
{
    pthread_cond_destroy(&lock->wake);
    pthread_mutex_destroy(&lock->mutex);
    g_free(lock->state_dir);
    g_free(lock);
}

/*
 * Two who come at the same time both see nothing at first; after their own put at least one sees
 * the other. That holds for shared locks, too: the other one may be exclusive. The time to settle
 * is for stores whose listings lag behind; where they do not, waiting would only make short
 * commands slow.
 */
static bool write_and_look_again(Lock *lock, const LockOptions *options, GError **error)
{
    lock->refreshed_ms = clock_monotonic_ms();
    if (!write_object(lock, &lock->id, &lock->len, &lock->state, error))
        return false;
    if (!repo_store(lock->repo)->lists_at_once)
        clock_sleep_ms(SETTLE_MS);
    if (check_others(lock->repo, options, lock, error) && start_thread(lock, error))
        return true;
    remove_object(lock->repo, &lock->id, lock->state);
    return false;
}

static bool try_once(Repo *repo, const LockOptions *options, Lock **ret_lock, GError **error)
{
    Lock *lock;

    if (!check_others(repo, options, NULL, error))
        return false;
    lock = lock_new(repo, options);
    if (write_and_look_again(lock, options, error)) {
        *ret_lock = lock;
        return true;
    }
    lock_free(lock);
    return false;
}

bool lock_acquire(Repo *repo, const LockOptions *options, const Cancel *cancel, Lock **ret_lock,
                  GError **error)
{
    int64_t until_ms = clock_monotonic_ms() + options->wait_ms;

    for (int64_t delay_ms = RETRY_FIRST_MS;; delay_ms = MIN(2 * delay_ms, RETRY_MAX_MS)) {
        g_autoptr(GError) failure = NULL;
        int64_t left_ms;

        if (try_once(repo, options, ret_lock, &failure))
            return true;
        left_ms = until_ms - clock_monotonic_ms();
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_LOCKED) || left_ms <= 0) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        if (!cancel_sleep(cancel, MIN(delay_ms, left_ms), error))
            return false;
    }
}

bool lock_check(const Lock *lock, GError **error)
{
    Lock *self = (Lock *)lock; // asking changes nothing that the caller sees
    const char *why;

    if (!lock)
        return true;
    pthread_mutex_lock(&self->mutex);
    why = why_lost(self);
    pthread_mutex_unlock(&self->mutex);
    if (!why)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                "our lock on the repository was lost: %s; nothing more is written", why);
    return false;
}

void lock_release(Lock *lock)
{
    if (!lock)
        return;
    pthread_mutex_lock(&lock->mutex);
    lock->stop = true;
    pthread_cond_signal(&lock->wake);
    pthread_mutex_unlock(&lock->mutex);
    (void)pthread_join(lock->thread, NULL);
    remove_object(lock->repo, &lock->id, lock->state);
    lock_free(lock);
}
