/* SPDX-License-Identifier: Apache-2.0 */
#include "op/walprefetch.h"

#include "base/clock.h"
#include "base/detach.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/parallel.h"
#include "op/open.h"
#include "repo/walobject.h"

#include <pthread.h>

#define BYTES_MAX  (256u * 1024 * 1024) /* in the spool, but one segment at least */
#define MEMORY_MAX (128u * 1024 * 1024) /* sealed and opened, of all that are fetched at once */
#define THREADS    4u                   /* each of them waits for the store, and then computes */
#define IDLE_MS    60000                /* replaying a segment rarely takes longer */
#define PAUSE_MS   20

/* Several threads that do the same: look what was asked for, take the next that is missing. */
typedef struct {
    const WalPrefetch *ahead;
    WalSpool *spool;
    Repo *repo;
    pthread_mutex_t mutex;
    WalName asked;
    uint32_t size;
    unsigned n;     /* segments to hold */
    uint64_t begun; /* segments after the one asked for that somebody has begun with */
    uint64_t end;   /* the repository does not hold the one that begins here; 0: not known */
    int64_t asked_at_ms;
    bool over, idle, full;
} Fetching;

/* ---- what is next ---- */

static unsigned window_of(const Fetching *fetching)
{
    return MIN(fetching->ahead->options.segments, MAX(1, BYTES_MAX / fetching->size));
}

/* Something else was asked for: the window moves. */
static void follow(Fetching *fetching, const WalName *asked, uint32_t size)
{
    fetching->asked = *asked;
    fetching->size = size;
    fetching->n = window_of(fetching);
    fetching->begun = fetching->end = 0;
    fetching->asked_at_ms = clock_monotonic_ms();
    wal_spool_tidy(fetching->spool, asked, size, fetching->n);
}

static void look(Fetching *fetching)
{
    WalName asked;
    uint32_t size;

    if (!wal_spool_asked(fetching->spool, &asked, &size) || wal_spool_gave_up(fetching->spool))
        fetching->over = true;
    else if (size != fetching->size || wal_name_compare(&asked, &fetching->asked) != 0)
        follow(fetching, &asked, size);
    else if (clock_monotonic_ms() - fetching->asked_at_ms > IDLE_MS)
        fetching->over = fetching->idle = true;
}

/* The next that nobody has begun with, locked as busy; -1: none for now. */
static int begin_next(Fetching *fetching, WalName *ret_name)
{
    uint64_t lsn;

    if (!wal_name_lsn(&fetching->asked, fetching->size, &lsn, NULL))
        return -1;
    while (fetching->begun < fetching->n) {
        uint64_t at = lsn + (fetching->begun + 1) * fetching->size;
        int busy;

        if (fetching->end != 0 && at >= fetching->end)
            return -1;
        fetching->begun++;
        *ret_name = wal_name_of(fetching->asked.timeline, at, fetching->size);
        if (wal_spool_has(fetching->spool, ret_name))
            continue;
        busy = wal_spool_begin(fetching->spool, ret_name);
        if (busy >= 0)
            return busy;
    }
    return -1;
}

/* ---- fetching ---- */

static bool fetch(const Fetching *fetching, const WalName *name, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    WalObject object;

    return wal_object_init(&object, fetching->ahead->system_id, wal_name_text(name).text, error) &&
           wal_object_get(fetching->repo, &object, &content, error) &&
           wal_spool_put(fetching->spool, name, content, error);
}

static void note_end(Fetching *fetching, const WalName *name, const GError *failure)
{
    uint64_t lsn;

    pthread_mutex_lock(&fetching->mutex);
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND)) {
        wal_spool_give_up(fetching->spool);
        fetching->over = true;
        fetching->full = fetching->full || g_error_matches(failure, BS_ERROR, BS_ERROR_NO_SPACE);
    } else if (name->timeline == fetching->asked.timeline &&
               wal_name_lsn(name, fetching->size, &lsn, NULL)) {
        fetching->end = fetching->end == 0 ? lsn : MIN(fetching->end, lsn);
    }
    pthread_mutex_unlock(&fetching->mutex);
}

