/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumegroup.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "source/btrfssnapshot.h"
#include "source/volumedevice.h"
#include "source/volumefreeze.h"
#include "source/volumemay.h"
#include "source/volumeuse.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A snapshot is metadata only, but what was written has to come to the disk before. */
#define FREEZE_LIMIT_MS 30000

/* A subvolume with images. */
typedef struct {
    char *root;
    BtrfsSnapshot *snapshot;
    int64_t from_ms, until_ms; /* when it was taken */
    char *why;                 /* it was not frozen */
    bool frozen;
} Subvolume;

typedef struct {
    char *path, *real;
    Subvolume *subvolume; /* NULL: none */
    struct stat st;       /* when the snapshot was taken */
    bool mounted, unused, read;
} Image;

struct VolumeGroup {
    unsigned references;
    GPtrArray *images, *subvolumes;
    VolumeLvm *lvm;
};

static void image_free(void *data)
{
    Image *image = data;

    g_free(image->path);
    free(image->real);
    g_free(image);
}

static void subvolume_free(void *data)
{
    Subvolume *subvolume = data;

    (void)btrfs_snapshot_remove(subvolume->snapshot, NULL); // or else the next run does
    g_free(subvolume->root);
    g_free(subvolume->why);
    g_free(subvolume);
}

VolumeGroup *volume_group_new(void)
{
    VolumeGroup *group = g_new0(VolumeGroup, 1);

    group->references = 1;
    group->images = g_ptr_array_new_with_free_func(image_free);
    group->subvolumes = g_ptr_array_new_with_free_func(subvolume_free);
    group->lvm = volume_lvm_new();
    return group;
}

VolumeGroup *volume_group_ref(VolumeGroup *group)
{
    group->references++;
    return group;
}

void volume_group_unref(VolumeGroup *group)
{
    if (!group || --group->references > 0)
        return;
    g_ptr_array_unref(group->images);
    g_ptr_array_unref(group->subvolumes);
    volume_lvm_free(group->lvm);
    g_free(group);
}

/* ---- members ---- */

/* Takes the root. */
static Subvolume *subvolume_of(VolumeGroup *group, char *root)
{
    Subvolume *subvolume;

    for (guint i = 0; i < group->subvolumes->len; i++) {
        subvolume = group->subvolumes->pdata[i];
        if (strcmp(subvolume->root, root) == 0) {
            g_free(root);
            return subvolume;
        }
    }
    subvolume = g_new0(Subvolume, 1);
    subvolume->root = root;
    g_ptr_array_add(group->subvolumes, subvolume);
    return subvolume;
}

void volume_group_add(VolumeGroup *group, const char *path)
{
    Image *image = g_new0(Image, 1);
    char *root;

    volume_lvm_add(group->lvm, path);
    image->path = g_strdup(path);
    image->real = realpath(path, NULL);
    g_ptr_array_add(group->images, image);
    if (!image->real || stat(image->real, &image->st) != 0 || !S_ISREG(image->st.st_mode))
        return;
    root = btrfs_subvolume_root(image->real);
    if (root)
        image->subvolume = subvolume_of(group, root);
}

VolumeLvm *volume_group_lvm(const VolumeGroup *group)
{
    return group->lvm;
}

static Image *find(const VolumeGroup *group, const char *path)
{
    for (guint i = 0; i < group->images->len; i++)
        if (strcmp(((Image *)group->images->pdata[i])->path, path) == 0)
            return group->images->pdata[i];
    return NULL;
}

static unsigned count(const VolumeGroup *group, const Subvolume *subvolume, bool unread)
{
    unsigned n = 0;

    for (guint i = 0; i < group->images->len; i++) {
        const Image *image = group->images->pdata[i];

        n += image->subvolume == subvolume && !(unread && image->read);
    }
    return n;
}

unsigned volume_group_size(const VolumeGroup *group, const char *path)
{
    const Image *image = find(group, path);

    return image && image->subvolume ? count(group, image->subvolume, false) : 0;
}

/* ---- the moment ---- */

