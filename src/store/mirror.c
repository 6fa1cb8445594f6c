/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "store/mirroring.h"

/* ---- copies ---- */

static void copy_free(gpointer pointer)
{
    Copy *copy = pointer;

    feed_free(copy->feed);
    g_clear_error(&copy->why);
    g_free(copy->name);
    g_free(copy);
}

MirrorTakes copy_takes(Copy *copy)
{
    MirrorTakes now;

    pthread_mutex_lock(&copy->mirror->mutex);
    now = copy->takes;
    pthread_mutex_unlock(&copy->mirror->mutex);
    return now;
}

void mirror_state_clear(MirrorState *state)
{
    g_free(state->name);
    g_free(state->location);
    g_clear_error(&state->why);
    *state = (MirrorState){ 0 };
}

void mirror_store_state(Store *store, size_t i, MirrorState *ret_state)
{
    MirrorStore *mirror = (MirrorStore *)store;
    Copy *copy = copy_at(mirror, i);
    uint64_t dropped = 0, dropped_bytes = 0;

    if (copy->feed)
        feed_dropped(copy->feed, &dropped, &dropped_bytes);
    pthread_mutex_lock(&mirror->mutex);
    *ret_state = (MirrorState){
        .name = g_strdup(copy->name),
        .location = g_strdup(copy->store->location),
        .required = copy->required,
        .takes = copy->takes,
        .why = copy->why ? g_error_copy(copy->why) : NULL,
        .missed = copy->missed + dropped,
        .missed_bytes = copy->missed_bytes + dropped_bytes,
        .kept = copy->kept,
    };
    pthread_mutex_unlock(&mirror->mutex);
}

static void tell(Copy *copy)
{
    MirrorStore *mirror = copy->mirror;

    for (size_t i = 0; i < mirror->copies->len; i++) {
        g_auto(MirrorState) state = { 0 };

        if (copy_at(mirror, i) != copy)
            continue;
        mirror_store_state(&mirror->base, i, &state);
        mirror->options.behind(&state, mirror->options.user);
    }
}

void copy_fall_behind(Copy *copy, MirrorTakes now, const GError *why)
{
    bool less;

    pthread_mutex_lock(&copy->mirror->mutex);
    less = now < copy->takes;
    if (less) {
        copy->takes = now;
        g_clear_error(&copy->why);
        copy->why = g_error_copy(why);
    }
    pthread_mutex_unlock(&copy->mirror->mutex);
    if (less && now == MIRROR_TAKES_NOTHING)
        feed_stop(copy->feed);
    if (less)
        tell(copy);
}

static void feed_failed(const GError *why, void *user)
{
    copy_fall_behind(user, MIRROR_TAKES_NOTHING, why);
}

bool copy_may_fail(Copy *copy, GError *failure, GError **error)
{
    g_autoptr(GError) owned = failure;

    if (!copy->required) {
        copy_fall_behind(copy, MIRROR_TAKES_NOTHING, owned);
        return true;
    }
    g_propagate_prefixed_error(error, g_steal_pointer(&owned), "required mirror %s: ", copy->name);
    return false;
}

/* ---- removing ---- */

static void keep(Copy *copy, size_t n)
{
    pthread_mutex_lock(&copy->mirror->mutex);
    copy->kept += n;
    pthread_mutex_unlock(&copy->mirror->mutex);
}

/* Names go from the first store first: whatever it shows, the required copies have. */
static bool remove_from(Copy *copy, const char *const *keys, size_t n, GError **error)
{
    GError *failure = NULL;

    if (copy_takes(copy) < MIRROR_TAKES_ALL) {
        keep(copy, n);
        return true;
    }
    if (copy->feed) {
        if (!feed_remove(copy->feed, keys, n))
            keep(copy, n);
        return true;
    }
    return store_remove_many(copy->store, keys, n, &failure) || copy_may_fail(copy, failure, error);
}

/* Tried once where the copy fell behind after it got the lock: else that stands in the way of
 * others until it is old. */
static bool remove_lock(Copy *copy, const char *const *keys, size_t n, GError **error)
{
    GError *failure = NULL;

    return store_remove_many(copy->store, keys, n, &failure) || copy_may_fail(copy, failure, error);
}

bool mirror_remove_from_copies(MirrorStore *mirror, const char *const *keys, size_t n,
                               GError **error)
{
    g_autoptr(GError) first = NULL;
    MirrorKind kind = n > 0 ? mirror->options.kind(keys[0]) : MIRROR_OWN;

    for (size_t i = 0; i < mirror->copies->len && kind != MIRROR_OWN; i++)
        (void)(kind == MIRROR_LOCK ? remove_lock : remove_from)(copy_at(mirror, i), keys, n,
                                                                first ? NULL : &first);
    if (!first)
        return true;
    g_propagate_error(error, g_steal_pointer(&first));
    return false;
}

