/* SPDX-License-Identifier: Apache-2.0 */
#include "source/lvmsnapshot.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "source/lvmreport.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define REPORT_MAX   (16u << 20)
#define LOOK_MS      10000
#define LOCK_WAIT_MS 30000
#define LOCK_STEP_MS 100

struct LvmSnapshot {
    char *path;           /* of the volume, as named */
    char *vg_uuid, *uuid; /* of the volume */
    char *name, *full;    /* "backstay-...", and with its group before it */
    int origin, fd;
    bool made;
    int64_t looked_ms;
};

/* ---- which volume ---- */

static char *dm_uuid(dev_t device)
{
    g_autofree char *file =
        g_strdup_printf("/sys/dev/block/%u:%u/dm/uuid", major(device), minor(device));
    char *text = NULL;

    if (g_file_get_contents(file, &text, NULL, NULL))
        return g_strchomp(text);
    return NULL;
}

bool lvm_is_volume(dev_t device)
{
    g_autofree char *text = dm_uuid(device), *vg = NULL, *lv = NULL;

    return text && lvm_uuid_split(text, &vg, &lv);
}

/* ---- LVM's tools ---- */

/* The PATH of cron has no /usr/sbin. */
static char *tool(const char *name)
{
    static const char *const places[] = { "/usr/sbin", "/sbin" };
    char *path = g_find_program_in_path(name);

    for (size_t i = 0; !path && i < G_N_ELEMENTS(places); i++) {
        path = g_build_filename(places[i], name, NULL);
        if (!g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
            g_clear_pointer(&path, g_free);
    }
    return path ? path : g_strdup(name); // which is said not to be there
}

/* What LVM's tools read, and no secret of ours. Numbers with a point, and messages that can be
 * looked up. */
static GStrv environment(void)
{
    static const char *const wanted[] = { "PATH=", "TMPDIR=", "LVM_", "DM_" };
    g_auto(GStrv) ours = g_get_environ();
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

    for (char **variable = ours; *variable; variable++)
        for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++)
            if (g_str_has_prefix(*variable, wanted[i]))
                g_strv_builder_add(builder, *variable);
    g_strv_builder_add(builder, "LC_ALL=C");
    return g_strv_builder_end(builder);
}

/* In a group of its own: ^C is for us, who remove what was made. */
static bool run(const char *const *argv, GError **error)
{
    g_autofree char *program = tool(argv[0]);
    g_auto(GStrv) env = environment();
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    g_autoptr(Child) child = NULL;

    g_ptr_array_add(words, program);
    while (*argv++)
        g_ptr_array_add(words, (void *)*argv);
    child = child_spawn((const char *const *)words->pdata, (const char *const *)env,
                        CHILD_OWN_GROUP, error);
    return child && child_wait(child, NULL, NULL, error);
}

/* All volumes of the group. */
static GPtrArray *list(const LvmSnapshot *snapshot, GError **error)
{
    g_autofree char *program = tool("lvs");
    g_autofree char *select = g_strconcat("vg_uuid=", snapshot->vg_uuid, NULL);
    const char *const argv[] = {
        program, "--reportformat", "json",     "--binary", "--units", "b", "--nosuffix",
        "-o",    LVM_FIELDS,       "--select", select,     NULL
    };
    g_auto(GStrv) env = environment();
    g_autoptr(GBytes) output = NULL;
    size_t len;
    const char *text;

    if (!child_output(argv, (const char *const *)env, REPORT_MAX, &output, error))
        return NULL;
    text = g_bytes_get_data(output, &len);
    return lvm_report_parse(text, len, error);
}

static const LvmVolume *find_origin(const LvmSnapshot *snapshot, const GPtrArray *volumes,
                                    GError **error)
{
    const LvmVolume *origin = lvm_report_find(volumes, snapshot->uuid);

    if (!origin)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND,
                    "lvs does not know %s, which the kernel says is a logical volume",
                    snapshot->path);
    return origin;
}

static bool remove_volume(const char *full, GError **error)
{
    const char *const argv[] = { "lvremove", "--yes", full, NULL };

    return run(argv, error);
}

/* ---- room ---- */

static bool no_room(const LvmVolume *origin, const char *what, uint64_t have, GError **error)
{
    g_autofree char *need = g_format_size_full(lvm_least(origin->size), G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *has = g_format_size_full(have, G_FORMAT_SIZE_IEC_UNITS);

    g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE,
                "%s has %s left for what is written meanwhile, and at least %s are needed", what,
                has, need);
    return false;
}

