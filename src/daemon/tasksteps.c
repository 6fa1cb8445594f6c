/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/tasksteps.h"

#include "base/error.h"

bool task_repository(const Configuration *configuration, const char *name, GError **error)
{
    if (configuration->path && !g_utf8_validate(configuration->path, -1, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                    "the path of the configuration is no UTF-8; move it");
        return false;
    }
    if (name && configuration_repository(configuration, name))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_CONFIG,
                "there is no repository \"%s\" in the configuration any more", name ? name : "");
    return false;
}

json_t *task_argv_new(const Configuration *configuration, const char *repository,
                      const char *command)
{
    json_t *argv = json_array();

    if (configuration->path)
        task_argv_add(argv, "--config=%s", configuration->path);
    if (repository)
        task_argv_add(argv, "--repo=%s", repository);
    task_argv_add(argv, "%s", command);
    return argv;
}

void task_argv_add(json_t *argv, const char *format, ...)
{
    g_autofree char *word = NULL;
    va_list args;

    va_start(args, format);
    word = g_strdup_vprintf(format, args);
    va_end(args);
    json_array_append_new(argv, json_string(word));
}

void task_steps_add(json_t *steps, const char *stage, json_t *argv)
{
    json_array_append_new(steps, json_pack("{s:s, s:o}", "stage", stage, "argv", argv));
}
