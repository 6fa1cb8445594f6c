/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runlocks.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "op/runlockpg.h"
#include "op/runlockredis.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <time.h>

#define BEAT_MS     10000
#define NAP_MS      100
#define PATIENCE_MS 45000 /* that a server may take to say that a lock is held */

struct RunLocks {
    RunLocksRequest request;
    int local;           /* -1: not held */
    GPtrArray *postgres; /* of PgLock */
    RedisLock *redis;
    Cancel *hurry;           /* a server that does not answer is waited for no longer */
    pthread_mutex_t lock;    /* one asks at a time */
    pthread_mutex_t facts;   /* guards what follows */
    int64_t asking_since_ms; /* 0: nobody asks */
    GError *why;             /* a lock is lost */
    bool stop;
    bool beating, watching;
    pthread_t beat, watch;
};

/* ---- on this machine ---- */

static bool hold_file(int fd, const char *path, GError **error)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "another run of this schedule lives on this machine (%s)", path);
    else
        bs_error_errno(error, errno, "lock %s", path);
    return false;
}

/* The file stays: who removes a lock file may remove that of the next one. */
static bool take_local(RunLocks *locks, GError **error)
{
    g_autofree char *dir = g_build_filename(locks->request.state_dir, "schedules", NULL);
    g_autofree char *name = pg_escape_name(locks->request.schedule);
    g_autofree char *path = g_strconcat(dir, "/", name, ".lock", NULL);

    if (!fs_make_dirs(dir, 0700, error))
        return false;
    locks->local = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (locks->local < 0) {
        bs_error_errno(error, errno, "open %s", path);
        return false;
    }
    return hold_file(locks->local, path, error);
}

/* ---- asking ---- */

static void note_asking(RunLocks *locks, bool asking)
{
    pthread_mutex_lock(&locks->facts);
    locks->asking_since_ms = asking ? MAX(clock_monotonic_ms(), 1) : 0;
    pthread_mutex_unlock(&locks->facts);
}

/* Told once; what is lost stays lost. */
static void note_lost(RunLocks *locks, const GError *why)
{
    bool first;

    pthread_mutex_lock(&locks->facts);
    first = !locks->why && !locks->stop;
    if (!locks->why)
        locks->why = g_error_copy(why);
    pthread_mutex_unlock(&locks->facts);
    if (first && locks->request.lost)
        locks->request.lost(why, locks->request.user);
}

static bool is_lost(RunLocks *locks, GError **error)
{
    bool lost;

    pthread_mutex_lock(&locks->facts);
    lost = locks->why != NULL;
    if (lost)
        g_propagate_error(error, g_error_copy(locks->why));
    pthread_mutex_unlock(&locks->facts);
    return lost;
}

static bool ask_each(RunLocks *locks, bool now, GError **error)
{
    for (guint i = 0; i < locks->postgres->len; i++)
        if (!pg_lock_check(locks->postgres->pdata[i], error))
            return false;
    return !locks->redis || (now ? redis_lock_check : redis_lock_renew)(locks->redis, error);
}