/* A pool that fills up stops all that lies in it, so a snapshot is not worth the last of it. */
static bool pool_has(const GPtrArray *volumes, const LvmVolume *origin, uint64_t need,
                     GError **error)
{
    const LvmVolume *pool = lvm_report_find(volumes, origin->pool);
    g_autofree char *name =
        pool ? g_strconcat("thin pool ", pool->vg, "/", pool->name, NULL) : NULL;

    if (!pool) {
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_FOUND, "lvs does not tell the thin pool of %s/%s",
                    origin->vg, origin->name);
        return false;
    }
    return lvm_pool_room(pool) >= need || no_room(origin, name, lvm_pool_room(pool), error);
}

/* ---- making one ---- */

static bool create_thin(const LvmSnapshot *snapshot, const GPtrArray *volumes,
                        const LvmVolume *origin, GError **error)
{
    g_autofree char *full = g_strconcat(origin->vg, "/", origin->name, NULL);
    const char *const argv[] = { "lvcreate",
                                 "--yes",
                                 "--snapshot",
                                 "--permission",
                                 "r",
                                 "--setactivationskip",
                                 "n",
                                 "--addtag",
                                 LVM_TAG,
                                 "--name",
                                 snapshot->name,
                                 full,
                                 NULL };

    return pool_has(volumes, origin, lvm_least(origin->size), error) && run(argv, error);
}

static bool create_thick(const LvmSnapshot *snapshot, const LvmVolume *origin, unsigned shares,
                         GError **error)
{
    uint64_t extents = lvm_snapshot_extents(origin, shares);
    g_autofree char *full = g_strconcat(origin->vg, "/", origin->name, NULL);
    g_autofree char *group = g_strconcat("volume group ", origin->vg, NULL);
    g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, extents);
    const char *const argv[] = { "lvcreate",     "--yes", "--snapshot", "--permission", "r",
                                 "--extents",    number,  "--addtag",   LVM_TAG,        "--name",
                                 snapshot->name, full,    NULL };

    if (extents == 0)
        return no_room(origin, group, origin->vg_free / MAX(shares, 1) * origin->extent, error);
    return run(argv, error);
}

/* Those that killed runs left. True: some are gone, and room may have come free. */
static bool remove_left(const GPtrArray *volumes, const LvmVolume *origin)
{
    bool any = false;

    for (guint i = 0; i < volumes->len; i++) {
        const LvmVolume *volume = volumes->pdata[i];
        g_autofree char *full = g_strconcat(volume->vg, "/", volume->name, NULL);
        g_autoptr(GError) problem = NULL;

        if (!lvm_is_left(volume, origin))
            continue;
        if (remove_volume(full, &problem))
            any = true;
        else // one that overflowed is not told to be open; or else the next run tries again
            log_debug("a snapshot that was left stays", "volume", full, "error", problem->message,
                      NULL);
    }
    return any;
}

static bool create(LvmSnapshot *snapshot, unsigned shares, GError **error)
{
    g_autoptr(GPtrArray) volumes = list(snapshot, error);
    const LvmVolume *origin = volumes ? find_origin(snapshot, volumes, error) : NULL;

    if (!origin)
        return false;
    if (remove_left(volumes, origin)) {
        g_ptr_array_unref(volumes);
        volumes = list(snapshot, error);
        origin = volumes ? find_origin(snapshot, volumes, error) : NULL;
        if (!origin)
            return false;
    }
    snapshot->full = g_strconcat(origin->vg, "/", snapshot->name, NULL);
    snapshot->made = lvm_is_thin(origin) ? create_thin(snapshot, volumes, origin, error)
                                         : create_thick(snapshot, origin, shares, error);
    return snapshot->made;
}

/* By what LVM calls it, and only when it is the very device. */
static bool open_snapshot(LvmSnapshot *snapshot, GError **error)
{
    g_autoptr(GPtrArray) volumes = list(snapshot, error);
    const LvmVolume *it = volumes ? lvm_report_named(volumes, snapshot->name) : NULL;
    struct stat st;

    if (!volumes)
        return false;
    if (!it || it->device == 0 || strcmp(it->origin, snapshot->uuid) != 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_FAILED,
                    "%s: lvcreate has made it, but lvs does not show it as an active snapshot",
                    snapshot->full);
        return false;
    }
    snapshot->fd = open(it->path, O_RDONLY | O_CLOEXEC | O_EXCL);
    if (snapshot->fd < 0 || fstat(snapshot->fd, &st) != 0) {
        bs_error_errno(error, errno, "open %s", it->path);
        return false;
    }
    if (S_ISBLK(st.st_mode) && st.st_rdev == it->device)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_FAILED, "%s is not the device of %s", it->path,
                snapshot->full);
    return false;
}

