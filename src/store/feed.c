/* SPDX-License-Identifier: Apache-2.0 */
#include "store/feed.h"

#include "base/clock.h"
#include "base/condition.h"
#include "base/error.h"
#include "store/carry.h"

#include <pthread.h>
#include <signal.h>

#define ROOM        (32u * 1024 * 1024) /* two packs of the usual size */
#define PATIENCE_MS 10000
#define THREADS     2

typedef enum { JOB_PUT, JOB_CARRY, JOB_REMOVE } JobKind;

typedef struct {
    JobKind kind;
    GStrv keys;   /* one, but for removals */
    GBytes *data; /* of a put */
    bool if_absent, is_data;
} Job;

struct Feed {
    Store *from, *to;
    FeedOptions options;
    pthread_t threads[THREADS];
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    GQueue waiting; /* of Job; this and the rest: under the mutex */
    size_t bytes;   /* of what waits and what is under way */
    unsigned under_way;
    bool alone; /* what is under way is no data */
    bool stopped, closed;
    int64_t patience_ms; /* left */
    uint64_t dropped, dropped_bytes;
};

/* ---- jobs ---- */

static size_t job_size(const Job *job)
{
    return job->data ? g_bytes_get_size(job->data) : 0;
}

static void job_free(Job *job)
{
    g_strfreev(job->keys);
    if (job->data)
        g_bytes_unref(job->data);
    g_free(job);
}

