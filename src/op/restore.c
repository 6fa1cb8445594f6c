/* SPDX-License-Identifier: Apache-2.0 */
#include "op/restore.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/plural.h"
#include "flow/reader.h"
#include "op/k3ssteps.h"
#include "op/restoredelta.h"
#include "repo/walk.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

typedef struct {
    const RestoreRequest *request;
    const RestoreWatch *watch;
    GStrv roots; /* what the snapshot was made of */
    bool whole;  /* the target stands for a directory of the snapshot */
    DirDelta delta;
    pthread_mutex_t mutex;
    RestoreResult result;
    unsigned differences;
} Run;

/* ---- which entries ---- */

static bool matches(const PatternList *list, const PatternList *ignoring_case, const char *path,
                    bool *ret_below)
{
    bool below = false, below_ignoring = false;
    bool match = list && pattern_list_match(list, path, &below);

    match = (ignoring_case && pattern_list_match(ignoring_case, path, &below_ignoring)) || match;
    *ret_below = below || below_ignoring;
    return match;
}

static void select_entry(const char *path, const Node *node, bool *ret_wanted, bool *ret_descend,
                         void *user)
{
    const RestoreRequest *request = ((const Run *)user)->request;
    bool below;

    (void)node;
    *ret_wanted = *ret_descend = true;
    if (request->include || request->iinclude) {
        *ret_wanted = matches(request->include, request->iinclude, path, &below);
        *ret_descend = *ret_wanted || below;
    }
    if ((request->exclude || request->iexclude) &&
        matches(request->exclude, request->iexclude, path, &below))
        *ret_wanted = *ret_descend = false;
}

/* What a selection leaves out is not touched by --delete either, nor what lies beside the saved
 * paths: with /srv/app restored to / that is the rest of /srv. */
static bool may_delete(const char *path, void *user)
{
    const Run *run = user;
    bool wanted, descend;

    if (!run->whole && !restore_is_stranger(run->roots, path))
        return false;
    select_entry(path, NULL, &wanted, &descend, user);
    return wanted;
}

/* ---- what happens ---- */

static void count_problem(Run *run, const char *path, const GError *problem)
{
    pthread_mutex_lock(&run->mutex);
    run->result.problems++;
    pthread_mutex_unlock(&run->mutex);
    if (run->watch->progress)
        run->watch->progress->errors++;
    run->watch->problem(path, problem, run->watch->user);
}

static bool entry_problem(const char *path, const GError *problem, void *user)
{
    count_problem(user, path, problem);
    return true; // all others are restored
}

static void metadata_problem(const char *path, const GError *problem, void *user)
{
    count_problem(user, path, problem);
}

static void entry_done(const char *path, const Node *node, const char *action, void *user)
{
    Run *run = user;
    bool file = node && S_ISREG(node->mode);
    bool kept = strcmp(action, "unchanged") == 0 || strcmp(action, "skipped") == 0;

    pthread_mutex_lock(&run->mutex);
    if (strcmp(action, "deleted") == 0) {
        run->result.files_deleted++;
    } else if (file && kept) {
        run->result.files_skipped++;
        run->result.bytes_skipped += node->size;
    } else if (file) {
        run->result.files_restored++;
        run->result.bytes_restored += node->size;
    }
    if (run->watch->report)
        run->watch->report(path, node, action, run->watch->user);
    pthread_mutex_unlock(&run->mutex);
}

static void differs(const char *path, const char *what, void *user)
{
    Run *run = user;
    g_autoptr(GError) problem =
        g_error_new(BS_ERROR, BS_ERROR_MISMATCH, "differs from the snapshot: %s", what);

    pthread_mutex_lock(&run->mutex);
    run->differences++;
    pthread_mutex_unlock(&run->mutex);
    run->watch->problem(path, problem, run->watch->user);
}

/* ---- the run ---- */

typedef struct {
    Node *node; /* NULL: the tree below */
    Id tree;
} Start;

