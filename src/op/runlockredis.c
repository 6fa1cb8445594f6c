/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runlockredis.h"

#include "base/clock.h"
#include "base/error.h"
#include "net/redis.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define TTL_TEXT  "300000"
#define RENEW_MS  60000
#define MARGIN_MS 30000 /* before the time to live is over */
#define ANSWER_MS 20000
#define TOKEN_LEN 16

G_STATIC_ASSERT(sizeof TTL_TEXT == sizeof G_STRINGIFY(REDIS_LOCK_TTL_MS));

/* Compare and act in one step: between two commands the key may have become another's. */
static const char extend[] = "if redis.call('get', KEYS[1]) == ARGV[1] then "
                             "return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end";
static const char discard[] = "if redis.call('get', KEYS[1]) == ARGV[1] then "
                              "return redis.call('del', KEYS[1]) else return 0 end";

struct RedisLock {
    const RedisUrl *url;
    const char *ca_file;
    const Cancel *cancel;
    RedisConn *conn; /* NULL: to be made */
    char *key, *place;
    char token[2 * TOKEN_LEN + 1];
    bool sent;          /* the key may be ours */
    int64_t renewed_ms; /* before the command that did it was sent */
};

static bool make_token(RedisLock *lock, GError **error)
{
    uint8_t random[TOKEN_LEN];

    // so few come whole or not at all; getrandom(2)
    if (getrandom(random, sizeof random, 0) != sizeof random) {
        bs_error_errno(error, errno, "getrandom");
        return false;
    }
    for (size_t i = 0; i < sizeof random; i++)
        (void)g_snprintf(lock->token + 2 * i, 3, "%02x", random[i]);
    return true;
}

static bool connect_again(RedisLock *lock, GError **error)
{
    RedisOptions options = { .ca_file = lock->ca_file,
                             .connect_ms = ANSWER_MS,
                             .stall_ms = ANSWER_MS,
                             .cancel = lock->cancel };

    if (!lock->conn)
        lock->conn = redis_connect(lock->url, &options, error);
    return lock->conn != NULL;
}

/* After an error of the connection another one is made next time. */
static bool ask(RedisLock *lock, const char *const *words, RedisReply **ret_reply, GError **error)
{
    if (!connect_again(lock, error))
        return false;
    if (redis_ask(lock->conn, words, ret_reply, error))
        return true;
    g_clear_pointer(&lock->conn, redis_conn_free);
    return false;
}

static bool take(RedisLock *lock, GError **error)
{
    const char *const words[] = { "SET", lock->key, lock->token, "NX", "PX", TTL_TEXT, NULL };
    g_autoptr(RedisReply) reply = NULL;

    if (!connect_again(lock, error))
        return false;
    lock->sent = true; // whatever becomes of the answer
    lock->renewed_ms = clock_monotonic_ms();
    if (!ask(lock, words, &reply, error))
        return false;
    if (reply->type == REDIS_TEXT && g_strcmp0(reply->text, "OK") == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "another run of this schedule holds the key %s",
                lock->key);
    return false;
}

RedisLock *redis_lock_acquire(const RedisUrl *url, const char *schedule, const char *ca_file,
                              const Cancel *cancel, GError **error)
{
    g_autoptr(RedisLock) lock = g_new0(RedisLock, 1);

    lock->url = url;
    lock->ca_file = ca_file;
    lock->cancel = cancel;
    lock->key = g_strconcat("backup:schedule:", schedule, NULL);
    lock->place = redis_url_redacted(url);
    if (make_token(lock, error) && take(lock, error))
        return g_steal_pointer(&lock);
    g_prefix_error(error, "lock in %s: ", lock->place);
    return NULL;
}

/* 1: it was ours, and is done; 0: it was not. */
static bool run_script(RedisLock *lock, const char *script, int64_t *ret_done, GError **error)
{
    const char *const words[] = { "EVAL", script, "1", lock->key, lock->token, TTL_TEXT, NULL };
    g_autoptr(RedisReply) reply = NULL;

    if (!ask(lock, words, &reply, error))
        return false;
    *ret_done = reply->type == REDIS_INTEGER ? reply->integer : 0;
    return true;
}

static bool renew_now(RedisLock *lock, GError **error)
{
    int64_t started_ms = clock_monotonic_ms(), done = 0;

    if (!run_script(lock, extend, &done, error))
        return false;
    if (done == 1) {
        lock->renewed_ms = started_ms;
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_LOCKED, "the key %s is gone, or another run's",
                lock->key);
    return false;
}

bool redis_lock_check(RedisLock *lock, GError **error)
{
    g_autoptr(GError) failure = NULL;

    if (renew_now(lock, &failure))
        return true;
    // a connection that broke while nobody used it says nothing about the lock
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_LOCKED) && renew_now(lock, error))
        return true;
    if (g_error_matches(failure, BS_ERROR, BS_ERROR_LOCKED))
        g_propagate_error(error, g_steal_pointer(&failure));
    g_prefix_error(error, "lock in %s: ", lock->place);
    return false;
}

bool redis_lock_renew(RedisLock *lock, GError **error)
{
    g_autoptr(GError) failure = NULL;
    int64_t age_ms = clock_monotonic_ms() - lock->renewed_ms;

    if (age_ms < RENEW_MS || renew_now(lock, &failure))
        return true;
    if (!g_error_matches(failure, BS_ERROR, BS_ERROR_LOCKED) &&
        age_ms < REDIS_LOCK_TTL_MS - MARGIN_MS)
        return true; // there is time left to try again
    g_propagate_prefixed_error(error, g_steal_pointer(&failure), "lock in %s: ", lock->place);
    return false;
}

void redis_lock_free(RedisLock *lock)
{
    int64_t done;

    if (!lock)
        return;
    if (lock->sent)
        (void)run_script(lock, discard, &done, NULL); // else it ends by its time to live
    redis_conn_free(lock->conn);
    g_free(lock->key);
    g_free(lock->place);
    g_free(lock);
}
