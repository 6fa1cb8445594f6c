/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumestilling.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/pgfacts.h"
#include "source/volumemay.h"
#include <fcntl.h>
#include <string.h>

void volume_still_choose(VolumeStill *still, const char *way, const char *state)
{
    still->way = way;
    still->state = state;
}

bool volume_still_freeze(VolumeStill *still, int64_t limit_ms, GError **error)
{
    g_auto(GStrv) mounts = volume_use_writable_mounts(still->use);

    if (volume_may_freeze(mounts, error))
        still->freeze = volume_freeze_begin(mounts, limit_ms, error);
    return still->freeze != NULL;
}

bool volume_still_thaw(VolumeStill *still, GError **error)
{
    bool ok = volume_freeze_end(still->freeze, &still->frozen_ms, error);

    g_clear_pointer(&still->freeze, volume_freeze_free);
    return ok;
}

/* ---- choosing ---- */

static bool is_used(const VolumeStill *still)
{
    return still->use->mounts->len > 0 || still->use->others->len > 0;
}

/* Blocks are read one after the other while others change them. */
static void choose_nothing(VolumeStill *still, const char *why)
{
    g_autofree char *use = volume_use_text(still->use);

    volume_still_choose(still, "none", "crash-consistent");
    still->note = g_strdup_printf(
        "crash-consistent at best: %s was read while it is in use (%s)%s%s; freeze it "
        "(--consistency freeze), or back up a snapshot of it",
        still->device.path, use ? use : "others have it open for writing", why ? ", " : "",
        why ? why : "");
}

/* A lease, which tells of writers, is for the owner of a file alone, and not on every file system.
 */
static void choose_unseen(VolumeStill *still)
{
    volume_still_choose(still, "none", "crash-consistent");
    still->note =
        g_strdup_printf("crash-consistent at best: whether anybody writes to %s cannot be "
                        "told here; back it up as its owner or as root, or say that "
                        "nobody does (--consistency hook)",
                        still->device.path);
}

/* What somebody uses: of one moment, or as it is. */
static bool choose_in_use(VolumeStill *still, VolumeWay way, const char *why, GError **error)
{
    g_autofree char *both = NULL;

    if (volume_moment_choose_lvm(still))
        return true;
    if (way == VOLUME_LVM) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s: %s", still->device.path,
                    still->lost ? still->lost : "it is no logical volume");
        return false;
    }
    both = why && still->lost ? g_strdup_printf("%s, %s", why, still->lost)
                              : g_strdup(why ? why : still->lost);
    choose_nothing(still, both);
    return true;
}

/* Nobody can mount it meanwhile; but a virtual machine, say, opens without asking for that. */
static bool choose_alone(VolumeStill *still, VolumeWay way, VolumeDevice *alone, GError **error)
{
    volume_device_close(&still->device);
    still->device = *alone;
    if (volume_device_opens(&still->device) > 1)
        return choose_in_use(still, way, "a process has it open, for writing as far as can be told",
                             error);
    volume_still_choose(still, "unused", "consistent");
    return true;
}