static bool find_start(OpenRepo *open, const Snapshot *snapshot, const char *path, Start *ret_start,
                       GError **error)
{
    if (!walk_find(open->repo, &snapshot->tree, path ? path : "", &ret_start->node,
                   &ret_start->tree, error)) {
        g_prefix_error(error, "snapshot %s: ", id_short(&snapshot->id).text);
        return false;
    }
    // of a directory its content is wanted, as in restic
    if (ret_start->node && S_ISDIR(ret_start->node->mode)) {
        ret_start->tree = ret_start->node->subtree;
        g_clear_pointer(&ret_start->node, node_free);
    }
    return true;
}

static bool push(OpenRepo *open, const Start *start, Sink *sink, Run *run, Progress *progress,
                 const Cancel *cancel, GError **error)
{
    ReaderOptions options = {
        .progress = progress,
        .select = select_entry,
        .problem = entry_problem,
        .user = run,
    };
    bool ok = start->node
                  ? reader_run_node(open->repo, start->node, "", sink, &options, cancel, error)
                  : reader_run(open->repo, &start->tree, "", sink, &options, cancel, error);

    return ok && sink_finish(sink, error);
}

static WalkNext count_entry(const char *path, const Node *node, void *user, GError **error)
{
    Run *run = user;
    bool wanted, descend;

    (void)error;
    select_entry(path, node, &wanted, &descend, run);
    if (wanted && S_ISREG(node->mode)) {
        run->watch->progress->files_total++;
        run->watch->progress->bytes_total += node->size;
    }
    return descend ? WALK_CONTINUE : WALK_SKIP;
}

static bool ignore_bad(const char *path, const GError *problem, void *user)
{
    (void)path;
    (void)problem;
    (void)user;
    return true; // the restore itself will say it
}

static void estimate(OpenRepo *open, const Start *start, Run *run, const Cancel *cancel)
{
    if (!run->watch->progress)
        return;
    if (start->node)
        run->watch->progress->bytes_total = start->node->size;
    else if (!tree_walk(open->repo, &start->tree, "", count_entry, ignore_bad, run, cancel, NULL))
        return;
    run->watch->progress->total_known = true;
}

static DirSinkOptions sink_options(const RestoreRequest *request, Run *run)
{
    return (DirSinkOptions){
        .overwrite = request->overwrite,
        .sparse = request->sparse,
        .dry_run = request->dry_run,
        .delete_extra = request->delete_extra && !request->delta,
        .delete_in_target = run->whole,
        .may_delete = may_delete,
        .delta = request->delta ? &run->delta : NULL,
        .unfinished = request->delta,
        .no_sync = request->no_sync,
        .report = entry_done,
        .warn = metadata_problem,
        .user = run,
    };
}

/* The second pass of a delta: what the snapshot does not have goes, now that all that it has is
 * there. */
static bool sweep(OpenRepo *open, const Start *start, Run *run, const Cancel *cancel,
                  GError **error)
{
    DirSinkOptions options = sink_options(run->request, run);
    g_autoptr(Sink) sink = NULL;

    options.delete_extra = options.sweep = options.one_mount = true;
    sink = dir_sink_new(run->request->target, &options, error);
    return sink && push(open, start, sink, run, NULL, cancel, error);
}

static bool finish_delta(OpenRepo *open, const Start *start, Run *run, const Cancel *cancel,
                         GError **error)
{
    run->result.bytes_same = run->delta.same;
    run->result.bytes_fetched = run->delta.fetched;
    if (run->result.problems > 0)
        log_warn("the restore is unfinished: what the snapshot does not have was not removed",
                 "target", run->request->target, NULL);
    else if (!start->node && !sweep(open, start, run, cancel, error))
        return false;
    return run->result.problems > 0 || run->request->dry_run ||
           dir_sink_unmark(run->request->target, error);
}

static bool verify(OpenRepo *open, const Start *start, Run *run, const Cancel *cancel,
                   GError **error)
{
    g_autoptr(Sink) sink = compare_sink_new(run->request->target, differs, run, error);

    if (!sink || !push(open, start, sink, run, NULL, cancel, error))
        return false;
    if (run->differences > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_MISMATCH, "verification found %u %s in %s",
                    run->differences, plural(run->differences, "difference", "differences"),
                    run->request->target);
    return run->differences == 0;
}

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

