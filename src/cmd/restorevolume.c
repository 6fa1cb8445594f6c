/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restorevolume.h"

#include "base/error.h"
#include "cmd/output.h"
#include "cmd/restore.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

static void tell_json(const RestoreVolumeRequest *restore, const RestoreVolumeResult *result,
                      const char *shown)
{
    const VolumeRestored *restored = &result->restored;

    output_json(json_pack(
        "{s:s, s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:b, s:b, s:b, s:b}", "message_type", "volume",
        "action", restore->preview ? "would_restore" : "restored", "snapshot_id",
        id_hex(&result->snapshot).text, "target", json_bytes(shown), "size",
        (json_int_t)result->size, "bytes_same", (json_int_t)restored->same, "bytes_written",
        (json_int_t)restored->written, "bytes_beyond", (json_int_t)restored->beyond, "created",
        (int)restored->created, "continued", (int)restored->continued, "crash_consistent",
        (int)result->crash_consistent, "verified", (int)(restore->verify && !restore->preview)));
}

static void tell_text(const RestoreVolumeRequest *restore, const RestoreVolumeResult *result,
                      const char *shown)
{
    const VolumeRestored *restored = &result->restored;
    g_autofree char *size = size_format(result->size), *written = size_format(restored->written),
                    *same = size_format(restored->same), *beyond = size_format(restored->beyond);

    printf("%s snapshot %s to %s: %s, of which %s %s written, and %s there already%s%s\n",
           restore->preview ? "would restore" : "restored", id_short(&result->snapshot).text, shown,
           size, written, restore->preview ? "would be" : "were", same,
           restored->continued ? "; it goes on with an unfinished restore" : "",
           restore->verify && !restore->preview ? "; verified" : "");
    if (restored->beyond > 0)
        printf("the target is larger: %s behind the end of the volume are as they were\n", beyond);
    if (result->crash_consistent)
        printf("the snapshot is crash-consistent only: check the file system before it is "
               "mounted\n");
}

bool restore_to_volume(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error)
{
    const char *path = options->to + strlen(RESTORE_VOLUME);
    const RestoreFacts facts = restore_facts_told(context, options);
    RestoreVolumeRequest restore = {
        .snapshot = operands[0],
        .filter = { options->hosts, options->tags, options->paths },
        .target = g_str_has_prefix(path, "//") ? path + 1 : path,
        .force = options->force,
        .preview = options->dry_run,
        .facts = &facts,
        .verify = options->verify,
        .file = options->shown != NULL,
    };
    g_auto(OpenRepo) open = { 0 };
    g_autofree char *shown_name = NULL;
    RestoreVolumeResult result;
    ShownProgress shown;
    Progress *progress;
    bool ok;

    if (restore_is_about_database(options) || options->clean || !*restore.target) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "into a volume all of it is restored: volume:/dev/sdb1 or volume:/path/of.img; "
                    "of the options for --to only --force, --verify and --preview fit");
        return false;
    }
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error))
        return false;
    progress = progress_show(&shown, context->settings, true);
    ok = op_restore_volume(&open, &restore, progress, context->cancel, &result, error);
    progress_hide(&shown);
    if (!ok)
        return false;
    shown_name = restore_shown(options, restore.target);
    if (context->settings->json)
        tell_json(&restore, &result, shown_name);
    else if (!context->settings->quiet)
        tell_text(&restore, &result, shown_name);
    return true;
}
