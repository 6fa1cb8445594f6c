/* SPDX-License-Identifier: Apache-2.0 */
#include "op/stats.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/output.h"
#include "cmd/table.h"
#include "op/open.h"
#include "op/select.h"
#include "op/storestats.h"
#include "plan/amount.h"

typedef struct {
    SnapshotFilter filter;
    char *mode;
    gboolean store;
} StatsOptions;

static const GOptionEntry stats_options[] = {
    FILTER_OPTIONS(StatsOptions),
    { "mode", 0, 0, ARG_TEXT, GSIZE_TO_POINTER(G_STRUCT_OFFSET(StatsOptions, mode)),
      "restore-size (default), files-by-contents, blobs-per-file or raw-data", "MODE" },
    { "store", 0, 0, ARG_FLAG, GSIZE_TO_POINTER(G_STRUCT_OFFSET(StatsOptions, store)),
      "count what lies in the store instead: objects and bytes of each kind", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* In restic's terms; 0 where there is nothing to compare. */
static double ratio(const Stats *stats)
{
    return stats->compressed ? (double)stats->compressed_plain_size / (double)stats->compressed : 0;
}

static double progress(const Stats *stats)
{
    return stats->plain_size
               ? (double)stats->compressed_plain_size / (double)stats->plain_size * 100
               : 0;
}

static double saving(const Stats *stats)
{
    return stats->plain_size ? (1 - (double)stats->size / (double)stats->plain_size) * 100 : 0;
}

static void set_number(json_t *object, const char *field, uint64_t value)
{
    if (value)
        json_object_set_new(object, field, json_integer((json_int_t)value));
}

static void set_share(json_t *object, const char *field, double value)
{
    if (value != 0)
        json_object_set_new(object, field, json_real(value));
}

static void tell_json(const Stats *stats)
{
    json_t *object = json_pack("{s:I}", "total_size", (json_int_t)stats->size);

    set_number(object, "total_uncompressed_size", stats->plain_size);
    set_share(object, "compression_ratio", ratio(stats));
    set_share(object, "compression_progress", progress(stats));
    set_share(object, "compression_space_saving", saving(stats));
    set_number(object, "total_file_count", stats->files);
    set_number(object, "total_blob_count", stats->blobs);
    json_object_set_new(object, "snapshots_count", json_integer(stats->snapshots));
    output_json(object);
}

static void tell_text(const char *mode, const Stats *stats)
{
    g_autofree char *size = size_format(stats->size), *plain = size_format(stats->plain_size);

    printf("Stats in %s mode:\n", mode);
    printf("     Snapshots processed:  %u\n", stats->snapshots);
    if (stats->blobs)
        printf("        Total Blob Count:  %" G_GUINT64_FORMAT "\n", stats->blobs);
    if (stats->files)
        printf("        Total File Count:  %" G_GUINT64_FORMAT "\n", stats->files);
    if (stats->plain_size)
        printf(" Total Uncompressed Size:  %s\n", plain);
    printf("              Total Size:  %s\n", size);
    if (progress(stats) > 0)
        printf("    Compression Progress:  %.2f%%\n", progress(stats));
    if (ratio(stats) > 0)
        printf("       Compression Ratio:  %.2fx\n", ratio(stats));
    if (saving(stats) > 0)
        printf("Compression Space Saving:  %.2f%%\n", saving(stats));
}

/* ---- the store ---- */

static json_t *json_usage(const StoreUsage *usage)
{
    json_t *object = json_pack("{s:I, s:I}", "objects", (json_int_t)usage->objects, "bytes",
                               (json_int_t)usage->bytes);

    if (usage->objects) {
        json_object_set_new(object, "oldest", json_time((Timestamp){ .sec = usage->oldest }));
        json_object_set_new(object, "newest", json_time((Timestamp){ .sec = usage->newest }));
    }
    return object;
}

static void tell_store_json(const Store *store, const StoreStats *stats)
{
    json_t *object = json_usage(&stats->total), *places = json_object();

    for (StorePlace place = 0; place < STORE_PLACES; place++)
        json_object_set_new(places, store_place_name(place), json_usage(&stats->places[place]));
    json_object_set_new(object, "location", json_bytes(store->location));
    json_object_set_new(object, "places", places);
    if (stats->has_room) {
        json_object_set_new(object, "free_bytes", json_integer((json_int_t)stats->free));
        json_object_set_new(object, "room_bytes", json_integer((json_int_t)stats->room));
    }
    json_object_set_new(object, "unfinished",
                        stats->unfinished_unseen ? json_null() : json_usage(&stats->unfinished));
    output_json(object);
}

static void add_usage(Table *table, const char *name, const StoreUsage *usage)
{
    g_autofree char *objects = g_strdup_printf("%" G_GUINT64_FORMAT, usage->objects);
    g_autofree char *size = size_format(usage->bytes);
    g_autofree char *oldest =
        usage->objects ? output_time((Timestamp){ .sec = usage->oldest }) : g_strdup("");
    g_autofree char *newest =
        usage->objects ? output_time((Timestamp){ .sec = usage->newest }) : g_strdup("");

    table_add(table, (const char *const[]){ name, objects, size, oldest, newest });
}

static void tell_store_text(const Store *store, const StoreStats *stats)
{
    g_autoptr(Table) table =
        table_new((const char *const[]){ "", "Objects", "Size", "Oldest", "Newest", NULL });
    g_autofree char *free_size = size_format(stats->free), *room = size_format(stats->room);

    for (StorePlace place = 0; place < STORE_PLACES; place++)
        if (stats->places[place].objects > 0)
            add_usage(table, store_place_name(place), &stats->places[place]);
    add_usage(table, "total", &stats->total);
    if (stats->unfinished.objects > 0)
        add_usage(table, "unfinished", &stats->unfinished);
    printf("store at %s:\n", store->location);
    table_print(table, stdout);
    if (stats->has_room)
        printf("its disk has %s free of %s\n", free_size, room);
    if (stats->unfinished.objects > 0)
        printf("unfinished: what interrupted uploads have left; `backstay prune` removes it\n");
    if (stats->unfinished_unseen)
        printf("whether interrupted uploads have left anything these keys may not see\n");
}

static bool store_run(const Context *context, const StatsOptions *options, char **operands,
                      GError **error)
{
    g_autofree char *location = NULL;
    g_auto(OpenStore) at = { 0 };
    StoreStats stats;

    if (options->mode || *operands || options->filter.hosts || options->filter.tags ||
        options->filter.paths) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--store counts everything that lies there; leave out snapshots, filters and "
                    "--mode");
        return false;
    }
    if (!settings_repository(context->settings, &location, error) ||
        !open_store(context->settings, location, "", false, context->cancel, &at, error) ||
        !op_store_stats(at.store, &stats, error))
        return false;
    if (context->settings->json)
        tell_store_json(at.store, &stats);
    else
        tell_store_text(at.store, &stats);
    return true;
}