static bool refuse_occupied(const char *target, const char *shown, GError **error)
{
    bool empty;

    if (!fs_dir_is_empty(target, &empty, error))
        return false;
    if (!empty)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY, "%s: the directory is not empty", shown);
    return empty;
}

/* Somebody else wrote there at the same time. */
static bool found_empty(const Run *run, const char *shown, GError **error)
{
    const uint64_t n = run->result.files_skipped;

    if (n > 0)
        g_set_error(error, BS_ERROR, BS_ERROR_NOT_EMPTY,
                    "%s: %" G_GUINT64_FORMAT " %s appeared there meanwhile and stayed as %s", shown,
                    n, plural(n, "file", "files"), plural(n, "it is", "they are"));
    return n == 0;
}

static bool restore(OpenRepo *open, const Start *start, Run *run, const Cancel *cancel,
                    GError **error)
{
    const RestoreRequest *request = run->request;
    const char *shown = request->target_name ? request->target_name : request->target;
    DirSinkOptions options = sink_options(request, run);
    g_autoptr(Sink) sink = NULL;

    if (request->into_empty && !refuse_occupied(request->target, shown, error))
        return false;
    if (request->delta && !restore_refuse_running(open->repo, start->node ? NULL : &start->tree,
                                                  request->target, cancel, error))
        return false;
    sink = dir_sink_new(request->target, &options, error);
    if (!sink)
        return false;
    estimate(open, start, run, cancel);
    return push(open, start, sink, run, run->watch->progress, cancel, error) &&
           (!request->into_empty || found_empty(run, shown, error)) &&
           (!request->delta || finish_delta(open, start, run, cancel, error)) &&
           (!request->verify || request->dry_run || verify(open, start, run, cancel, error));
}

/* Whoever wants some files back does not want to be told how to rebuild a server. The files are
 * there, so that the steps cannot be told does not make it a failure. */
static void find_steps(OpenRepo *open, const Snapshot *snapshot, const char *path, Run *run)
{
    const RestoreRequest *request = run->request;
    K3sRestored restored = {
        .path = path,
        .target = request->target,
        .name = request->target_name ? request->target_name : request->target,
        .done = !request->dry_run,
    };
    g_autoptr(GError) problem = NULL;

    if (!request->include && !request->iinclude &&
        !k3s_steps(open->repo, snapshot, &restored, &run->result.steps, &problem))
        log_warn("the steps that are left to do cannot be told; see the page about k3s", "snapshot",
                 id_short(&snapshot->id).text, "error", problem->message, NULL);
}

bool op_restore(OpenRepo *open, const RestoreRequest *request, const RestoreWatch *watch,
                const Cancel *cancel, RestoreResult *ret_result, GError **error)
{
    g_autoptr(Snapshot) snapshot = NULL;
    g_autofree char *path = NULL;
    Run run = { .request = request, .watch = watch };
    Start start = { 0 };
    bool ok;

    if (!snapshot_find(open->repo, request->snapshot, &request->filter, pass_over, NULL, &snapshot,
                       &path, error) ||
        !repo_load_index(open->repo, cancel, error) ||
        !find_start(open, snapshot, path, &start, error))
        return false;
    if (!restore_facts_of(request->facts, open->repo, snapshot, cancel, error)) {
        node_free(start.node);
        return false;
    }
    pthread_mutex_init(&run.mutex, NULL);
    run.result.snapshot = snapshot->id;
    run.roots = restore_roots(open->repo, snapshot);
    // the target of a single file holds other things
    run.whole = path && !start.node;
    ok = restore(open, &start, &run, cancel, error);
    if (ok)
        find_steps(open, snapshot, path, &run);
    pthread_mutex_destroy(&run.mutex);
    g_strfreev(run.roots);
    node_free(start.node);
    *ret_result = run.result;
    return ok;
}
