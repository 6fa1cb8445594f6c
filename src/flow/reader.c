/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "base/parallel.h"
#include "codec/chunker.h"
#include "flow/reading.h"
#include "repo/walk.h"
#include <string.h>
#include <unistd.h>

/* Each has two buffers of 8 MiB: 96 MiB in all. */
#define WORKERS_MAX 6u
#define GAP_MAX     (64u * 1024)

/* In a far store a request costs as much as a MiB, and a whole pack is one (repository format,
 * "S3"). Each worker has such a buffer, those that open 8 MiB: 204 MiB in all
 * at most. */
#define FAR_WORKERS_MAX 8u
#define FAR_RANGE_MAX   (35u * 512 * 1024)
#define FAR_GAP_MAX     (1024u * 1024)
/* In order a range is kept until all of it has come to its turn: half a pack, which may be twice as
 * much when it is opened. 192 MiB in all. */
#define FAR_PLAIN_MAX (16u * 1024 * 1024)

/* A directory that the walk is in. */
typedef struct {
    const Node *node;
    size_t path_len;
    bool begun;
    void *handle; /* of the sink, any order only; NULL when it refused the directory */
} Open;

typedef struct {
    Reading reading;
    AnyOrder *any; /* one of the two */
    InOrder *order;
    GArray *open;     /* of Open */
    unsigned refused; /* directories of open, from the innermost up, that the sink did not take */
} Reader;

/* ---- problems ---- */

static void fail(Reading *reading, GError *failure)
{
    if (reading->failure)
        g_error_free(failure);
    else
        reading->failure = failure;
    atomic_store(&reading->failed, true);
}

bool reading_problem(Reading *reading, const char *path, GError *problem)
{
    const ReaderOptions *options = reading->options;

    pthread_mutex_lock(&reading->mutex);
    if (options->progress)
        atomic_fetch_add(&options->progress->errors, 1);
    if (atomic_load(&reading->failed) ||
        (options->problem && options->problem(path, problem, options->user))) {
        g_error_free(problem);
    } else {
        g_prefix_error(&problem, "%s: ", path);
        fail(reading, problem);
    }
    pthread_mutex_unlock(&reading->mutex);
    return !atomic_load(&reading->failed);
}

bool reading_over(Reading *reading)
{
    GError *cancelled = NULL;

    if (!atomic_load(&reading->failed) && !cancel_check(reading->cancel, &cancelled)) {
        pthread_mutex_lock(&reading->mutex);
        fail(reading, cancelled);
        pthread_mutex_unlock(&reading->mutex);
    }
    return atomic_load(&reading->failed);
}

/* ---- the walk ---- */

/* Whether the sink took it. SOFT_SKIP is its free choice and no problem. */
static bool begin(Reader *reader, const char *path, const Node *node, void **ret_handle)
{
    Entry entry = { .path = path, .node = node };
    GError *problem = NULL;

    *ret_handle = NULL;
    progress_current(reader->reading.options->progress, path);
    if (sink_begin(reader->reading.sink, &entry, ret_handle, &problem))
        return true;
    if (g_error_matches(problem, BS_ERROR, BS_ERROR_SOFT_SKIP))
        g_error_free(problem);
    else
        (void)reading_problem(&reader->reading, path, problem);
    return false;
}

/* The sink must know every directory above a wanted entry. False: it refused one. */
static bool begin_open(Reader *reader, const char *path)
{
    for (guint i = 0; i < reader->open->len; i++) {
        Open *open = &g_array_index(reader->open, Open, i);
        g_autofree char *dir_path = open->begun ? NULL : g_strndup(path, open->path_len);

        if (open->begun)
            continue;
        open->begun = true;
        if (reader->order)
            in_order_begin_dir(reader->order, dir_path, open->node);
        else if (!begin(reader, dir_path, open->node, &open->handle))
            reader->refused = reader->open->len - i;
        if (reader->refused)
            return false;
    }
    return true;
}

