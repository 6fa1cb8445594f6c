/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webworkers.h"

#include "base/error.h"
#include <errno.h>
#include <pthread.h>

#define WAITING_MAX 256u

typedef struct {
    WebWorkers *of;
    unsigned number;
    pthread_t thread;
} Worker;

struct WebWorkers {
    void (*serve)(void *user, unsigned worker, WebRequest *request, WebAnswer *answer);
    void *user;
    pthread_mutex_t lock;
    pthread_cond_t given;
    GQueue waiting; // of WebWork
    bool ending;
    Worker workers[WEB_WORKERS];
    unsigned n; // that were started
};

/* NULL: there will be no more. */
static WebWork *next(WebWorkers *workers)
{
    WebWork *work;

    pthread_mutex_lock(&workers->lock);
    while (g_queue_is_empty(&workers->waiting) && !workers->ending)
        pthread_cond_wait(&workers->given, &workers->lock);
    work = g_queue_pop_head(&workers->waiting);
    pthread_mutex_unlock(&workers->lock);
    return work;
}

static void *work_on(void *user)
{
    Worker *worker = user;
    WebWorkers *workers = worker->of;

    for (WebWork *work = next(workers); work; work = next(workers)) {
        workers->serve(workers->user, worker->number, work->request, work->answer);
        work->done(work->user);
    }
    return NULL;
}

WebWorkers *web_workers_new(void (*serve)(void *, unsigned, WebRequest *, WebAnswer *), void *user,
                            GError **error)
{
    WebWorkers *workers = g_new0(WebWorkers, 1);

    workers->serve = serve;
    workers->user = user;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->given, NULL);
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

void web_workers_free(WebWorkers *workers)
{
    if (!workers)
        return;
    pthread_mutex_lock(&workers->lock);
    workers->ending = true;
    pthread_cond_broadcast(&workers->given);
    pthread_mutex_unlock(&workers->lock);
    for (unsigned i = 0; i < workers->n; i++)
        (void)pthread_join(workers->workers[i].thread, NULL);
    pthread_cond_destroy(&workers->given);
    pthread_mutex_destroy(&workers->lock);
    g_free(workers);
}