/* Who uses the images of a subvolume just before the snapshot. */
static bool look_at_images(VolumeGroup *group, const Subvolume *subvolume, GPtrArray *mounts,
                           GError **error)
{
    for (guint i = 0; i < group->images->len; i++) {
        Image *image = group->images->pdata[i];
        g_auto(VolumeDevice) device = { .fd = -1 };
        g_autoptr(VolumeUse) use = NULL;
        g_auto(GStrv) writable = NULL;

        if (image->subvolume != subvolume)
            continue;
        if (!volume_device_open(image->real, O_RDONLY, &device, error) ||
            !volume_use_find(&device.st, &use, error))
            return false;
        writable = volume_use_writable_mounts(use);
        image->st = device.st;
        image->mounted = *writable != NULL;
        image->unused = volume_device_writers(&device) == WRITERS_NONE ||
                        (use->mounts->len > 0 && !image->mounted);
        for (char **mount = writable; *mount; mount++)
            if (!g_ptr_array_find_with_equal_func(mounts, *mount, g_str_equal, NULL))
                g_ptr_array_add(mounts, g_strdup(*mount));
    }
    g_ptr_array_add(mounts, NULL);
    return true;
}

static bool take_frozen(Subvolume *subvolume, char *const *mounts, GError **error)
{
    g_autoptr(VolumeFreeze) freeze = NULL;
    int64_t ms;

    if (!volume_may_freeze(mounts, error))
        return false;
    freeze = volume_freeze_begin(mounts, FREEZE_LIMIT_MS, error);
    if (!freeze)
        return false;
    subvolume->snapshot = btrfs_snapshot_new(subvolume->root, error);
    subvolume->frozen = volume_freeze_end(freeze, &ms, subvolume->snapshot ? error : NULL);
    return subvolume->snapshot && subvolume->frozen;
}

/* What cannot be frozen is as a loss of power would have left it, but still all of one instant. */
static bool take_snapshot(VolumeGroup *group, Subvolume *subvolume, GError **error)
{
    g_autoptr(GPtrArray) mounts = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) problem = NULL;

    if (!look_at_images(group, subvolume, mounts, error))
        return false;
    subvolume->from_ms = clock_monotonic_ms();
    if (mounts->len > 1 && !take_frozen(subvolume, (char *const *)mounts->pdata, &problem))
        subvolume->why = g_strdup(problem->message);
    if (!subvolume->snapshot)
        subvolume->snapshot = btrfs_snapshot_new(subvolume->root, error);
    subvolume->until_ms = clock_monotonic_ms();
    return subvolume->snapshot != NULL;
}

/* It may have been replaced since it was looked at. */
static int open_in_snapshot(const Image *image, GError **error)
{
    const Subvolume *subvolume = image->subvolume;
    const char *below = image->real + strlen(subvolume->root);
    struct stat st;
    int fd;

    fd = fs_open_beneath(btrfs_snapshot_fd(subvolume->snapshot), below + (*below == '/'),
                         O_RDONLY | O_NOFOLLOW, 0, error);
    if (fd < 0 || (fstat(fd, &st) == 0 && st.st_ino == image->st.st_ino))
        return fd;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "%s: it was replaced while a snapshot was taken; back it up again", image->path);
    (void)close(fd);
    return -1;
}

int volume_group_open(VolumeGroup *group, const char *path, bool *ret_consistent, char **ret_why,
                      GError **error)
{
    Image *image = find(group, path);
    Subvolume *subvolume = image->subvolume;
    int fd;

    if (!subvolume->snapshot && !take_snapshot(group, subvolume, error))
        return -1;
    fd = open_in_snapshot(image, error);
    if (fd < 0)
        return -1;
    *ret_consistent = image->unused || (image->mounted && subvolume->frozen);
    *ret_why = *ret_consistent ? NULL : g_strdup(subvolume->why);
    return fd;
}

void volume_group_moment(const VolumeGroup *group, const char *path, int64_t *ret_from_ms,
                         int64_t *ret_until_ms)
{
    const Subvolume *subvolume = find(group, path)->subvolume;

    *ret_from_ms = subvolume->from_ms;
    *ret_until_ms = subvolume->until_ms;
}

bool volume_group_close(VolumeGroup *group, const char *path, GError **error)
{
    Image *image = find(group, path);
    Subvolume *subvolume = image->subvolume;

    image->read = true;
    return count(group, subvolume, true) > 0 ||
           btrfs_snapshot_remove(g_steal_pointer(&subvolume->snapshot), error);
}