static bool stats_run(const Context *context, void *request, char **operands, GError **error)
{
    StatsOptions *options = request;
    const char *name = options->mode ? options->mode : "restore-size";
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GPtrArray) snapshots = NULL;
    unsigned unreadable;
    StatsMode mode;
    Stats stats;

    if (options->store)
        return store_run(context, options, operands, error);
    filter_complete(&options->filter, operands);
    if (!stats_mode_parse(name, &mode, error) ||
        !open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) ||
        !select_snapshots(open.repo, operands, &options->filter, &snapshots, &unreadable, error) ||
        !repo_load_index(open.repo, context->cancel, error) ||
        !op_stats(open.repo, snapshots, mode, context->cancel, &stats, error))
        return false;
    if (context->settings->json)
        tell_json(&stats);
    else
        tell_text(name, &stats);
    return select_complete(unreadable, error);
}

const Command stats_command = {
    .name = "stats",
    .operands = "[SNAPSHOT...]",
    .summary = "count what snapshots hold",
    .description = "--mode says how:\n"
                   "  restore-size       what a restore would write\n"
                   "  files-by-contents  files, each content once\n"
                   "  blobs-per-file     blobs that files are made of, once for each path\n"
                   "  raw-data           blobs as they lie in the repository, each once\n\n"
                   "--store asks the store, not the repository: objects, bytes, the oldest and the "
                   "newest of each kind,\n"
                   "what interrupted uploads have left, and of a directory how much room its disk "
                   "has. It needs no password and takes no lock.",
    .options = stats_options,
    .request_size = sizeof(StatsOptions),
    .run = stats_run,
};
