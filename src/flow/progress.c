/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/progress.h"
#include <glib.h>

void progress_init(Progress *progress)
{
    atomic_init(&progress->files_total, 0);
    atomic_init(&progress->bytes_total, 0);
    atomic_init(&progress->files_done, 0);
    atomic_init(&progress->bytes_done, 0);
    atomic_init(&progress->errors, 0);
    atomic_init(&progress->total_known, false);
    progress->current[0] = '\0';
    pthread_mutex_init(&progress->mutex, NULL);
}

void progress_done(Progress *progress)
{
    pthread_mutex_destroy(&progress->mutex);
}

void progress_current(Progress *progress, const char *path)
{
    if (!progress)
        return;
    pthread_mutex_lock(&progress->mutex);
    g_strlcpy(progress->current, path, sizeof progress->current);
    pthread_mutex_unlock(&progress->mutex);
}

void progress_get_current(Progress *progress, char out[512])
{
    out[0] = '\0';
    if (!progress)
        return;
    pthread_mutex_lock(&progress->mutex);
    g_strlcpy(out, progress->current, sizeof progress->current);
    pthread_mutex_unlock(&progress->mutex);
}

void progress_add(Progress *progress, uint64_t files, uint64_t bytes)
{
    if (!progress)
        return;
    atomic_fetch_add_explicit(&progress->files_done, files, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress->bytes_done, bytes, memory_order_relaxed);
}

double progress_share(const Progress *progress)
{
    uint64_t total = progress->total_known ? progress->bytes_total : 0;

    return total ? MIN((double)progress->bytes_done / (double)total, 1.0) : 0;
}

double progress_seconds_left(const Progress *progress, double elapsed)
{
    double share = progress_share(progress);

    return share > 0.001 ? elapsed / share - elapsed : 0;
}
