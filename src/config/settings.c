/* SPDX-License-Identifier: Apache-2.0 */
#include "config/settings.h"

#include "base/error.h"
#include "base/fs.h"
#include <string.h>
#include <unistd.h>

#define LOCATION_FILE_MAX 4096
#define PACK_MIB_MIN      4
#define PACK_MIB_MAX      128

void settings_clear(Settings *settings)
{
    g_free(settings->repo);
    g_free(settings->repository_file);
    g_free(settings->password_file);
    g_free(settings->password_command);
    g_free(settings->key_hint);
    g_free(settings->cache_dir);
    g_free(settings->retry_lock);
    g_free(settings->compression);
    g_free(settings->pack_size);
    g_free(settings->state_dir);
    *settings = (Settings){ 0 };
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

/* "5m", "1h30m", "90s": Go's durations, of which these units make sense here. */
static bool parse_wait(const char *text, int64_t *ret_ms, GError **error)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = { { "ms", 1 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };
    const char *at = text;
    int64_t sum = 0;

    if (strcmp(text, "0") == 0)
        return true;
    while (*at) {
        char *end;
        guint64 n = g_ascii_strtoull(at, &end, 10);
        size_t unit = 0;

        while (unit < G_N_ELEMENTS(units) && !g_str_has_prefix(end, units[unit].unit))
            unit++;
        if (end == at || unit == G_N_ELEMENTS(units) || n > 1000000) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "--retry-lock %s: not a duration; write 30s, 5m or 1h", text);
            return false;
        }
        sum += (int64_t)n * units[unit].ms;
        at = end + strlen(units[unit].unit);
    }
    *ret_ms = sum;
    return true;
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

/* Root's state is the machine's. */
static char *default_dir(const char *system, const char *user)
{
    return geteuid() == 0 && !g_getenv("XDG_CACHE_HOME") && !g_getenv("XDG_STATE_HOME")
               ? g_build_filename(system, "backstay", NULL)
               : g_build_filename(user, "backstay", NULL);
}

bool settings_complete(Settings *settings, GError **error)
{
    default_from_env(&settings->key_hint, "KEY_HINT");
    default_from_env(&settings->compression, "COMPRESSION");
    default_from_env(&settings->pack_size, "PACK_SIZE");
    default_from_env(&settings->retry_lock, "RETRY_LOCK");
    default_from_env(&settings->cache_dir, "CACHE_DIR");
    default_from_env(&settings->state_dir, "STATE_DIR");
    if (!settings->cache_dir)
        settings->cache_dir = default_dir("/var/cache", g_get_user_cache_dir());
    if (settings->no_cache)
        g_clear_pointer(&settings->cache_dir, g_free);
    if (!settings->state_dir)
        settings->state_dir = default_dir("/var/lib", g_get_user_state_dir());
    if (settings->retry_lock && !parse_wait(settings->retry_lock, &settings->retry_lock_ms, error))
        return false;
    return parse_compression(settings, error) && parse_pack_size(settings, error);
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
    g_set_error(
        error, BS_ERROR, BS_ERROR_USAGE,
        "no repository given; use -r REPO, or set BACKSTAY_REPOSITORY or RESTIC_REPOSITORY");
    return false;
}
