/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pgconfigdir.h"
#include "base/error.h"
#include "base/fs.h"
#include <string.h>

#define FILE_MAX    ((size_t)4 << 20)
#define CONTROL_MAX ((size_t)64 << 10)

struct PgConfigDir {
    GPtrArray *names; /* in config/; "conf.d/10-memory.conf" */
    GPtrArray *files; /* of GBytes, beside names */
};

static PgConfigDir *config_dir_new(void)
{
    PgConfigDir *config = g_new0(PgConfigDir, 1);

    config->names = g_ptr_array_new_with_free_func(g_free);
    config->files = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    return config;
}

void pg_config_dir_free(PgConfigDir *config)
{
    if (!config)
        return;
    g_ptr_array_unref(config->names);
    g_ptr_array_unref(config->files);
    g_free(config);
}

/* ---- is it here? ---- */

/* The first eight bytes of pg_control are the system identifier, in this machine's order. */
static bool runs_here(const char *directory, uint64_t system_id, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "global", "pg_control", NULL);
    g_autoptr(GBytes) bytes = NULL;
    uint64_t found = 0;
    gsize len;
    const void *data;

    if (!fs_read_file(path, CONTROL_MAX, &bytes, error))
        return false;
    data = g_bytes_get_data(bytes, &len);
    memcpy(&found, data, MIN(len, sizeof found));
    if (found == system_id)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH, "%s: it is of another cluster", path);
    return false;
}

/* ---- reading ---- */

static bool add_file(PgConfigDir *config, const char *path, const char *name, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    if (!fs_read_file(path, FILE_MAX, &bytes, error))
        return false;
    g_ptr_array_add(config->names, g_strdup(name));
    g_ptr_array_add(config->files, g_steal_pointer(&bytes));
    return true;
}

static bool add_beside(PgConfigDir *config, const char *directory, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);

    return !g_file_test(path, G_FILE_TEST_IS_REGULAR) || add_file(config, path, name, error);
}

static bool add_conf_d(PgConfigDir *config, const char *directory, GError **error)
{
    g_autofree char *path = g_build_filename(directory, "conf.d", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *inner = g_build_filename("conf.d", name, NULL);

        if (g_str_has_suffix(name, ".conf") && !add_beside(config, directory, inner, error))
            return false;
    }
    return true;
}

/* What the settings name, under the names that a server looks for. */
static bool add_named(PgConfigDir *config, PgShow show, void *user, GError **error)
{
    static const struct {
        const char *setting, *name;
    } files[] = { { "hba_file", "pg_hba.conf" }, { "ident_file", "pg_ident.conf" } };

    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = show(user, files[i].setting, error);

        if (!path || !add_file(config, path, files[i].name, error))
            return false;
    }
    return true;
}

static PgConfigDir *read_all(PgShow show, void *user, const char *file, GError **error)
{
    static const char *const debian[] = { "environment", "pg_ctl.conf", "start.conf" };
    g_autoptr(PgConfigDir) config = config_dir_new();
    g_autofree char *directory = g_path_get_dirname(file);

    // conf.d comes first, for it is pushed while its directory is the one at hand
    if (!add_conf_d(config, directory, error) ||
        !add_file(config, file, "postgresql.conf", error) || !add_named(config, show, user, error))
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(debian); i++)
        if (!add_beside(config, directory, debian[i], error))
            return NULL;
    return g_steal_pointer(&config);
}

static PgConfigDir *find(PgShow show, void *user, uint64_t system_id, GError **error)
{
    g_autofree char *directory = show(user, "data_directory", error);
    g_autofree char *file = directory ? show(user, "config_file", error) : NULL;
    g_autofree char *inside = directory ? g_strconcat(directory, "/", NULL) : NULL;

    if (!file || g_str_has_prefix(file, inside))
        return NULL;
    return runs_here(directory, system_id, error) ? read_all(show, user, file, error) : NULL;
}

PgConfigDir *pg_config_dir_find(PgShow show, void *user, uint64_t system_id, char **ret_reason)
{
    g_autoptr(GError) failure = NULL;
    PgConfigDir *config = find(show, user, system_id, &failure);

    if (failure)
        *ret_reason = g_strdup(failure->message);
    return config;
}

/* ---- pushing ---- */

bool pg_config_dir_push(const PgConfigDir *config, PgConfigAdd add, void *user, GError **error)
{
    // the configuration names conf.d, so it is there though nothing may lie in it
    if (!add(user, "config", NULL, 0, error) || !add(user, "config/conf.d", NULL, 0, error))
        return false;
    for (guint i = 0; i < config->names->len; i++) {
        g_autofree char *path = g_build_filename("config", config->names->pdata[i], NULL);
        gsize len;
        const void *data = g_bytes_get_data(config->files->pdata[i], &len);

        // an empty file is one, too
        if (!add(user, path, data ? data : "", len, error))
            return false;
    }
    return true;
}
