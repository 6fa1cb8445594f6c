/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "flow/archiving.h"
#include "repo/index.h"

static bool archiver_begin(Sink *sink, const Entry *entry, void **ret_handle, GError **error)
{
    Archiver *archiver = (Archiver *)sink;
    TreeSlot *slot;
    ArchiveFile *file;

    if (!packer_check(archiver->packer, error))
        return false;
    progress_current(archiver->options.progress, entry->path);
    slot = tree_build_begin(archiver->build, entry->node, error);
    if (!slot)
        return false;
    if (entry->undated)
        tree_slot_undate(slot);
    file = g_new0(ArchiveFile, 1);
    file->archiver = archiver;
    file->slot = slot;
    file->old = S_ISREG(entry->node->mode) ? tree_slot_old(slot) : NULL;
    file->path = archiver->options.item ? g_strdup(entry->path) : NULL;
    file->content = g_array_new(FALSE, FALSE, sizeof(Id));
    if (entry->cut)
        chunker_init_fixed(&file->chunker, entry->cut);
    else
        chunker_init_content(&file->chunker, repo_gear(archiver->repo));
    atomic_init(&file->references, 1);
    archive_file_enlist(file);
    *ret_handle = file;
    return true;
}

static bool archiver_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                           GError **error)
{
    ArchiveFile *file = handle;

    (void)sink;
    g_assert(offset >= file->size);
    if (offset > file->size && !archive_feed_hole(file, offset - file->size, error))
        return false;
    return archive_feed(file, data, len, error);
}

static bool same_time(Timestamp a, Timestamp b)
{
    return a.sec == b.sec && a.nsec == b.nsec;
}

static bool looks_unchanged(const Archiver *archiver, const Node *old, const Node *now)
{
    const ArchiverOptions *options = &archiver->options;

    return S_ISREG(old->mode) && old->content && old->size == now->size &&
           same_time(old->mtime, now->mtime) &&
           (options->ignore_ctime || same_time(old->ctime, now->ctime)) &&
           (options->ignore_inode || old->inode == now->inode);
}

/* Nothing is taken over that the index does not know: a damaged repository heals with the next run.
 */
static bool all_known(const Archiver *archiver, const GArray *content)
{
    BlobPlace place;

    for (guint i = 0; i < content->len; i++)
        if (!index_find(repo_index(archiver->repo), BLOB_DATA, &g_array_index(content, Id, i),
                        &place))
            return false;
    return true;
}

static bool archiver_reuse(Sink *sink, void *handle, bool *ret_reused, GError **error)
{
    Archiver *archiver = (Archiver *)sink;
    ArchiveFile *file = handle;
    Node *node = tree_slot_node(file->slot);

    (void)error;
    *ret_reused = file->old && looks_unchanged(archiver, file->old, node) &&
                  all_known(archiver, file->old->content);
    if (!*ret_reused)
        return true;
    file->reused = true;
    g_array_unref(file->content);
    file->content = g_array_ref(file->old->content); // never changed again
    // setting an attribute changes ctime, so these are as unchanged as the content
    if (!node->xattrs && file->old->xattrs) {
        g_autoptr(Node) copy = node_copy(file->old);

        node->xattrs = g_steal_pointer(&copy->xattrs);
    }
    return true;
}

static void archiver_enter(Sink *sink, void *handle)
{
    tree_build_enter(((Archiver *)sink)->build, ((ArchiveFile *)handle)->slot);
}

static void archiver_mark(Sink *sink, void *handle)
{
    (void)sink;
    archive_close_piece(handle);
}

static bool archiver_end(Sink *sink, void *handle, const Node *node, GError **error)
{
    Archiver *archiver = (Archiver *)sink;
    ArchiveFile *file = handle;
    Node *mine;

    if (node)
        tree_slot_update(file->slot, node);
    mine = tree_slot_node(file->slot);
    if (S_ISDIR(mine->mode)) {
        tree_build_enter(archiver->build, file->slot);
        tree_build_leave(archiver->build);
        archive_file_release(file);
        return packer_check(archiver->packer, error);
    }
    if (S_ISREG(mine->mode) && !file->reused) {
        if (node && mine->size > file->size &&
            !archive_feed_hole(file, mine->size - file->size, error))
            return false;
        archive_close_piece(file);
        mine->size = file->size; // what was read, whatever was promised
    }
    archive_file_release(file);
    return true;
}

static void archiver_abandon(Sink *sink, void *handle)
{
    Archiver *archiver = (Archiver *)sink;
    ArchiveFile *file = handle;

    if (S_ISDIR(tree_slot_node(file->slot)->mode)) {
        tree_build_enter(archiver->build, file->slot);
        tree_build_leave(archiver->build);
    }
    archive_drop_piece(file);
    file->abandoned = true;
    archive_file_release(file);
}

