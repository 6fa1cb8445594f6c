/* SPDX-License-Identifier: Apache-2.0 */
#include "op/diff.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/nodetext.h"
#include "cmd/output.h"
#include "op/open.h"
#include "op/select.h"
#include "plan/amount.h"
#include <unistd.h>

typedef struct {
    gboolean metadata;
} DiffOptions;

static const GOptionEntry diff_options[] = {
    { "metadata", 0, 0, ARG_FLAG, GSIZE_TO_POINTER(G_STRUCT_OFFSET(DiffOptions, metadata)),
      "also where only metadata differs (U)", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

typedef struct {
    const Settings *settings;
    bool terminal;
    GString *line;
} Teller;

static bool tell_change(const char *path, const char *modifier, void *user, GError **error)
{
    Teller *teller = user;

    if (teller->settings->quiet)
        return true;
    if (teller->settings->json) {
        output_json(json_pack("{s:s, s:o, s:s}", "message_type", "change", "path", json_bytes(path),
                              "modifier", modifier));
        return true;
    }
    g_string_printf(teller->line, "%-5s", modifier);
    node_append_name(teller->line, path, teller->terminal);
    return output_line(teller->line, error);
}

static json_t *json_count(const DiffCount *count)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "files", (json_int_t)count->files, "dirs",
                     (json_int_t)count->dirs, "others", (json_int_t)count->others, "data_blobs",
                     (json_int_t)count->data_blobs, "tree_blobs", (json_int_t)count->tree_blobs,
                     "bytes", (json_int_t)count->bytes);
}

static void tell_counts(const char *what, uint64_t added, uint64_t removed)
{
    printf("%-12s %5" G_GUINT64_FORMAT " new, %5" G_GUINT64_FORMAT " removed", what, added,
           removed);
}

static void tell_stats(const Settings *settings, char **operands, const DiffStats *stats)
{
    g_autofree char *added = size_format(stats->added.bytes);
    g_autofree char *removed = size_format(stats->removed.bytes);

    if (settings->json) {
        output_json(json_pack("{s:s, s:s, s:s, s:I, s:o, s:o}", "message_type", "statistics",
                              "source_snapshot", operands[0], "target_snapshot", operands[1],
                              "changed_files", (json_int_t)stats->changed_files, "added",
                              json_count(&stats->added), "removed", json_count(&stats->removed)));
        return;
    }
    printf("\n");
    tell_counts("Files:", stats->added.files, stats->removed.files);
    printf(", %5" G_GUINT64_FORMAT " changed\n", stats->changed_files);
    tell_counts("Dirs:", stats->added.dirs, stats->removed.dirs);
    tell_counts("\nOthers:", stats->added.others, stats->removed.others);
    tell_counts("\nData Blobs:", stats->added.data_blobs, stats->removed.data_blobs);
    tell_counts("\nTree Blobs:", stats->added.tree_blobs, stats->removed.tree_blobs);
    printf("\n  Added:   %s\n  Removed: %s\n", added, removed);
}

static bool find_tree(Repo *repo, const char *name, Snapshot **ret_snapshot, char **ret_subpath,
                      GError **error)
{
    static const SnapshotFilter any = { 0 };
    unsigned unreadable;

    return select_snapshot(repo, name, &any, ret_snapshot, ret_subpath, &unreadable, error) &&
           select_complete(unreadable, error);
}

static bool compare(const Context *context, Repo *repo, const DiffOptions *options, char **operands,
                    GError **error)
{
    const Settings *settings = context->settings;
    g_autoptr(Snapshot) before = NULL, after = NULL;
    g_autofree char *before_path = NULL, *after_path = NULL;
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GError) problem = NULL;
    Teller teller = { settings, isatty(STDOUT_FILENO), line };
    DiffStats stats = { 0 };
    Id before_tree, after_tree;
    bool complete;

    if (!find_tree(repo, operands[0], &before, &before_path, error) ||
        !find_tree(repo, operands[1], &after, &after_path, error) ||
        !repo_load_index(repo, context->cancel, error) ||
        !select_tree(repo, before, before_path, &before_tree, error) ||
        !select_tree(repo, after, after_path, &after_tree, error))
        return false;
    if (!settings->json && !settings->quiet)
        printf("comparing snapshot %s to %s:\n\n", id_short(&before->id).text,
               id_short(&after->id).text);
    complete = op_diff(repo, &before_tree, &after_tree, options->metadata, tell_change, &teller,
                       context->cancel, &stats, &problem);
    if (complete || g_error_matches(problem, BS_ERROR, BS_ERROR_PARTIAL))
        tell_stats(settings, operands, &stats);
    if (!complete)
        g_propagate_error(error, g_steal_pointer(&problem));
    return complete;
}

static bool diff_run(const Context *context, void *request, char **operands, GError **error)
{
    g_auto(OpenRepo) open = { 0 };

    return operands_between(operands, 2, 2, "two snapshots", error) &&
           open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           compare(context, open.repo, request, operands, error);
}

const Command diff_command = {
    .name = "diff",
    .operands = "SNAPSHOT[:PATH] SNAPSHOT[:PATH]",
    .summary = "tell what differs between two snapshots",
    .description = "Each line begins with what happened on the way from the first to the second:\n"
                   "  +  added\n"
                   "  -  removed\n"
                   "  M  content changed\n"
                   "  T  type changed, such as from file to symlink\n"
                   "  U  metadata changed (with --metadata)\n"
                   "  ?  content changed and nothing else: perhaps rotten bits",
    .options = diff_options,
    .request_size = sizeof(DiffOptions),
    .run = diff_run,
};
