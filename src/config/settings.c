/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include "base/error.h"
#include "base/fs.h"
#include "config/values.h"
#include <string.h>
#include <unistd.h>

#define LOCATION_FILE_MAX 4096
#define PACK_MIB_MIN      4
#define PACK_MIB_MAX      128

#define STUCK_REQUEST_MIN_MS 1000

void settings_clear(Settings *settings)
{
    g_free(settings->repo);
    g_free(settings->repository_file);
    g_free(settings->password_file);
    g_free(settings->password_command);
    g_free(settings->key_file);
    g_free(settings->key_hint);
    g_free(settings->cache_dir);
    g_free(settings->retry_lock);
    g_free(settings->compression);
    g_free(settings->pack_size);
    g_free(settings->cache_size);
    g_free(settings->state_dir);
    g_free(settings->cacert);
    g_free(settings->tls_client_cert);
    g_free(settings->limit_upload);
    g_free(settings->limit_download);
    g_free(settings->retry_deadline);
    g_free(settings->stuck_request_timeout);
    g_strfreev(settings->options);
    g_free(settings->config);
    g_free(settings->password_reference);
    g_free(settings->s3_access_key);
    g_free(settings->s3_secret_key);
    g_free(settings->s3_session_token);
    g_free(settings->s3_region);
    g_free(settings->source_name);
    g_free(settings->source_password);
    s3_settings_clear(&settings->s3);
    secret_free(settings->password);
    *settings = (Settings){ 0 };
}

void settings_add_option(Settings *settings, const char *option)
{
    guint n = settings->options ? g_strv_length(settings->options) : 0;

    settings->options = g_renew(char *, settings->options, n + 2);
    settings->options[n] = g_strdup(option);
    settings->options[n + 1] = NULL;
}

const char *settings_env(const char *key)
{
    static const char *const families[] = { "BACKSTAY_", "RESTIC_" };

    for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
        g_autofree char *name = g_strconcat(families[i], key, NULL);
        const char *value = g_getenv(name);

        if (value && *value)
            return value;
    }
    return NULL;
}

static void default_from_env(char **value, const char *key)
{
    if (!*value)
        *value = g_strdup(settings_env(key));
}

/* Tells a wrong value by its option. */
static bool prefixed(bool ok, const char *option, const char *text, GError **error)
{
    if (!ok)
        g_prefix_error(error, "--%s %s: ", option, text);
    return ok;
}

static bool parse_wait(const char *option, const char *text, int64_t *ret_ms, GError **error)
{
    return !text || prefixed(value_wait(text, ret_ms, error), option, text, error);
}

static bool parse_rate(const char *option, const char *text, uint64_t *ret_bytes, GError **error)
{
    return !text || prefixed(value_rate(text, ret_bytes, error), option, text, error);
}

static bool parse_deadline(Settings *settings, GError **error)
{
    const char *text = settings->retry_deadline;

    return !text || prefixed(value_deadline(text, &settings->retry_deadline_ms, error),
                             "retry-deadline", text, error);
}

/* Servers need a moment for what they do. */
static bool parse_stuck_request(Settings *settings, GError **error)
{
    const char *text = settings->stuck_request_timeout;

    if (!text)
        return true;
    if (!parse_wait("stuck-request-timeout", text, &settings->stuck_request_ms, error))
        return false;
    if (settings->stuck_request_ms >= STUCK_REQUEST_MIN_MS)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--stuck-request-timeout %s: must be a second at least", text);
    return false;
}

