/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restorecluster.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/output.h"
#include "cmd/restore.h"
#include "pg/walname.h"
#include "plan/amount.h"

#include <stdio.h>
#include <string.h>

static RecoveryWords words_of(const RestoreOptions *options)
{
    return (RecoveryWords){
        .time = options->target_time,
        .lsn = options->target_lsn,
        .xid = options->target_xid,
        .name = options->target_name,
        .immediate = options->target_immediate,
        .latest = options->target_latest,
        .exclusive = options->target_exclusive,
        .timeline = options->target_timeline,
        .action = options->target_action,
    };
}

bool restore_is_recovery(const RestoreOptions *options)
{
    RecoveryWords words = words_of(options);

    return recovery_words_given(&words) || options->tablespaces || options->system_id ||
           options->config_file;
}

/* ---- what does not go together ---- */

static bool check_options(const RestoreOptions *options, GError **error)
{
    const struct {
        bool given;
        const char *name;
    } others[] = {
        { options->to != NULL, "to" },
        { options->include || options->iinclude || options->include_file || options->iinclude_file,
          "include" },
        { options->exclude || options->iexclude || options->exclude_file || options->iexclude_file,
          "exclude" },
        { options->overwrite != NULL, "overwrite" },
        { options->sparse, "sparse" },
        { options->verify, "verify" },
        { options->delete_extra, "delete" },
        { options->no_sync, "no-sync" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (others[i].given) {
            g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                        "--%s does not go with the recovery of a cluster to a target",
                        others[i].name);
            return false;
        }
    if (options->target)
        return true;
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "say where to: --target DIR, the data directory");
    return false;
}

static bool parse_system_id(const char *text, uint64_t *ret_id, GError **error)
{
    guint64 id = 0;

    if (text && !g_ascii_string_to_unsigned(text, 10, 1, UINT64_MAX, &id, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--system-id %s: not the system identifier of a cluster (pg_controldata shows "
                    "it)",
                    text);
        return false;
    }
    *ret_id = id;
    return true;
}

/* ---- telling ---- */

typedef struct {
    const Settings *settings;
    const RestoreOptions *options;
    const RecoveryTarget *target;
} Telling;

static char *target_text(const WalTarget *target)
{
    g_autofree char *text = wal_target_text(target);

    return target->kind == WAL_TARGET_TIME ? g_strconcat("time ", text, NULL)
                                           : g_steal_pointer(&text);
}

static void tell_reached_json(const Reach *reach, const char *last)
{
    const ClusterBase *base = &reach->base;
    g_autofree char *id = g_strdup_printf("%" G_GUINT64_FORMAT, base->system_id);
    g_autofree char *target = target_text(&reach->target);

    output_json(json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:s, s:b, s:s, s:o, s:I}", "message_type", "reachable",
        "snapshot_id", id_hex(&base->snapshot->id).text, "system_identifier", id, "start_lsn",
        lsn_text(base->start).text, "consistent_lsn", lsn_text(base->stop).text, "timeline",
        (json_int_t)reach->timeline, "target", json_bytes(target), "stop_lsn",
        lsn_text(reach->stop).text, "stop_after", reach->after, "replayed_lsn",
        lsn_text(reach->replayed).text, "last_transaction_at",
        last ? json_string(last) : json_null(), "segments", (json_int_t)reach->segments));
}

static void tell_reached(const Reach *reach, void *user)
{
    const Telling *telling = user;
    const ClusterBase *base = &reach->base;
    g_autofree char *when = output_time(base->snapshot->time);
    g_autofree char *target = target_text(&reach->target);
    g_autofree char *last = reach->time_us ? wal_time_text(reach->time_us) : NULL;

    if (telling->settings->json) {
        tell_reached_json(reach, last);
        return;
    }
    if (telling->settings->quiet)
        return;
    printf("base    snapshot %s of %s: %s, timeline %u, consistent at %s\n",
           id_short(&base->snapshot->id).text, when, base->folder + 1, base->timeline,
           lsn_text(base->stop).text);
    printf("target  %s%s%s, on timeline %u\n", target,
           reach->target.exclusive ? ", not included" : "",
           telling->target->local ? " (given in local time)" : "", reach->timeline);
    printf("stops   %s the record at %s; %s%s\n", reach->after ? "after" : "before",
           lsn_text(reach->stop).text,
           last ? "the last transaction before ended at " : "no transaction ends on the way there",
           last ? last : "");
    printf("WAL     %u %s read, every record proven\n", reach->segments,
           plural(reach->segments, "segment", "segments"));
    (void)fflush(stdout); // what follows takes long
}

