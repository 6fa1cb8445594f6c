/* SPDX-License-Identifier: Apache-2.0 */
#include "repo/check.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/plural.h"
#include "cmd/checkversions.h"
#include "cmd/commands.h"
#include "cmd/namedrepo.h"
#include "cmd/output.h"
#include "daemon/byhand.h"
#include "op/repairfrom.h"
#include "plan/amount.h"
#include <stdio.h>
#include <string.h>

#define LOST_SHOWN 1000
#define ROUNDS_MAX 4 /* an index that is back shows packs that are not, and so on */

typedef struct {
    gboolean read_data, with_cache, from_versions, dry_run;
    char *subset, *removed_since, *repair_from;
} CheckArgs;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(CheckArgs, member))

static const GOptionEntry check_options[] = {
    { "read-data", 0, 0, ARG_FLAG, AT(read_data), "read and verify every byte", NULL },
    { "read-data-subset", 0, 0, ARG_TEXT, AT(subset),
      "read a part: n/t (the n-th of t), p%, or a size such as 10G", "SUBSET" },
    { "repair-from", 0, 0, ARG_TEXT, AT(repair_from),
      "bring back what is damaged or missing from a mirror (by name or location) or another copy",
      "REPO" },
    { "dry-run", 'n', 0, ARG_FLAG, AT(dry_run),
      "with --repair-from: only say what could be brought back", NULL },
    { "repair-from-versions", 0, 0, ARG_FLAG, AT(from_versions),
      "before that bring back what somebody replaced in a bucket with versioning", NULL },
    { "removed-since", 0, 0, ARG_TEXT, AT(removed_since),
      "and all that was removed from this time on, snapshots included", "TIME" },
    { "with-cache", 0, 0, ARG_FLAG, AT(with_cache),
      "accepted for restic's sake; a check never trusts the cache", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

static bool parse_bucket(const char *text, CheckOptions *options)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    guint64 n, t;

    if (g_strv_length(parts) != 2 || !g_ascii_string_to_unsigned(parts[1], 10, 1, 256, &t, NULL) ||
        !g_ascii_string_to_unsigned(parts[0], 10, 1, t, &n, NULL))
        return false;
    options->subset = SUBSET_BUCKET;
    options->bucket = (unsigned)n;
    options->buckets = (unsigned)t;
    return true;
}

static bool parse_subset(const char *text, CheckOptions *options, GError **error)
{
    options->read_data = true;
    if (parse_bucket(text, options))
        return true;
    if (g_str_has_suffix(text, "%") && percent_parse(text, &options->percent, NULL)) {
        options->subset = SUBSET_PERCENT;
        return true;
    }
    if (size_parse(text, &options->bytes, NULL) && options->bytes > 0) {
        options->subset = SUBSET_BYTES;
        return true;
    }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--read-data-subset %s: write n/t with 1 <= n <= t <= 256, a percentage such as "
                "5%%, or a size such as 10G",
                text);
    return false;
}

/* ---- telling ---- */

typedef struct {
    const Settings *settings;
    const RepairFrom *from; /* NULL: without */
    bool dry_run;
    GHashTable *damaged; /* set of objects, of the last check */
    uint64_t lost_shown, brought_back;
} Telling;

static void tell_finding(const Finding *finding, void *user)
{
    const Telling *telling = user;

    if (finding->error)
        g_hash_table_add(telling->damaged, g_strdup(finding->object));
    if (telling->settings->json)
        output_json(json_pack("{s:s, s:s, s:o, s:o}", "message_type",
                              finding->error ? "error" : "hint", "code", finding->code, "object",
                              json_bytes(finding->object), "message",
                              json_bytes(finding->message)));
    else if (finding->error)
        fprintf(stderr, "error: %s: %s (%s)\n", finding->object, finding->message, finding->code);
    else if (!telling->settings->quiet)
        printf("hint: %s: %s (%s)\n", finding->object, finding->message, finding->code);
}

