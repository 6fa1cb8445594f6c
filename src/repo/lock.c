/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/lock.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/error.h"
#include "base/log.h"
#include "repo/lockothers.h"
#include "repo/lockstate.h"
#include "repo/locktext.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* repository format, "Locks" */
#define REFRESH_EVERY_MS (5 * 60 * 1000)
#define REFRESH_AGAIN_MS (30 * 1000) /* after a failure */
#define LOST_AFTER_MS    (22 * 60 * 1000 + 30 * 1000)
#define RETRY_FIRST_MS   5000
#define RETRY_MAX_MS     60000

#define WAKE_MS 1000 /* how late a refresh may be after the machine has slept */

struct Lock {
    Repo *repo;
    char *state_dir;
    bool exclusive;
    pthread_t thread;
    LockState *state; /* or NULL; the thread's until it has ended */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    LockOwn own;          /* the object, changed by the thread alone */
    bool stop;            /* this and the rest, and to change own: under the mutex */
    int64_t refreshed_ms; /* when the time in the object was taken */
    const char *lost;     /* why, or NULL */
};

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
    LockState *state, *old_state = lock->state;
    const Id old = lock->own.id;
    size_t len;
    Id id;

    if (is_lost(lock))
        return false;
    // whoever removed it no longer counts with us
    if (!is_there(lock, &old)) {
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
    lock->state = state;
    // before the old one goes: whoever asks meanwhile asks for what lies there
    pthread_mutex_lock(&lock->mutex);
    lock->own = (LockOwn){ .id = id, .len = len };
    lock->refreshed_ms = now_ms;
    pthread_mutex_unlock(&lock->mutex);
    remove_object(lock->repo, &old, old_state);
    return true;
}

/* Under the mutex. False: time to stop. Looks at the clock every second, for a timed wait does not
 * count the time in which the machine slept. */
static bool wait_until(Lock *lock, int64_t due_ms)
{
    while (!lock->stop && clock_monotonic_ms() < due_ms)
        (void)condition_wait_ms(&lock->wake, &lock->mutex, WAKE_MS);
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

    lock->repo = repo;
    lock->state_dir = g_strdup(options->state_dir);
    lock->exclusive = options->exclusive;
    pthread_mutex_init(&lock->mutex, NULL);
    condition_init(&lock->wake);
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
    if (!write_object(lock, &lock->own.id, &lock->own.len, &lock->state, error))
        return false;
    if (!repo_store(lock->repo)->lists_at_once)
        clock_sleep_ms(LOCK_SETTLE_MS);
    if (lockothers_check(lock->repo, options, &lock->own, error) && start_thread(lock, error))
        return true;
    remove_object(lock->repo, &lock->own.id, lock->state);
    return false;
}

static bool try_once(Repo *repo, const LockOptions *options, Lock **ret_lock, GError **error)
{
    Lock *lock;

    if (!lockothers_check(repo, options, NULL, error))
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

static Id own_id(Lock *lock)
{
    Id id;

    pthread_mutex_lock(&lock->mutex);
    id = lock->own.id;
    pthread_mutex_unlock(&lock->mutex);
    return id;
}

bool lock_confirm(Lock *lock, GError **error)
{
    if (!lock_check(lock, error))
        return false;
    for (bool there = !lock; !there;) {
        const Id asked = own_id(lock);
        Id now;

        there = is_there(lock, &asked);
        now = own_id(lock);
        // otherwise it was only refreshed meanwhile
        if (!there && id_equal(&asked, &now)) {
            set_lost(lock, "somebody removed it");
            break;
        }
    }
    return lock_check(lock, error);
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
    remove_object(lock->repo, &lock->own.id, lock->state);
    lock_free(lock);
}