static bool step(Fetching *fetching, bool *ret_worked)
{
    g_autoptr(GError) failure = NULL;
    WalName name;
    int busy = -1;
    bool over;

    pthread_mutex_lock(&fetching->mutex);
    if (!fetching->over)
        look(fetching);
    if (!fetching->over)
        busy = begin_next(fetching, &name);
    over = fetching->over;
    pthread_mutex_unlock(&fetching->mutex);
    *ret_worked = busy >= 0;
    if (busy >= 0) {
        if (!fetch(fetching, &name, &failure))
            note_end(fetching, &name, failure);
        wal_spool_end(fetching->spool, &name, busy);
    }
    return !over;
}

static void work(void *user)
{
    bool worked;

    while (step(user, &worked))
        if (!worked)
            clock_sleep_ms(PAUSE_MS);
}

/* ---- the process ---- */

static unsigned threads_for(uint32_t size)
{
    return CLAMP(MEMORY_MAX / 2 / size, 1, THREADS);
}

static void run(Fetching *fetching)
{
    const WalPrefetch *ahead = fetching->ahead;
    g_auto(OpenRepo) open = { 0 };
    WalName asked;
    uint32_t size;

    if (!wal_spool_asked(fetching->spool, &asked, &size))
        return;
    if (!open_repo(ahead->settings, OPEN_UNLOCKED, true, NULL, &open, NULL)) {
        wal_spool_give_up(fetching->spool);
        return;
    }
    fetching->repo = open.repo;
    pthread_mutex_init(&fetching->mutex, NULL);
    follow(fetching, &asked, size);
    parallel_run(threads_for(size), work, fetching);
    pthread_mutex_destroy(&fetching->mutex);
}

static void process(void *user)
{
    const WalPrefetch *ahead = user;
    Fetching fetching = { .ahead = ahead, .spool = ahead->spool };

    if (!wal_spool_reopen(ahead->spool) || !wal_spool_claim(ahead->spool))
        return;
    run(&fetching);
    // after an outage what is there may still serve
    if (fetching.idle || fetching.full)
        wal_spool_tidy(ahead->spool, NULL, 0, 0);
}

/* ---- beside wal get ---- */

static WalSpool *open_spool(const Settings *settings, const WalPrefetchOptions *options,
                            uint64_t system_id)
{
    g_autofree char *dir = NULL;
    g_autofree char *location = NULL;

    if (options->spool)
        dir = g_strdup(options->spool);
    else if (settings->cache_dir)
        dir = g_build_filename(settings->cache_dir, "wal-spool", NULL);
    if (!dir || !settings_repository(settings, &location, NULL))
        return NULL;
    return wal_spool_open(dir, location, system_id);
}

void wal_prefetch_init(WalPrefetch *ahead, const Settings *settings,
                       const WalPrefetchOptions *options, uint64_t system_id)
{
    *ahead = (WalPrefetch){
        .settings = settings,
        .options = *options,
        .system_id = system_id,
        .go = -1,
    };
    if (options->segments == 0)
        return;
    ahead->spool = open_spool(settings, options, system_id);
    if (ahead->spool && wal_spool_is_idle(ahead->spool))
        (void)detach_fork(process, ahead, &ahead->go);
}

void wal_prefetch_go(WalPrefetch *ahead, const WalName *name, uint32_t size)
{
    if (!ahead->spool)
        return;
    wal_spool_ask(ahead->spool, name, size);
    detach_go(&ahead->go);
}

void wal_prefetch_done(WalPrefetch *ahead)
{
    fs_clear_fd(&ahead->go);
    g_clear_pointer(&ahead->spool, wal_spool_free);
}