static bool choose_for_device(VolumeStill *still, VolumeWay way, GError **error)
{
    g_autoptr(GError) problem = NULL;
    VolumeDevice alone;

    if (volume_use_writable(still->use) || still->use->others->len > 0)
        return choose_in_use(still, way, NULL, error);
    if (is_used(still)) {
        volume_still_choose(still, "read-only", "consistent");
        return true;
    }
    if (volume_device_open(still->device.path, O_RDONLY | O_EXCL, &alone, &problem))
        return choose_alone(still, way, &alone, error);
    if (!g_error_matches(problem, BS_ERROR, BS_ERROR_LOCKED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    return choose_in_use(still, way, "by whom cannot be seen from here", error);
}

/* Who mounts an image read-only through a loop device has it open for writing all the same. */
static bool choose_for_image(VolumeStill *still, GError **error)
{
    VolumeWriters writers = volume_device_writers(&still->device);
    bool chosen = false, many = volume_group_size(still->group, still->device.path) > 1;

    if (many && (!volume_moment_choose(still, &chosen, error) || chosen))
        return chosen;
    if (writers == WRITERS_NONE)
        volume_still_choose(still, "unused", "consistent");
    else if (still->use->mounts->len > 0 && !volume_use_writable(still->use))
        volume_still_choose(still, "read-only", "consistent");
    else if (!many && !volume_moment_choose(still, &chosen, error))
        return false;
    else if (!chosen && writers == WRITERS_UNKNOWN && !is_used(still))
        choose_unseen(still);
    else if (!chosen)
        choose_nothing(still, NULL);
    return true;
}

/* Nobody has to wait where there is a consistent moment. */
static bool choose_freeze(VolumeStill *still, int64_t limit_ms, GError **error)
{
    bool chosen = false;

    if (still->device.block)
        chosen = volume_moment_choose_lvm(still);
    else if (!volume_moment_choose(still, &chosen, error))
        return false;
    if (chosen && strcmp(still->state, "consistent") == 0)
        return true;
    volume_moment_forget(still);
    volume_still_choose(still, "freeze", "consistent");
    if (still->lost)
        still->note = g_strdup_printf("%s was frozen instead: %s", still->device.path, still->lost);
    return volume_still_freeze(still, limit_ms, error);
}

static bool choose_way(VolumeStill *still, VolumeWay way, int64_t limit_ms, GError **error)
{
    switch (way) {
    case VOLUME_HOOK:
        volume_still_choose(still, "hook", "declared");
        return true;
    case VOLUME_NONE:
        choose_nothing(still, NULL);
        return true;
    case VOLUME_FREEZE:
        if (volume_use_writable(still->use))
            return choose_freeze(still, limit_ms, error);
        break; // nothing to freeze
    case VOLUME_LVM:
        if (still->device.block)
            break;
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "%s: --consistency lvm is for logical volumes, and this is an image",
                    still->device.path);
        return false;
    case VOLUME_AUTO:
        break;
    }
    if (still->device.block)
        return choose_for_device(still, way, error);
    return choose_for_image(still, error);
}

VolumeStill *volume_still_begin(const char *path, VolumeWay way, int64_t limit_ms,
                                VolumeGroup *group, GError **error)
{
    g_autoptr(VolumeStill) still = g_new0(VolumeStill, 1);

    still->clone = still->device.fd = -1;
    still->group = volume_group_ref(group);
    if (!volume_device_open(path, O_RDONLY, &still->device, error) ||
        !volume_use_find(&still->device.st, &still->use, error) ||
        !choose_way(still, way, limit_ms, error))
        return NULL;
    // the size may have changed before it was still
    if (!volume_device_size(volume_still_fd(still), &still->device.size, error))
        return NULL;
    return g_steal_pointer(&still);
}

void volume_still_free(VolumeStill *still)
{
    if (!still)
        return;
    volume_freeze_free(still->freeze);
    volume_use_free(still->use);
    volume_moment_forget(still);
    g_free(still->lost);
    volume_group_unref(still->group);
    volume_device_close(&still->device);
    g_free(still);
}

const VolumeDevice *volume_still_device(const VolumeStill *still)
{
    return &still->device;
}

int volume_still_fd(const VolumeStill *still)
{
    return still->clone >= 0 ? still->clone : still->device.fd;
}

/* ---- whether it holds ---- */

bool volume_still_is_one(const VolumeStill *still)
{
    return strcmp(still->way, "none") != 0;
}

bool volume_still_moment(const VolumeStill *still, int64_t *ret_from_ms, int64_t *ret_until_ms)
{
    const char *path = still->device.path;

    if (still->in_snapshot)
        volume_group_moment(still->group, path, ret_from_ms, ret_until_ms);
    if (still->in_lvm)
        volume_lvm_moment(volume_group_lvm(still->group), path, ret_from_ms, ret_until_ms);
    return still->in_snapshot || still->in_lvm;
}

bool volume_still_holds(VolumeStill *still, GError **error)
{
    if (still->in_lvm)
        return volume_lvm_holds(volume_group_lvm(still->group), still->device.path, false, error);
    return !still->freeze || volume_freeze_holds(still->freeze, error);
}

void volume_still_explain(VolumeStill *still, GError **error)
{
    g_autoptr(GError) problem = NULL;

    if (!still->in_lvm ||
        volume_lvm_holds(volume_group_lvm(still->group), still->device.path, true, &problem) ||
        !g_error_matches(problem, BS_ERROR, BS_ERROR_NO_SPACE))
        return;
    g_clear_error(error);
    g_propagate_error(error, g_steal_pointer(&problem));
}

static bool stayed_unused(const VolumeStill *still, GError **error)
{
    const struct stat *before = &still->device.st;
    struct stat now;

    if (still->device.block)
        return true; // it was ours alone
    if (fstat(still->device.fd, &now) == 0 && now.st_size == before->st_size &&
        now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == before->st_mtim.tv_nsec &&
        volume_device_writers(&still->device) != WRITERS_SOME)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "%s: somebody began to write to it while it was read; back it up again, with "
                "--consistency freeze if it is mounted",
                still->device.path);
    return false;
}

static bool stayed_read_only(const VolumeStill *still, GError **error)
{
    g_autoptr(VolumeUse) now = NULL;

    if (!volume_use_find(&still->device.st, &now, error))
        return false;
    if (!volume_use_writable(now))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                "%s: it was mounted for writing while it was read; back it up again",
                still->device.path);
    return false;
}

bool volume_still_end(VolumeStill *still, GError **error)
{
    if (still->freeze)
        return volume_still_thaw(still, error);
    if (strcmp(still->way, "unused") == 0)
        return stayed_unused(still, error);
    if (strcmp(still->way, "read-only") == 0)
        return stayed_read_only(still, error);
    if (still->in_lvm &&
        !volume_lvm_holds(volume_group_lvm(still->group), still->device.path, true, error))
        return false;
    volume_moment_end(still);
    return true;
}

/* ---- telling ---- */

json_t *volume_still_facts(const VolumeStill *still)
{
    json_t *facts = json_object(), *mounts = json_array();

    for (guint i = 0; i < still->use->mounts->len; i++) {
        const VolumeMount *mount = still->use->mounts->pdata[i];
        json_t *one = json_object();

        (void)json_object_set_new(one, "path", pg_facts_text(mount->where, NULL));
        (void)json_object_set_new(one, "type", pg_facts_text(mount->type, NULL));
        (void)json_object_set_new(one, "device", pg_facts_text(mount->device, NULL));
        (void)json_object_set_new(one, "writable", json_boolean(mount->writable));
        (void)json_array_append_new(mounts, one);
    }
    (void)json_object_set_new(facts, "way", json_string(still->way));
    (void)json_object_set_new(facts, "state", json_string(still->state));
    (void)json_object_set_new(facts, "mounts", mounts);
    if (still->frozen_ms > 0)
        (void)json_object_set_new(facts, "frozen_ms", json_integer(still->frozen_ms));
    return facts;
}

const char *volume_still_note(const VolumeStill *still)
{
    return still->note;
}
