/* SPDX-License-Identifier: Apache-2.0 */
#include "source/volume.h"

#include "base/error.h"
#include "pg/url.h"
#include "source/pgcluster.h"
#include "source/pgfacts.h"
#include "source/pgpush.h"
#include "source/volumehead.h"
#include "source/volumelayout.h"
#include "source/volumeread.h"
#include "source/volumesum.h"
#include <fcntl.h>
#include <string.h>

#define FREEZE_LIMIT_MS 60000

typedef struct {
    Source base;
    char *path;
    VolumeOptions options;
    VolumeGroup *group;
    size_t parent_cut; /* 0: not known */
    VolumeStill *held; /* since it was opened; NULL: from the backup on */
} VolumeSource;

/* One backup. */
typedef struct {
    PgPush push;
    VolumeStill *still;
    VolumeRead *read;
    VolumeLayout layout;
    size_t cut;
    char *folder; /* "sdb1.img" */
    VolumeSum *sum;
    uint64_t zeros; /* bytes of them that were not pushed */
    json_t *manifest;
} Backup;

static bool begin_directory(Backup *backup, const char *path, void **ret_handle, GError **error)
{
    return pg_push_begin(&backup->push, path, S_IFDIR | 0700, ret_handle, error);
}

/* ---- segments ---- */

/* Zeros are a gap in what is written. */
static bool push_content(Backup *backup, void *handle, uint64_t len, GError **error)
{
    const uint8_t *data;
    uint64_t n;

    for (uint64_t done = 0; done < len; done += n) {
        if (!cancel_check(backup->push.run->cancel, error) ||
            !volume_still_holds(backup->still, error))
            return false;
        if (!volume_read_next(backup->read, backup->layout.segment, &data, &n, error)) {
            volume_still_explain(backup->still, error);
            return false;
        }
        g_assert(n > 0);
        volume_sum_add(backup->sum, data, n);
        if (!data)
            backup->zeros += n;
        else if (!sink_write(backup->push.sink, handle, done, data, (size_t)n, error))
            return false;
    }
    return true;
}

static bool push_segment(Backup *backup, uint64_t n, GError **error)
{
    g_autofree char *name = volume_layout_path(&backup->layout, n);
    g_autofree char *path = g_build_filename(backup->folder, name, NULL);
    uint64_t len = volume_layout_len(&backup->layout, n);
    void *handle;

    if (!pg_push_begin(&backup->push, path, S_IFREG | 0600, &handle, error))
        return false;
    if (!push_content(backup, handle, len, error)) {
        sink_abandon(backup->push.sink, handle);
        return false;
    }
    return pg_push_end_file(&backup->push, handle, path, len, error);
}

static bool push_segments(Backup *backup, GError **error)
{
    const VolumeLayout *layout = &backup->layout;
    void *folder = NULL;

    for (uint64_t n = 0; n < layout->n_segments; n++) {
        if (volume_layout_begins_folder(layout, n)) {
            g_autofree char *name = volume_layout_folder(layout, n);
            g_autofree char *path = g_build_filename(backup->folder, name, NULL);

            if (!begin_directory(backup, path, &folder, error))
                return false;
        }
        if (!push_segment(backup, n, error)) {
            if (folder)
                sink_abandon(backup->push.sink, folder);
            return false;
        }
        if (volume_layout_ends_folder(layout, n) &&
            !sink_end(backup->push.sink, g_steal_pointer(&folder), NULL, error))
            return false;
    }
    return true;
}

static bool push_folder(Backup *backup, GError **error)
{
    void *folder;

    if (!begin_directory(backup, backup->folder, &folder, error))
        return false;
    if (!push_segments(backup, error)) {
        sink_abandon(backup->push.sink, folder);
        return false;
    }
    return sink_end(backup->push.sink, folder, NULL, error);
}

/* ---- the manifest ---- */

static void describe_head(Backup *backup, const VolumeHead *head)
{
    json_t *facts = json_object();

    if (head->type)
        (void)json_object_set_new(facts, "type", json_string(head->type));
    if (*head->uuid)
        (void)json_object_set_new(facts, "uuid", pg_facts_text(head->uuid, NULL));
    if (*head->label)
        (void)json_object_set_new(facts, "label", pg_facts_text(head->label, NULL));
    (void)json_object_set_new(backup->manifest, "content", facts);
}

