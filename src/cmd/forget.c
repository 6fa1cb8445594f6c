/* SPDX-License-Identifier: Apache-2.0 */
#include "op/forget.h"

#include "base/error.h"
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/mirrored.h"
#include "cmd/output.h"
#include "cmd/pruneoptions.h"
#include "op/retain.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    char *last, *hourly, *daily, *weekly, *monthly, *yearly;
    char *within, *within_hourly, *within_daily, *within_weekly, *within_monthly, *within_yearly;
    char **keep_tags, **hosts, **tags, **paths;
    char *group_by;
    gboolean compact, prune, unsafe_remove_all, ignore_missing;
    PruneArgs args;
} ForgetOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(ForgetOptions, member))

static const GOptionEntry forget_options[] = {
    { "keep-last", 'l', 0, ARG_TEXT, AT(last), "keep the last N (or unlimited)", "N" },
    { "keep-hourly", 'H', 0, ARG_TEXT, AT(hourly),
      "keep the last of each of the last N hours that have one", "N" },
    { "keep-daily", 'd', 0, ARG_TEXT, AT(daily), "the same for days", "N" },
    { "keep-weekly", 'w', 0, ARG_TEXT, AT(weekly), "the same for ISO weeks", "N" },
    { "keep-monthly", 'm', 0, ARG_TEXT, AT(monthly), "the same for months", "N" },
    { "keep-yearly", 'y', 0, ARG_TEXT, AT(yearly), "the same for years", "N" },
    { "keep-within", 0, 0, ARG_TEXT, AT(within),
      "keep all that are younger than this before the newest, such as 1y5m7d2h", "DURATION" },
    { "keep-within-hourly", 0, 0, ARG_TEXT, AT(within_hourly), "keep hourly ones within this",
      "DURATION" },
    { "keep-within-daily", 0, 0, ARG_TEXT, AT(within_daily), "keep daily ones within this",
      "DURATION" },
    { "keep-within-weekly", 0, 0, ARG_TEXT, AT(within_weekly), "keep weekly ones within this",
      "DURATION" },
    { "keep-within-monthly", 0, 0, ARG_TEXT, AT(within_monthly), "keep monthly ones within this",
      "DURATION" },
    { "keep-within-yearly", 0, 0, ARG_TEXT, AT(within_yearly), "keep yearly ones within this",
      "DURATION" },
    { "keep-tag", 0, 0, ARG_LIST, AT(keep_tags), "keep those with all tags of this comma list",
      "TAGS" },
    { "keep-pitr", 0, 0, ARG_TEXT, PRUNE_ARG(ForgetOptions, args, keep_pitr),
      "of PostgreSQL clusters keep the base backups (and with --prune the WAL) that bring back "
      "every moment of this much time, such as 7d",
      "DURATION" },
    { "host", 0, 0, ARG_LIST, AT(hosts), "only snapshots of this host", "NAME" },
    { "tag", 0, 0, ARG_LIST, AT(tags), "only snapshots with all tags of this comma list", "TAGS" },
    { "path", 0, 0, ARG_LIST, AT(paths), "only snapshots of this path", "PATH" },
    { "group-by", 'g', 0, ARG_TEXT, AT(group_by),
      "host, paths, tags, or nothing for one group (default host,paths)", "LIST" },
    { "compact", 'c', 0, ARG_FLAG, AT(compact), "shorter lists", NULL },
    { "prune", 0, 0, ARG_FLAG, AT(prune), "then remove data that is no longer needed", NULL },
    { "ignore-missing", 0, 0, ARG_FLAG, AT(ignore_missing),
      "by name: a snapshot that is gone already is no error", NULL },
    { "unsafe-allow-remove-all", 0, 0, ARG_FLAG, AT(unsafe_remove_all),
      "by name: remove the newest base backup of a cluster, too, although its WAL is held; the "
      "newest snapshot of a group always stays",
      NULL },
    { "dry-run", 'n', 0, ARG_FLAG, PRUNE_ARG(ForgetOptions, args, dry_run),
      "only say what would be done", NULL },
    PRUNE_ROWS(ForgetOptions, args),
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- the policy ---- */

static bool parse_count(const char *text, const char *option, int *ret_count, GError **error)
{
    gint64 count;

    if (!text)
        return true;
    if (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0) {
        *ret_count = -1;
        return true;
    }
    if (!g_ascii_string_to_signed(text, 10, 0, G_MAXINT, &count, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--%s %s: must be a number or unlimited",
                    option, text);
        return false;
    }
    *ret_count = (int)count;
    return true;
}

static bool parse_within(const char *text, Duration *ret_duration, GError **error)
{
    return !text || duration_parse(text, ret_duration, error);
}

static bool parse_policy(const ForgetOptions *options, RetentionPolicy *policy, GError **error)
{
    policy->tags = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    for (char **list = options->keep_tags; list && *list; list++)
        g_ptr_array_add(policy->tags, g_strsplit(*list, ",", -1));
    return parse_count(options->last, "keep-last", &policy->last, error) &&
           parse_count(options->hourly, "keep-hourly", &policy->hourly, error) &&
           parse_count(options->daily, "keep-daily", &policy->daily, error) &&
           parse_count(options->weekly, "keep-weekly", &policy->weekly, error) &&
           parse_count(options->monthly, "keep-monthly", &policy->monthly, error) &&
           parse_count(options->yearly, "keep-yearly", &policy->yearly, error) &&
           parse_within(options->within, &policy->within, error) &&
           parse_within(options->within_hourly, &policy->within_hourly, error) &&
           parse_within(options->within_daily, &policy->within_daily, error) &&
           parse_within(options->within_weekly, &policy->within_weekly, error) &&
           parse_within(options->within_monthly, &policy->within_monthly, error) &&
           parse_within(options->within_yearly, &policy->within_yearly, error);
}

/* ---- telling ---- */

static void print_decision(const ForgetDecision *decision, bool compact)
{
    g_autofree char *time = output_time(decision->snapshot->time);
    g_autoptr(GString) reasons = g_string_new(NULL);

    for (guint i = 0; i < decision->reasons->len; i++)
        g_string_append_printf(reasons, "%s%s", i ? ", " : "",
                               (const char *)g_ptr_array_index(decision->reasons, i));
    if (compact)
        printf("%s  %s  %s\n", id_short(&decision->snapshot->id).text, time, reasons->str);
    else
        printf("%s  %s  %-20s  %s\n", id_short(&decision->snapshot->id).text, time,
               decision->snapshot->hostname, reasons->str);
}

static void print_group(const ForgetGroup *group, bool compact)
{
    static const char *const titles[] = { "remove", "keep" };
    g_autofree char *paths = g_strjoinv(", ", group->first->paths);

    printf("snapshots of host %s, paths %s:\n", group->first->hostname, paths);
    for (int keep = 1; keep >= 0; keep--) {
        unsigned n = 0;

        for (guint k = 0; k < group->decisions->len; k++)
            n += g_array_index(group->decisions, ForgetDecision, k).keep == (keep == 1);
        if (n == 0)
            continue;
        printf("\n%s %u %s:\n", titles[keep], n, plural(n, "snapshot", "snapshots"));
        for (guint k = 0; k < group->decisions->len; k++) {
            const ForgetDecision *decision = &g_array_index(group->decisions, ForgetDecision, k);

            if (decision->keep == (keep == 1))
                print_decision(decision, compact);
        }
    }
    printf("\n");
}

static json_t *json_group(const ForgetGroup *group)
{
    json_t *keep = json_array(), *away = json_array(), *reasons = json_array();

    for (guint k = 0; k < group->decisions->len; k++) {
        const ForgetDecision *decision = &g_array_index(group->decisions, ForgetDecision, k);
        json_t *matches = json_array();

        for (guint i = 0; i < decision->reasons->len; i++)
            json_array_append_new(matches, json_string(g_ptr_array_index(decision->reasons, i)));
        json_array_append_new(decision->keep ? keep : away, json_snapshot(decision->snapshot));
        if (decision->keep)
            json_array_append_new(reasons,
                                  json_pack("{s:o, s:o}", "snapshot",
                                            json_snapshot(decision->snapshot), "matches", matches));
        else
            json_decref(matches);
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "tags", json_strv(group->first->tags),
                     "host", json_bytes(group->first->hostname), "paths",
                     json_strv(group->first->paths), "keep", keep, "remove", away, "reasons",
                     reasons);
}

static void tell_plan(const Settings *settings, const ForgetPlan *plan, bool compact)
{
    json_t *array = json_array();

    for (guint i = 0; i < plan->groups->len; i++) {
        const ForgetGroup *group = &g_array_index(plan->groups, ForgetGroup, i);

        if (!group->first)
            continue; // all that was named is gone already
        if (settings->json)
            json_array_append_new(array, json_group(group));
        else if (!settings->quiet)
            print_group(group, compact);
    }
    if (settings->json)
        output_json(array);
    else
        json_decref(array);
}

static void tell_failed(const Snapshot *snapshot, const GError *problem)
{
    fprintf(stderr, "snapshot %s not removed: %s\n", id_short(&snapshot->id).text,
            problem->message);
}

/* ---- running ---- */

/* In a dry run what would be gone is still there. */
static bool prune_after(const Context *context, OpenRepo *open, const PruneArgs *args,
                        const ForgetPlan *plan, GError **error)
{
    g_autoptr(GArray) gone = g_array_new(FALSE, FALSE, sizeof(Id));

    for (guint i = 0; i < plan->groups->len; i++) {
        const GArray *decisions = g_array_index(plan->groups, ForgetGroup, i).decisions;

        for (guint k = 0; k < decisions->len; k++) {
            const ForgetDecision *decision = &g_array_index(decisions, ForgetDecision, k);

            if (!decision->keep)
                g_array_append_val(gone, decision->snapshot->id);
        }
    }
    return prune_with(context, open, args, gone, error);
}

static bool forget(const Context *context, const ForgetOptions *options,
                   const ForgetRequest *request, GError **error)
{
    const Settings *settings = context->settings;
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(ForgetPlan) plan = NULL;
    bool ok;

    if (!open_repo(settings, request->dry_run ? OPEN_SHARED : OPEN_EXCLUSIVE, request->dry_run,
                   context->cancel, &open, error) ||
        !forget_decide(&open, request, context->cancel, &plan, error))
        return false;
    tell_plan(settings, plan, options->compact);
    if (!request->dry_run && !forget_remove(&open, plan, context->cancel, tell_failed, error))
        return false;
    if (!settings->json && !settings->quiet)
        printf("%u %s %s\n", plan->n_remove, plural(plan->n_remove, "snapshot", "snapshots"),
               request->dry_run ? "would be removed" : "removed");
    ok = plan->unreadable == 0;
    if (!ok)
        g_set_error(error, BS_ERROR, BS_ERROR_PARTIAL,
                    "%u %s cannot be read and %s left alone; nothing is pruned before "
                    "`backstay check` is clean",
                    plan->unreadable, plural(plan->unreadable, "snapshot", "snapshots"),
                    plural(plan->unreadable, "was", "were"));
    else if (options->prune)
        ok = prune_after(context, &open, &options->args, plan, error);
    else
        ok = request->dry_run || !op_retains(settings, &open) ||
             retain_with(context, &open, false, NULL, error);
    return mirrored_finish(context, &open, ok && options->prune, ok, error);
}

static bool check_asked(bool by_name, bool by_policy, GError **error)
{
    if (by_name && by_policy)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "name snapshots or give a policy (--keep-...), not both");
    else if (!by_name && !by_policy)
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "no policy given; say what stays, such as --keep-daily 7");
    return by_name != by_policy;
}