static void end_leaf(Reader *reader, const char *path, const Node *node, void *handle)
{
    GError *problem = NULL;
    bool reused = false;

    if (!sink_reuse(reader->reading.sink, handle, &reused, &problem)) {
        sink_abandon(reader->reading.sink, handle);
        (void)reading_problem(&reader->reading, path, problem);
    } else if (S_ISREG(node->mode) && !reused) {
        any_order_file(reader->any, path, node, handle);
    } else if (sink_end(reader->reading.sink, handle, NULL, &problem)) {
        progress_add(reader->reading.options->progress, 1, S_ISREG(node->mode) ? node->size : 0);
    } else {
        (void)reading_problem(&reader->reading, path, problem);
    }
}

static WalkNext enter_leaf(Reader *reader, const char *path, const Node *node)
{
    void *handle = NULL;

    if (!begin_open(reader, path))
        return WALK_SKIP;
    if (reader->order)
        in_order_entry(reader->order, path, node);
    else if (begin(reader, path, node, &handle))
        end_leaf(reader, path, node, handle);
    return WALK_SKIP;
}

static WalkNext enter_directory(Reader *reader, const char *path, const Node *node, bool wanted)
{
    Open open = { .node = node, .path_len = strlen(path) };

    g_array_append_val(reader->open, open);
    if (!wanted || begin_open(reader, path))
        return WALK_CONTINUE;
    g_array_set_size(reader->open, reader->open->len - 1);
    reader->refused--;
    return WALK_SKIP;
}

static bool leave_directory(const char *path, bool complete, Tree **tree, void *user,
                            GError **error)
{
    Reader *reader = user;
    Sink *sink = reader->reading.sink;
    GError *problem = NULL;
    Open open;

    (void)error;
    // the tree that reader_run() was given is no entry, but its nodes may still be waiting
    if (reader->open->len == 0) {
        if (reader->order)
            in_order_keep(reader->order, g_steal_pointer(tree));
        return true;
    }
    open = g_array_index(reader->open, Open, reader->open->len - 1);
    g_array_set_size(reader->open, reader->open->len - 1);
    if (reader->order)
        in_order_keep(reader->order, g_steal_pointer(tree));
    if (reader->order && open.begun)
        in_order_end_dir(reader->order, path, complete);
    else if (reader->refused)
        reader->refused--;
    else if (open.begun && !complete)
        sink_abandon(sink, open.handle);
    else if (open.begun && !sink_end(sink, open.handle, NULL, &problem))
        (void)reading_problem(&reader->reading, path, problem);
    return true;
}

static WalkNext enter(const char *path, const Node *node, void *user, GError **error)
{
    Reader *reader = user;
    const ReaderOptions *options = reader->reading.options;
    bool wanted = true, descend = true;

    (void)error;
    if (reading_over(&reader->reading))
        return WALK_FAIL;
    if (reader->refused)
        return WALK_SKIP;
    if (options->select)
        options->select(path, node, &wanted, &descend, options->user);
    if (S_ISDIR(node->mode) && descend)
        return enter_directory(reader, path, node, wanted);
    // a directory that is wanted, and nothing below it
    if (S_ISDIR(node->mode) && wanted) {
        Tree *none = NULL;

        if (enter_directory(reader, path, node, true) == WALK_CONTINUE)
            (void)leave_directory(path, true, &none, reader, NULL);
        return WALK_SKIP;
    }
    return wanted ? enter_leaf(reader, path, node) : WALK_SKIP;
}

/* A tree that cannot be read is known by its directory; what lies beside it is read all the same.
 */
static bool bad_tree(const char *path, const GError *problem, void *user)
{
    Reader *reader = user;

    return reading_problem(&reader->reading, *path ? path : "/", g_error_copy(problem));
}

/* ---- a run ---- */

static unsigned choose_workers(const ReaderOptions *options, const Store *store)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = options->workers;

    // a worker computes or waits for the store, whichever takes longer
    if (n == 0)
        n = MAX((unsigned)MAX(cores, 1), store->connections);
    return CLAMP(n, 1, store->far ? FAR_WORKERS_MAX : WORKERS_MAX);
}

