/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/backuptell.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/plural.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "plan/amount.h"
#include <stdio.h>

static void tell_problem(const char *item, const GError *problem, void *user)
{
    output_problem(user, "archival", item, problem);
}

static void tell_item(const char *path, const Node *node, ItemChange change, void *user)
{
    static const char *const words[] = { "new", "modified", "unchanged" };
    const Settings *settings = user;

    if (settings->json)
        output_json(json_pack("{s:s, s:s, s:o, s:I}", "message_type", "verbose_status", "action",
                              words[change], "item", json_bytes(path), "data_size",
                              (json_int_t)node->size));
    else
        printf("%-9s %s\n", words[change], path);
}

static void tell_json(const BackupResult *result, OpenRepo *open, bool dry_run, json_t *more)
{
    const SnapshotSummary *summary = &result->snapshot->summary;
    double seconds = (double)(summary->backup_end.sec - summary->backup_start.sec) +
                     ((double)summary->backup_end.nsec - (double)summary->backup_start.nsec) / 1e9;
    json_t *object = json_snapshot(result->snapshot);
    json_t *line = json_deep_copy(json_object_get(object, "summary"));
    json_t *mirrors = mirrored_json(open);

    if (more)
        (void)json_object_update(line, more);
    json_object_set_new(line, "message_type", json_string("summary"));
    if (dry_run)
        json_object_set_new(line, "dry_run", json_true());
    json_object_set_new(line, "total_duration", json_real(seconds));
    if (result->saved)
        json_object_set_new(line, "snapshot_id", json_string(id_hex(&result->snapshot->id).text));
    if (mirrors)
        json_object_set_new(line, "mirrors", mirrors);
    json_decref(object);
    output_json(line);
}

static void tell_text(const BackupResult *result, bool dry_run)
{
    const SnapshotSummary *summary = &result->snapshot->summary;
    g_autofree char *added = size_format(summary->data_added),
                    *stored = size_format(summary->data_added_packed);
    g_autofree char *total = size_format(summary->total_bytes_processed);
    g_autofree char *time =
        output_duration((double)(summary->backup_end.sec - summary->backup_start.sec));

    printf("Files:  %" G_GUINT64_FORMAT " new, %" G_GUINT64_FORMAT " changed, %" G_GUINT64_FORMAT
           " unmodified\n",
           summary->files_new, summary->files_changed, summary->files_unmodified);
    printf("Dirs:   %" G_GUINT64_FORMAT " new, %" G_GUINT64_FORMAT " changed, %" G_GUINT64_FORMAT
           " unmodified\n",
           summary->dirs_new, summary->dirs_changed, summary->dirs_unmodified);
    printf("%s to the repository: %s (%s stored)\n", dry_run ? "Would add" : "Added", added,
           stored);
    printf("processed %" G_GUINT64_FORMAT " %s, %s in %s\n", summary->total_files_processed,
           plural(summary->total_files_processed, "file", "files"), total, time);
    if (result->saved)
        printf("snapshot %s saved\n", id_short(&result->snapshot->id).text);
    else if (!dry_run)
        printf("nothing changed since the parent snapshot, none saved\n");
}

bool backup_and_tell(const Context *context, OpenRepo *open, Source *source,
                     const BackupRequest *request, const BackupTelling *telling, unsigned *problems,
                     GError **error)
{
    const Settings *settings = context->settings;
    BackupResult result = { 0 };
    ShownProgress shown;
    BackupWatch watch = {
        .problem = tell_problem,
        .item = settings->verbose >= 2 ? tell_item : NULL,
        .user = (void *)settings,
    };
    bool ok;

    watch.progress = progress_show(&shown, settings, !telling->no_scan);
    ok = op_backup(open, source, request, &watch, context->cancel, &result, error);
    progress_hide(&shown);
    if (!ok)
        return false;
    *problems += result.problems;
    if (settings->json)
        tell_json(&result, open, request->dry_run, telling->more);
    else if (!settings->quiet)
        tell_text(&result, request->dry_run);
    backup_result_clear(&result);
    return true;
}

bool backup_complete(unsigned problems, GError **error)
{
    if (problems == 0)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                "%u %s could not be read, or not without damage; %s named above", problems,
                plural(problems, "item", "items"), plural(problems, "it is", "each is"));
    return false;
}
