/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volumestill.h"

#include "base/error.h"
#include "base/fs.h"
#include "source/pgfacts.h"
#include "source/volumefreeze.h"
#include "source/volumemay.h"
#include "source/volumeuse.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* While a file is cloned: metadata only, but of a large file it may be much. */
#define CLONE_LIMIT_MS 10000

struct VolumeStill {
    VolumeDevice device;
    VolumeUse *use;
    const char *way, *state;
    int clone; /* also a snapshot; -1: none */
    VolumeGroup *group;
    bool in_snapshot;
    VolumeFreeze *freeze;
    int64_t frozen_ms;
    char *note;
};

bool volume_way_parse(const char *text, VolumeWay *ret_way, GError **error)
{
    static const char *const words[] = {
        [VOLUME_AUTO] = "auto",
        [VOLUME_FREEZE] = "freeze",
        [VOLUME_HOOK] = "hook",
        [VOLUME_NONE] = "none",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(text, words[i]) == 0) {
            *ret_way = (VolumeWay)i;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--consistency %s: must be auto, freeze, hook or none", text);
    return false;
}

static void choose(VolumeStill *still, const char *way, const char *state)
{
    still->way = way;
    still->state = state;
}

static bool is_used(const VolumeStill *still)
{
    return still->use->mounts->len > 0 || still->use->others->len > 0;
}

/* Blocks are read one after the other while others change them. */
static void choose_nothing(VolumeStill *still, const char *why)
{
    g_autofree char *use = volume_use_text(still->use);

    choose(still, "none", "crash-consistent");
    still->note = g_strdup_printf(
        "crash-consistent at best: %s was read while it is in use (%s)%s%s; freeze it "
        "(--consistency freeze), or back up a snapshot of it",
        still->device.path, use ? use : "others have it open for writing", why ? ", " : "",
        why ? why : "");
}

/* ---- freezing ---- */

static bool freeze(VolumeStill *still, int64_t limit_ms, GError **error)
{
    g_auto(GStrv) mounts = volume_use_writable_mounts(still->use);

    if (volume_may_freeze(mounts, error))
        still->freeze = volume_freeze_begin(mounts, limit_ms, error);
    return still->freeze != NULL;
}

static bool thaw(VolumeStill *still, GError **error)
{
    bool ok = volume_freeze_end(still->freeze, &still->frozen_ms, error);

    g_clear_pointer(&still->freeze, volume_freeze_free);
    return ok;
}

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

    if (!freeze(still, CLONE_LIMIT_MS, error))
        return false;
    cloned = clone_file(still);
    if (!thaw(still, error))
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
        choose(still, "clone", "consistent");
        return true;
    }
    if (still->clone < 0)
        return false;
    choose(still, "clone", "crash-consistent");
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
    choose(still, "snapshot", consistent ? "consistent" : "crash-consistent");
    if (!consistent)
        still->note = g_strdup_printf("crash-consistent: %s was read from a snapshot of one "
                                      "moment while others wrote to it%s%s",
                                      still->device.path, why ? "; " : "", why ? why : "");
    return true;
}

/* Several images have one moment only in a snapshot; one by itself is cloned with less ado, if it
 * can be: not when it was made with chattr +C. */
static bool choose_moment(VolumeStill *still, bool *ret_chosen, GError **error)
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

/* ---- choosing ---- */

static bool choose_for_device(VolumeStill *still, GError **error)
{
    g_autoptr(GError) problem = NULL;
    VolumeDevice alone;

    if (is_used(still)) {
        if (volume_use_writable(still->use) || still->use->others->len > 0)
            choose_nothing(still, NULL);
        else
            choose(still, "read-only", "consistent");
        return true;
    }
    // nobody can mount it meanwhile
    if (volume_device_open(still->device.path, O_RDONLY | O_EXCL, &alone, &problem)) {
        volume_device_close(&still->device);
        still->device = alone;
        choose(still, "unused", "consistent");
        return true;
    }
    if (!g_error_matches(problem, BS_ERROR, BS_ERROR_LOCKED)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    choose_nothing(still, "by whom cannot be seen from here");
    return true;
}

/* Who mounts an image read-only through a loop device has it open for writing all the same. */
static bool choose_for_image(VolumeStill *still, GError **error)
{
    VolumeWriters writers = volume_device_writers(&still->device);
    bool chosen = false, many = volume_group_size(still->group, still->device.path) > 1;

    if (many && (!choose_moment(still, &chosen, error) || chosen))
        return chosen;
    if (writers == WRITERS_NONE || (writers == WRITERS_UNKNOWN && !is_used(still)))
        choose(still, "unused", "consistent");
    else if (still->use->mounts->len > 0 && !volume_use_writable(still->use))
        choose(still, "read-only", "consistent");
    else if (!many && !choose_moment(still, &chosen, error))
        return false;
    else if (!chosen)
        choose_nothing(still, NULL);
    return true;
}

static void forget_moment(VolumeStill *still)
{
    if (still->in_snapshot)
        (void)volume_group_close(still->group, still->device.path, NULL);
    still->in_snapshot = false;
    g_clear_pointer(&still->note, g_free);
    fs_clear_fd(&still->clone);
}

static bool choose_way(VolumeStill *still, VolumeWay way, int64_t limit_ms, GError **error)
{
    bool chosen = false;

    switch (way) {
    case VOLUME_HOOK:
        choose(still, "hook", "declared");
        return true;
    case VOLUME_NONE:
        choose_nothing(still, NULL);
        return true;
    case VOLUME_FREEZE:
        if (!volume_use_writable(still->use))
            break; // nothing to freeze
        if (!still->device.block && !choose_moment(still, &chosen, error))
            return false;
        if (chosen && strcmp(still->state, "consistent") == 0)
            return true;
        forget_moment(still);
        choose(still, "freeze", "consistent");
        return freeze(still, limit_ms, error);
    case VOLUME_AUTO:
        break;
    }
    if (still->device.block)
        return choose_for_device(still, error);
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
    forget_moment(still);
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
    if (still->in_snapshot)
        volume_group_moment(still->group, still->device.path, ret_from_ms, ret_until_ms);
    return still->in_snapshot;
}

bool volume_still_holds(VolumeStill *still, GError **error)
{
    return !still->freeze || volume_freeze_holds(still->freeze, error);
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

/* The backup is whole; that something was left behind is told. */
static void give_back(VolumeStill *still)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *before = g_steal_pointer(&still->note);

    fs_clear_fd(&still->clone);
    still->in_snapshot = false;
    if (volume_group_close(still->group, still->device.path, &problem))
        still->note = g_steal_pointer(&before);
    else
        still->note =
            g_strdup_printf("%s%s%s", before ? before : "", before ? "; " : "", problem->message);
}

bool volume_still_end(VolumeStill *still, GError **error)
{
    if (still->freeze)
        return thaw(still, error);
    if (strcmp(still->way, "unused") == 0)
        return stayed_unused(still, error);
    if (strcmp(still->way, "read-only") == 0)
        return stayed_read_only(still, error);
    if (still->in_snapshot)
        give_back(still);
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