static void make_buffers(Reading *reading, unsigned workers, bool any)
{
    bool far = repo_store(reading->repo)->far;
    // who has read waits for its turn to open: else all would compute, and then all wait for the
    // store, at the same time. Two more than cores, for some wait for the disk
    unsigned openers = far && any ? MIN(workers, parallel_cores() + 2) : workers;

    reading->range_max = far && any ? FAR_RANGE_MAX : BLOB_ROOM;
    reading->gap_max = far ? FAR_GAP_MAX : GAP_MAX;
    reading->joins = far;
    reading->sealed = buffers_new(workers, reading->range_max);
    reading->plain = buffers_new(openers, far && !any ? FAR_PLAIN_MAX : BLOB_ROOM);
}

static void init(Reader *reader, Repo *repo, Sink *sink, const ReaderOptions *options,
                 const Cancel *cancel)
{
    static const unsigned both = SINK_MANY_OPEN | SINK_ANY_ORDER;
    Reading *reading = &reader->reading;
    bool any = (sink->ops->caps & both) == both;
    unsigned workers = choose_workers(options, repo_store(repo));

    reading->repo = repo;
    reading->sink = sink;
    reading->options = options;
    reading->cancel = cancel;
    make_buffers(reading, workers, any);
    pthread_mutex_init(&reading->large, NULL);
    pthread_mutex_init(&reading->mutex, NULL);
    atomic_init(&reading->failed, false);
    reader->open = g_array_new(FALSE, FALSE, sizeof(Open));
    if (any)
        reader->any = any_order_new(reading, workers);
    else
        reader->order = in_order_new(reading, workers);
}

/* Waits for the workers; directories that are still open after a failure are abandoned. */
static bool done(Reader *reader, GError **error)
{
    Reading *reading = &reader->reading;

    if (reader->order) {
        in_order_flush(reader->order);
        in_order_free(reader->order);
    } else {
        any_order_free(reader->any);
    }
    for (guint i = reader->open->len; reader->any && i-- > 0;) {
        const Open *open = &g_array_index(reader->open, Open, i);

        if (open->handle)
            sink_abandon(reading->sink, open->handle);
    }
    g_array_unref(reader->open);
    buffers_free(reading->sealed);
    buffers_free(reading->plain);
    pthread_mutex_destroy(&reading->large);
    pthread_mutex_destroy(&reading->mutex);
    if (reading->failure)
        g_propagate_error(error, reading->failure);
    return !reading->failure;
}

static bool run_tree(Reader *reader, const Id *tree, const char *prefix)
{
    Reading *reading = &reader->reading;
    g_autoptr(BlobOpener) opener = blob_opener_new(reading->repo);
    WalkOps ops = { .enter = enter, .leave = leave_directory, .bad = bad_tree, .user = reader };
    GError *failure = NULL;

    if (walk_run(reading->repo, opener, tree, prefix, &ops, reading->cancel, &failure))
        return true;
    pthread_mutex_lock(&reading->mutex);
    // enter fails without saying more when the failure is known
    if (failure)
        fail(reading, failure);
    pthread_mutex_unlock(&reading->mutex);
    return false;
}

bool reader_run(Repo *repo, const Id *tree, const char *prefix, Sink *sink,
                const ReaderOptions *options, const Cancel *cancel, GError **error)
{
    Reader reader = { .refused = 0 };

    init(&reader, repo, sink, options, cancel);
    (void)run_tree(&reader, tree, prefix);
    return done(&reader, error);
}

bool reader_run_node(Repo *repo, const Node *node, const char *prefix, Sink *sink,
                     const ReaderOptions *options, const Cancel *cancel, GError **error)
{
    Reader reader = { .refused = 0 };
    g_autofree char *path =
        g_strdup_printf("%s/%s", strcmp(prefix, "/") == 0 ? "" : prefix, node->name);

    init(&reader, repo, sink, options, cancel);
    if (enter(path, node, &reader, NULL) == WALK_CONTINUE)
        (void)run_tree(&reader, &node->subtree, path);
    return done(&reader, error);
}
