/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/namedrepo.h"

#include "base/error.h"
#include "config/check.h"
#include "config/configuration.h"
#include "config/named.h"
#include "op/runplace.h"

struct NamedRepo {
    Settings settings;
};

const Settings *named_repo_settings(const NamedRepo *named)
{
    return named ? &named->settings : NULL;
}

void named_repo_free(NamedRepo *named)
{
    if (!named)
        return;
    settings_clear(&named->settings);
    g_free(named);
}

bool named_repo_find(const Settings *given, const char *name, NamedRepo **ret_named, GError **error)
{
    g_autoptr(Configuration) configuration = NULL;
    g_autoptr(NamedRepo) named = NULL;
    const RepositoryConfig *repository;

    *ret_named = NULL;
    if (!name || !check_name(name, NULL))
        return true;
    if (!configuration_load(given->config, &configuration, error))
        return false;
    repository = configuration_repository(configuration, name);
    if (!repository)
        return true;
    if (settings_name_is_directory(name, error))
        return false;
    named = g_new0(NamedRepo, 1);
    if (!run_place_settings(repository, given, &named->settings, error))
        return false;
    *ret_named = g_steal_pointer(&named);
    return true;
}