/* udev leaves devices of the device mapper unlocked (systemd, "Locking Block Device Access"), so
 * this keeps nobody out but ourselves. */
static bool lock(const LvmSnapshot *snapshot, GError **error)
{
    for (int waited_ms = 0; flock(snapshot->origin, LOCK_EX | LOCK_NB) != 0;
         waited_ms += LOCK_STEP_MS) {
        if (errno != EINTR && (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS)) {
            bs_error_errno(error, errno, "lock %s", snapshot->path);
            return false;
        }
        clock_sleep_ms(LOCK_STEP_MS);
    }
    return true;
}

static bool identify(LvmSnapshot *snapshot, GError **error)
{
    g_autofree char *text = NULL;
    struct stat st;

    snapshot->origin = open(snapshot->path, O_RDONLY | O_CLOEXEC);
    if (snapshot->origin < 0 || fstat(snapshot->origin, &st) != 0) {
        bs_error_errno(error, errno, "open %s", snapshot->path);
        return false;
    }
    text = S_ISBLK(st.st_mode) ? dm_uuid(st.st_rdev) : NULL;
    if (text && lvm_uuid_split(text, &snapshot->vg_uuid, &snapshot->uuid))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "%s is no logical volume", snapshot->path);
    return false;
}

LvmSnapshot *lvm_snapshot_new(const char *path, unsigned shares, GError **error)
{
    LvmSnapshot *snapshot = g_new0(LvmSnapshot, 1);

    snapshot->fd = snapshot->origin = -1;
    snapshot->path = g_strdup(path);
    snapshot->name = g_strdup_printf(LVM_PREFIX "%08x%08x", g_random_int(), g_random_int());
    // until it is open it looks as if it were left behind
    if (identify(snapshot, error) && lock(snapshot, error) && create(snapshot, shares, error) &&
        open_snapshot(snapshot, error)) {
        fs_clear_fd(&snapshot->origin);
        snapshot->looked_ms = clock_monotonic_ms();
        return snapshot;
    }
    (void)lvm_snapshot_remove(snapshot, NULL); // or else the next run does
    return NULL;
}

int lvm_snapshot_fd(const LvmSnapshot *snapshot)
{
    return snapshot->fd;
}

/* ---- whether it holds ---- */

static bool look(const LvmSnapshot *snapshot, bool at_room, GError **error)
{
    g_autoptr(GPtrArray) volumes = list(snapshot, error);
    const LvmVolume *it = volumes ? lvm_report_named(volumes, snapshot->name) : NULL;
    const LvmVolume *origin = volumes ? find_origin(snapshot, volumes, error) : NULL;

    if (!origin)
        return false;
    if (!it || lvm_has_overflowed(it)) {
        g_set_error(error, BS_ERROR, BS_ERROR_NO_SPACE,
                    "%s: the snapshot %s overflowed while it was read, for more was written to the "
                    "volume than the snapshot had room for; make more room in volume group %s, or "
                    "back it up when less is written",
                    snapshot->path, snapshot->full, origin->vg);
        return false;
    }
    if (!at_room || !lvm_is_thin(it) ||
        pool_has(volumes, origin, lvm_least(origin->size) / 2, error))
        return true;
    g_prefix_error(error, "%s: ended before its pool is full: ", snapshot->path);
    return false;
}

bool lvm_snapshot_held(LvmSnapshot *snapshot, GError **error)
{
    return look(snapshot, false, error);
}

bool lvm_snapshot_holds(LvmSnapshot *snapshot, GError **error)
{
    int64_t now_ms = clock_monotonic_ms();

    if (now_ms - snapshot->looked_ms < LOOK_MS)
        return true;
    snapshot->looked_ms = now_ms;
    return look(snapshot, true, error);
}

bool lvm_snapshot_remove(LvmSnapshot *snapshot, GError **error)
{
    bool ok;

    if (!snapshot)
        return true;
    fs_clear_fd(&snapshot->fd);
    ok = !snapshot->made || remove_volume(snapshot->full, error);
    if (!ok)
        g_prefix_error(error, "%s: a snapshot that could not be removed: ", snapshot->full);
    fs_clear_fd(&snapshot->origin);
    g_free(snapshot->path);
    g_free(snapshot->vg_uuid);
    g_free(snapshot->uuid);
    g_free(snapshot->name);
    g_free(snapshot->full);
    g_free(snapshot);
    return ok;
}
