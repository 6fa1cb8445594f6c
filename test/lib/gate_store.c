/* SPDX-License-Identifier: Apache-2.0 */
#include "gate_store.h"

#include <pthread.h>

typedef struct {
    Store base;
    Store *next;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool closed;
    unsigned waiting;
    GString *log;
} GateStore;

static void pass_gate(GateStore *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->waiting++;
    while (gate->closed)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    gate->waiting--;
    pthread_mutex_unlock(&gate->mutex);
}

static void note(GateStore *gate, const char *what, const char *key)
{
    pthread_mutex_lock(&gate->mutex);
    g_string_append_printf(gate->log, "%s %s\n", what, key);
    pthread_mutex_unlock(&gate->mutex);
}

static bool gate_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                     GError **error)
{
    GateStore *gate = (GateStore *)store;

    pass_gate(gate);
    if (!store_put(gate->next, key, data, len, if_absent, error))
        return false;
    note(gate, "put", key);
    return true;
}

static bool gate_put_stream(Store *store, const char *key, StoreRead read, void *user,
                            GError **error)
{
    GateStore *gate = (GateStore *)store;

    pass_gate(gate);
    if (!store_put_stream(gate->next, key, read, user, error))
        return false;
    note(gate, "put", key);
    return true;
}

static bool gate_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                     GError **error)
{
    return store_get(((GateStore *)store)->next, key, offset, buf, len, error);
}

static bool gate_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                           GError **error)
{
    return store_get_whole(((GateStore *)store)->next, key, bound, ret_data, error);
}

static bool gate_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    return store_list(((GateStore *)store)->next, prefix, each, user, error);
}

static bool gate_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    return store_stat(((GateStore *)store)->next, key, ret_size, error);
}

static bool gate_remove(Store *store, const char *key, GError **error)
{
    GateStore *gate = (GateStore *)store;

    if (!store_remove(gate->next, key, error))
        return false;
    note(gate, "remove", key);
    return true;
}

static void gate_free(Store *store)
{
    GateStore *gate = (GateStore *)store;

    (void)g_string_free(gate->log, TRUE);
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->mutex);
    g_free(gate->base.location);
    g_free(gate);
}

static const StoreOps gate_ops = {
    .name = "gate",
    .put = gate_put,
    .get = gate_get,
    .get_whole = gate_get_whole,
    .list = gate_list,
    .stat = gate_stat,
    .remove = gate_remove,
    .put_stream = gate_put_stream,
    .free = gate_free,
};

Store *gate_store_new(Store *next)
{
    GateStore *gate = g_new0(GateStore, 1);

    gate->base = *next;
    gate->base.ops = &gate_ops;
    gate->base.location = g_strdup(next->location);
    gate->next = next;
    gate->log = g_string_new(NULL);
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
    return &gate->base;
}

static void set_closed(GateStore *gate, bool closed)
{
    pthread_mutex_lock(&gate->mutex);
    gate->closed = closed;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_store_close(Store *store)
{
    set_closed((GateStore *)store, true);
}

void gate_store_open(Store *store)
{
    set_closed((GateStore *)store, false);
}

unsigned gate_store_waiting(Store *store)
{
    GateStore *gate = (GateStore *)store;
    unsigned n;

    pthread_mutex_lock(&gate->mutex);
    n = gate->waiting;
    pthread_mutex_unlock(&gate->mutex);
    return n;
}

char *gate_store_log(Store *store)
{
    GateStore *gate = (GateStore *)store;
    char *log;

    pthread_mutex_lock(&gate->mutex);
    log = g_strdup(gate->log->str);
    pthread_mutex_unlock(&gate->mutex);
    return log;
}
