/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/outletstore.h"

#include "base/error.h"
#include "flow/handover.h"
#include <pthread.h>

#define ROOM (1024u * 1024) /* bytes that wait for the store */

typedef struct {
    Outlet base;
    Store *store;
    char *key;
    Handover *bytes;
    pthread_t thread;
    bool running;    /* the thread is not joined yet */
    GError *failure; /* the thread's until it is joined */
} StoreOutlet;

static bool take(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    StoreOutlet *outlet = user;

    if (handover_read(outlet->bytes, buf, size, ret_len))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CANCELLED, "given up");
    return false;
}

static void *put_main(void *user)
{
    StoreOutlet *outlet = user;

    (void)store_put_stream(outlet->store, outlet->key, take, outlet, &outlet->failure);
    handover_leave(outlet->bytes);
    return NULL;
}

static void join(StoreOutlet *outlet)
{
    if (outlet->running)
        pthread_join(outlet->thread, NULL);
    outlet->running = false;
}

static bool take_failure(StoreOutlet *outlet, GError **error)
{
    join(outlet);
    if (outlet->failure)
        g_propagate_error(error, g_steal_pointer(&outlet->failure));
    else
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s/%s: the store took only a part",
                    outlet->store->location, outlet->key);
    return false;
}

static bool store_write(Outlet *base, const void *data, size_t len, GError **error)
{
    StoreOutlet *outlet = (StoreOutlet *)base;

    if (!outlet->running) {
        int failure = pthread_create(&outlet->thread, NULL, put_main, outlet);

        if (failure != 0) {
            bs_error_errno(error, failure, "pthread_create");
            return false;
        }
        outlet->running = true;
    }
    return handover_write(outlet->bytes, data, len) || take_failure(outlet, error);
}

static bool store_finish(Outlet *base, GError **error)
{
    StoreOutlet *outlet = (StoreOutlet *)base;

    handover_end(outlet->bytes, true);
    if (!outlet->running) // nothing was written: an empty object
        put_main(outlet);
    join(outlet);
    return !outlet->failure || take_failure(outlet, error);
}

static void store_outlet_free(Outlet *base)
{
    StoreOutlet *outlet = (StoreOutlet *)base;

    handover_end(outlet->bytes, false);
    join(outlet);
    handover_free(outlet->bytes);
    g_clear_error(&outlet->failure);
    g_free(outlet->key);
    g_free(outlet);
}

static const OutletOps store_ops = {
    .name = "store",
    .write = store_write,
    .finish = store_finish,
    .free = store_outlet_free,
};

Outlet *outlet_store_new(Store *store, const char *key)
{
    StoreOutlet *outlet = g_new0(StoreOutlet, 1);

    outlet->base.ops = &store_ops;
    outlet->store = store;
    outlet->key = g_strdup(key);
    outlet->bytes = handover_new(ROOM);
    return &outlet->base;
}
