/* SPDX-License-Identifier: Apache-2.0 */
/* Putting into a store and its copies (store/mirror.h). */
#include "base/error.h"
#include "codec/hash.h"
#include "store/carry.h"
#include "store/mirroring.h"

/* ---- putting: eventual copies ---- */

static void miss(Copy *copy, size_t len)
{
    pthread_mutex_lock(&copy->mirror->mutex);
    copy->missed++;
    copy->missed_bytes += len;
    pthread_mutex_unlock(&copy->mirror->mutex);
}

static void too_slow(Copy *copy)
{
    g_autoptr(GError) why = g_error_new_literal(
        BS_ERROR, BS_ERROR_TRANSIENT, "it is too slow to keep up with this run; the rest follows");

    copy_fall_behind(copy, MIRROR_TAKES_DATA, why);
}

static void feed_one(Copy *copy, const char *key, const void *data, size_t len, bool if_absent,
                     bool is_data)
{
    MirrorTakes now = copy_takes(copy);

    if (now >= (is_data ? MIRROR_TAKES_DATA : MIRROR_TAKES_PUTS)) {
        if (feed_put(copy->feed, key, data, len, if_absent, is_data))
            return;
        if (!feed_is_stopped(copy->feed))
            too_slow(copy);
    }
    miss(copy, len);
}

/* The first store has it. */
static void feed_all(MirrorStore *mirror, const char *key, const void *data, size_t len,
                     bool if_absent, bool is_data)
{
    for (size_t i = 0; i < mirror->copies->len; i++)
        if (copy_at(mirror, i)->feed)
            feed_one(copy_at(mirror, i), key, data, len, if_absent, is_data);
}

/* The same with what must be read again. */
static void feed_carry_all(MirrorStore *mirror, const char *key, bool if_absent)
{
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);

        if (copy->feed &&
            (copy_takes(copy) < MIRROR_TAKES_PUTS || !feed_carry(copy->feed, key, if_absent)))
            miss(copy, 0);
    }
}

/* ---- putting: required copies ---- */

typedef struct {
    Copy *copy;
    const char *key;
    const void *data;
    size_t len;
    pthread_t thread;
    GError *failure;
} SidePut;

static void *side_put(void *user)
{
    SidePut *put = user;

    (void)carry_put(put->copy->store, put->key, put->data, put->len, &put->failure);
    return NULL;
}

/* Side by side with the first store. */
static bool put_data(MirrorStore *mirror, const char *key, const void *data, size_t len,
                     GError **error)
{
    g_autofree SidePut *puts = g_new0(SidePut, mirror->copies->len + 1);
    size_t n = 0;
    bool ok;

    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);

        if (!copy->required)
            continue;
        puts[n] = (SidePut){ .copy = copy, .key = key, .data = data, .len = len };
        g_assert(pthread_create(&puts[n].thread, NULL, side_put, &puts[n]) == 0);
        n++;
    }
    ok = store_put(mirror->first, key, data, len, false, error);
    for (size_t i = 0; i < n; i++) {
        pthread_join(puts[i].thread, NULL);
        if (puts[i].failure)
            ok = copy_may_fail(puts[i].copy, puts[i].failure, ok ? error : NULL) && ok;
    }
    return ok;
}

/* A required copy that lacks something must not get what may name that. */
static bool check_whole(Copy *copy, GError **error)
{
    if (copy_takes(copy) >= MIRROR_TAKES_PUTS)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "required mirror %s lacks objects; run `backstay mirror sync %s` first", copy->name,
                copy->name);
    return false;
}

static bool put_names(MirrorStore *mirror, const char *key, const void *data, size_t len,
                      GError **error)
{
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (!copy->required)
            continue;
        if (!check_whole(copy, error))
            return false;
        if (!carry_put(copy->store, key, data, len, &failure))
            return copy_may_fail(copy, failure, error);
    }
    return store_put(mirror->first, key, data, len, false, error);
}

/*
 * The first store decides who comes first. What it has already, the required copies may still lack:
 * whoever put it there may have died in between.
 */
static bool put_if_absent(MirrorStore *mirror, const char *key, const void *data, size_t len,
                          GError **error)
{
    g_autoptr(GError) failure = NULL;
    bool put = store_put(mirror->first, key, data, len, true, &failure);

    if (!put && !g_error_matches(failure, BS_ERROR, BS_ERROR_EXISTS)) {
        g_propagate_error(error, g_steal_pointer(&failure));
        return false;
    }
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *problem = NULL;

        if (!copy->required)
            continue;
        if (!check_whole(copy, error))
            return false;
        if (put ? !carry_put_same(copy->store, key, data, len, &problem)
                : !carry_same(mirror->first, copy->store, key, &problem))
            return copy_may_fail(copy, problem, error);
    }
    if (put) {
        feed_all(mirror, key, data, len, true, false);
        return true;
    }
    feed_carry_all(mirror, key, true);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static bool put_lock(MirrorStore *mirror, const char *key, const void *data, size_t len,
                     GError **error)
{
    if (!store_put(mirror->first, key, data, len, false, error))
        return false;
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (copy_takes(copy) > MIRROR_TAKES_NOTHING &&
            !store_put(copy->store, key, data, len, false, &failure) &&
            !copy_may_fail(copy, failure, error))
            return false;
    }
    return true;
}

bool mirror_put(Store *store, const char *key, const void *data, size_t len, bool if_absent,
                GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;
    MirrorKind kind = mirror->options.kind(key);

    if (kind == MIRROR_OWN)
        return store_put(mirror->first, key, data, len, if_absent, error);
    if (kind == MIRROR_LOCK)
        return put_lock(mirror, key, data, len, error);
    if (if_absent)
        return put_if_absent(mirror, key, data, len, error);
    if (kind == MIRROR_DATA ? !put_data(mirror, key, data, len, error)
                            : !put_names(mirror, key, data, len, error))
        return false;
    feed_all(mirror, key, data, len, false, kind == MIRROR_DATA);
    return true;
}

typedef struct {
    StoreRead read;
    void *user;
    Hash *hash;
    uint64_t len;
} Stream;

static bool read_and_hash(void *user, void *buf, size_t size, size_t *ret_len, GError **error)
{
    Stream *stream = user;

    if (!stream->read(stream->user, buf, size, ret_len, error))
        return false;
    hash_update(stream->hash, buf, *ret_len);
    stream->len += *ret_len;
    return true;
}

/* It comes once: the copies get what the first store gives back, and the hash proves it. */
bool mirror_put_stream(Store *store, const char *key, StoreRead read, void *user, GError **error)
{
    MirrorStore *mirror = (MirrorStore *)store;
    g_autoptr(Hash) hash = hash_new();
    Stream stream = { read, user, hash, 0 };
    Id id;

    if (!store_put_stream(mirror->first, key, read_and_hash, &stream, error))
        return false;
    if (mirror->options.kind(key) == MIRROR_OWN)
        return true;
    hash_final(hash, &id);
    for (size_t i = 0; i < mirror->copies->len; i++) {
        Copy *copy = copy_at(mirror, i);
        GError *failure = NULL;

        if (!copy->required)
            continue;
        if (!check_whole(copy, error))
            return false;
        if (!carry_object(mirror->first, copy->store, key, stream.len, &id, &failure))
            return copy_may_fail(copy, failure, error);
    }
    feed_carry_all(mirror, key, false);
    return true;
}