static void fill_summary(Archiver *archiver)
{
    SnapshotSummary *summary = &archiver->snapshot->summary;
    PackerStats stats;

    packer_stats(archiver->packer, &stats);
    archiver->snapshot->has_summary = true;
    summary->backup_end = clock_now();
    summary->files_new = atomic_load(&archiver->files_new);
    summary->files_changed = atomic_load(&archiver->files_changed);
    summary->files_unmodified = atomic_load(&archiver->files_unmodified);
    tree_build_dir_counts(archiver->build, &summary->dirs_new, &summary->dirs_changed,
                          &summary->dirs_unmodified);
    summary->data_blobs = stats.data_blobs;
    summary->tree_blobs = stats.tree_blobs;
    summary->data_added = stats.data_added;
    summary->data_added_packed = stats.data_added_packed;
    summary->total_files_processed =
        summary->files_new + summary->files_changed + summary->files_unmodified;
    summary->total_bytes_processed = atomic_load(&archiver->bytes);
}

static bool archiver_finish(Sink *sink, GError **error)
{
    Archiver *archiver = (Archiver *)sink;
    const ArchiverOptions *options = &archiver->options;

    archive_push_feeders(archiver);
    if (!packer_drain(archiver->packer, error))
        return false;
    if (!tree_build_finish(archiver->build, &archiver->snapshot->tree, error))
        return false;
    if (!packer_finish(archiver->packer, error))
        return false;
    fill_summary(archiver);
    if (options->dry_run)
        return true;
    if (options->skip_if_unchanged && archiver->has_parent &&
        id_equal(&archiver->snapshot->tree, &archiver->parent_tree))
        return true;
    if (options->before_snapshot && !options->before_snapshot(options->before_user, error))
        return false;
    if (!snapshot_save(archiver->repo, archiver->snapshot, error))
        return false;
    archiver->saved = true;
    return true;
}

void archiver_free(Archiver *archiver)
{
    if (!archiver)
        return;
    packer_free(archiver->packer); // from here on nobody else works
    while (archiver->files)
        archive_file_free(archiver->files);
    tree_build_free(archiver->build);
    snapshot_free(archiver->snapshot);
    archive_free_feeders(archiver);
    pthread_key_delete(archiver->feeder_key);
    pthread_mutex_destroy(&archiver->mutex);
    g_free(archiver);
}

static void archiver_free_sink(Sink *sink)
{
    archiver_free((Archiver *)sink);
}

static const SinkOps archiver_ops = {
    .name = "archiver",
    .caps = SINK_MANY_OPEN,
    .begin = archiver_begin,
    .write = archiver_write,
    .reuse = archiver_reuse,
    .enter = archiver_enter,
    .mark = archiver_mark,
    .end = archiver_end,
    .abandon = archiver_abandon,
    .finish = archiver_finish,
    .free = archiver_free_sink,
};

Archiver *archiver_new(Repo *repo, Snapshot *snapshot, const ArchiverOptions *options,
                       const Cancel *cancel)
{
    Archiver *archiver = g_new0(Archiver, 1);
    PackerOptions packing = {
        .workers = options->workers,
        .dry_run = options->dry_run,
        .still_locked = options->before_index,
        .user = options->before_user,
    };

    archiver->base.ops = &archiver_ops;
    archiver->repo = repo;
    archiver->snapshot = snapshot;
    archiver->options = *options;
    archiver->cancel = cancel;
    if (options->parent) {
        archiver->has_parent = true;
        archiver->parent_tree = options->parent->tree;
        snapshot->has_parent = true;
        snapshot->parent = options->parent->id;
    }
    archiver->options.parent = NULL; // the caller's; not kept
    if (snapshot->time.sec == 0)
        snapshot->time = clock_now();
    snapshot->summary.backup_start = snapshot->time;
    pthread_mutex_init(&archiver->mutex, NULL);
    g_assert(pthread_key_create(&archiver->feeder_key, NULL) == 0);
    archiver->feeders = g_ptr_array_new();
    archiver->packer = packer_new(repo, &packing, cancel);
    archiver->build =
        tree_build_new(repo, archiver->packer, archiver->has_parent ? &archiver->parent_tree : NULL,
                       options->parent_unreadable, options->unreadable_user);
    return archiver;
}

Sink *archiver_sink(Archiver *archiver)
{
    return &archiver->base;
}

void archiver_set_tags(Archiver *archiver, char *const *tags)
{
    g_strfreev(archiver->snapshot->tags);
    archiver->snapshot->tags = g_strdupv((GStrv)tags);
}

bool archiver_salvage(Archiver *archiver, GError **error)
{
    return packer_salvage(archiver->packer, error);
}

Snapshot *archiver_take_snapshot(Archiver *archiver, bool *ret_saved)
{
    *ret_saved = archiver->saved;
    return g_steal_pointer(&archiver->snapshot);
}