/* What was removed since has its removal behind it in the feed. */
static bool carry(Feed *feed, const Job *job, GError **error)
{
    const char *key = job->keys[0];
    g_autoptr(GError) failure = NULL;
    uint64_t size;
    bool ok = job->if_absent ? carry_same(feed->from, feed->to, key, &failure)
                             : store_stat(feed->from, key, &size, &failure) &&
                                   carry_object(feed->from, feed->to, key, size, NULL, &failure);

    if (ok || g_error_matches(failure, BS_ERROR, BS_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool job_run(Feed *feed, const Job *job, GError **error)
{
    const char *key = job->keys[0];
    gsize len;
    const void *data;

    if (job->kind == JOB_CARRY)
        return carry(feed, job, error);
    if (job->kind == JOB_REMOVE)
        return store_remove_many(feed->to, (const char *const *)job->keys, g_strv_length(job->keys),
                                 error);
    data = g_bytes_get_data(job->data, &len);
    return job->if_absent ? carry_put_same(feed->to, key, data, len, error)
                          : carry_put(feed->to, key, data, len, error);
}

/* ---- threads ---- */

/* Under the mutex. */
static void drop(Feed *feed, Job *job)
{
    if (job->kind != JOB_REMOVE) {
        feed->dropped++;
        feed->dropped_bytes += job_size(job);
    }
    job_free(job);
}

/* Under the mutex. */
static void stop(Feed *feed)
{
    Job *job;

    feed->stopped = true;
    while ((job = g_queue_pop_head(&feed->waiting))) {
        feed->bytes -= job_size(job);
        drop(feed, job);
    }
    pthread_cond_broadcast(&feed->changed);
}

/* Under the mutex: the next job if it may begin. */
static Job *next_job(Feed *feed)
{
    const Job *next = g_queue_peek_head(&feed->waiting);

    if (!next || feed->alone || (feed->under_way > 0 && !next->is_data))
        return NULL;
    feed->under_way++;
    feed->alone = !next->is_data;
    return g_queue_pop_head(&feed->waiting);
}

/* Waits for a job. NULL: the feed is closed and everything is done. */
static Job *take_job(Feed *feed)
{
    Job *job;

    pthread_mutex_lock(&feed->mutex);
    while (!(job = next_job(feed)) && !(feed->closed && g_queue_is_empty(&feed->waiting)))
        pthread_cond_wait(&feed->changed, &feed->mutex);
    pthread_mutex_unlock(&feed->mutex);
    return job;
}

static void job_done(Feed *feed, Job *job, const GError *failure)
{
    bool first;

    pthread_mutex_lock(&feed->mutex);
    first = failure && !feed->stopped;
    feed->bytes -= job_size(job);
    if (failure) {
        drop(feed, job);
        stop(feed);
    } else {
        job_free(job);
    }
    pthread_mutex_unlock(&feed->mutex);
    // before anybody who flushes may look at what came of it
    if (first)
        feed->options.failed(failure, feed->options.user);
    pthread_mutex_lock(&feed->mutex);
    feed->under_way--;
    feed->alone = false;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->mutex);
}

static void *feeder_main(void *user)
{
    Feed *feed = user;
    Job *job;

    while ((job = take_job(feed))) {
        g_autoptr(GError) failure = NULL;

        (void)job_run(feed, job, &failure); // the failure tells
        job_done(feed, job, failure);
    }
    return NULL;
}

/* Signals are for the thread that asks whether it was cancelled. */
static void start_threads(Feed *feed)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (unsigned i = 0; i < THREADS; i++)
        g_assert(pthread_create(&feed->threads[i], NULL, feeder_main, feed) == 0);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

Feed *feed_new(Store *from, Store *to, const FeedOptions *options)
{
    Feed *feed = g_new0(Feed, 1);

    feed->from = from;
    feed->to = to;
    feed->options = *options;
    feed->patience_ms = options->patience_ms ? options->patience_ms : PATIENCE_MS;
    g_queue_init(&feed->waiting);
    pthread_mutex_init(&feed->mutex, NULL);
    condition_init(&feed->changed);
    start_threads(feed);
    return feed;
}

void feed_free(Feed *feed)
{
    if (!feed)
        return;
    pthread_mutex_lock(&feed->mutex);
    feed->closed = true;
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->mutex);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(feed->threads[i], NULL);
    pthread_cond_destroy(&feed->changed);
    pthread_mutex_destroy(&feed->mutex);
    g_free(feed);
}

/* ---- taking ---- */

/* Under the mutex. An object larger than all room is taken when there is nothing else. */
static bool has_room(const Feed *feed, size_t len)
{
    return feed->bytes == 0 || feed->bytes + len <= ROOM;
}

/* Under the mutex. */
static void wait_for_room(Feed *feed, size_t len)
{
    int64_t begun_ms = clock_monotonic_ms(), waited_ms = 0;

    while (!feed->stopped && !has_room(feed, len) && waited_ms < feed->patience_ms) {
        (void)condition_wait_ms(&feed->changed, &feed->mutex, feed->patience_ms - waited_ms);
        waited_ms = clock_monotonic_ms() - begun_ms;
    }
    feed->patience_ms = MAX(feed->patience_ms - waited_ms, 0);
}

/* Room first, the copy of the bytes then: whoever waits holds none. */
static bool reserve(Feed *feed, size_t len)
{
    bool reserved;

    pthread_mutex_lock(&feed->mutex);
    wait_for_room(feed, len);
    reserved = !feed->stopped && has_room(feed, len);
    if (reserved)
        feed->bytes += len;
    pthread_mutex_unlock(&feed->mutex);
    return reserved;
}

/* Takes the job, whose room is reserved; false: stopped since, and it is freed. */
static bool push(Feed *feed, Job *job)
{
    bool taken;

    pthread_mutex_lock(&feed->mutex);
    taken = !feed->stopped;
    if (taken)
        g_queue_push_tail(&feed->waiting, job);
    else
        feed->bytes -= job_size(job);
    pthread_cond_broadcast(&feed->changed);
    pthread_mutex_unlock(&feed->mutex);
    if (!taken)
        job_free(job);
    return taken;
}

static Job *job_new(JobKind kind, const char *const *keys, size_t n)
{
    Job *job = g_new0(Job, 1);

    job->kind = kind;
    job->keys = g_new0(char *, n + 1);
    for (size_t i = 0; i < n; i++)
        job->keys[i] = g_strdup(keys[i]);
    return job;
}

bool feed_put(Feed *feed, const char *key, const void *data, size_t len, bool if_absent,
              bool is_data)
{
    Job *job;

    if (!reserve(feed, len))
        return false;
    job = job_new(JOB_PUT, &key, 1);
    job->data = g_bytes_new(data, len);
    job->if_absent = if_absent;
    job->is_data = is_data;
    return push(feed, job);
}

bool feed_carry(Feed *feed, const char *key, bool if_absent)
{
    Job *job = job_new(JOB_CARRY, &key, 1);

    job->if_absent = if_absent;
    return push(feed, job);
}

bool feed_remove(Feed *feed, const char *const *keys, size_t n)
{
    return n == 0 || push(feed, job_new(JOB_REMOVE, keys, n));
}

/* ---- ending ---- */

void feed_flush(Feed *feed)
{
    pthread_mutex_lock(&feed->mutex);
    while (feed->under_way > 0 || !g_queue_is_empty(&feed->waiting))
        pthread_cond_wait(&feed->changed, &feed->mutex);
    pthread_mutex_unlock(&feed->mutex);
}

void feed_stop(Feed *feed)
{
    pthread_mutex_lock(&feed->mutex);
    stop(feed);
    pthread_mutex_unlock(&feed->mutex);
}

bool feed_is_stopped(Feed *feed)
{
    bool stopped;

    pthread_mutex_lock(&feed->mutex);
    stopped = feed->stopped;
    pthread_mutex_unlock(&feed->mutex);
    return stopped;
}

void feed_dropped(Feed *feed, uint64_t *ret_objects, uint64_t *ret_bytes)
{
    pthread_mutex_lock(&feed->mutex);
    *ret_objects = feed->dropped;
    *ret_bytes = feed->dropped_bytes;
    pthread_mutex_unlock(&feed->mutex);
}
