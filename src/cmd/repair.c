/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/repairindex.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "op/repairsnapshots.h"
#include <string.h>

typedef struct {
    gboolean read_all_packs, read_data; /* index */
    SnapshotFilter filter;              /* snapshots */
    gboolean forget;
    gboolean dry_run;
} RepairArgs;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(RepairArgs, member))

static const GOptionEntry repair_options[] = {
    { "read-all-packs", 0, 0, ARG_FLAG, AT(read_all_packs),
      "index: ask every pack for its header instead of trusting what is left of the index", NULL },
    { "read-data", 0, 0, ARG_FLAG, AT(read_data),
      "index: read every byte, and take damaged packs out of the index", NULL },
    { "forget", 0, 0, ARG_FLAG, AT(forget), "snapshots: remove those that a repaired one replaces",
      NULL },
    FILTER_OPTIONS(RepairArgs),
    { "dry-run", 'n', 0, ARG_FLAG, AT(dry_run), "only say what would be done", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

typedef struct {
    const Settings *settings;
    const OpenRepo *open;
    bool dry_run;
} Telling;

/* ---- index ---- */

static void tell_found(const char *code, const char *object, const char *message, void *user)
{
    const Telling *telling = user;

    if (telling->settings->json)
        output_json(json_pack("{s:s, s:s, s:s, s:o}", "message_type", "found", "code", code,
                              "object", object, "message", json_bytes(message)));
    else
        fprintf(stderr, "%s: %s\n", object, message);
}

static bool still_locked(void *user, GError **error)
{
    const Telling *telling = user;

    return lock_confirm(telling->open->lock, error);
}

static void tell_index_json(const RepairIndexStats *stats, bool dry_run)
{
    json_t *object = json_object();

#define COUNT(member) json_object_set_new(object, #member, json_integer((json_int_t)stats->member))
    json_object_set_new(object, "message_type", json_string("summary"));
    json_object_set_new(object, "dry_run", json_boolean(dry_run));
    json_object_set_new(object, "changed", json_boolean(stats->changed));
    COUNT(objects_damaged);
    COUNT(objects_written);
    COUNT(objects_removed);
    COUNT(packs_kept);
    COUNT(packs_read);
    COUNT(packs_missing);
    COUNT(packs_damaged);
    COUNT(packs_unreadable);
    COUNT(blobs_moved);
    COUNT(blobs_lost);
#undef COUNT
    output_json(object);
}

static void tell_index(const RepairIndexStats *stats, bool dry_run)
{
    const char *would = dry_run ? "would be " : "";

    if (stats->changed)
        printf("the index %srebuilt: %" G_GUINT64_FORMAT " %s kept, %" G_GUINT64_FORMAT
               " read, %" G_GUINT64_FORMAT " missing, %" G_GUINT64_FORMAT " left out\n",
               dry_run ? "would be " : "was ", stats->packs_kept,
               plural(stats->packs_kept, "pack", "packs"), stats->packs_read, stats->packs_missing,
               stats->packs_damaged);
    else
        printf("the index is in order: %" G_GUINT64_FORMAT " %s\n",
               stats->packs_kept + stats->packs_read,
               plural(stats->packs_kept + stats->packs_read, "pack", "packs"));
    if (stats->packs_damaged > stats->packs_unreadable)
        printf("of the damaged packs %" G_GUINT64_FORMAT " %s %smoved, %" G_GUINT64_FORMAT
               " %s lost\n",
               stats->blobs_moved, plural(stats->blobs_moved, "blob", "blobs"), would,
               stats->blobs_lost, plural(stats->blobs_lost, "is", "are"));
    if (stats->packs_missing > 0 || stats->blobs_lost > 0)
        printf("back up again what may be lost while it is still there, then run\n"
               "`backstay repair snapshots --forget` and `backstay prune`\n");
}

static bool repair_the_index(const Context *context, const RepairArgs *args, GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    Telling telling = { context->settings, &open, args->dry_run };
    RepairIndexOptions options = { args->read_all_packs, args->read_data, args->dry_run };
    RepairIndexWatch watch = { tell_found, still_locked, &telling };
    RepairIndexStats stats = { 0 };

    if (!open_repo(context->settings, args->dry_run ? OPEN_SHARED : OPEN_EXCLUSIVE, args->dry_run,
                   context->cancel, &open, error) ||
        !repair_index(open.repo, &options, &watch, context->cancel, &stats, error))
        return false;
    if (context->settings->json)
        tell_index_json(&stats, args->dry_run);
    else if (!context->settings->quiet)
        tell_index(&stats, args->dry_run);
    return mirrored_finish(context, &open, false, true, error);
}

/* ---- snapshots ---- */

static void tell_damaged(const Id *snapshot, const char *path, const char *action,
                         const char *message, void *user)
{
    const Telling *telling = user;

    if (telling->settings->json)
        output_json(json_pack("{s:s, s:s, s:o, s:s, s:o}", "message_type", "damaged", "snapshot",
                              id_hex(snapshot).text, "path", json_bytes(path), "action", action,
                              "message", json_bytes(message)));
    else if (!telling->settings->quiet)
        printf("snapshot %s: %s%s%s (%s)\n", id_short(snapshot).text, path, *path ? ": " : "",
               message, action);
}

static void tell_repaired(const Id *snapshot, const Id *saved, bool lost, bool removed, void *user)
{
    const Telling *telling = user;
    const char *would = telling->dry_run ? "would be " : "";

    if (telling->settings->json) {
        json_t *object =
            json_pack("{s:s, s:s, s:b, s:b}", "message_type", "repaired", "source_snapshot_id",
                      id_hex(snapshot).text, "lost", lost, "removed", removed);

        if (saved)
            json_object_set_new(object, "snapshot_id", json_string(id_hex(saved).text));
        output_json(object);
        return;
    }
    if (telling->settings->quiet)
        return;
    if (lost)
        printf("snapshot %s: nothing can be had of it%s\n", id_short(snapshot).text,
               removed ? "" : "; --forget removes it");
    else
        printf("snapshot %s %srepaired%s%s\n", id_short(snapshot).text, would, saved ? " as " : "",
               saved ? id_short(saved).text : "");
    if (removed)
        printf("snapshot %s %sremoved\n", id_short(snapshot).text, would);
}

static void tell_result(const Settings *settings, const RepairSnapshotsResult *result, bool dry_run)
{
    if (settings->json)
        output_json(json_pack("{s:s, s:b, s:i, s:i, s:i, s:i, s:i}", "message_type", "summary",
                              "dry_run", dry_run, "sound", (int)result->sound, "repaired",
                              (int)result->repaired, "removed", (int)result->removed, "unreadable",
                              (int)result->unreadable, "kept", (int)result->kept));
    else if (!settings->quiet)
        printf("%u %s sound, %u %srepaired, %u %sremoved\n", result->sound,
               plural(result->sound, "snapshot is", "snapshots are"), result->repaired,
               dry_run ? "would be " : "", result->removed, dry_run ? "would be " : "");
}

static bool repair_the_snapshots(const Context *context, RepairArgs *args, char **ids,
                                 GError **error)
{
    g_auto(OpenRepo) open = { 0 };
    Telling telling = { context->settings, &open, args->dry_run };
    RepairSnapshotsRequest request = { .ids = ids,
                                       .forget = args->forget,
                                       .dry_run = args->dry_run };
    RepairSnapshotsWatch watch = { tell_damaged, tell_repaired, &telling };
    RepairSnapshotsResult result = { 0 };
    bool ok;

    filter_complete(&args->filter, ids);
    request.filter = args->filter;
    if (!open_repo(context->settings, args->dry_run ? OPEN_SHARED : OPEN_EXCLUSIVE, args->dry_run,
                   context->cancel, &open, error))
        return false;
    ok = op_repair_snapshots(&open, &request, &watch, context->cancel, &result, error);
    if (ok || g_error_matches(*error, BS_ERROR, BS_ERROR_PARTIAL))
        tell_result(context->settings, &result, args->dry_run);
    return mirrored_finish(context, &open, false, ok, error);
}

/* ---- which ---- */

static bool options_fit(const RepairArgs *args, bool index, GError **error)
{
    bool of_index = args->read_all_packs || args->read_data;
    bool of_snapshots =
        args->forget || args->filter.hosts || args->filter.tags || args->filter.paths;

    if (!(index ? of_snapshots : of_index))
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "repair %s: %s is for `repair %s`",
                index ? "index" : "snapshots",
                index ? "--forget, --host, --tag or --path" : "--read-all-packs or --read-data",
                index ? "snapshots" : "index");
    return false;
}

static bool repair_run(const Context *context, void *request, char **operands, GError **error)
{
    RepairArgs *args = request;

    if (operands[0] && strcmp(operands[0], "index") == 0)
        return operands_between(operands, 1, 1, "index", error) && options_fit(args, true, error) &&
               repair_the_index(context, args, error);
    if (operands[0] && strcmp(operands[0], "snapshots") == 0)
        return options_fit(args, false, error) &&
               repair_the_snapshots(context, args, operands + 1, error);
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "say what to repair: `repair index`, then `repair snapshots`");
    return false;
}

const Command repair_command = {
    .name = "repair",
    .operands = "index | snapshots [SNAPSHOT...]",
    .summary = "mend a damaged repository",
    .description =
        "repair index builds a new index from what is left of the old one and from the packs that "
        "are in none. With --read-data\n"
        "it reads everything; the sound blobs of a damaged pack go into a new one. Nothing that "
        "can be restored is given up, and\n"
        "no pack is removed.\n"
        "repair snapshots then writes new snapshots, tagged \"repaired\", for those that cannot be "
        "restored whole: files without\n"
        "what is missing, empty directories in place of those that cannot be read. Back up again "
        "first: a new backup stores anew\n"
        "what is missing and still there, and mends the old snapshots too. A snapshot with a "
        "directory that is whole but not of\n"
        "the format stays beside its repaired one, with --forget as well, unless it is named.",
    .options = repair_options,
    .request_size = sizeof(RepairArgs),
    .run = repair_run,
};