static void tell_lost(const Id *snapshot, const char *path, void *user)
{
    Telling *telling = user;

    if (telling->settings->json)
        output_json(json_pack("{s:s, s:s, s:o}", "message_type", "lost", "snapshot",
                              id_hex(snapshot).text, "path", json_bytes(path)));
    else if (telling->lost_shown++ < LOST_SHOWN)
        fprintf(stderr, "  cannot be restored whole: snapshot %s: %s\n", id_short(snapshot).text,
                path);
}

static void tell_back(const char *object, const GError *problem, void *user)
{
    const Telling *telling = user;
    const char *where = repair_from_location(telling->from);

    if (telling->settings->json)
        output_json(json_pack("{s:s, s:o, s:o, s:b, s:o*}", "message_type",
                              problem ? "not_brought_back" : "brought_back", "object",
                              json_bytes(object), "from", json_bytes(where), "dry_run",
                              telling->dry_run, "message",
                              problem ? json_bytes(problem->message) : NULL));
    else if (problem)
        fprintf(stderr, "error: %s: not brought back: %s\n", object, problem->message);
    else if (!telling->settings->quiet)
        printf("%s: %s from %s\n", telling->dry_run ? "could be brought back" : "brought back",
               object, where);
}

static void tell_json(const Telling *telling, const CheckResult *result)
{
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b}", "message_type", "summary",
                  "num_errors", (json_int_t)result->errors, "num_hints", (json_int_t)result->hints,
                  "snapshots", (json_int_t)result->snapshots, "packs", (json_int_t)result->packs,
                  "packs_read", (json_int_t)result->packs_read, "files_lost",
                  (json_int_t)result->files_lost, "suggest_repair_index", result->index_damaged,
                  "suggest_prune", result->errors == 0 && result->hints > 0);

    if (telling->from)
        json_object_set_new(object, "num_brought_back",
                            json_integer((json_int_t)telling->brought_back));
    output_json(object);
}

static void tell_text(const Settings *settings, const CheckResult *result)
{
    if (result->files_lost > LOST_SHOWN)
        fprintf(stderr, "  ... and %" G_GUINT64_FORMAT " more\n", result->files_lost - LOST_SHOWN);
    if (result->errors == 0 && !settings->quiet)
        printf("checked %" G_GUINT64_FORMAT " %s and %" G_GUINT64_FORMAT
               " %s, read %" G_GUINT64_FORMAT " of them: no errors were found\n",
               result->snapshots, plural(result->snapshots, "snapshot", "snapshots"), result->packs,
               plural(result->packs, "pack", "packs"), result->packs_read);
    if (result->index_damaged)
        fprintf(stderr, "run `backstay repair index` to build a new index from the packs\n");
    else if (result->packs_damaged)
        fprintf(stderr,
                "run `backstay repair index --read-data` to take what is damaged out of the index, "
                "back up again (what\n"
                "is still there is stored anew), then `backstay repair snapshots --forget` drops "
                "what cannot be had\n");
}

/* ---- running ---- */

static bool check_once(const Context *context, Repo *repo, const CheckOptions *options,
                       Telling *telling, CheckResult *ret_result, GError **error)
{
    ShownProgress shown;
    CheckWatch watch = { tell_finding, tell_lost, telling, &shown.counters.bytes_total,
                         &shown.counters.bytes_done };
    bool ok;

    g_hash_table_remove_all(telling->damaged);
    (void)progress_show(&shown, context->settings, options->read_data);
    ok = check_run(repo, options, &watch, context->cancel, ret_result, error);
    progress_hide(&shown);
    return ok;
}

/* Checks again whatever was brought back: only the last check counts. */
static bool check_rounds(const Context *context, Repo *repo, const CheckOptions *options,
                         RepairFrom *from, Telling *telling, CheckResult *ret_result,
                         GError **error)
{
    for (unsigned round = 1;; round++) {
        uint64_t back = 0;

        if (!check_once(context, repo, options, telling, ret_result, error))
            return false;
        if (!from || ret_result->errors == 0 || round == ROUNDS_MAX)
            return true;
        if (!repair_from_objects(from, repo, telling->damaged, &back, error))
            return false;
        telling->brought_back += back;
        if (back == 0 || telling->dry_run)
            return true;
    }
}

