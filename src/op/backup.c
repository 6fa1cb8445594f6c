/* SPDX-License-Identifier: Apache-2.0 */
#include "op/backup.h"

#include "base/error.h"
#include "base/log.h"
#include "codec/rfc3339.h"
#include "op/group.h"
#include "op/identity.h"
#include "op/parentfile.h"
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    const BackupWatch *watch;
    const OpenRepo *open;
    atomic_uint problems;
    atomic_bool parent_told;
} Run;

void backup_result_clear(BackupResult *result)
{
    snapshot_free(result->snapshot);
    *result = (BackupResult){ 0 };
}

/* ---- what the snapshot will say ---- */

/* "2006-01-02 15:04:05", local, as restic's --time; or RFC 3339. */
static bool parse_time(const char *text, Timestamp *ret_time, GError **error)
{
    struct tm local = { .tm_isdst = -1 };
    const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &local);

    if (strcmp(text, "now") == 0)
        *ret_time = clock_now();
    else if (end && !*end)
        *ret_time = (Timestamp){ .sec = mktime(&local) };
    else if (!rfc3339_parse(text, strlen(text), ret_time, NULL)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE, "--time %s: write \"2006-01-02 15:04:05\"",
                    text);
        return false;
    }
    return true;
}

static GStrv tag_list(const Source *source, char *const *lists)
{
    g_autoptr(GPtrArray) tags = g_ptr_array_new();

    for (; lists && *lists; lists++) {
        g_auto(GStrv) parts = g_strsplit(*lists, ",", -1);

        for (char **tag = parts; *tag; tag++)
            if (**tag)
                g_ptr_array_add(tags, g_strdup(*tag));
    }
    for (guint i = 0; i < source->tags->len; i++)
        g_ptr_array_add(tags, g_strdup(g_ptr_array_index(source->tags, i)));
    g_ptr_array_add(tags, NULL);
    return (GStrv)g_ptr_array_free(g_steal_pointer(&tags), FALSE);
}

static Snapshot *describe(const Source *source, const BackupRequest *request, GError **error)
{
    g_autoptr(Snapshot) snapshot = snapshot_new();

    snapshot->time = clock_now();
    if (request->time && !parse_time(request->time, &snapshot->time, error))
        return NULL;
    g_strfreev(snapshot->paths);
    snapshot->paths = g_strdupv(source->paths);
    g_strfreev(snapshot->tags);
    snapshot->tags = tag_list(source, request->tags);
    if (request->excludes) {
        g_strfreev(snapshot->excludes);
        snapshot->excludes = g_strdupv(request->excludes);
    }
    g_free(snapshot->hostname);
    snapshot->hostname = identity_host(request->host);
    g_free(snapshot->username);
    snapshot->username = identity_user();
    snapshot->uid = getuid();
    snapshot->gid = getgid();
    snapshot->program_version = g_strdup("backstay " BS_VERSION);
    return g_steal_pointer(&snapshot);
}

/* ---- the parent ---- */

static bool pass_over(const Id *id, const GError *problem, void *user)
{
    (void)user;
    log_warn("snapshot cannot be read", "snapshot", id_short(id).text, "error", problem->message,
             NULL);
    return true;
}

/* The newest snapshot of the same group that is not younger than this backup. NULL: none. */
static bool find_parent(Repo *repo, const BackupRequest *request, const Snapshot *now,
                        Snapshot **ret_parent, GError **error)
{
    g_autoptr(GPtrArray) all = NULL;
    GroupBy by;

    if (!group_by_parse(request->group_by ? request->group_by : GROUP_BY_DEFAULT, &by, error))
        return false;
    if (request->force)
        return true;
    if (request->parent) {
        SnapshotFilter any = { 0 };
        g_autofree char *path = NULL;

        return snapshot_find(repo, request->parent, &any, pass_over, NULL, ret_parent, &path,
                             error);
    }
    if (!snapshot_list(repo, pass_over, NULL, &all, error))
        return false;
    for (guint i = all->len; i-- > 0 && !*ret_parent;) {
        Snapshot *candidate = g_ptr_array_index(all, i);

        if (timestamp_compare(candidate->time, now->time) <= 0 && group_same(candidate, now, by))
            *ret_parent = g_ptr_array_steal_index(all, i);
    }
    return true;
}

/* ---- the run ---- */

static void count_problem(const char *item, const GError *problem, void *user)
{
    Run *run = user;

    atomic_fetch_add(&run->problems, 1);
    if (run->watch->progress)
        run->watch->progress->errors++;
    if (run->watch->problem)
        run->watch->problem(item, problem, run->watch->user);
}

/* No failure: it only takes longer. Once, for there may be as many as directories. */
static void tell_parent(const Id *tree, const GError *problem, void *user)
{
    Run *run = user;

    if (atomic_exchange(&run->parent_told, true)) {
        log_debug("a tree of the parent snapshot cannot be read", "tree", id_short(tree).text,
                  "error", problem->message, NULL);
    } else if (g_error_matches(problem, BS_ERROR, BS_ERROR_DENIED)) {
        log_warn("the parent snapshot is not in the cache, and these keys may not read it from the "
                 "store; files are read as if they were new",
                 NULL);
    } else {
        log_warn("the parent snapshot cannot be read; files are read as if they were new", "tree",
                 id_short(tree).text, "error", problem->message, NULL);
    }
}

