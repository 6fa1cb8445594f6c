/* SPDX-License-Identifier: Apache-2.0 */
#include "flaky_store.h"

#include <pthread.h>
#include <string.h>

typedef struct {
    Store base;
    Store *next;
    pthread_mutex_t mutex;
    FlakyPlan plan;
    unsigned calls[CALL_ANY + 1];
    unsigned counted; /* those the plan means */
    unsigned faults;
} FlakyStore;

static bool is_due(const FlakyStore *flaky)
{
    const FlakyPlan *plan = &flaky->plan;

    return plan->at > 0 && flaky->counted >= plan->at &&
           (plan->n == 0 || flaky->counted - plan->at < plan->n) &&
           (plan->every == 0 || (flaky->counted - plan->at) % plan->every == 0);
}

/* Counts a call; true when it is one that goes wrong. */
static bool count(FlakyStore *flaky, StoreCall call, const char *key)
{
    const FlakyPlan *plan = &flaky->plan;
    bool wrong = false;

    pthread_mutex_lock(&flaky->mutex);
    flaky->calls[call]++;
    flaky->calls[CALL_ANY]++;
    if ((plan->call == CALL_ANY || plan->call == call) &&
        (!plan->prefix || g_str_has_prefix(key, plan->prefix))) {
        flaky->counted++;
        wrong = is_due(flaky);
        flaky->faults += wrong;
    }
    pthread_mutex_unlock(&flaky->mutex);
    return wrong;
}

static bool fail(const FlakyStore *flaky, const char *key, GError **error)
{
    GError *failure = g_error_new(BS_ERROR, flaky->plan.code, "%s: failed for the test", key);

    bs_error_set_wait_ms(failure, flaky->plan.wait_ms);
    g_propagate_error(error, failure);
    return false;
}

static bool flaky_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                      GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;

    if (!count(flaky, CALL_PUT, key))
        return store_put(flaky->next, key, data, len, if_absent, error);
    if (flaky->plan.how == FLAKY_CUT)
        return store_put(flaky->next, key, data, len / 2, if_absent, error);
    if (flaky->plan.how == FLAKY_SWALLOW)
        return true;
    if (flaky->plan.how == FLAKY_APPLY && !store_put(flaky->next, key, data, len, if_absent, error))
        return false;
    return fail(flaky, key, error);
}

static bool flaky_get(Store *store, const char *key, uint64_t offset, void *buf, size_t len,
                      GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;

    if (!count(flaky, CALL_GET, key))
        return store_get(flaky->next, key, offset, buf, len, error);
    if (flaky->plan.how != FLAKY_CUT)
        return fail(flaky, key, error);
    memset(buf, 0, len);
    return store_get(flaky->next, key, offset, buf, len / 2, error);
}

static bool flaky_get_whole(Store *store, const char *key, size_t bound, GBytes **ret_data,
                            GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;
    g_autoptr(GBytes) whole = NULL;

    if (!count(flaky, CALL_GET_WHOLE, key))
        return store_get_whole(flaky->next, key, bound, ret_data, error);
    if (flaky->plan.how != FLAKY_CUT)
        return fail(flaky, key, error);
    if (!store_get_whole(flaky->next, key, bound, &whole, error))
        return false;
    *ret_data = g_bytes_new_from_bytes(whole, 0, g_bytes_get_size(whole) / 2);
    return true;
}

typedef struct {
    StoreEach each;
    void *user;
    unsigned seen;
} HalfList;

static bool every_second(const StoreObject *object, void *user, GError **error)
{
    HalfList *half = user;

    return half->seen++ % 2 == 0 || half->each(object, half->user, error);
}

static bool flaky_list(Store *store, const char *prefix, StoreEach each, void *user, GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;
    HalfList half = { each, user, 0 };

    if (!count(flaky, CALL_LIST, prefix))
        return store_list(flaky->next, prefix, each, user, error);
    if (flaky->plan.how != FLAKY_FAIL &&
        !store_list(flaky->next, prefix, every_second, &half, error))
        return false;
    return flaky->plan.how == FLAKY_CUT || fail(flaky, prefix, error);
}