static bool check_it(const Context *context, const CheckOptions *options, RepairFrom *from,
                     Telling *telling, GError **error)
{
    CheckResult result = { 0 };
    g_auto(OpenRepo) open = { 0 };

    if (from && !repair_from_entry(from, &telling->brought_back, error))
        return false;
    // shared: a check removes nothing, and may run beside backups
    if (!open_repo_using(context->settings, OPEN_SHARED, MIRRORS_ALONE, !from || telling->dry_run,
                         context->cancel, &open, error) ||
        !check_rounds(context, open.repo, options, from, telling, &result, error))
        return false;
    if (context->settings->json)
        tell_json(telling, &result);
    else
        tell_text(context->settings, &result);
    if (result.errors > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "the repository is damaged: %" G_GUINT64_FORMAT " %s", result.errors,
                    plural(result.errors, "error", "errors"));
    return result.errors == 0;
}

static bool check_with_copy(const Context *context, const CheckArgs *args,
                            const CheckOptions *options, GError **error)
{
    g_autoptr(GHashTable) damaged = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Telling telling = { .settings = context->settings,
                        .dry_run = args->dry_run,
                        .damaged = damaged };
    RepairFromWatch watch = { args->dry_run, tell_back, &telling, context->cancel };
    g_autoptr(NamedRepo) named = NULL;
    g_autoptr(RepairFrom) from = NULL;

    if (!named_repo_find(context->settings, args->repair_from, &named, error))
        return false;
    if (args->repair_from) {
        from = repair_from_new(context->settings, args->repair_from, named_repo_settings(named),
                               &watch, error);
        if (!from)
            return false;
        telling.from = from;
    }
    return check_it(context, options, from, &telling, error);
}

static bool repair_and_check(const Context *context, const CheckArgs *args,
                             const CheckOptions *options, GError **error)
{
    uint64_t lost = 0;

    if (args->from_versions && !check_versions(context, args->removed_since, &lost, error))
        return false;
    if (!check_with_copy(context, args, options, error))
        return false;
    // a check that does not read all data may not have seen them
    if (lost > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_CORRUPT,
                    "%" G_GUINT64_FORMAT " objects were replaced, and no version is what it was",
                    lost);
    return lost == 0;
}

static bool check_and_remember(const Context *context, const CheckArgs *args,
                               const CheckOptions *options, GError **error)
{
    const int64_t began_ms = clock_now_ms();
    g_autoptr(GError) failure = NULL;
    const bool ok = repair_and_check(context, args, options, &failure);

    if (context->settings->repo)
        by_hand_checked(context->settings->config, context->settings->repo, began_ms, failure);
    if (failure)
        g_propagate_error(error, g_steal_pointer(&failure));
    return ok;
}

static bool check_command_run(const Context *context, void *request, char **operands,
                              GError **error)
{
    const CheckArgs *args = request;
    CheckOptions options = { .read_data = args->read_data };

    if (!operands_between(operands, 0, 0, "", error))
        return false;
    if (args->read_data && args->subset) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--read-data and --read-data-subset exclude each other");
        return false;
    }
    if (args->removed_since && !args->from_versions) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--removed-since goes with --repair-from-versions");
        return false;
    }
    if (args->dry_run && !args->repair_from) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--dry-run goes with --repair-from");
        return false;
    }
    return (!args->subset || parse_subset(args->subset, &options, error)) &&
           check_and_remember(context, args, &options, error);
}

const Command check_command = {
    .name = "check",
    .operands = "",
    .summary = "verify that the repository is whole",
    .description = "Reads every key, index, snapshot and tree and compares the packs with the "
                   "index. With --read-data every byte is\n"
                   "opened and hashed. Goes on after each error, and names the files that cannot "
                   "be restored whole.\n"
                   "With --repair-from what is damaged or missing is brought back from a mirror or "
                   "another copy of the same repository,\n"
                   "each object after its hash is proved, and checked again: status 0 then says "
                   "that the repository is whole now.\n"
                   "With --repair-from-versions what somebody replaced in a bucket with "
                   "versioning, or removed although the index\n"
                   "names it, is first brought back from the newest version whose hash is its "
                   "name.\n"
                   "Exit status 1: damage was found.",
    .options = check_options,
    .request_size = sizeof(CheckArgs),
    .run = check_command_run,
};
