/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/filter.h"

#include "config/settings.h"

static bool only_ids(char *const *names)
{
    if (!names || !*names)
        return false;
    for (; *names; names++)
        if (g_str_has_prefix(*names, "latest"))
            return false;
    return true;
}

void filter_complete(SnapshotFilter *filter, char *const *names)
{
    const char *host = settings_env("HOST");

    if (!filter->hosts && host && !only_ids(names)) {
        filter->hosts = g_new0(char *, 2);
        filter->hosts[0] = g_strdup(host);
    } else if (filter->hosts && g_strv_length(filter->hosts) == 1 && !*filter->hosts[0]) {
        g_clear_pointer(&filter->hosts, g_strfreev);
    }
    for (char **path = filter->paths; path && *path; path++) {
        char *absolute = g_canonicalize_filename(*path, NULL);

        g_free(*path);
        *path = absolute;
    }
}
