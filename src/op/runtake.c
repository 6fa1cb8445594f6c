/* SPDX-License-Identifier: Apache-2.0 */
/* Which locks a schedule asks for (op/running.h). */
#include "base/error.h"
#include "config/reference.h"
#include "op/running.h"
#include <string.h>

static void lock_lost(const GError *why, void *user)
{
    Run *run = user;
    g_autoptr(GError) lost = g_error_new(BS_ERROR, BS_ERROR_LOCKED, "lock lost: %s", why->message);

    run_control_end(run->control, lost);
}

static bool add_database(GPtrArray *urls, const SourceConfig *config, GError **error)
{
    const char *text = config->url ? config->url : "";
    g_autoptr(GError) failure = NULL;
    PgUrl *url;

    if (g_str_has_prefix(text, "pgcluster:"))
        text += strlen("pgcluster:");
    if (!g_str_has_prefix(text, "postgresql://") && !g_str_has_prefix(text, "postgres://"))
        return true;
    url = pg_url_parse(text, error);
    if (url)
        g_ptr_array_add(urls, url);
    return url != NULL;
}

static bool databases_to_lock(const RunRequest *request, GPtrArray **ret_urls, GError **error)
{
    g_autoptr(GPtrArray) urls = g_ptr_array_new_with_free_func((GDestroyNotify)pg_url_free);

    for (guint i = 0; request->schedule->lock_postgres && i < request->sources->len; i++)
        if (!add_database(urls, request->sources->pdata[i], error))
            return false;
    if (request->schedule->lock_postgres && urls->len == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "locks.postgresql: none of the sources is a PostgreSQL server that could be "
                    "asked for a lock");
        return false;
    }
    *ret_urls = g_steal_pointer(&urls);
    return true;
}

static bool redis_to_lock(const Schedule *schedule, RedisUrl **ret_url, GError **error)
{
    g_autoptr(Secret) secret = NULL;

    if (!schedule->lock_redis)
        return true;
    if (reference_is(schedule->lock_redis) &&
        !reference_resolve("locks.redis", schedule->lock_redis, &secret, error))
        return false;
    *ret_url = redis_url_parse(secret ? secret_data(secret) : schedule->lock_redis, error);
    return *ret_url != NULL;
}

bool run_take_locks(Run *run, GError **error)
{
    const RunRequest *request = run->request;
    RunLocksRequest wanted = { .schedule = request->schedule->id,
                               .state_dir = request->settings->state_dir,
                               .ca_file = request->settings->cacert,
                               .lost = lock_lost,
                               .user = run };

    run_stage(run, "lock", NULL);
    if (!databases_to_lock(request, &run->databases, error) ||
        !redis_to_lock(request->schedule, &run->redis, error))
        return false;
    wanted.postgres = run->databases;
    wanted.redis = run->redis;
    return run_locks_acquire(&wanted, &run->locks, error);
}

void run_give_locks(Run *run)
{
    g_clear_pointer(&run->locks, run_locks_release);
    g_clear_pointer(&run->databases, g_ptr_array_unref);
    g_clear_pointer(&run->redis, redis_url_free);
}