static bool parse_compression(Settings *settings, GError **error)
{
    const char *text = settings->compression;
    gint64 level;

    settings->compress = SETTINGS_COMPRESS_AUTO;
    if (!text || strcmp(text, "auto") == 0)
        return true;
    if (strcmp(text, "off") == 0) {
        settings->compress = SETTINGS_COMPRESS_OFF;
        return true;
    }
    if (strcmp(text, "max") == 0) {
        settings->compress = SETTINGS_COMPRESS_MAX;
        return true;
    }
    if (!g_ascii_string_to_signed(text, 10, 1, 19, &level, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--compression %s: must be off, auto, max or a zstd level from 1 to 19", text);
        return false;
    }
    settings->compress = SETTINGS_COMPRESS_LEVEL;
    settings->compress_level = (int)level;
    return true;
}

static bool parse_pack_size(Settings *settings, GError **error)
{
    guint64 mib;

    if (!settings->pack_size)
        return true;
    if (!g_ascii_string_to_unsigned(settings->pack_size, 10, PACK_MIB_MIN, PACK_MIB_MAX, &mib,
                                    NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--pack-size %s: must be a number of MiB from %d to %d", settings->pack_size,
                    PACK_MIB_MIN, PACK_MIB_MAX);
        return false;
    }
    settings->pack_bytes = mib * 1024 * 1024;
    return true;
}

static bool is_another_users(const char *dir)
{
    struct stat st;

    return stat(dir, &st) == 0 && st.st_uid != geteuid();
}

/* Root's state is the machine's, unless that is the daemon's, who could not use what root made. */
static char *default_dir(const char *system, const char *user)
{
    g_autofree char *machine = g_build_filename(system, "backstay", NULL);

    return geteuid() == 0 && !g_getenv("XDG_CACHE_HOME") && !g_getenv("XDG_STATE_HOME") &&
                   !is_another_users(machine)
               ? g_steal_pointer(&machine)
               : g_build_filename(user, "backstay", NULL);
}

/* One file: a PEM may hold several certificates. */
static void default_ca(Settings *settings)
{
    static const char *const names[] = { "AWS_CA_BUNDLE", "SSL_CERT_FILE" };

    default_from_env(&settings->cacert, "CACERT");
    for (size_t i = 0; i < G_N_ELEMENTS(names) && !settings->cacert; i++) {
        const char *value = g_getenv(names[i]);

        if (value && *value)
            settings->cacert = g_strdup(value);
    }
}

static bool complete_network(Settings *settings, GError **error)
{
    default_ca(settings);
    default_from_env(&settings->tls_client_cert, "TLS_CLIENT_CERT");
    default_from_env(&settings->limit_upload, "LIMIT_UPLOAD");
    default_from_env(&settings->limit_download, "LIMIT_DOWNLOAD");
    default_from_env(&settings->retry_deadline, "RETRY_DEADLINE");
    default_from_env(&settings->stuck_request_timeout, "STUCK_REQUEST_TIMEOUT");
    return parse_rate("limit-upload", settings->limit_upload, &settings->limit_up, error) &&
           parse_rate("limit-download", settings->limit_download, &settings->limit_down, error) &&
           parse_deadline(settings, error) && parse_stuck_request(settings, error) &&
           s3_settings_parse(settings->options, &settings->s3, error);
}

bool settings_complete(Settings *settings, GError **error)
{
    default_from_env(&settings->key_hint, "KEY_HINT");
    default_from_env(&settings->compression, "COMPRESSION");
    default_from_env(&settings->pack_size, "PACK_SIZE");
    default_from_env(&settings->retry_lock, "RETRY_LOCK");
    default_from_env(&settings->cache_dir, "CACHE_DIR");
    default_from_env(&settings->cache_size, "CACHE_SIZE");
    default_from_env(&settings->state_dir, "STATE_DIR");
    if (!settings->cache_dir)
        settings->cache_dir = default_dir("/var/cache", g_get_user_cache_dir());
    if (settings->no_cache)
        g_clear_pointer(&settings->cache_dir, g_free);
    if (!settings->state_dir)
        settings->state_dir = default_dir("/var/lib", g_get_user_state_dir());
    return parse_wait("retry-lock", settings->retry_lock, &settings->retry_lock_ms, error) &&
           parse_compression(settings, error) && parse_pack_size(settings, error) &&
           complete_network(settings, error);
}

static bool location_from_file(const char *path, char **ret_location, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    const char *data;

    if (!fs_read_file(path, LOCATION_FILE_MAX, &bytes, error)) {
        g_prefix_error(error, "repository file: ");
        return false;
    }
    data = g_bytes_get_data(bytes, &len);
    *ret_location = g_strstrip(g_strndup(data, len));
    return true;
}

bool settings_repository(const Settings *settings, char **ret_location, GError **error)
{
    const char *env = settings_env("REPOSITORY"), *env_file = settings_env("REPOSITORY_FILE");

    if (settings->repo && settings->repository_file) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "give either --repo or --repository-file, not both");
        return false;
    }
    if (settings->repo) {
        *ret_location = g_strdup(settings->repo);
        return true;
    }
    if (settings->repository_file)
        return location_from_file(settings->repository_file, ret_location, error);
    if (env) {
        *ret_location = g_strdup(env);
        return true;
    }
    if (env_file)
        return location_from_file(env_file, ret_location, error);
    *ret_location = s3_location_from_environment();
    if (*ret_location)
        return true;
    g_set_error(
        error, BS_ERROR, BS_ERROR_USAGE,
        "no repository given; use -r REPO, or set BACKSTAY_REPOSITORY or RESTIC_REPOSITORY");
    return false;
}

bool settings_has_repository(const Settings *settings)
{
    g_autofree char *bucket = s3_location_from_environment();

    return settings->repo || settings->repository_file || settings_env("REPOSITORY") ||
           settings_env("REPOSITORY_FILE") || bucket;
}

bool settings_from_repository(const char *repo, const char *repository_file, char **ret_location,
                              GError **error)
{
    Settings other = { .repo = (char *)repo, .repository_file = (char *)repository_file };

    if (!other.repo && !other.repository_file)
        other.repo = (char *)settings_env("FROM_REPOSITORY");
    if (!other.repo && !other.repository_file)
        other.repository_file = (char *)settings_env("FROM_REPOSITORY_FILE");
    if (other.repo || other.repository_file)
        return settings_repository(&other, ret_location, error);
    *ret_location = NULL;
    return true;
}
