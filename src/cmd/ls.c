/* SPDX-License-Identifier: Apache-2.0 */
#include "op/ls.h"

#include "base/error.h"
#include "cmd/commands.h"
#include "cmd/filter.h"
#include "cmd/nodetext.h"
#include "cmd/output.h"
#include "op/open.h"
#include "op/select.h"
#include <string.h>
#include <unistd.h>

typedef struct {
    SnapshotFilter filter;
    gboolean is_long, recursive, human, reverse;
    char *sort;
} LsOptions;

#define AT(member) GSIZE_TO_POINTER(G_STRUCT_OFFSET(LsOptions, member))

static const GOptionEntry ls_options[] = {
    FILTER_OPTIONS(LsOptions),
    { "long", 'l', 0, ARG_FLAG, AT(is_long), "mode, owner, size and time, too", NULL },
    { "recursive", 0, 0, ARG_FLAG, AT(recursive), "also what lies deeper in the directories given",
      NULL },
    { "human-readable", 0, 0, ARG_FLAG, AT(human), "sizes such as 1.234 MiB", NULL },
    { "sort", 's', 0, ARG_TEXT, AT(sort), "by name, size, mtime (time), atime, ctime or extension",
      "KEY" },
    { "reverse", 0, 0, ARG_FLAG, AT(reverse), "in reverse order", NULL },
    { NULL, 0, 0, ARG_FLAG, NULL, NULL, NULL },
};

/* ---- sorting ---- */

typedef struct {
    char *path;
    Node *node; /* without content */
} Listed;

static void listed_clear(gpointer data)
{
    Listed *listed = data;

    g_free(listed->path);
    node_free(listed->node);
}

static int by_size(const Listed *a, const Listed *b)
{
    uint64_t left = S_ISREG(a->node->mode) ? a->node->size : 0;
    uint64_t right = S_ISREG(b->node->mode) ? b->node->size : 0;

    return (left > right) - (left < right);
}

static int by_mtime(const Listed *a, const Listed *b)
{
    return timestamp_compare(a->node->mtime, b->node->mtime);
}

static int by_atime(const Listed *a, const Listed *b)
{
    return timestamp_compare(a->node->atime, b->node->atime);
}

static int by_ctime(const Listed *a, const Listed *b)
{
    return timestamp_compare(a->node->ctime, b->node->ctime);
}

static const char *extension(const char *path)
{
    const char *dot = strrchr(strrchr(path, '/'), '.');

    return dot ? dot : "";
}

static int by_extension(const Listed *a, const Listed *b)
{
    return strcmp(extension(a->path), extension(b->path));
}

typedef int (*Order)(const Listed *a, const Listed *b);

static const struct {
    const char *name;
    Order order; /* NULL: as they come */
} orders[] = {
    { "name", NULL },
    { "size", by_size },
    { "time", by_mtime },
    { "mtime", by_mtime },
    { "atime", by_atime },
    { "ctime", by_ctime },
    { "extension", by_extension },
};

static bool parse_order(const char *text, Order *ret_order, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(orders); i++)
        if (strcmp(text, orders[i].name) == 0) {
            *ret_order = orders[i].order;
            return true;
        }
    g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                "--sort %s: must be name, size, mtime, time, atime, ctime or extension", text);
    return false;
}

static gint compare_listed(gconstpointer a, gconstpointer b, gpointer order)
{
    int result = (*(const Order *)order)(a, b);

    return result != 0 ? result : strcmp(((const Listed *)a)->path, ((const Listed *)b)->path);
}

/* ---- telling ---- */

typedef struct {
    const LsOptions *options;
    bool json, terminal;
    GString *line;
    GArray *listed; /* of Listed; NULL when entries are told as they come */
} Teller;

static bool tell(Teller *teller, const char *path, const Node *node, GError **error)
{
    if (teller->json)
        node_json(teller->line, path, node);
    else
        node_line(teller->line, path, node, teller->options->is_long, teller->options->human,
                  teller->terminal);
    return output_line(teller->line, error);
}

