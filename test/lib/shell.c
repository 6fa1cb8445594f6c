/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/shell.h"
#include <glib/gstdio.h>

GBytes *shell_run(char **environment, const char *command)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *script = g_strdup_printf("{ %s\n} >\"$OUTPUT\"", command);
    const char *argv[] = { "bash", "-euo", "pipefail", "-c", script, NULL };
    char *output = NULL;
    g_autofree char *errors = NULL;
    int status, fd;
    g_autofree char *path = NULL;
    gsize len;

    // by way of a file, because output may hold zero bytes
    fd = g_file_open_tmp("shell-XXXXXX", &path, &error);
    g_assert_no_error(error);
    g_close(fd, NULL);
    environment = g_environ_setenv(environment, "OUTPUT", path, TRUE);
    g_spawn_sync(NULL, (char **)argv, environment, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, &errors,
                 &status, &error);
    g_assert_no_error(error);
    if (status)
        g_error("%s: %s", command, errors);
    g_file_get_contents(path, &output, &len, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_remove(path), ==, 0);
    g_strfreev(environment);
    return g_bytes_new_take(output, len);
}

char *shell_text(GBytes *bytes)
{
    char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));

    g_bytes_unref(bytes);
    return g_strchomp(text);
}