/* All of one kind, as callers do. */
static bool mirror_remove_many(Store *store, const char *const *keys, size_t n, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;

    return store_remove_many(mirror->first, keys, n, error) &&
           mirror_remove_from_copies(mirror, keys, n, error);
}

static bool mirror_remove(Store *store, const char *key, GError **error)
{
    return mirror_remove_many(store, &key, 1, error);
}

/* ---- what was left unfinished ---- */

static bool mirror_list_unfinished(Store *store, const char *prefix, StoreEach each, void *user,
                                   GError **error)
{
    return store_list_unfinished(((MirrorStore *)store)->first, prefix, each, user, error);
}

static bool mirror_remove_unfinished(Store *store, const StoreLeftovers *places, size_t n_places,
                                     unsigned *ret_n, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;
    unsigned n, more;

    if (!store_remove_unfinished(mirror->first, places, n_places, &n, error))
        return false;
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (copy_takes(copy) == MIRROR_TAKES_NOTHING)
            continue;
        if (copy->feed)
            feed_flush(copy->feed); // what is under way looks as if it were left
        if (store_remove_unfinished(copy->store, places, n_places, &more, &failure))
            n += more;
        else if (!copy_may_fail(copy, failure, error))
            return false;
    }
    *ret_n = n;
    return true;
}

/* ---- */

static void mirror_free(Store *store)
{
    MirrorStore *mirror = (MirrorStore *)store;

    g_ptr_array_unref(mirror->copies);
    pthread_mutex_destroy(&mirror->mutex);
    g_free(mirror->base.location);
    g_free(mirror);
}

static const StoreOps mirror_ops = {
    .name = "mirror",
    .put = mirror_put,
    .get = mirror_get,
    .get_whole = mirror_get_whole,
    .list = mirror_list,
    .stat = mirror_stat,
    .remove = mirror_remove,
    .remove_many = mirror_remove_many,
    .put_stream = mirror_put_stream,
    .list_unfinished = mirror_list_unfinished,
    .remove_unfinished = mirror_remove_unfinished,
    .guard = mirror_guard,
    .versions = mirror_versions,
    .get_version = mirror_get_version,
    .protect = mirror_protect,
    .purge_many = mirror_purge_many,
    .free = mirror_free,
};

Store *mirror_store_new(Store *first, const MirrorOptions *options)
{
    MirrorStore *mirror = g_new0(MirrorStore, 1);

    mirror->base = *first;
    mirror->base.ops = &mirror_ops;
    mirror->base.location = g_strdup(first->location);
    mirror->first = first;
    mirror->options = *options;
    mirror->copies = g_ptr_array_new_with_free_func(copy_free);
    pthread_mutex_init(&mirror->mutex, NULL);
    return &mirror->base;
}

void mirror_store_add(Store *store, const char *name, Store *copy_store, bool required,
                      MirrorTakes takes)
{
    MirrorStore *mirror = (MirrorStore *)store;
    Copy *copy = g_new0(Copy, 1);
    FeedOptions feed = { mirror->options.patience_ms, feed_failed, copy };

    copy->mirror = mirror;
    copy->name = g_strdup(name);
    copy->store = copy_store;
    copy->required = required;
    copy->takes = takes;
    if (!required)
        copy->feed = feed_new(mirror->first, copy_store, &feed);
    // locks are looked for there, too
    store->lists_at_once = store->lists_at_once && copy_store->lists_at_once;
    g_ptr_array_add(mirror->copies, copy);
}

size_t mirror_store_n(const Store *store)
{
    return ((const MirrorStore *)store)->copies->len;
}

Store *mirror_store_copy(const Store *store, size_t i)
{
    return copy_at((const MirrorStore *)store, i)->store;
}

void mirror_store_set(Store *store, size_t i, MirrorTakes takes)
{
    MirrorStore *mirror = (MirrorStore *)store;
    Copy *copy = copy_at(mirror, i);

    pthread_mutex_lock(&mirror->mutex);
    copy->takes = takes;
    if (takes >= MIRROR_TAKES_PUTS) {
        g_clear_error(&copy->why);
        copy->missed = copy->missed_bytes = 0;
    }
    pthread_mutex_unlock(&mirror->mutex);
}

void mirror_store_fail(Store *store, size_t i, const GError *why)
{
    copy_fall_behind(copy_at((MirrorStore *)store, i), MIRROR_TAKES_NOTHING, why);
}

void mirror_store_flush(Store *store)
{
    MirrorStore *mirror = (MirrorStore *)store;

    for (size_t i = 0; i < mirror->copies->len; i++)
        if (copy_at(mirror, i)->feed)
            feed_flush(copy_at(mirror, i)->feed);
}
