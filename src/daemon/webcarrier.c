/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/webcarrier.h"

#include "base/cancel.h"
#include "base/child.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/webproblem.h"
#include <pthread.h>

#define PIPE_ROOM (1024u * 1024)
#define PART      (128u * 1024)

struct WebDownloads {
    pthread_mutex_t lock;
    pthread_cond_t moved; // one has begun to come, or has ended
    GPtrArray *running;   // of Download
    Cancel *stop;
};

typedef struct {
    WebDownloads *of;
    char **argv, **envp;
    WebPipe *pipe;
    uint64_t skip, left; // left: what is sent after that; G_MAXUINT64: all
    bool whole;          // to its end, so its exit status counts
    bool begun, ended;   // under the lock of `of`
    GError *failure;     // when it ended before it began
    bool abandoned;      // the worker took what it wanted to know
} Download;

static void download_free(Download *download)
{
    g_strfreev(download->argv);
    g_strfreev(download->envp);
    web_pipe_unref(download->pipe);
    g_clear_error(&download->failure);
    g_free(download);
}

WebDownloads *web_downloads_new(void)
{
    WebDownloads *downloads = g_new0(WebDownloads, 1);

    pthread_mutex_init(&downloads->lock, NULL);
    pthread_cond_init(&downloads->moved, NULL);
    downloads->running = g_ptr_array_new();
    downloads->stop = cancel_new();
    return downloads;
}

void web_downloads_free(WebDownloads *downloads)
{
    if (!downloads)
        return;
    cancel_set(downloads->stop);
    pthread_mutex_lock(&downloads->lock);
    for (guint i = 0; i < downloads->running->len; i++)
        web_pipe_close(((Download *)downloads->running->pdata[i])->pipe);
    while (downloads->running->len > 0)
        pthread_cond_wait(&downloads->moved, &downloads->lock);
    pthread_mutex_unlock(&downloads->lock);
    g_ptr_array_unref(downloads->running);
    cancel_free(downloads->stop);
    pthread_cond_destroy(&downloads->moved);
    pthread_mutex_destroy(&downloads->lock);
    g_free(downloads);
}

/* ---- the thread of one ---- */

static void tell_begun(Download *download)
{
    pthread_mutex_lock(&download->of->lock);
    download->begun = true;
    pthread_cond_broadcast(&download->of->moved);
    pthread_mutex_unlock(&download->of->lock);
}

/* False: nobody wants more of it. */
static bool pass_on(Download *download, const char *data, size_t len)
{
    size_t skipped = MIN(download->skip, len);
    size_t wanted = MIN(len - skipped, download->left);

    download->skip -= skipped;
    if (download->left != G_MAXUINT64)
        download->left -= wanted;
    if (!web_pipe_put(download->pipe, data + skipped, wanted))
        return false;
    if (wanted > 0 && !download->begun)
        tell_begun(download);
    return download->left > 0 || download->whole;
}

/* One part behind: the last one is only passed on when the program has said that all was well. */
static bool carry(Download *download, GError **error)
{
    g_autoptr(Child) child =
        child_spawn((const char *const *)download->argv, (const char *const *)download->envp,
                    CHILD_STDOUT_PIPE, error);
    g_autofree char *next = g_malloc(PART), *last = g_malloc(PART);
    size_t last_len = 0;
    ssize_t n;

    if (!child)
        return false;
    while ((n = cancel_read(download->of->stop, child_stdout(child), next, PART, error)) > 0) {
        char *taken = last;

        if (!pass_on(download, last, last_len))
            return !download->whole && download->left == 0;
        last = next;
        next = taken;
        last_len = (size_t)n;
    }
    if (n < 0 || !child_wait(child, download->of->stop, NULL, error))
        return false;
    (void)pass_on(download, last, last_len); // nobody there is no failure of ours
    return true;
}

static void *run(void *user)
{
    Download *download = user;
    WebDownloads *of = download->of;
    GError *error = NULL;
    bool done = carry(download, &error);
    // of a length that was told exactly that much has to come
    bool complete = done && (download->left == 0 || download->left == G_MAXUINT64);

    if (error && download->begun)
        log_warn("a download was cut off", "error", error->message, NULL);
    web_pipe_end(download->pipe, complete);
    pthread_mutex_lock(&of->lock);
    download->failure = error;
    download->ended = true;
    if (download->abandoned) {
        g_ptr_array_remove_fast(of->running, download);
        download_free(download);
    }
    pthread_cond_broadcast(&of->moved);
    pthread_mutex_unlock(&of->lock);
    return NULL;
}

/* ---- the worker ---- */

/* Under the lock: it is among those that run, or freed. */
static bool start(WebDownloads *of, Download *download, GError **error)
{
    pthread_attr_t detached;
    pthread_t thread;
    int failed;

    if (of->running->len >= WEB_DOWNLOADS || cancel_is_set(of->stop)) {
        download_free(download);
        return web_refuse(error, 503, "busy", "too many downloads are under way");
    }
    g_ptr_array_add(of->running, download);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    failed = pthread_create(&thread, &detached, run, download);
    pthread_attr_destroy(&detached);
    if (failed == 0)
        return true;
    g_ptr_array_remove_fast(of->running, download);
    download_free(download);
    return web_refuse(error, 503, "busy", "no thread can be started");
}

/* Takes the download. */
static bool begin(WebDownloads *of, Download *download, WebPipe **ret_pipe, GError **error)
{
    g_autoptr(WebPipe) pipe = web_pipe_ref(download->pipe);
    GError *failure = NULL;

    pthread_mutex_lock(&of->lock);
    if (!start(of, download, error)) {
        pthread_mutex_unlock(&of->lock);
        return false;
    }
    while (!download->begun && !download->ended)
        pthread_cond_wait(&of->moved, &of->lock);
    download->abandoned = true;
    if (download->ended) {
        failure = g_steal_pointer(&download->failure);
        g_ptr_array_remove_fast(of->running, download);
        download_free(download);
        pthread_cond_broadcast(&of->moved);
    }
    pthread_mutex_unlock(&of->lock);
    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    *ret_pipe = g_steal_pointer(&pipe);
    return true;
}

bool web_carry(WebDownloads *downloads, const WebCarry *what, WebPipe **ret_pipe, GError **error)
{
    Download *download = g_new0(Download, 1);

    download->of = downloads;
    download->argv = g_strdupv(what->argv);
    download->envp = g_strdupv(what->envp);
    download->pipe = web_pipe_new(PIPE_ROOM);
    download->skip = what->skip;
    download->left = what->len;
    download->whole = what->whole;
    return begin(downloads, download, ret_pipe, error);
}
