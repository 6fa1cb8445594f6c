/* SPDX-License-Identifier: Apache-2.0 */
#include "op/keeper.h"

#include "base/clock.h"
#include "base/error.h"

#include <pthread.h>

#define AGE_MAX_MS     30000
#define FAILURE_AGE_MS 1000

struct KeptRepo {
    OpenRepo open;
    unsigned users;
    int64_t opened_ms;
    bool old; /* nobody gets it any more; the last user closes it */
};

struct Keeper {
    const Settings *settings;
    MirrorUse use;
    const Cancel *cancel;
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool opening;      /* somebody does */
    KeptRepo *current; /* NULL: to be opened */
    Secret *master;    /* a SealKey; NULL until it was open */
    GError *failure;   /* of the last try */
    int64_t failed_ms;
};

Keeper *keeper_new(const Settings *settings, MirrorUse use, const Cancel *cancel)
{
    Keeper *keeper = g_new0(Keeper, 1);

    keeper->settings = settings;
    keeper->use = use;
    keeper->cancel = cancel;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->opened, NULL);
    return keeper;
}

static void kept_free(KeptRepo *kept)
{
    open_done(&kept->open);
    g_free(kept);
}

void keeper_free(Keeper *keeper)
{
    if (!keeper)
        return;
    g_assert(!keeper->current || keeper->current->users == 0);
    g_clear_pointer(&keeper->current, kept_free);
    secret_free(keeper->master);
    g_clear_error(&keeper->failure);
    pthread_cond_destroy(&keeper->opened);
    pthread_mutex_destroy(&keeper->lock);
    g_free(keeper);
}

OpenRepo *kept_open(KeptRepo *kept)
{
    return &kept->open;
}

/* ---- opening; the caller is the only one who does, and holds no lock ---- */

static bool open_any(const Keeper *keeper, OpenRepo *ret_open, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (keeper->master) {
        if (open_repo_again(keeper->settings, keeper->master, keeper->use, keeper->cancel, ret_open,
                            &failure))
            return true;
        if (!g_error_matches(failure, BS_ERROR, BS_ERROR_PASSWORD)) {
            g_propagate_error(error, g_steal_pointer(&failure));
            return false;
        }
        // the repository was made anew in the same place: what opens it is asked for again
    }
    return open_repo_using(keeper->settings, OPEN_UNLOCKED, keeper->use, true, keeper->cancel,
                           ret_open, error);
}

static KeptRepo *open_kept(Keeper *keeper, GError **error)
{
    KeptRepo *kept = g_new0(KeptRepo, 1);

    if (!open_any(keeper, &kept->open, error)) {
        g_free(kept);
        return NULL;
    }
    kept->opened_ms = clock_monotonic_ms();
    secret_free(keeper->master);
    keeper->master = secret_new(repo_master_key(kept->open.repo), sizeof(SealKey));
    return kept;
}

/* ---- handing it out; under the lock ---- */

/* Whoever uses it still closes it. */
static KeptRepo *put_aside(Keeper *keeper, KeptRepo *kept)
{
    kept->old = true;
    if (keeper->current == kept)
        keeper->current = NULL;
    return kept->users == 0 ? kept : NULL;
}

static bool failed_just_now(const Keeper *keeper)
{
    return keeper->failure && clock_monotonic_ms() - keeper->failed_ms < FAILURE_AGE_MS;
}

static void note_opened(Keeper *keeper, KeptRepo *kept, const GError *failure)
{
    keeper->opening = false;
    keeper->current = kept;
    g_clear_error(&keeper->failure);
    if (failure) {
        keeper->failure = g_error_copy(failure);
        keeper->failed_ms = clock_monotonic_ms();
    }
    pthread_cond_broadcast(&keeper->opened);
}

static bool is_too_old(const KeptRepo *kept)
{
    return clock_monotonic_ms() - kept->opened_ms > AGE_MAX_MS;
}

bool keeper_take(Keeper *keeper, KeptRepo **ret_kept, GError **error)
{
    g_autoptr(GError) failure = NULL;
    KeptRepo *unused = NULL, *kept = NULL;

    pthread_mutex_lock(&keeper->lock);
    while (keeper->opening)
        pthread_cond_wait(&keeper->opened, &keeper->lock);
    if (keeper->current && is_too_old(keeper->current))
        unused = put_aside(keeper, keeper->current);
    if (!keeper->current && failed_just_now(keeper)) {
        failure = g_error_copy(keeper->failure);
    } else if (!keeper->current) {
        keeper->opening = true;
        pthread_mutex_unlock(&keeper->lock);
        kept = open_kept(keeper, &failure);
        pthread_mutex_lock(&keeper->lock);
        note_opened(keeper, kept, failure);
    }
    kept = keeper->current;
    if (kept)
        kept->users++;
    pthread_mutex_unlock(&keeper->lock);
    if (unused)
        kept_free(unused);
    if (kept)
        *ret_kept = kept;
    else
        g_propagate_error(error, g_steal_pointer(&failure));
    return kept != NULL;
}

void keeper_give(Keeper *keeper, KeptRepo *kept, const GError *failure)
{
    KeptRepo *unused = NULL;

    pthread_mutex_lock(&keeper->lock);
    kept->users--;
    if (failure || kept->old)
        unused = put_aside(keeper, kept);
    pthread_mutex_unlock(&keeper->lock);
    if (unused)
        kept_free(unused);
}