static void describe_volume(Backup *backup)
{
    const VolumeDevice *device = volume_still_device(backup->still);
    json_t *facts = json_object();
    VolumeId id;

    volume_sum_end(backup->sum, &id);
    (void)json_object_set_new(facts, "folder", json_string(backup->folder));
    (void)json_object_set_new(facts, "type", json_string(device->block ? "block" : "image"));
    (void)json_object_set_new(facts, "size", json_integer((json_int_t)device->size));
    (void)json_object_set_new(facts, "sector_size", json_integer(device->sector));
    (void)json_object_set_new(facts, "physical_sector_size", json_integer(device->physical_sector));
    (void)json_object_set_new(facts, "segment_size",
                              json_integer((json_int_t)backup->layout.segment));
    (void)json_object_set_new(facts, "segments",
                              json_integer((json_int_t)backup->layout.n_segments));
    (void)json_object_set_new(facts, "cut", json_integer((json_int_t)backup->cut));
    (void)json_object_set_new(facts, "zero_bytes", json_integer((json_int_t)backup->zeros));
    volume_id_describe(&id, facts);
    (void)json_object_set_new(backup->manifest, "volume", facts);
    (void)json_object_set_new(backup->manifest, "device", volume_device_identity(device));
    (void)json_object_set_new(backup->manifest, "consistency", volume_still_facts(backup->still));
}

static void describe_source(Backup *backup, const VolumeSource *source)
{
    json_t *facts = json_object();

    (void)json_object_set_new(facts, "kind", json_string("volume"));
    (void)json_object_set_new(facts, "name", pg_facts_text(source->base.name, NULL));
    (void)json_object_set_new(facts, "path", pg_facts_text(source->path, NULL));
    (void)json_object_set_new(backup->manifest, "manifest_version", json_integer(1));
    (void)json_object_set_new(backup->manifest, "backstay_version", json_string(BS_VERSION));
    (void)json_object_set_new(backup->manifest, "source", facts);
    source_add_facts(&source->base, backup->manifest);
    (void)json_object_set_new(backup->manifest, "started", pg_facts_time(backup->push.time));
}

/* ---- all of it ---- */

/* What the volume says of itself; half a restore is no backup. */
static bool look_at_head(Backup *backup, GError **error)
{
    const char *path = volume_still_device(backup->still)->path;
    const uint8_t *head;
    VolumeHead found;
    size_t len;

    if (!volume_read_head(backup->read, &head, &len, error)) {
        volume_still_explain(backup->still, error);
        return false;
    }
    if (volume_mark_is(head, len)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%s holds a restore that was not finished; run it again", path);
        return false;
    }
    volume_head_look(head, len, &found);
    describe_head(backup, &found);
    return true;
}

static bool push_top(Backup *backup, GError **error)
{
    void *top;

    if (!begin_directory(backup, NULL, &top, error))
        return false;
    if (!push_folder(backup, error) || !volume_still_end(backup->still, error)) {
        sink_abandon(backup->push.sink, top);
        return false;
    }
    describe_volume(backup);
    backup->push.cut = 0;
    if (!pg_push_manifest(&backup->push, backup->manifest, error)) {
        sink_abandon(backup->push.sink, top);
        return false;
    }
    return sink_end(backup->push.sink, top, NULL, error);
}

static char *folder_name(const char *path)
{
    g_autofree char *base = g_path_get_basename(path);

    return g_str_has_suffix(base, ".img") ? g_steal_pointer(&base)
                                          : g_strconcat(base, ".img", NULL);
}

static VolumeStill *hold_still(const VolumeSource *source, GError **error)
{
    const VolumeOptions *options = &source->options;

    return volume_still_begin(source->path, options->way,
                              options->freeze_limit_ms > 0 ? options->freeze_limit_ms
                                                           : FREEZE_LIMIT_MS,
                              source->group, error);
}

