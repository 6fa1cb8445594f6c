/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/gpgloop.h"

#include <errno.h>
#include <poll.h>

#define LOOK_MS 200 /* for a cancel */

typedef struct {
    GpgLoop *loop;
    int fd, reads;
    gpgme_io_cb_t ready;
    void *ready_data;
} Watch;

/* ---- what gpgme asks for: its manual, "I/O Callback Interface" ---- */

static gpgme_error_t add_watch(void *data, int fd, int reads, gpgme_io_cb_t ready, void *ready_data,
                               void **ret_tag)
{
    GpgLoop *loop = data;
    Watch *watch = g_new(Watch, 1);

    *watch = (Watch){ loop, fd, reads, ready, ready_data };
    g_ptr_array_add(loop->watches, watch);
    *ret_tag = watch;
    return 0;
}

static void remove_watch(void *tag)
{
    Watch *watch = tag;

    g_ptr_array_remove_fast(watch->loop->watches, watch); // which frees it
}

static void note_event(void *data, gpgme_event_io_t type, void *type_data)
{
    GpgLoop *loop = data;
    const struct gpgme_io_event_done_data *result = type_data;

    if (type != GPGME_EVENT_DONE)
        return;
    loop->done = true;
    loop->why = result->err ? result->err : result->op_err;
}

void gpg_loop_init(GpgLoop *loop, gpgme_ctx_t gpg)
{
    struct gpgme_io_cbs cbs = {
        .add = add_watch,
        .add_priv = loop,
        .remove = remove_watch,
        .event = note_event,
        .event_priv = loop,
    };

    *loop = (GpgLoop){ .gpg = gpg, .watches = g_ptr_array_new_with_free_func(g_free) };
    gpgme_set_io_cbs(gpg, &cbs);
}

/* ---- waiting ---- */

/* What is handled may remove others, and itself. */
static void handle(GpgLoop *loop, const struct pollfd *fds, guint n)
{
    for (guint i = 0; i < n && !loop->done; i++) {
        for (guint k = 0; fds[i].revents && k < loop->watches->len; k++) {
            const Watch *watch = loop->watches->pdata[k];

            if (watch->fd != fds[i].fd)
                continue;
            (void)watch->ready(watch->ready_data, watch->fd); // a failure ends the operation
            break;
        }
    }
}

static bool turn(GpgLoop *loop)
{
    guint n = loop->watches->len;
    g_autofree struct pollfd *fds = g_new0(struct pollfd, n + 1);

    for (guint i = 0; i < n; i++) {
        const Watch *watch = loop->watches->pdata[i];

        fds[i] = (struct pollfd){ watch->fd, watch->reads ? POLLIN : POLLOUT, 0 };
    }
    if (poll(fds, n, LOOK_MS) < 0)
        return errno == EINTR;
    handle(loop, fds, n);
    return true;
}

gpgme_error_t gpg_loop_run(GpgLoop *loop, gpgme_error_t started, const Cancel *cancel)
{
    struct gpgme_io_cbs none = { 0 };

    while (!started && !loop->done) {
        if (cancel_is_set(cancel))
            (void)gpgme_cancel(loop->gpg); // which is the end of the operation
        else if (loop->watches->len == 0 || !turn(loop))
            started = gpgme_error(GPG_ERR_EOF);
    }
    gpgme_set_io_cbs(loop->gpg, &none);
    g_ptr_array_unref(loop->watches);
    return started ? started : loop->why;
}