static void tell_note(const char *text, void *user)
{
    const Telling *telling = user;

    restore_tell_note(text, (void *)telling->settings);
}

static void tell_problem(const char *path, const GError *problem, void *user)
{
    const Telling *telling = user;

    output_problem(telling->settings, "restore", path, problem);
}

static json_t *result_json(const Telling *telling, const RestoreClusterResult *result)
{
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:s, s:b, s:I, s:I, s:I, s:o}", "message_type", "summary", "snapshot_id",
        id_hex(&result->snapshot).text, "target", json_bytes(result->pgdata), "action",
        recovery_action_text(telling->target->action), "dry_run", telling->options->dry_run,
        "files_restored", (json_int_t)result->files, "bytes_restored", (json_int_t)result->bytes,
        "files_deleted", (json_int_t)result->deleted, "start_command",
        json_bytes(result->start_command));

    if (telling->options->delta)
        restore_add_delta(object, result->bytes_same, result->bytes_fetched);
    return object;
}

static void tell_result(const Telling *telling, const RestoreClusterResult *result)
{
    g_autofree char *bytes = size_format(result->bytes), *delta = NULL;
    bool dry_run = telling->options->dry_run;

    if (telling->settings->json)
        output_json(result_json(telling, result));
    else if (!telling->settings->quiet && dry_run)
        printf("would restore it to %s\n", result->pgdata);
    else if (!telling->settings->quiet) {
        delta = telling->options->delta
                    ? restore_delta_text(result->bytes_same, result->bytes_fetched)
                    : g_strdup("");
        printf("restored %" G_GUINT64_FORMAT " %s, %s%s, to %s\n"
               "start it as the server's user: %s\n",
               result->files, plural(result->files, "file", "files"), bytes, delta, result->pgdata,
               result->start_command);
    }
}

/* ---- running ---- */

static bool run(const Context *context, const RestoreOptions *options, OpenRepo *open,
                const RestoreClusterRequest *request, GError **error)
{
    Telling telling = { context->settings, options, request->reach.target };
    g_auto(RestoreClusterResult) result = { 0 };
    ShownProgress shown;
    RestoreClusterWatch watch = {
        .reached = tell_reached,
        .note = tell_note,
        .problem = tell_problem,
        .user = &telling,
    };
    bool ok;

    watch.progress = progress_show(&shown, context->settings, true);
    ok = op_restore_cluster(open, context->settings, request, &watch, context->cancel, &result,
                            error);
    progress_hide(&shown);
    if (!ok)
        return false;
    tell_result(&telling, &result);
    if (result.problems > 0)
        g_set_error(
            error, BS_ERROR, BS_ERROR_PARTIAL,
            "%u %s (owner, mode or attributes); look at them before the server starts",
            result.problems,
            plural(result.problems, "entry is not as it was", "entries are not as they were"));
    return result.problems == 0;
}

bool restore_to_target(const Context *context, const RestoreOptions *options, char **operands,
                       GError **error)
{
    RecoveryWords words = words_of(options);
    RecoveryTarget target;
    g_auto(OpenRepo) open = { 0 };
    const RestoreFacts facts = restore_facts_told(context, options);
    RestoreClusterRequest request = {
        .reach = { .snapshot = operands[0],
                   .filter = { options->hosts, options->tags, options->paths },
                   .target = &target },
        .pgdata = options->target,
        .shown = options->shown,
        .tablespaces = options->tablespaces,
        .via = options->via,
        .config_file = options->config_file,
        .delta = options->delta,
        .force = options->force,
        .dry_run = options->dry_run,
        .facts = &facts,
    };

    return operands_between(operands, 0, 1, "SNAPSHOT", error) && check_options(options, error) &&
           recovery_target_parse(&words, &target, error) &&
           parse_system_id(options->system_id, &request.reach.system_id, error) &&
           open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           run(context, options, &open, &request, error);
}
