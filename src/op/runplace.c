/* SPDX-License-Identifier: Apache-2.0 */
#include "op/runplace.h"

#include "base/error.h"
#include "config/archive.h"
#include "config/types.h"
#include <string.h>

#define ENV "env://"

/* ---- the repository ---- */

static bool resolve(const char *what, const char *reference, Secret **ret_secret, GError **error)
{
    return !reference || reference_resolve(what, reference, ret_secret, error);
}

static char *either(const char *configured, const char *given)
{
    return g_strdup(configured ? configured : given);
}

static void add_options(Settings *settings, char *const *options)
{
    for (; options && *options; options++)
        settings_add_option(settings, *options);
}

bool run_place_settings(const RepositoryConfig *repository, const Settings *given,
                        Settings *ret_settings, GError **error)
{
    Settings settings = {
        .repo = g_strdup(repository->location),
        .key_file = g_strdup(repository->key_file),
        .s3_access_key = g_strdup(repository->s3_access_key),
        .s3_secret_key = g_strdup(repository->s3_secret_key),
        .s3_session_token = g_strdup(repository->s3_session_token),
        .s3_region = g_strdup(repository->s3_region),
        .cacert = either(repository->cacert, given->cacert),
        .compression = either(repository->compression, given->compression),
        .pack_size = either(repository->pack_size, given->pack_size),
        .limit_upload = either(repository->limit_upload, given->limit_upload),
        .limit_download = either(repository->limit_download, given->limit_download),
        .cache_dir = g_strdup(given->cache_dir),
        .cache_size = g_strdup(given->cache_size),
        .retry_lock = g_strdup(given->retry_lock),
        .retry_deadline = g_strdup(given->retry_deadline),
        .stuck_request_timeout = g_strdup(given->stuck_request_timeout),
        .tls_client_cert = g_strdup(given->tls_client_cert),
        .state_dir = g_strdup(given->state_dir),
        .no_cache = given->no_cache,
        .json = given->json,
        .quiet = given->quiet,
        .verbose = given->verbose,
        .no_extra_verify = given->no_extra_verify,
    };

    // the last of several counts, and the repository knows best
    add_options(&settings, given->options);
    add_options(&settings, repository->options);
    // whatever password the environment may hold for other commands
    if (resolve("password", repository->password, &settings.password, error) &&
        settings_complete(&settings, error)) {
        *ret_settings = settings;
        return true;
    }
    g_prefix_error(error, "repository %s: ", repository->name);
    settings_clear(&settings);
    return false;
}

/* ---- sources ---- */

void run_place_wipe(char **operands)
{
    for (char **operand = operands; operand && *operand; operand++)
        secret_wipe(*operand, strlen(*operand));
    g_strfreev(operands);
}

bool run_place_operands(const SourceConfig *source, char ***ret_operands, GError **error)
{
    g_autoptr(Secret) password = NULL;
    char **operands;

    if (!resolve("password", source->password, &password, error))
        return false;
    operands = g_strdupv(source->operands);
    if (password) {
        g_free(operands[0]);
        operands[0] = url_with_password(source->url, secret_data(password));
    }
    *ret_operands = operands;
    return true;
}

/* ---- secrets of the environment ---- */

static void add_variable(GPtrArray *names, const char *reference)
{
    if (reference && g_str_has_prefix(reference, ENV))
        g_ptr_array_add(names, g_strdup(reference + strlen(ENV)));
}

static void add_repository(GPtrArray *names, const RepositoryConfig *repository)
{
    add_variable(names, repository->password);
    add_variable(names, repository->s3_access_key);
    add_variable(names, repository->s3_secret_key);
    add_variable(names, repository->s3_session_token);
}

static void add_archives(GPtrArray *names, const json_t *archives)
{
    const json_t *object;
    size_t n;

    json_array_foreach((json_t *)archives, n, object)
    {
        g_autoptr(ArchiveConfig) archive = archive_config_new(object);

        add_variable(names, archive->s3_access_key);
        add_variable(names, archive->s3_secret_key);
        add_variable(names, archive->s3_session_token);
        add_variable(names, archive->passphrase);
    }
}

GStrv run_place_hidden(const RepositoryConfig *repository, const GPtrArray *sources,
                       const json_t *archives)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    add_repository(names, repository);
    add_archives(names, archives);
    for (guint i = 0; i < sources->len; i++)
        add_variable(names, ((const SourceConfig *)sources->pdata[i])->password);
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

GStrv run_place_hidden_all(const Configuration *configuration)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    GHashTableIter iter;
    gpointer one;

    g_hash_table_iter_init(&iter, configuration->repositories);
    while (g_hash_table_iter_next(&iter, NULL, &one))
        add_repository(names, one);
    g_hash_table_iter_init(&iter, configuration->schedules);
    while (g_hash_table_iter_next(&iter, NULL, &one))
        add_archives(names, ((const Schedule *)one)->archives);
    g_hash_table_iter_init(&iter, configuration->sources);
    while (g_hash_table_iter_next(&iter, NULL, &one))
        add_variable(names, ((const SourceConfig *)one)->password);
    g_ptr_array_add(names, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}