static bool run_backup(VolumeSource *source, Backup *backup, GError **error)
{
    const VolumeDevice *device;

    backup->still = source->held ? g_steal_pointer(&source->held) : hold_still(source, error);
    if (!backup->still)
        return false;
    device = volume_still_device(backup->still);
    backup->cut = pgcluster_cut(device->size, source->parent_cut);
    backup->push.cut = backup->cut;
    backup->layout = volume_layout(device->size, backup->cut);
    backup->read = volume_read_new(volume_still_fd(backup->still), device->size, device->path);
    backup->sum = volume_sum_new(volume_sum_wants_blocks(volume_read_holes(backup->read)));
    g_ptr_array_add(source->base.tags, g_strdup_printf("cut=%zuk", backup->cut >> 10));
    if (!look_at_head(backup, error) || !push_top(backup, error))
        return false;
    if (volume_still_note(backup->still))
        g_ptr_array_add(source->base.notes, g_strdup(volume_still_note(backup->still)));
    return true;
}

static bool volume_backup(Source *base, Sink *sink, const SourceRun *run, GError **error)
{
    VolumeSource *source = (VolumeSource *)base;
    Backup backup = { .folder = folder_name(source->path) };
    bool ok;

    pg_push_init(&backup.push, base->name, sink, run);
    backup.push.undated = true;
    backup.manifest = json_object();
    describe_source(&backup, source);
    ok = run_backup(source, &backup, error);
    volume_read_free(backup.read);
    volume_still_free(backup.still);
    json_decref(backup.manifest);
    volume_sum_free(backup.sum);
    pg_push_done(&backup.push);
    g_free(backup.folder);
    if (!ok)
        g_prefix_error(error, "%s: ", base->name);
    return ok;
}

static void volume_estimate(Source *base, const SourceRun *run)
{
    const VolumeSource *source = (VolumeSource *)base;
    g_auto(VolumeDevice) device = { .fd = -1 };

    if (!volume_device_open(source->path, O_RDONLY, &device, NULL))
        return; // the backup tells
    atomic_store(&run->progress->bytes_total, device.size);
    atomic_store(
        &run->progress->files_total,
        volume_layout(device.size, pgcluster_cut(device.size, source->parent_cut)).n_segments + 1);
    atomic_store(&run->progress->total_known, true);
}

static void volume_inherit(Source *base, const SourceParent *parent)
{
    ((VolumeSource *)base)->parent_cut = pgcluster_parent_cut(parent->tags);
}

static bool volume_open(Source *base, G_GNUC_UNUSED const Cancel *cancel, SourceHold *ret_hold,
                        GError **error)
{
    VolumeSource *source = (VolumeSource *)base;

    source->held = hold_still(source, error);
    if (!source->held)
        return false;
    *ret_hold = volume_still_is_one(source->held) ? SOURCE_MOMENT : SOURCE_INTERVAL;
    (void)volume_still_moment(source->held, &base->held_from_ms, &base->held_until_ms);
    return true;
}

static void volume_free(Source *base)
{
    VolumeSource *source = (VolumeSource *)base;

    volume_still_free(source->held);
    volume_group_unref(source->group);
    g_free(source->path);
    g_free(source);
}

static const SourceOps volume_ops = {
    .kind = "volume",
    .open = volume_open,
    .estimate = volume_estimate,
    .inherit = volume_inherit,
    .backup = volume_backup,
    .free = volume_free,
};

Source *volume_source_new(const char *path, const VolumeOptions *options, VolumeGroup *group,
                          GError **error)
{
    g_autofree char *absolute = g_canonicalize_filename(path, NULL);
    g_autofree char *plain = NULL;
    VolumeSource *source;

    if (!*path || strcmp(absolute, "/") == 0) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "no device and no image; write volume:/dev/sdb1 or volume:/srv/vm.img");
        return NULL;
    }
    // two volumes of the same name must not become one source
    plain = g_strconcat("volume-", absolute + 1, NULL);
    source = g_new0(VolumeSource, 1);
    source_init(&source->base, &volume_ops, pg_escape_name(plain));
    source->path = g_steal_pointer(&absolute);
    source->options = *options;
    source->group = volume_group_ref(group);
    // the others are read where they lie, and need nobody to take a snapshot for them
    if (options->way != VOLUME_HOOK && options->way != VOLUME_NONE)
        volume_group_add(group, source->path);
    return &source->base;
}
