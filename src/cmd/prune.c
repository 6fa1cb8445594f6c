/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/prune.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "cmd/prunedwal.h"
#include "cmd/pruneoptions.h"
#include "op/retain.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    PruneArgs args;
} PruneRequest;

static const GOptionEntry prune_options[] = {
    { "dry-run", 'n', 0, ARG_FLAG, PRUNE_ARG(PruneRequest, args, dry_run),
      "only say what would be done", NULL },
    { "keep-pitr", 0, 0, ARG_TEXT, PRUNE_ARG(PruneRequest, args, keep_pitr),
      "of PostgreSQL's WAL keep what brings back every moment of this much time, such as 7d",
      "DURATION" },
    PRUNE_ROWS(PruneRequest, args),
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static bool parse_unused(const char *text, PruneOptions *options, GError **error)
{
    options->unused = PRUNE_UNUSED_PERCENT;
    options->unused_percent = 5;
    if (!text)
        return true;
    if (strcmp(text, "unlimited") == 0) {
        options->unused = PRUNE_UNUSED_UNLIMITED;
        return true;
    }
    if (strcmp(text, "0") == 0 || strcmp(text, "0%") == 0) {
        options->unused = PRUNE_UNUSED_BYTES;
        return true;
    }
    if (g_str_has_suffix(text, "%"))
        return percent_parse(text, &options->unused_percent, error);
    options->unused = PRUNE_UNUSED_BYTES;
    return size_parse(text, &options->unused_bytes, error);
}

static void print_line(const char *what, uint64_t blobs, const char *unit, uint64_t bytes)
{
    g_autofree char *size = size_format(bytes);

    printf("%-14s %10" G_GUINT64_FORMAT " %s / %s\n", what, blobs, unit, size);
}

static void print_stats(const PruneStats *stats)
{
    g_autofree char *after = size_format(stats->bytes_unused_after);

    print_line("used:", stats->blobs_used, "blobs", stats->bytes_used);
    print_line("duplicates:", stats->blobs_duplicate, "blobs", stats->bytes_duplicate);
    print_line("unused:", stats->blobs_unused, "blobs", stats->bytes_unused);
    print_line("not in index:", stats->packs_unindexed, "packs", stats->bytes_unindexed);
    printf("\n");
    print_line("to keep:", stats->packs_keep, "packs",
               stats->bytes_used + stats->bytes_unused_after);
    print_line("to repack:", stats->packs_repack, "packs", stats->bytes_repack);
    print_line("to remove:", stats->packs_remove + stats->packs_unindexed, "packs",
               stats->bytes_remove + stats->bytes_unindexed);
    printf("unused after prune: %s\n", after);
}

static void json_stats(const PruneStats *stats, bool dry_run)
{
    json_t *object = json_object();

#define COUNT(member) json_object_set_new(object, #member, json_integer((json_int_t)stats->member))
    json_object_set_new(object, "message_type", json_string("summary"));
    json_object_set_new(object, "dry_run", json_boolean(dry_run));
    COUNT(blobs_used);
    COUNT(blobs_duplicate);
    COUNT(blobs_unused);
    COUNT(bytes_used);
    COUNT(bytes_duplicate);
    COUNT(bytes_unused);
    COUNT(packs_keep);
    COUNT(packs_repack);
    COUNT(packs_remove);
    COUNT(packs_unindexed);
    COUNT(bytes_repack);
    COUNT(bytes_repack_free);
    COUNT(bytes_remove);
    COUNT(bytes_unindexed);
    COUNT(bytes_unused_after);
#undef COUNT
    output_json(object);
}

bool retain_with(const Context *context, OpenRepo *open, bool packs, GHashTable *leave,
                 GError **error)
{
    uint64_t n;

    if (!op_retain(context->settings, open, packs, leave, context->cancel, &n, error))
        return false;
    if (context->settings->json)
        output_json(
            json_pack("{s:s, s:I}", "message_type", "object_locks", "renewed", (json_int_t)n));
    else if (!context->settings->quiet)
        printf("renewed the object locks of %" G_GUINT64_FORMAT " objects\n", n);
    return true;
}

/* What waits is no loss, but somebody should know that there is no room yet. */
static bool tell_kept(const Settings *settings, const ProtectKept *kept, const char *what,
                      GError **error)
{
    g_autofree char *until =
        kept->until > 0 ? output_time((Timestamp){ .sec = kept->until }) : NULL;

    if (kept->n == 0)
        return true;
    if (settings->json)
        output_json(json_pack("{s:s, s:I, s:o}", "message_type", "under_object_lock",
                              g_str_equal(what, "packs") ? "packs" : "wal_files",
                              (json_int_t)kept->n, "until",
                              until ? json_time((Timestamp){ .sec = kept->until }) : json_null()));
    g_set_error(error, BS_ERROR, BS_ERROR_PROTECTED,
                "%" G_GUINT64_FORMAT " %s that nothing needs are under object lock %s%s and were "
                "left; run prune again after that",
                kept->n, what, until ? "until " : "for an unknown time", until ? until : "");
    return false;
}

static bool still_locked(void *user, GError **error)
{
    return lock_confirm(user, error);
}

/* The WAL goes first: nothing else depends on it. */
static bool execute(const Context *context, OpenRepo *open, Prune *prune, const GPtrArray *wal,
                    bool purge, GError **error)
{
    g_autoptr(GHashTable) doomed = wal_prune_doomed(wal);
    ProtectKept kept = { 0 }, packs;
    bool all_gone;

    (void)fflush(stdout); // what follows takes a while
    if (!wal_prune_execute(open, wal, purge, context->cancel, &kept, error) ||
        !prune_execute(prune, still_locked, open->lock, context->cancel, error) ||
        (purge && !retain_with(context, open, true, doomed, error)))
        return false;
    packs = *prune_kept(prune);
    all_gone = tell_kept(context->settings, &packs, "packs", error);
    return tell_kept(context->settings, &kept, "WAL files", all_gone ? error : NULL) && all_gone &&
           pruned_wal_complete(wal, error);
}

bool prune_with(const Context *context, OpenRepo *open, const PruneArgs *args, const GArray *gone,
                GError **error)
{
    PruneOptions options = {
        .cacheable_only = args->cacheable_only,
        .repack_small = !args->no_repack_small,
        .repack_uncompressed = args->repack_uncompressed,
        .purge = op_retains(context->settings, open),
    };
    WalPruneRequest request = { .gone = gone };
    g_autoptr(GPtrArray) wal = NULL;
    g_autoptr(Prune) prune = NULL;
    Duration window;

    if (!parse_unused(args->max_unused, &options, error) ||
        (args->keep_pitr && !duration_parse(args->keep_pitr, &window, error)) ||
        (args->max_repack_size && !size_parse(args->max_repack_size, &options.max_repack, error)) ||
        !prune_plan(open->repo, &options, context->cancel, &prune, error))
        return false;
    request.window = args->keep_pitr ? &window : NULL;
    request.known = prune_snapshots(prune);
    if (!wal_prune_plan(open, &request, context->cancel, &wal, error))
        return false;
    pruned_wal_tell(context->settings, wal, args->dry_run);
    if (context->settings->json)
        json_stats(prune_stats(prune), args->dry_run);
    else if (!context->settings->quiet)
        print_stats(prune_stats(prune));
    return args->dry_run ? pruned_wal_complete(wal, error)
                         : execute(context, open, prune, wal, options.purge, error);
}

static bool prune_run(const Context *context, void *request, char **operands, GError **error)
{
    const PruneRequest *prune = request;
    g_auto(OpenRepo) open = { 0 };

    return operands_between(operands, 0, 0, "", error) &&
           open_repo(context->settings, prune->args.dry_run ? OPEN_SHARED : OPEN_EXCLUSIVE,
                     prune->args.dry_run, context->cancel, &open, error) &&
           mirrored_finish(context, &open, true,
                           prune_with(context, &open, &prune->args, NULL, error), error);
}

const Command prune_command = {
    .name = "prune",
    .operands = "",
    .summary = "remove data that no snapshot needs",
    .description = "Removes packs without used data, rewrites packs with too much unused data, "
                   "merges small ones. Refuses\n"
                   "when any snapshot or needed data cannot be read: removing anything then would "
                   "make it worse.\n\n"
                   "Of PostgreSQL's WAL it removes what is older than the oldest base backup of "
                   "its cluster; with --keep-pitr\n"
                   "what is older than the base that the window begins with, but for what older "
                   "bases need themselves.",
    .options = prune_options,
    .request_size = sizeof(PruneRequest),
    .run = prune_run,
};