static bool forget_run(const Context *context, void *request, char **operands, GError **error)
{
    ForgetOptions *options = request;
    ForgetRequest forget_request = {
        .filter = { options->hosts, options->tags, options->paths },
        .group_by = options->group_by,
        .ids = operands,
        .ignore_missing = options->ignore_missing,
        .last_bases = options->unsafe_remove_all,
        .dry_run = options->args.dry_run,
    };
    const bool by_policy = options->args.keep_pitr != NULL;
    Duration window;
    bool ok = parse_policy(options, &forget_request.policy, error) &&
              parse_within(options->args.keep_pitr, &window, error);

    forget_request.keep_pitr = by_policy ? &window : NULL;
    ok = ok &&
         check_asked(*operands != NULL, by_policy || !retention_is_empty(&forget_request.policy),
                     error) &&
         forget(context, options, &forget_request, error);
    g_ptr_array_unref(forget_request.policy.tags);
    return ok;
}

const Command forget_command = {
    .name = "forget",
    .operands = "[SNAPSHOT...]",
    .summary = "remove snapshots by a policy, or by name",
    .description = "Snapshots are grouped (by host and paths unless told otherwise); in each group "
                   "the policy decides. Each rule\n"
                   "tells why a snapshot stays. Snapshots with a date in the future are left alone "
                   "and never counted, and the newest\n"
                   "one of a group always stays. The data itself goes with --prune, or with a "
                   "later `backstay prune`.",
    .options = forget_options,
    .request_size = sizeof(ForgetOptions),
    .run = forget_run,
};
