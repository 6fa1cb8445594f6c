/* SPDX-License-Identifier: Apache-2.0 */
#include "op/find.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/moment.h"
#include "cmd/nodetext.h"
#include "cmd/output.h"
#include "op/open.h"
#include "op/select.h"
#include "repo/index.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    SnapshotFilter filter;
    char *oldest, *newest;
    char **snapshots;
    gboolean blob, tree, pack, show_pack, ignore_case, reverse, is_long, human;
} FindOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(FindOptions, member))

static const GOptionEntry find_options[] = {
    FILTER_OPTIONS(FindOptions),
    { "snapshot", 's', 0, ARG_LIST, AT(snapshots), "only in this snapshot; may be repeated", "ID" },
    { "oldest", 'O', 0, ARG_TEXT, AT(oldest), "modified at this time or later", "TIME" },
    { "newest", 'N', 0, ARG_TEXT, AT(newest), "modified at this time or earlier", "TIME" },
    { "ignore-case", 'i', 0, ARG_FLAG, AT(ignore_case), "capital letters are small ones", NULL },
    { "blob", 0, 0, ARG_FLAG, AT(blob), "PATTERN is the id of a data blob", NULL },
    { "tree", 0, 0, ARG_FLAG, AT(tree), "PATTERN is the id of a tree", NULL },
    { "pack", 0, 0, ARG_FLAG, AT(pack), "PATTERN is the id of a pack: all blobs in it", NULL },
    { "show-pack-id", 0, 0, ARG_FLAG, AT(show_pack), "in which pack each blob found lies", NULL },
    { "long", 'l', 0, ARG_FLAG, AT(is_long), "mode, owner, size and time, too", NULL },
    { "human-readable", 0, 0, ARG_FLAG, AT(human), "sizes such as 1.234 MiB", NULL },
    { "reverse", 'R', 0, ARG_FLAG, AT(reverse), "oldest snapshot first", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- telling ---- */

typedef struct {
    const Context *context;
    const FindOptions *options;
    bool terminal, begun;
    GString *line;
    const Snapshot *last; /* of which something was told */
    uint64_t hits;
    GArray *found; /* of FoundBlob, with --show-pack-id */
    Index *index;
} Teller;

typedef struct {
    BlobType type;
    Id id;
} FoundBlob;

static bool put(Teller *teller, GError **error)
{
    return output_line(teller->line, error);
}

/* The array begins with what is found first, so that an error before it leaves stdout empty. */
static void begin_array(Teller *teller)
{
    if (!teller->begun)
        (void)fputc('[', stdout); // output_close() asks whether stdout is well
    teller->begun = true;
}

/* {"matches":[...],"hits":N,"snapshot":"..."} for each snapshot. */
static void end_matches(Teller *teller)
{
    if (teller->last)
        printf("],\"hits\":%" G_GUINT64_FORMAT ",\"snapshot\":\"%s\"}", teller->hits,
               id_hex(&teller->last->id).text);
}

static bool tell_match_json(Teller *teller, const Snapshot *snapshot, const char *path,
                            const Node *node, GError **error)
{
    if (snapshot != teller->last) {
        end_matches(teller);
        begin_array(teller);
        printf(teller->last ? ",{\"matches\":[" : "{\"matches\":[");
        teller->last = snapshot;
        teller->hits = 0;
    }
    node_match_json(teller->line, path, node);
    if (teller->hits++ > 0)
        g_string_prepend_c(teller->line, ',');
    return put(teller, error);
}

static bool tell_match(const Snapshot *snapshot, const char *path, const Node *node, void *user,
                       GError **error)
{
    Teller *teller = user;

    if (teller->context->settings->json)
        return tell_match_json(teller, snapshot, path, node, error);
    if (snapshot != teller->last && !teller->context->settings->quiet) {
        g_autofree char *time = output_time(snapshot->time);

        printf("%sFound matching entries in snapshot %s from %s\n", teller->last ? "\n" : "",
               id_short(&snapshot->id).text, time);
    }
    teller->last = snapshot;
    node_line(teller->line, path, node, teller->options->is_long, teller->options->human,
              teller->terminal);
    return put(teller, error);
}

static void blob_json(Teller *teller, const Snapshot *snapshot, BlobType type, const Id *id,
                      const char *path, const Id *tree)
{
    json_t *object =
        json_pack("{s:s, s:s, s:o}", "object_type", type == BLOB_TREE ? "tree" : "blob", "id",
                  id_hex(id).text, "path", json_bytes(path));
    char *text;

    begin_array(teller);
    if (type == BLOB_DATA)
        json_object_set_new(object, "parent_tree", json_string(id_hex(tree).text));
    json_object_set_new(object, "snapshot", json_string(id_hex(&snapshot->id).text));
    json_object_set_new(object, "time",
                        snapshot->time_text ? json_string(snapshot->time_text)
                                            : json_time(snapshot->time));
    text = json_dumps(object, JSON_COMPACT);
    g_string_printf(teller->line, "%s%s", teller->hits > 0 ? "," : "", text);
    free(text);
    json_decref(object);
}

static void blob_text(Teller *teller, const Snapshot *snapshot, BlobType type, const Id *id,
                      const char *path, const Id *tree)
{
    g_autofree char *time = output_time(snapshot->time);

    if (type == BLOB_TREE)
        g_string_printf(teller->line, "Found tree %s\n ... path %s\n", id_hex(id).text, path);
    else
        g_string_printf(teller->line, "Found blob %s\n ... in file %s\n     (tree %s)\n",
                        id_hex(id).text, path, id_hex(tree).text);
    g_string_append_printf(teller->line, " ... in snapshot %s (%s)", id_short(&snapshot->id).text,
                           time);
}

static bool tell_blob(const Snapshot *snapshot, BlobType type, const Id *id, const char *path,
                      const Id *tree, void *user, GError **error)
{
    Teller *teller = user;
    FoundBlob found = { type, *id };

    if (teller->found)
        g_array_append_val(teller->found, found);
    if (teller->context->settings->json)
        blob_json(teller, snapshot, type, id, path, tree);
    else
        blob_text(teller, snapshot, type, id, path, tree);
    teller->hits++;
    return put(teller, error);
}

static gint compare_found(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(FoundBlob));
}

/* On standard error when standard output is JSON. */
static void tell_packs(Teller *teller)
{
    FILE *out = teller->context->settings->json ? stderr : stdout;

    g_array_sort(teller->found, compare_found);
    for (guint i = 0; i < teller->found->len; i++) {
        const FoundBlob *blob = &g_array_index(teller->found, FoundBlob, i);
        BlobPlace place;

        if (i > 0 && compare_found(blob, blob - 1) == 0)
            continue;
        if (index_find(teller->index, blob->type, &blob->id, &place))
            fprintf(out, "Object belongs to pack %s\n ... Pack %s: <%s/%s>\n",
                    id_hex(&place.pack).text, id_short(&place.pack).text,
                    blob_type_name(blob->type), id_short(&blob->id).text);
        else
            fprintf(out, "Object %s of type %s is in no index\n", id_hex(&blob->id).text,
                    blob_type_name(blob->type));
    }
}

/* ---- running ---- */

static bool find_entries(Teller *teller, Repo *repo, const GPtrArray *snapshots, char **operands,
                         GError **error)
{
    const FindOptions *options = teller->options;
    g_autoptr(PatternList) patterns = pattern_list_new(options->ignore_case);
    Timestamp oldest, newest;
    FindRequest request = { .patterns = patterns,
                            .oldest = options->oldest ? &oldest : NULL,
                            .newest = options->newest ? &newest : NULL };

    if ((options->oldest && !moment_parse("oldest", options->oldest, &oldest, error)) ||
        (options->newest && !moment_parse("newest", options->newest, &newest, error)))
        return false;
    for (; *operands; operands++)
        if (!pattern_list_add(patterns, *operands, error))
            return false;
    return op_find(repo, snapshots, &request, tell_match, teller, teller->context->cancel, error);
}

static bool find_blobs(Teller *teller, Repo *repo, const GPtrArray *snapshots, char **operands,
                       GError **error)
{
    const FindOptions *options = teller->options;
    g_autoptr(FindIds) ids = find_ids_new();

    for (; *operands; operands++)
        if (!(options->pack
                  ? find_ids_add_pack(ids, repo, *operands, error)
                  : find_ids_add(ids, options->tree ? BLOB_TREE : BLOB_DATA, *operands, error)))
            return false;
    return op_find_ids(repo, snapshots, ids, tell_blob, teller, teller->context->cancel, error);
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
    const Snapshot *const *left = a, *const *right = b;

    return -timestamp_compare((*left)->time, (*right)->time);
}

static gint oldest_first(gconstpointer a, gconstpointer b)
{
    return -newest_first(a, b);
}

static bool search(Teller *teller, Repo *repo, const GPtrArray *snapshots, char **operands,
                   GError **error)
{
    bool json = teller->context->settings->json;
    bool by_id = teller->options->blob || teller->options->tree || teller->options->pack;
    bool ok;

    ok = by_id ? find_blobs(teller, repo, snapshots, operands, error)
               : find_entries(teller, repo, snapshots, operands, error);
    if (json && (ok || teller->begun)) {
        begin_array(teller);
        end_matches(teller);
        printf("]\n");
    }
    if (teller->found)
        tell_packs(teller);
    return ok;
}

static bool find_run(const Context *context, void *request, char **operands, GError **error)
{
    FindOptions *options = request;
    g_auto(OpenRepo) open = { 0 };
    g_autoptr(GPtrArray) snapshots = NULL;
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GArray) found =
        options->show_pack ? g_array_new(FALSE, TRUE, sizeof(FoundBlob)) : NULL;
    Teller teller = { .context = context,
                      .options = options,
                      .terminal = isatty(STDOUT_FILENO),
                      .line = line,
                      .found = found };
    unsigned unreadable;

    if (!operands_between(operands, 1, 0, "a pattern", error))
        return false;
    if (options->blob + options->tree + options->pack > 1) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "only one of --blob, --tree and --pack can be given");
        return false;
    }
    filter_complete(&options->filter, options->snapshots);
    if (!open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) ||
        !select_snapshots(open.repo, options->snapshots, &options->filter, &snapshots, &unreadable,
                          error) ||
        !repo_load_index(open.repo, context->cancel, error))
        return false;
    g_ptr_array_sort(snapshots, options->reverse ? oldest_first : newest_first);
    teller.index = repo_index(open.repo);
    return search(&teller, open.repo, snapshots, operands, error) &&
           select_complete(unreadable, error);
}

const Command find_command = {
    .name = "find",
    .operands = "PATTERN...",
    .summary = "find files by name in snapshots, or what uses a blob",
    .description =
        "Looks through all snapshots, the newest first. PATTERN matches a name at any depth, or "
        "with a leading / a whole path;\n"
        "* ? [a-z] stand for characters, ** for any number of directories. What lies in a "
        "directory that matches does, too.",
    .options = find_options,
    .request_size = sizeof(FindOptions),
    .run = find_run,
};