static bool flaky_stat(Store *store, const char *key, uint64_t *ret_size, GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;

    if (!count(flaky, CALL_STAT, key))
        return store_stat(flaky->next, key, ret_size, error);
    if (flaky->plan.how != FLAKY_CUT)
        return fail(flaky, key, error);
    if (!store_stat(flaky->next, key, ret_size, error))
        return false;
    *ret_size /= 2;
    return true;
}

static bool flaky_remove(Store *store, const char *key, GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;

    if (!count(flaky, CALL_REMOVE, key))
        return store_remove(flaky->next, key, error);
    if (flaky->plan.how == FLAKY_APPLY && !store_remove(flaky->next, key, error))
        return false;
    return flaky->plan.how == FLAKY_CUT || fail(flaky, key, error);
}

static bool flaky_put_stream(Store *store, const char *key, StoreRead read, void *user,
                             GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;

    if (!count(flaky, CALL_PUT_STREAM, key))
        return store_put_stream(flaky->next, key, read, user, error);
    if (flaky->plan.how == FLAKY_APPLY && !store_put_stream(flaky->next, key, read, user, error))
        return false;
    return fail(flaky, key, error);
}

static bool flaky_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                                  GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;
    HalfList half = { each, user, 0 };

    if (!count(flaky, CALL_LIST, prefix))
        return store_list_unfinished(flaky->next, prefix, each, user, error);
    if (flaky->plan.how != FLAKY_FAIL &&
        !store_list_unfinished(flaky->next, prefix, every_second, &half, error))
        return false;
    return flaky->plan.how == FLAKY_CUT || fail(flaky, prefix, error);
}

static bool flaky_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n,
                                    unsigned *ret_n, GError **error)
{
    FlakyStore *flaky = (FlakyStore *)store;
    const char *prefix = n > 0 ? places[0].prefix : "";

    if (!count(flaky, CALL_REMOVE, prefix))
        return store_remove_unfinished(flaky->next, places, n, ret_n, error);
    if (flaky->plan.how == FLAKY_APPLY &&
        !store_remove_unfinished(flaky->next, places, n, ret_n, error))
        return false;
    return flaky->plan.how == FLAKY_CUT || fail(flaky, prefix, error);
}

static void flaky_free(Store *store)
{
    FlakyStore *flaky = (FlakyStore *)store;

    pthread_mutex_destroy(&flaky->mutex);
    g_free(flaky->base.location);
    g_free(flaky);
}

static const StoreOps flaky_ops = {
    .name = "flaky",
    .put = flaky_put,
    .get = flaky_get,
    .get_whole = flaky_get_whole,
    .list = flaky_list,
    .stat = flaky_stat,
    .remove = flaky_remove,
    .put_stream = flaky_put_stream,
    .list_unfinished = flaky_list_unfinished,
    .remove_unfinished = flaky_remove_unfinished,
    .free = flaky_free,
};

Store *flaky_store_new(Store *next)
{
    FlakyStore *flaky = g_new0(FlakyStore, 1);

    flaky->base = *next;
    flaky->base.ops = &flaky_ops;
    flaky->base.location = g_strdup(next->location);
    flaky->next = next;
    pthread_mutex_init(&flaky->mutex, NULL);
    return &flaky->base;
}

void flaky_store_plan(Store *store, const FlakyPlan *plan)
{
    FlakyStore *flaky = (FlakyStore *)store;

    pthread_mutex_lock(&flaky->mutex);
    flaky->plan = plan ? *plan : (FlakyPlan){ 0 };
    memset(flaky->calls, 0, sizeof flaky->calls);
    flaky->counted = flaky->faults = 0;
    pthread_mutex_unlock(&flaky->mutex);
}

unsigned flaky_store_calls(Store *store, StoreCall call)
{
    FlakyStore *flaky = (FlakyStore *)store;
    unsigned n;

    pthread_mutex_lock(&flaky->mutex);
    n = flaky->calls[call];
    pthread_mutex_unlock(&flaky->mutex);
    return n;
}

unsigned flaky_store_faults(Store *store)
{
    FlakyStore *flaky = (FlakyStore *)store;
    unsigned n;

    pthread_mutex_lock(&flaky->mutex);
    n = flaky->faults;
    pthread_mutex_unlock(&flaky->mutex);
    return n;
}
