/* SPDX-License-Identifier: Apache-2.0 */
/* Decryption on the way in: one thread hands the message to GnuPG, another one waits for what it
 * makes of it. That it was right is known only at its end, and so is the end of this inlet. */
#include "base/error.h"
#include "base/fs.h"
#include "flow/inlet.h"
#include "flow/openpgp.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

#define LOOK_LEN 64u
#define READ_LEN (128u << 10)

typedef struct {
    Inlet base;
    Inlet *next;
    char *name;
    GBytes *keys;
    const Secret *passphrase;
    Cancel *enough; /* nobody wants the rest */
    const Cancel *cancel;
    int in_read, in_write, out_read, out_write;
    pthread_t feeder, worker;
    bool running;
    GError *feed_failure, *failure; /* of the threads; read after they were joined */
} OpenpgpInlet;

static void *feeder_main(void *arg)
{
    OpenpgpInlet *inlet = arg;
    g_autofree uint8_t *buffer = g_malloc(READ_LEN);
    size_t n;

    while (inlet_read(inlet->next, buffer, READ_LEN, &n, &inlet->feed_failure) && n > 0)
        if (!fs_write_all(inlet->in_write, buffer, n, inlet->name, NULL))
            break; // GnuPG has ended, and says why
    fs_clear_fd(&inlet->in_write);
    return NULL;
}

static void *worker_main(void *arg)
{
    OpenpgpInlet *inlet = arg;
    OpenpgpWith with = { inlet->keys, inlet->passphrase };

    (void)openpgp_decrypt(inlet->in_read, inlet->out_write, inlet->name, &with, inlet->enough,
                          &inlet->failure);
    fs_clear_fd(&inlet->in_read);
    fs_clear_fd(&inlet->out_write);
    return NULL;
}

static void join(OpenpgpInlet *inlet)
{
    if (!inlet->running)
        return;
    inlet->running = false;
    pthread_join(inlet->worker, NULL);
    pthread_join(inlet->feeder, NULL);
}

/* A file that cannot be read to its end makes a message that is cut off, and not the other way. */
static bool was_right(OpenpgpInlet *inlet, GError **error)
{
    const GError *failure = inlet->feed_failure ? inlet->feed_failure : inlet->failure;

    if (failure)
        g_propagate_error(error, g_error_copy(failure));
    return !failure;
}

static bool openpgp_read(Inlet *base, void *buf, size_t len, size_t *ret_n, GError **error)
{
    OpenpgpInlet *inlet = (OpenpgpInlet *)base;
    ssize_t n = cancel_read(inlet->cancel, inlet->out_read, buf, len, error);

    if (n < 0)
        return false;
    *ret_n = (size_t)n;
    if (n > 0)
        return true;
    join(inlet);
    return was_right(inlet, error);
}

static void openpgp_free(Inlet *base)
{
    OpenpgpInlet *inlet = (OpenpgpInlet *)base;

    cancel_set(inlet->enough);
    fs_clear_fd(&inlet->out_read); // who writes there ends
    join(inlet);
    fs_clear_fd(&inlet->in_read);
    fs_clear_fd(&inlet->in_write);
    fs_clear_fd(&inlet->out_write);
    inlet_free(inlet->next);
    g_clear_pointer(&inlet->keys, g_bytes_unref);
    g_clear_error(&inlet->feed_failure);
    g_clear_error(&inlet->failure);
    cancel_free(inlet->enough);
    g_free(inlet->name);
    g_free(inlet);
}

static const InletOps openpgp_ops = {
    .name = "openpgp",
    .read = openpgp_read,
    .free = openpgp_free,
};

static bool make_pipe(int *ret_read, int *ret_write, GError **error)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0) {
        bs_error_errno(error, errno, "a pipe");
        return false;
    }
    *ret_read = fds[0];
    *ret_write = fds[1];
    return true;
}

static bool start(OpenpgpInlet *inlet, GError **error)
{
    if (!make_pipe(&inlet->in_read, &inlet->in_write, error) ||
        !make_pipe(&inlet->out_read, &inlet->out_write, error))
        return false;
    g_assert(pthread_create(&inlet->feeder, NULL, feeder_main, inlet) == 0);
    g_assert(pthread_create(&inlet->worker, NULL, worker_main, inlet) == 0);
    inlet->running = true;
    return true;
}

Inlet *inlet_openpgp_new(Inlet *next, const char *name, const OpenpgpWith *with,
                         const Cancel *cancel, bool *ret_encrypted, GError **error)
{
    OpenpgpInlet *inlet;
    const uint8_t *begin;
    size_t n;

    if (!inlet_peek(next, LOOK_LEN, &begin, &n, error)) {
        inlet_free(next);
        return NULL;
    }
    *ret_encrypted = openpgp_looks_encrypted(begin, n);
    if (!*ret_encrypted)
        return next;
    inlet = g_new0(OpenpgpInlet, 1);
    inlet->base.ops = &openpgp_ops;
    inlet->next = next;
    inlet->name = g_strdup(name);
    inlet->keys = with->keys ? g_bytes_ref(with->keys) : NULL;
    inlet->passphrase = with->passphrase;
    inlet->enough = cancel_new();
    inlet->cancel = cancel;
    inlet->in_read = inlet->in_write = inlet->out_read = inlet->out_write = -1;
    if (start(inlet, error))
        return &inlet->base;
    openpgp_free(&inlet->base);
    return NULL;
}
