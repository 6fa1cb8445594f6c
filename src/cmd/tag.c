/* SPDX-License-Identifier: Apache-2.0 */
#include "op/tag.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "op/select.h"

typedef struct {
    SnapshotFilter filter;
    char **set, **add, **remove;
} TagOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(TagOptions, member))

static const GOptionEntry tag_options[] = {
    { "set", 0, 0, ARG_LIST, AT(set), "these in place of all tags (\"\" for none); a comma list",
      "TAGS" },
    { "add", 0, 0, ARG_LIST, AT(add), "these, too; a comma list", "TAGS" },
    { "remove", 0, 0, ARG_LIST, AT(remove), "without these; a comma list", "TAGS" },
    FILTER_OPTIONS(TagOptions),
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

typedef struct {
    const Settings *settings;
    unsigned n;
} Teller;

static void tell_changed(const Id *before, const Id *after, void *user)
{
    Teller *teller = user;

    teller->n++;
    if (teller->settings->json)
        output_json(json_pack("{s:s, s:s, s:s}", "message_type", "changed", "old_snapshot_id",
                              id_hex(before).text, "new_snapshot_id", id_hex(after).text));
    else if (teller->settings->verbose > 0)
        printf("old snapshot ID: %s -> new snapshot ID: %s\n", id_hex(before).text,
               id_hex(after).text);
}

static void tell_summary(const Teller *teller)
{
    if (teller->settings->json)
        output_json(json_pack("{s:s, s:i}", "message_type", "summary", "changed_snapshots",
                              (int)teller->n));
    else if (!teller->settings->quiet && teller->n == 0)
        printf("no snapshots were modified\n");
    else if (!teller->settings->quiet)
        printf("modified %u %s\n", teller->n, plural(teller->n, "snapshot", "snapshots"));
}

static bool check_options(const TagOptions *options, GError **error)
{
    if (!options->set && !options->add && !options->remove)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "nothing to do; use --set, --add or --remove");
    else if (options->set && (options->add || options->remove))
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--set cannot be given together with --add or --remove");
    else
        return true;
    return false;
}

static bool tag_run(const Context *context, void *request, char **operands, GError **error)
{
    TagOptions *options = request;
    TagRequest tags = { options->set, options->add, options->remove };
    Teller teller = { context->settings, 0 };
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GPtrArray) snapshots = NULL;
    unsigned unreadable, failed;
    bool ok;

    if (!check_options(options, error))
        return false;
    filter_complete(&options->filter, operands);
    if (!open_repo(context->settings, OPEN_EXCLUSIVE, false, context->cancel, &open, error) ||
        !select_snapshots(open.repo, operands, &options->filter, &snapshots, &unreadable, error) ||
        !op_tag(&open, snapshots, &tags, tell_changed, &teller, context->cancel, &failed, error))
        return false;
    tell_summary(&teller);
    ok = failed == 0 && select_complete(unreadable, error);
    if (failed > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL, "%u %s could not be changed", failed,
                    plural(failed, "snapshot", "snapshots"));
    return mirrored_finish(context, &open, false, ok, error);
}

const Command tag_command = {
    .name = "tag",
    .operands = "[SNAPSHOT...]",
    .summary = "change the tags of snapshots",
    .description = "Of all snapshots that --host, --tag and --path let through, or of those named. "
                   "A snapshot with other tags has\nanother id; its field \"original\" keeps the "
                   "one it had first.",
    .options = tag_options,
    .request_size = sizeof(TagOptions),
    .run = tag_run,
};
