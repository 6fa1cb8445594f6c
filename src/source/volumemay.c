/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumemay.h"

#include "base/error.h"
#include <errno.h>
#include <sys/stat.h>

static bool refuse_freeze(const char *mount, const char *why, GError **error)
{
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "%s must not be frozen, for this program or the machine may have to write there "
                "(%s) before it is thawed; back up a snapshot of the volume",
                mount, why);
    return false;
}

/* The repository, a log, the events of a run. */
static bool is_open_there(dev_t device, char **ret_path)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;
    struct stat st;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename("/proc/self/fd", name, NULL);

        if (stat(link, &st) == 0 && st.st_dev == device) {
            *ret_path = g_file_read_link(link, NULL);
            return true;
        }
    }
    return false;
}

static bool may_freeze_one(const char *mount, GError **error)
{
    const char *const needed[] = {
        "/",
        "/etc",
        "/var",
        "/run",
        "/proc/self/exe",
        ".",
        g_get_tmp_dir(),
        g_get_home_dir(),
        g_get_user_cache_dir(),
    };
    g_autofree char *path = NULL;
    struct stat it, other;

    if (stat(mount, &it) != 0) {
        bs_error_errno(error, errno, "%s", mount);
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(needed); i++)
        if (stat(needed[i], &other) == 0 && other.st_dev == it.st_dev)
            return refuse_freeze(mount, needed[i], error);
    return !is_open_there(it.st_dev, &path) || refuse_freeze(mount, path ? path : "", error);
}

bool volume_may_freeze(char *const *mounts, GError **error)
{
    for (; *mounts; mounts++)
        if (!may_freeze_one(*mounts, error))
            return false;
    return true;
}
