/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restorevolume.h"

#include "base/error.h"
#include "base/log.h"
#include "op/kindsnapshot.h"
#include <string.h>

static const SourceKind volume_kind = { "volume", "a volume" };

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

static void copy_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));

    g_strlcpy(out, text ? text : "", size);
}

/* What is missing or impossible is damage: nothing is written then. */
static bool read_manifest(const json_t *manifest, VolumeTarget *target, VolumeId *ret_id,
                          GError **error)
{
    const json_t *volume = json_object_get(manifest, "volume"),
                 *content = json_object_get(manifest, "content");
    json_int_t size = json_integer_value(json_object_get(volume, "size")),
               segment = json_integer_value(json_object_get(volume, "segment_size"));

    target->folder = json_string_value(json_object_get(volume, "folder"));
    if (!target->folder || !*target->folder || strchr(target->folder, '/') || size < 0 ||
        segment <= 0 || !volume_id_find(volume, ret_id)) {
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "manifest.json does not say what the volume is");
        return false;
    }
    target->size = (uint64_t)size;
    target->segment = (uint64_t)segment;
    target->content.type = json_string_value(json_object_get(content, "type"));
    copy_text(content, "uuid", target->content.uuid, sizeof target->content.uuid);
    copy_text(content, "label", target->content.label, sizeof target->content.label);
    return true;
}

static bool is_crash_consistent(const json_t *manifest)
{
    const json_t *consistency = json_object_get(manifest, "consistency");

    return g_strcmp0(json_string_value(json_object_get(consistency, "state")),
                     "crash-consistent") == 0;
}

/* After an error the target may hold half a volume. */
static bool fill(const KindSnapshot *from, const VolumeTarget *target, Progress *progress,
                 RestoreVolumeResult *result, GError **error)
{
    g_autoptr(Sink) sink = volume_sink_new(target, &result->restored, error);

    if (!sink)
        return false;
    if (progress)
        atomic_store(&progress->bytes_total, target->size);
    if (kind_snapshot_push(from, target->folder, sink, progress, target->cancel, error))
        return true;
    if (!target->dry_run)
        g_prefix_error(error,
                       "%s is not whole, and marked in its first bytes if anything was written; "
                       "run the same restore again, which goes on from there: ",
                       target->target);
    return false;
}

bool op_restore_volume(OpenRepo *open, const RestoreVolumeRequest *request, Progress *progress,
                       const Cancel *cancel, RestoreVolumeResult *ret_result, GError **error)
{
    VolumeTarget target = {
        .target = request->target,
        .force = request->force,
        .file = request->file,
        .dry_run = request->preview,
        .cancel = cancel,
    };
    g_autoptr(Snapshot) snapshot = NULL;
    g_auto(KindSnapshot) from = { 0 };
    g_autofree char *subpath = NULL;
    RestoreVolumeResult result = { 0 };
    VolumeId id;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &subpath, error) ||
        !repo_load_index(open->repo, cancel, error) ||
        !kind_snapshot_open(open->repo, snapshot, &volume_kind, &from, error) ||
        !read_manifest(from.manifest, &target, &id, error) ||
        !restore_facts(request->facts, snapshot, from.manifest, cancel, error))
        return false;
    target.snapshot = result.snapshot = snapshot->id;
    result.size = target.size;
    result.crash_consistent = is_crash_consistent(from.manifest);
    if (!fill(&from, &target, progress, &result, error) ||
        (request->verify && !request->preview &&
         !volume_verify(request->target, target.size, &id, cancel, error)))
        return false;
    *ret_result = result;
    return true;
}
