/* SPDX-License-Identifier: Apache-2.0 */
#include "base/plural.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/output.h"
#include "cmd/table.h"
#include "op/group.h"
#include "op/open.h"
#include "op/select.h"
#include "plan/amount.h"

typedef struct {
    SnapshotFilter filter;
    gboolean compact, last;
    gint latest;
    char *group_by;
} SnapshotsOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(SnapshotsOptions, member))

static const GOptionEntry snapshots_options[] = {
    FILTER_OPTIONS(SnapshotsOptions),
    { "latest", 0, 0, ARG_INT, AT(latest), "only the newest N of each host and paths, or group",
      "N" },
    { "last", 0, G_OPTION_FLAG_HIDDEN, ARG_FLAG, AT(last), "the same as --latest 1", NULL },
    { "group-by", 'g', 0, ARG_TEXT, AT(group_by), "group by host, paths, tags (a comma list)",
      "LIST" },
    { "compact", 'c', 0, ARG_FLAG, AT(compact), "a line for each, without paths", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- JSON ---- */

static json_t *json_snapshots(const GPtrArray *snapshots)
{
    json_t *array = json_array();

    for (guint i = 0; i < snapshots->len; i++)
        json_array_append_new(array, json_snapshot(snapshots->pdata[i]));
    return array;
}

static json_t *json_group(const SnapshotGroup *group)
{
    return json_pack("{s:{s:o, s:o, s:o}, s:o}", "group_key", "hostname",
                     json_bytes(group->host ? group->host : ""), "paths",
                     group->paths ? json_strv(group->paths) : json_null(), "tags",
                     group->tags && *group->tags ? json_strv(group->tags) : json_null(),
                     "snapshots", json_snapshots(group->snapshots));
}

/* ---- text ---- */

static void add_row(Table *table, const Snapshot *snapshot, bool compact, bool sizes)
{
    g_autofree char *time = output_time(snapshot->time);
    g_autofree char *tags = g_strjoinv(",", snapshot->tags);
    g_autofree char *paths = g_strjoinv("\n", snapshot->paths);
    g_autofree char *size =
        snapshot->has_summary ? size_format(snapshot->summary.total_bytes_processed) : g_strdup("");
    IdText id = id_short(&snapshot->id);
    const char *cells[] = { id.text, time, snapshot->hostname, tags, NULL, NULL };
    guint n = 4;

    if (!compact)
        cells[n++] = paths;
    if (sizes)
        cells[n++] = size;
    table_add(table, cells);
}

static void print_snapshots(const GPtrArray *snapshots, bool compact)
{
    static const char *const all[] = { "ID", "Time", "Host", "Tags", "Paths", "Size" };
    const char *headers[7] = { NULL };
    g_autoptr(Table) table = NULL;
    bool sizes = false;
    guint n = 0;

    for (guint i = 0; i < snapshots->len; i++)
        sizes = sizes || ((const Snapshot *)snapshots->pdata[i])->has_summary;
    for (guint i = 0; i < G_N_ELEMENTS(all); i++)
        if (i < 4 || (i == 4 && !compact) || (i == 5 && sizes))
            headers[n++] = all[i];
    table = table_new(headers);
    for (guint i = 0; i < snapshots->len; i++)
        add_row(table, snapshots->pdata[i], compact, sizes);
    table_print(table, stdout);
    printf("%u %s\n", snapshots->len, plural(snapshots->len, "snapshot", "snapshots"));
}

static void print_group(const SnapshotGroup *group, bool compact)
{
    g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *all = NULL;

    if (group->host && *group->host)
        g_ptr_array_add(parts, g_strdup_printf("host [%s]", group->host));
    if (group->tags && *group->tags) {
        g_autofree char *tags = g_strjoinv(", ", group->tags);

        g_ptr_array_add(parts, g_strdup_printf("tags [%s]", tags));
    }
    if (group->paths) {
        g_autofree char *paths = g_strjoinv(", ", group->paths);

        g_ptr_array_add(parts, g_strdup_printf("paths [%s]", paths));
    }
    g_ptr_array_add(parts, NULL);
    all = g_strjoinv(", ", (char **)parts->pdata);
    printf(*all ? "snapshots for (%s):\n" : "snapshots:\n", all);
    print_snapshots(group->snapshots, compact);
}

/* ---- running ---- */

static void tell(const Context *context, const SnapshotsOptions *options, GroupBy by,
                 const GPtrArray *snapshots)
{
    bool grouped = by.host || by.paths || by.tags;
    g_autoptr(GPtrArray) groups = group_snapshots(snapshots, by);
    json_t *array;

    if (!grouped && context->settings->json) {
        output_json(json_snapshots(snapshots));
        return;
    }
    if (!grouped) {
        print_snapshots(snapshots, options->compact);
        return;
    }
    array = json_array();
    for (guint i = 0; i < groups->len; i++) {
        if (context->settings->json)
            json_array_append_new(array, json_group(groups->pdata[i]));
        else
            print_group(groups->pdata[i], options->compact);
    }
    if (context->settings->json)
        output_json(array);
    else
        json_decref(array);
}

static gint compare_age(gconstpointer a, gconstpointer b)
{
    const Snapshot *const *left = a, *const *right = b;

    return timestamp_compare((*left)->time, (*right)->time);
}

static bool snapshots_run(const Context *context, void *request, char **operands, GError **error)
{
    static const GroupBy host_and_paths = { .host = true, .paths = true };
    SnapshotsOptions *options = request;
    g_autoptr(GPtrArray) snapshots = NULL;
    g_auto(OpenRepo) open = { 0 };
    unsigned unreadable = 0;
    GroupBy by = { 0 };

    if (options->group_by && !group_by_parse(options->group_by, &by, error))
        return false;
    filter_complete(&options->filter, operands);
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) ||
        !select_snapshots(open.repo, operands, &options->filter, &snapshots, &unreadable, error))
        return false;
    g_ptr_array_sort(snapshots, compare_age);
    if (options->last && options->latest == 0)
        options->latest = 1;
    if (options->latest > 0)
        group_keep_newest(snapshots, by.host || by.paths || by.tags ? by : host_and_paths,
                          (guint)options->latest);
    tell(context, options, by, snapshots);
    return select_complete(unreadable, error);
}

const Command snapshots_command = {
    .name = "snapshots",
    .operands = "[SNAPSHOT...]",
    .summary = "list snapshots",
    .description = "Times are local. Exit status 3: some snapshots could not be read; each is "
                   "named on standard error.",
    .options = snapshots_options,
    .request_size = sizeof(SnapshotsOptions),
    .run = snapshots_run,
};
