/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumelvm.h"

#include "base/clock.h"
#include "base/error.h"
#include "source/lvmsnapshot.h"
#include "source/volumedevice.h"
#include "source/volumefreeze.h"
#include "source/volumemay.h"
#include "source/volumeuse.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* While lvcreate runs. */
#define FREEZE_LIMIT_MS 30000

typedef struct {
    char *path;
    LvmSnapshot *snapshot;
    GError *problem; /* there is none, and why */
    VolumeUse *use;  /* just before */
    dev_t device;
    bool tried, wanted, consistent;
    int64_t from_ms, until_ms; /* when it was taken, by clock_monotonic_ms() */
    char *why;                 /* it is not consistent */
} Volume;

struct VolumeLvm {
    GPtrArray *volumes;
};

static void volume_free(void *data)
{
    Volume *volume = data;

    (void)lvm_snapshot_remove(volume->snapshot, NULL); // or else the next run does
    g_clear_error(&volume->problem);
    volume_use_free(volume->use);
    g_free(volume->path);
    g_free(volume->why);
    g_free(volume);
}

VolumeLvm *volume_lvm_new(void)
{
    VolumeLvm *lvm = g_new0(VolumeLvm, 1);

    lvm->volumes = g_ptr_array_new_with_free_func(volume_free);
    return lvm;
}

void volume_lvm_free(VolumeLvm *lvm)
{
    if (!lvm)
        return;
    g_ptr_array_unref(lvm->volumes);
    g_free(lvm);
}

/* ---- members ---- */

static Volume *find(const VolumeLvm *lvm, const char *path)
{
    for (guint i = 0; i < lvm->volumes->len; i++)
        if (strcmp(((Volume *)lvm->volumes->pdata[i])->path, path) == 0)
            return lvm->volumes->pdata[i];
    return NULL;
}

void volume_lvm_add(VolumeLvm *lvm, const char *path)
{
    Volume *volume;
    struct stat st;

    if (find(lvm, path) || stat(path, &st) != 0 || !S_ISBLK(st.st_mode) ||
        !lvm_is_volume(st.st_rdev))
        return;
    volume = g_new0(Volume, 1);
    volume->path = g_strdup(path);
    g_ptr_array_add(lvm->volumes, volume);
}

bool volume_lvm_has(const VolumeLvm *lvm, const char *path)
{
    return find(lvm, path) != NULL;
}

/* ---- the moment ---- */

/* Those that lie on something that lies on the volume: the kernel freezes only what it is mounted
 * from itself, and what is frozen already it would not suspend. */
static GStrv mounts_above(const Volume *volume)
{
    g_autoptr(GStrvBuilder) mounts = g_strv_builder_new();
    struct stat st;

    for (guint i = 0; i < volume->use->mounts->len; i++) {
        const VolumeMount *mount = volume->use->mounts->pdata[i];
        // the number of btrfs is of no device, and the root may be named after none
        bool itself = (stat(mount->device, &st) == 0 && st.st_rdev == volume->device) ||
                      (stat(mount->where, &st) == 0 && st.st_dev == volume->device);

        if (mount->writable && !itself)
            g_strv_builder_add(mounts, mount->where);
    }
    return g_strv_builder_end(mounts);
}

static bool take_frozen(Volume *volume, char *const *mounts, unsigned shares, GError **error)
{
    g_autoptr(VolumeFreeze) freeze = NULL;
    bool thawed;
    int64_t ms;

    if (!volume_may_freeze(mounts, error))
        return false;
    freeze = volume_freeze_begin(mounts, FREEZE_LIMIT_MS, error);
    if (!freeze)
        return false;
    volume->from_ms = clock_monotonic_ms();
    volume->snapshot = lvm_snapshot_new(volume->path, shares, error);
    volume->until_ms = clock_monotonic_ms();
    thawed = volume_freeze_end(freeze, &ms, volume->snapshot ? error : NULL);
    return volume->snapshot && thawed;
}

static void take(Volume *volume, unsigned shares)
{
    g_auto(GStrv) above = mounts_above(volume);
    g_autoptr(GError) problem = NULL;

    volume->consistent = volume_use_writable(volume->use);
    if (*above && !take_frozen(volume, above, shares, &problem)) {
        volume->consistent = false;
        volume->why = g_strdup(problem->message);
    }
    if (volume->snapshot)
        return;
    volume->from_ms = clock_monotonic_ms();
    volume->snapshot = lvm_snapshot_new(volume->path, shares, &volume->problem);
    volume->until_ms = clock_monotonic_ms();
}

/* Whether it needs a snapshot. asked: by someone who knows. */
static bool look(Volume *volume, bool asked)
{
    g_auto(VolumeDevice) device = { .fd = -1 };

    g_clear_pointer(&volume->use, volume_use_free);
    g_clear_error(&volume->problem);
    g_clear_pointer(&volume->why, g_free);
    if (!volume_device_open(volume->path, O_RDONLY, &device, &volume->problem) ||
        !volume_use_find(&device.st, &volume->use, &volume->problem))
        return false;
    volume->device = device.st.st_rdev;
    return asked || volume_use_writable(volume->use) || volume->use->others->len > 0;
}

/* What comes after the one that is read now shall be of about the same moment. */
static void take_all(VolumeLvm *lvm, Volume *first)
{
    unsigned shares = 0;

    for (guint i = 0; i < lvm->volumes->len; i++) {
        Volume *volume = lvm->volumes->pdata[i];

        volume->wanted = (volume == first || !volume->tried) && look(volume, volume == first);
        shares += volume->wanted;
    }
    for (guint i = 0; i < lvm->volumes->len; i++) {
        Volume *volume = lvm->volumes->pdata[i];

        if (volume->wanted)
            take(volume, shares--);
        volume->tried = true;
    }
}

int volume_lvm_open(VolumeLvm *lvm, const char *path, bool *ret_consistent, char **ret_why,
                    GError **error)
{
    Volume *volume = find(lvm, path);
    int fd;

    if (!volume->snapshot && !volume->problem)
        take_all(lvm, volume);
    if (!volume->snapshot) {
        g_propagate_error(error, g_steal_pointer(&volume->problem));
        return -1;
    }
    fd = fcntl(lvm_snapshot_fd(volume->snapshot), F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        bs_error_errno(error, errno, "%s", path);
    *ret_consistent = volume->consistent;
    *ret_why = g_strdup(volume->why);
    return fd;
}

void volume_lvm_moment(const VolumeLvm *lvm, const char *path, int64_t *ret_from_ms,
                       int64_t *ret_until_ms)
{
    const Volume *volume = find(lvm, path);

    *ret_from_ms = volume->from_ms;
    *ret_until_ms = volume->until_ms;
}

bool volume_lvm_holds(VolumeLvm *lvm, const char *path, bool at_the_end, GError **error)
{
    Volume *volume = find(lvm, path);

    return at_the_end ? lvm_snapshot_held(volume->snapshot, error)
                      : lvm_snapshot_holds(volume->snapshot, error);
}

bool volume_lvm_close(VolumeLvm *lvm, const char *path, GError **error)
{
    return lvm_snapshot_remove(g_steal_pointer(&find(lvm, path)->snapshot), error);
}