static bool take_entry(const char *path, const Node *node, void *user, GError **error)
{
    Teller *teller = user;
    Listed listed;

    if (!teller->listed)
        return tell(teller, path, node, error);
    listed = (Listed){ g_strdup(path), node_copy(node) };
    g_clear_pointer(&listed.node->content, g_array_unref);
    g_array_append_val(teller->listed, listed);
    return true;
}

static bool tell_sorted(Teller *teller, Order order, GError **error)
{
    guint n = teller->listed->len;

    if (order)
        g_array_sort_with_data(teller->listed, compare_listed, &order);
    for (guint i = 0; i < n; i++) {
        const Listed *listed =
            &g_array_index(teller->listed, Listed, teller->options->reverse ? n - 1 - i : i);

        if (!tell(teller, listed->path, listed->node, error))
            return false;
    }
    return true;
}

static void tell_snapshot(const Context *context, const Snapshot *snapshot, char **dirs)
{
    g_autofree char *time = output_time(snapshot->time);
    g_autofree char *paths = g_strjoinv(" ", snapshot->paths), *only = g_strjoinv(" ", dirs);
    json_t *object;

    if (context->settings->json) {
        object = json_snapshot(snapshot);
        json_object_set_new(object, "message_type", json_string("snapshot"));
        json_object_set_new(object, "struct_type", json_string("snapshot"));
        output_json(object);
    } else if (!context->settings->quiet) {
        printf("snapshot %s of [%s] at %s by %s@%s filtered by [%s]:\n",
               id_short(&snapshot->id).text, paths, time, snapshot->username, snapshot->hostname,
               only);
    }
}

/* ---- running ---- */

static bool list(const Context *context, Repo *repo, const LsOptions *options, Order order,
                 char **operands, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *subpath = NULL;
    g_autoptr(GString) line = g_string_new(NULL);
    g_autoptr(GArray) listed = NULL;
    ListRequest request = { .dirs = operands + 1, .recursive = options->recursive };
    Teller teller = { options, context->settings->json, isatty(STDOUT_FILENO), line, NULL };
    g_autoptr(GError) problem = NULL;
    unsigned unreadable;
    bool complete;
    Id tree;

    if (order || options->reverse) {
        teller.listed = listed = g_array_new(FALSE, FALSE, sizeof(Listed));
        g_array_set_clear_func(listed, listed_clear);
    }
    if (!select_snapshot(repo, operands[0], &options->filter, &snapshot, &subpath, &unreadable,
                         error) ||
        !repo_load_index(repo, context->cancel, error) ||
        !select_tree(repo, snapshot, subpath, &tree, error))
        return false;
    tell_snapshot(context, snapshot, operands + 1);
    complete = op_ls(repo, &tree, &request, take_entry, &teller, context->cancel, &problem);
    if ((complete || g_error_matches(problem, BS_ERROR, BS_ERROR_PARTIAL)) && listed &&
        !tell_sorted(&teller, order, error))
        return false;
    if (!complete)
        g_propagate_error(error, g_steal_pointer(&problem));
    return complete && select_complete(unreadable, error);
}

static bool ls_run(const Context *context, void *request, char **operands, GError **error)
{
    LsOptions *options = request;
    g_auto(OpenRepo) open = { 0 };
    char *name[] = { operands[0], NULL };
    Order order = NULL;

    if (!operands_between(operands, 1, 0, "a snapshot, or \"latest\"", error) ||
        (options->sort && !parse_order(options->sort, &order, error)))
        return false;
    filter_complete(&options->filter, name);
    return open_repo(context->settings, OPEN_SHARED, true, context->cancel, &open, error) &&
           list(context, open.repo, options, order, operands, error);
}

const Command ls_command = {
    .name = "ls",
    .operands = "SNAPSHOT[:PATH] [DIR...]",
    .summary = "list what a snapshot holds",
    .description =
        "SNAPSHOT is an id, the beginning of one, or \"latest\" (among those that --host, --tag "
        "and --path let through).\n"
        "With DIR, an absolute path in the snapshot, only what lies in it.",
    .options = ls_options,
    .request_size = sizeof(LsOptions),
    .run = ls_run,
};
