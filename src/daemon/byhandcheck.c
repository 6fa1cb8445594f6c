/* SPDX-License-Identifier: Apache-2.0 */
/* Checks leave a row in the history when they have ended, whoever made them. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/byhand.h"
#include "daemon/runs.h"

#include <string.h>

/* A path is the same in any spelling; of a bucket there is one. */
static char *spelling(const char *location)
{
    return g_str_has_prefix(location, "s3:") ? g_strdup(location)
                                             : g_canonicalize_filename(location, NULL);
}

/* NULL: none of the configuration. Borrowed. */
static const RepositoryConfig *find_repository(const Configuration *configuration,
                                               const char *location)
{
    g_autofree char *wanted = spelling(location);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, configuration->repositories);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const RepositoryConfig *repository = value;
        g_autofree char *its = spelling(repository->location);

        if (strcmp(its, wanted) == 0)
            return repository;
    }
    return NULL;
}

static RunState state_of(const GError *failure)
{
    switch (bs_error_exit_status(failure)) {
    case 0:
        return RUN_SUCCEEDED;
    case 3:
        return RUN_PARTIAL;
    case 130:
        return RUN_CANCELLED;
    default:
        return RUN_FAILED;
    }
}

static bool keep(const Configuration *configuration, const RepositoryConfig *repository,
                 int64_t began_ms, const GError *failure, GError **error)
{
    const char *node = configuration->server.node;
    g_autoptr(Catalog) catalog = NULL;
    g_auto(RunRow) row = {
        .kind = g_strdup("check"),
        .repository = g_strdup(repository->name),
        .state = state_of(failure),
        .trigger = TRIGGER_MANUAL,
        .created_at = began_ms,
        .started_at = began_ms,
        .ended_at = clock_now_ms(),
        .node = g_strdup(node ? node : g_get_host_name()),
        .exit_code = bs_error_exit_status(failure),
        .error = failure ? g_utf8_make_valid(failure->message, -1) : NULL,
        .detail = json_pack("{s:b}", RUN_BY_HAND, 1),
        .attempt = 1,
        .user = g_strdup(g_get_user_name()),
    };

    return by_hand_find_catalog(configuration, &catalog, error) &&
           (!catalog || catalog_run_insert(catalog, &row, error));
}

void by_hand_checked(const char *config, const char *location, int64_t began_ms,
                     const GError *failure)
{
    g_autoptr(Configuration) configuration = NULL;
    g_autoptr(GError) error = NULL;
    const RepositoryConfig *repository = NULL;

    if (configuration_load(config, &configuration, &error))
        repository = find_repository(configuration, location);
    if (error || (repository && !keep(configuration, repository, began_ms, failure, &error)))
        log_warn("this check will not be in the history", "why", error->message, NULL);
}