static bool still_locked(void *user, GError **error)
{
    const Run *run = user;

    return lock_confirm(run->open->lock, error);
}

static bool may_save(void *user, GError **error)
{
    const Run *run = user;

    return still_locked(user, error) &&
           (!run->watch->still_allowed || run->watch->still_allowed(run->watch->user, error));
}

typedef struct {
    Source *source;
    SourceRun run;
} Estimate;

static void *estimate_main(void *arg)
{
    Estimate *estimate = arg;

    estimate->source->ops->estimate(estimate->source, &estimate->run);
    return NULL;
}

static void tell_notes(const Source *source)
{
    for (guint i = 0; source->notes && i < source->notes->len; i++)
        log_warn("note on the backup", "source", source->name ? source->name : "files", "note",
                 (const char *)source->notes->pdata[i], NULL);
}

/* What a source knows only in the end is in the snapshot, too. */
static void set_last_tags(const Source *source, Archiver *archiver, const BackupRequest *request,
                          const Run *run)
{
    unsigned problems = atomic_load(&run->problems);
    g_auto(GStrv) tags = NULL;

    if (request->note_left_out && problems > 0)
        g_ptr_array_add(source->tags, g_strdup_printf("left-out=%u", problems));
    tags = tag_list(source, request->tags);
    archiver_set_tags(archiver, tags);
}

static bool run_to_end(Source *source, Archiver *archiver, const BackupRequest *request,
                       const SourceRun *source_run, GError **error)
{
    const Run *run = source_run->user;

    if (!source->ops->backup(source, archiver_sink(archiver), source_run, error))
        return false;
    set_last_tags(source, archiver, request, run);
    if (run->watch->finishing)
        run->watch->finishing(run->watch->user);
    return sink_finish(archiver_sink(archiver), error);
}

/* The estimate walks beside the backup, and only when somebody looks. */
static bool run_source(Source *source, Archiver *archiver, const BackupRequest *request,
                       const SourceRun *run, GError **error)
{
    g_autoptr(Cancel) enough = cancel_new();
    Estimate estimate = { source, *run };
    bool estimating = source->ops->estimate && run->progress;
    pthread_t thread;
    bool ok;

    estimate.run.cancel = enough;
    if (estimating)
        g_assert(pthread_create(&thread, NULL, estimate_main, &estimate) == 0);
    ok = run_to_end(source, archiver, request, run, error);
    cancel_set(enough);
    if (estimating)
        pthread_join(thread, NULL);
    return ok;
}

static void inherit(Repo *repo, const Snapshot *parent, Source *source)
{
    ParentFiles files = { repo, parent };

    if (parent && source->ops->inherit)
        source->ops->inherit(source, &(SourceParent){ parent->tags, parent_file_load, &files });
}

static void salvage(Archiver *archiver)
{
    g_autoptr(GError) problem = NULL;

    if (!archiver_salvage(archiver, &problem))
        log_warn("what was uploaded could not be indexed for the next run", "error",
                 problem->message, NULL);
}

bool op_backup(OpenRepo *open, Source *source, const BackupRequest *request,
               const BackupWatch *watch, const Cancel *cancel, BackupResult *ret_result,
               GError **error)
{
    Run run = { .watch = watch, .open = open };
    SourceRun source_run = { watch->progress, count_problem, &run, cancel };
    g_autoptr(Snapshot) snapshot = describe(source, request, error);
    g_autoptr(Snapshot) parent = NULL;
    g_autoptr(Archiver) archiver = NULL;
    ArchiverOptions options = {
        .ignore_ctime = request->ignore_ctime,
        .ignore_inode = request->ignore_inode,
        .skip_if_unchanged = request->skip_if_unchanged,
        .dry_run = request->dry_run,
        .progress = watch->progress,
        .item = watch->item,
        .user = watch->user,
        .before_index = still_locked,
        .before_snapshot = may_save,
        .before_user = &run,
        .parent_unreadable = tell_parent,
        .unreadable_user = &run,
    };
    bool saved;

    if (source->ops->strict_reuse && (request->ignore_ctime || request->ignore_inode)) {
        g_set_error(error, BS_ERROR, BS_ERROR_USAGE,
                    "--ignore-ctime, --ignore-inode: not for the files of a server, which would be "
                    "taken for unchanged when they are not");
        return false;
    }
    // snapshots before the index: repository format, "Order of operations"
    if (!snapshot || !find_parent(open->repo, request, snapshot, &parent, error) ||
        !repo_load_index(open->repo, cancel, error))
        return false;
    options.parent = parent;
    archiver = archiver_new(open->repo, g_steal_pointer(&snapshot), &options, cancel);
    inherit(open->repo, parent, source);
    if (!run_source(source, archiver, request, &source_run, error)) {
        salvage(archiver);
        return false;
    }
    tell_notes(source);
    ret_result->snapshot = archiver_take_snapshot(archiver, &saved);
    ret_result->saved = saved;
    ret_result->problems = atomic_load(&run.problems);
    return true;
}
