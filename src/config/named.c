/* SPDX-License-Identifier: Apache-2.0 */
#include "config/named.h"

#include "base/error.h"
#include "config/check.h"
#include "config/configuration.h"
#include <string.h>

static bool is_set(const char *name)
{
    const char *value = g_getenv(name);

    return value && *value;
}

/* key: of the variable that comes before the configuration; NULL: there is none. */
static void take(char **place, const char *value, const char *key)
{
    if (!*place && value && !(key && settings_env(key)))
        *place = g_strdup(value);
}

static bool has_opener(const Settings *settings)
{
    return settings->password_file || settings->password_command || settings->key_file ||
           settings->insecure_no_password || settings_env("PASSWORD") ||
           settings_env("PASSWORD_FILE") || settings_env("PASSWORD_COMMAND") ||
           settings_env("KEY_FILE");
}

/* "s3.storage-class=X" yields to BACKSTAY_S3_STORAGE_CLASS. */
static bool is_overruled(const char *option)
{
    g_autofree char *key = g_strndup(option, strcspn(option, "="));
    g_autofree char *upper = g_ascii_strup(key, -1);
    g_autofree char *variable = g_strconcat("BACKSTAY_", g_strdelimit(upper, ".-", '_'), NULL);

    return is_set(variable);
}

/* Those that were typed come last, and so count. */
static void take_options(Settings *settings, char *const *options)
{
    g_auto(GStrv) typed = g_steal_pointer(&settings->options);

    for (; options && *options; options++)
        if (!is_overruled(*options))
            settings_add_option(settings, *options);
    for (char **option = typed; option && *option; option++)
        settings_add_option(settings, *option);
}

static void take_repository(Settings *settings, const RepositoryConfig *repository)
{
    g_free(settings->repo);
    settings->repo = g_strdup(repository->location);
    if (!has_opener(settings)) {
        settings->password_reference = g_strdup(repository->password);
        settings->key_file = g_strdup(repository->key_file);
    }
    take(&settings->compression, repository->compression, "COMPRESSION");
    take(&settings->pack_size, repository->pack_size, "PACK_SIZE");
    take(&settings->cacert, repository->cacert, "CACERT");
    take(&settings->limit_upload, repository->limit_upload, "LIMIT_UPLOAD");
    take(&settings->limit_download, repository->limit_download, "LIMIT_DOWNLOAD");
    take(&settings->s3_access_key, repository->s3_access_key, NULL);
    take(&settings->s3_secret_key, repository->s3_secret_key, NULL);
    take(&settings->s3_session_token, repository->s3_session_token, NULL);
    take(&settings->s3_region, repository->s3_region, NULL);
    take_options(settings, repository->options);
}

bool settings_name_is_directory(const char *name, GError **error)
{
    if (!g_file_test(name, G_FILE_TEST_EXISTS))
        return false;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "\"%s\" is a repository of the configuration and a directory here; write ./%s for "
                "the directory, or go elsewhere for the other",
                name, name);
    return true;
}

/* In a container the variables say where the one repository is, and how it is opened. */
static bool is_of_container(const Settings *settings)
{
    return is_set("ENABLE_BACKUPS") && !settings->repo && !settings->repository_file &&
           !settings_env("REPOSITORY_FILE");
}

bool settings_take_named(Settings *settings, GError **error)
{
    const char *name = settings->repo;
    g_autoptr(Configuration) configuration = NULL;
    const RepositoryConfig *repository;
    bool is_name, of_container;

    if (!name && !settings->repository_file)
        name = settings_env("REPOSITORY");
    is_name = name && check_name(name, NULL);
    of_container = !is_name && is_of_container(settings);
    if (!is_name && !of_container)
        return true;
    // that variables are wrong is told by the commands that need all of them
    if (!configuration_load(settings->config, &configuration, of_container ? NULL : error))
        return of_container;
    if (of_container && configuration->path)
        return true; // there is a file, so the variables are not read
    repository = configuration_repository(configuration, of_container ? "main" : name);
    if (!repository)
        return true; // settings_repository() tells, when it is no directory either
    if (is_name && settings_name_is_directory(name, error))
        return false;
    take_repository(settings, repository);
    return true;
}
