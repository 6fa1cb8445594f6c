/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumestilling.h"

#include "base/error.h"
#include "base/fs.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

/* While a file is cloned: metadata only, but of a large file it may be much. */
#define CLONE_LIMIT_MS 10000

/* ---- cloning ---- */

/* A file without a name, so that nothing is left behind whatever happens. */
static bool clone_file(VolumeStill *still)
{
    g_autofree char *directory = g_path_get_dirname(still->device.path);

    if (still->clone < 0)
        still->clone = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (still->clone >= 0 && ioctl(still->clone, FICLONE, still->device.fd) == 0)
        return true;
    fs_clear_fd(&still->clone);
    return false;
}

static bool clone_frozen(VolumeStill *still, GError **error)
{
    bool cloned;

    if (!volume_still_freeze(still, CLONE_LIMIT_MS, error))
        return false;
    cloned = clone_file(still);
    if (!volume_still_thaw(still, error))
        return false;
    if (!cloned)
        g_set_error_literal(error, BS_ERROR, BS_ERROR_FAILED, "the file could be cloned only once");
    return cloned;
}

/* Without a freeze the clone is what a loss of power would have left: of one moment, at least. */
static bool choose_clone(VolumeStill *still)
{
    g_autoptr(GError) problem = NULL;

    if (!clone_file(still))
        return false;
    if (volume_use_writable(still->use) && clone_frozen(still, &problem)) {
        volume_still_choose(still, "clone", "consistent");
        return true;
    }
    if (still->clone < 0)
        return false;
    volume_still_choose(still, "clone", "crash-consistent");
    still->note =
        g_strdup_printf("crash-consistent: %s is a clone of one moment while others "
                        "wrote to it%s%s",
                        still->device.path, problem ? "; " : "", problem ? problem->message : "");
    return true;
}

/* ---- snapshots ---- */

/* False: there is none, and why. */
static bool choose_snapshot(VolumeStill *still, GError **error)
{
    g_autofree char *why = NULL;
    bool consistent;

    still->clone = volume_group_open(still->group, still->device.path, &consistent, &why, error);
    if (still->clone < 0)
        return false;
    still->in_snapshot = true;
    volume_still_choose(still, "snapshot", consistent ? "consistent" : "crash-consistent");
    if (!consistent)
        still->note = g_strdup_printf("crash-consistent: %s was read from a snapshot of one "
                                      "moment while others wrote to it%s%s",
                                      still->device.path, why ? "; " : "", why ? why : "");
    return true;
}

/* Several images have one moment only in a snapshot; one by itself is cloned with less ado, if it
 * can be: not when it was made with chattr +C. */
bool volume_moment_choose(VolumeStill *still, bool *ret_chosen, GError **error)
{
    unsigned n = volume_group_size(still->group, still->device.path);
    g_autoptr(GError) problem = NULL;

    *ret_chosen = n > 1 ? choose_snapshot(still, &problem)
                        : choose_clone(still) || (n == 1 && choose_snapshot(still, &problem));
    if (!problem || g_error_matches(problem, BS_ERROR, BS_ERROR_DENIED))
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* ---- snapshots of logical volumes ---- */

/* False: there is none, and still->lost says why when it is a logical volume. */
bool volume_moment_choose_lvm(VolumeStill *still)
{
    const char *path = still->device.path;
    g_autoptr(GError) problem = NULL;
    g_autofree char *why = NULL;
    bool consistent;
    int fd;

    if (!volume_lvm_has(volume_group_lvm(still->group), path))
        return false;
    fd = volume_lvm_open(volume_group_lvm(still->group), path, &consistent, &why, &problem);
    if (fd < 0) {
        still->lost = g_strconcat("no LVM snapshot: ", problem->message, NULL);
        return false;
    }
    still->clone = fd;
    still->in_lvm = true;
    volume_still_choose(still, "lvm-snapshot", consistent ? "consistent" : "crash-consistent");
    if (!consistent)
        still->note = g_strdup_printf("crash-consistent: %s was read from a snapshot of one moment "
                                      "while others wrote to it%s%s",
                                      path, why ? "; " : "", why ? why : "");
    return true;
}

/* ---- its end ---- */

void volume_moment_forget(VolumeStill *still)
{
    fs_clear_fd(&still->clone);
    if (still->in_snapshot)
        (void)volume_group_close(still->group, still->device.path, NULL);
    if (still->in_lvm)
        (void)volume_lvm_close(volume_group_lvm(still->group), still->device.path, NULL);
    still->in_snapshot = still->in_lvm = false;
    g_clear_pointer(&still->note, g_free);
}

static bool close_moment(VolumeStill *still, GError **error)
{
    const char *path = still->device.path;

    fs_clear_fd(&still->clone);
    if (still->in_lvm)
        return volume_lvm_close(volume_group_lvm(still->group), path, error);
    return !still->in_snapshot || volume_group_close(still->group, path, error);
}

void volume_moment_end(VolumeStill *still)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *before = g_steal_pointer(&still->note);

    if (close_moment(still, &problem))
        still->note = g_steal_pointer(&before);
    else
        still->note =
            g_strdup_printf("%s%s%s", before ? before : "", before ? "; " : "", problem->message);
    still->in_snapshot = still->in_lvm = false;
}
