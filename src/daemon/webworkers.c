/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webworkers.h"

#include "base/condition.h"
#include "base/error.h"
#include <errno.h>
#include <pthread.h>
#include <time.h>

#define WAITING_MAX 256u
#define REST_MS     2000 /* a page that somebody looks at asks more often */

typedef struct {
    WebWorkers *of;
    unsigned number;
    pthread_t thread;
    bool rested; // its own
} Worker;

struct WebWorkers {
    void (*serve)(void *user, unsigned worker, WebRequest *request, WebAnswer *answer);
    void (*rest)(void *user, unsigned worker);
    void *user;
    pthread_mutex_t lock;
    pthread_cond_t given;
    GQueue waiting; // of WebWork
    bool ending;
    Worker workers[WEB_WORKERS];
    unsigned n; // that were started
};

/* The lock is held, but not while it rests. */
static void wait_for_work(Worker *worker)
{
    WebWorkers *workers = worker->of;

    if (worker->rested) {
        pthread_cond_wait(&workers->given, &workers->lock);
    } else if (!condition_wait_ms(&workers->given, &workers->lock, REST_MS)) {
        pthread_mutex_unlock(&workers->lock);
        if (workers->rest)
            workers->rest(workers->user, worker->number);
        worker->rested = true;
        pthread_mutex_lock(&workers->lock);
    }
}

/* NULL: there will be no more. */
static WebWork *next(Worker *worker)
{
    WebWorkers *workers = worker->of;
    WebWork *work;

    pthread_mutex_lock(&workers->lock);
    while (g_queue_is_empty(&workers->waiting) && !workers->ending)
        wait_for_work(worker);
    work = g_queue_pop_head(&workers->waiting);
    pthread_mutex_unlock(&workers->lock);
    return work;
}

static void *work_on(void *user)
{
    Worker *worker = user;
    WebWorkers *workers = worker->of;

    for (WebWork *work = next(worker); work; work = next(worker)) {
        worker->rested = false;
        workers->serve(workers->user, worker->number, work->request, work->answer);
        work->done(work->user);
    }
    return NULL;
}

WebWorkers *web_workers_new(void (*serve)(void *, unsigned, WebRequest *, WebAnswer *),
                            void (*rest)(void *, unsigned), void *user, GError **error)
{
    WebWorkers *workers = g_new0(WebWorkers, 1);

    workers->serve = serve;
    workers->rest = rest;
    workers->user = user;
    pthread_mutex_init(&workers->lock, NULL);
    condition_init(&workers->given);
    g_queue_init(&workers->waiting);
    for (unsigned i = 0; i < WEB_WORKERS; i++) {
        Worker *worker = &workers->workers[i];
        int failed;

        *worker = (Worker){ .of = workers, .number = i };
        failed = pthread_create(&worker->thread, NULL, work_on, worker);
        if (failed) {
            bs_error_errno(error, failed, "start a thread");
            web_workers_free(workers);
            return NULL;
        }
        workers->n++;
    }
    return workers;
}

bool web_workers_give(WebWorkers *workers, WebWork *work)
{
    bool taken;

    pthread_mutex_lock(&workers->lock);
    taken = workers->waiting.length < WAITING_MAX && !workers->ending;
    if (taken) {
        g_queue_push_tail(&workers->waiting, work);
        pthread_cond_signal(&workers->given);
    }
    pthread_mutex_unlock(&workers->lock);
    return taken;
}

void web_workers_stop(WebWorkers *workers)
{
    pthread_mutex_lock(&workers->lock);
    workers->ending = true;
    pthread_cond_broadcast(&workers->given);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->n; i++)
        (void)pthread_join(workers->workers[i].thread, NULL);
    workers->n = 0;
}

void web_workers_free(WebWorkers *workers)
{
    if (!workers)
        return;
    web_workers_stop(workers);
    pthread_cond_destroy(&workers->given);
    pthread_mutex_destroy(&workers->lock);
    g_free(workers);
}