/* now: it must be proven now; else a server that is away for a moment may come back in time. */
static bool ask(RunLocks *locks, bool now, GError **error)
{
    g_autoptr(GError) failure = NULL;
    struct timespec until;
    bool ok;

    if (is_lost(locks, error))
        return false;
    (void)clock_gettime(CLOCK_REALTIME, &until); // cannot fail with this clock
    until.tv_sec += PATIENCE_MS / 1000;
    if (pthread_mutex_timedlock(&locks->lock, &until) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_LOCKED,
                    "the server that holds a lock of this run does not answer");
        return false;
    }
    note_asking(locks, true);
    ok = ask_each(locks, now, &failure);
    note_asking(locks, false);
    pthread_mutex_unlock(&locks->lock);
    if (ok)
        return true;
    note_lost(locks, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

bool run_locks_check(RunLocks *locks, GError **error)
{
    if (ask(locks, true, error))
        return true;
    g_prefix_error(error, "a lock of this run is lost, and another run may have begun: ");
    return false;
}

/* ---- while the run lives ---- */

static bool must_stop(RunLocks *locks)
{
    bool stop;

    pthread_mutex_lock(&locks->facts);
    stop = locks->stop || locks->why;
    pthread_mutex_unlock(&locks->facts);
    return stop;
}

static void *beat_main(void *user)
{
    RunLocks *locks = user;
    int64_t last = clock_monotonic_ms();

    while (!must_stop(locks)) {
        (void)cancel_sleep(NULL, NAP_MS, NULL); // nothing cancels it
        if (clock_monotonic_ms() - last < BEAT_MS)
            continue;
        (void)ask(locks, false, NULL); // it notes what is lost
        last = clock_monotonic_ms();
    }
    return NULL;
}

static bool takes_too_long(RunLocks *locks)
{
    int64_t since;

    pthread_mutex_lock(&locks->facts);
    since = locks->asking_since_ms;
    pthread_mutex_unlock(&locks->facts);
    return since > 0 && clock_monotonic_ms() - since > PATIENCE_MS;
}

/* A server may be silent for ever, and then so is the thread that asks it. */
static void *watch_main(void *user)
{
    RunLocks *locks = user;

    while (!must_stop(locks)) {
        (void)cancel_sleep(NULL, NAP_MS, NULL);
        if (takes_too_long(locks)) {
            g_autoptr(GError) why =
                g_error_new(BS_ERROR, BS_ERROR_LOCKED,
                            "the server that holds a lock of this run has not answered for %d s",
                            PATIENCE_MS / 1000);

            cancel_set(locks->hurry);
            note_lost(locks, why);
        }
    }
    return NULL;
}

/* ---- life and end ---- */

static bool take_remote(RunLocks *locks, GError **error)
{
    const RunLocksRequest *request = &locks->request;

    for (guint i = 0; request->postgres && i < request->postgres->len; i++) {
        PgLock *lock =
            pg_lock_acquire(request->postgres->pdata[i], request->schedule, locks->hurry, error);

        if (!lock)
            return false;
        g_ptr_array_add(locks->postgres, lock);
    }
    if (request->redis)
        locks->redis = redis_lock_acquire(request->redis, request->schedule, request->ca_file,
                                          locks->hurry, error);
    return !request->redis || locks->redis;
}

static void start_threads(RunLocks *locks)
{
    if (locks->postgres->len == 0 && !locks->redis)
        return; // the file is held as long as it is open
    g_assert(pthread_create(&locks->beat, NULL, beat_main, locks) == 0);
    locks->beating = true;
    g_assert(pthread_create(&locks->watch, NULL, watch_main, locks) == 0);
    locks->watching = true;
}

bool run_locks_acquire(const RunLocksRequest *request, RunLocks **ret_locks, GError **error)
{
    g_autoptr(RunLocks) locks = g_new0(RunLocks, 1);

    locks->request = *request;
    locks->local = -1;
    locks->postgres = g_ptr_array_new_with_free_func((GDestroyNotify)pg_lock_free);
    locks->hurry = cancel_new();
    pthread_mutex_init(&locks->lock, NULL);
    pthread_mutex_init(&locks->facts, NULL);
    if (!take_local(locks, error) || !take_remote(locks, error))
        return false;
    start_threads(locks);
    *ret_locks = g_steal_pointer(&locks);
    return true;
}

void run_locks_release(RunLocks *locks)
{
    if (!locks)
        return;
    pthread_mutex_lock(&locks->facts);
    locks->stop = true;
    pthread_mutex_unlock(&locks->facts);
    if (locks->beating)
        pthread_join(locks->beat, NULL);
    if (locks->watching)
        pthread_join(locks->watch, NULL);
    redis_lock_free(locks->redis);
    g_ptr_array_unref(locks->postgres);
    fs_clear_fd(&locks->local);
    cancel_free(locks->hurry);
    g_clear_error(&locks->why);
    pthread_mutex_destroy(&locks->lock);
    pthread_mutex_destroy(&locks->facts);
    g_free(locks);
}
