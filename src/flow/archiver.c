/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/archiver.h"

#include "base/error.h"
#include "flow/treebuild.h"
#include "repo/index.h"
#include <pthread.h>

/*
 * One file on its way. It is complete when it was ended and every piece has its id; whoever brings
 * the last of these (the pusher or a worker) closes it. references counts them.
 */
typedef struct File {
    Archiver *archiver;
    struct File *next, *previous; /* all that are not complete: a failed run frees them */
    TreeSlot *slot;
    const Node *old; /* the parent's entry at this path; belongs to the directory */
    char *path;      /* only kept when somebody wants to be told */
    GArray *content; /* of Id; grown by the pusher, filled by workers, under the archiver's mutex */
    uint64_t n_pieces, size;
    Chunker chunker;
    size_t piece_start; /* of the unfinished piece in the feeder's batch */
    bool piece_open, abandoned, reused;
    atomic_uint references;
} File;

/* What one pushing thread is filling. */
typedef struct {
    Archiver *archiver;
    Batch *batch;
} Feeder;

struct Archiver {
    Sink base;
    Repo *repo;
    Packer *packer;
    TreeBuild *build;
    Snapshot *snapshot;
    ArchiverOptions options;
    const Cancel *cancel;
    Id parent_tree;
    Id zero_chunk; /* id of CHUNK_MAX zeros, once one was needed */
    bool has_parent, has_zero_chunk, saved;
    File *files;
    pthread_mutex_t mutex; /* content arrays, files, feeders, zero chunk */
    pthread_key_t feeder_key;
    GPtrArray *feeders;
    _Atomic uint64_t files_new, files_changed, files_unmodified, bytes;
};

static const uint8_t zeros[64 * 1024];

/* ---- feeders ---- */

static Feeder *feeder_get(Archiver *archiver)
{
    Feeder *feeder = pthread_getspecific(archiver->feeder_key);

    if (!feeder) {
        feeder = g_new0(Feeder, 1);
        feeder->archiver = archiver;
        pthread_setspecific(archiver->feeder_key, feeder);
        pthread_mutex_lock(&archiver->mutex);
        g_ptr_array_add(archiver->feeders, feeder);
        pthread_mutex_unlock(&archiver->mutex);
    }
    return feeder;
}

static bool feeder_ready(Feeder *feeder, GError **error)
{
    if (!feeder->batch)
        feeder->batch = packer_take(feeder->archiver->packer);
    return feeder->batch || packer_check(feeder->archiver->packer, error);
}

static void feeder_push(Feeder *feeder)
{
    if (feeder->batch)
        packer_push(feeder->archiver->packer, g_steal_pointer(&feeder->batch));
}

/* ---- the end of a file ---- */

static ItemChange change_of(const File *file)
{
    if (file->reused)
        return ITEM_UNMODIFIED;
    return file->old ? ITEM_CHANGED : ITEM_NEW;
}

static void count_file(Archiver *archiver, File *file, const Node *node)
{
    ItemChange change = change_of(file);

    atomic_fetch_add(change == ITEM_NEW       ? &archiver->files_new
                     : change == ITEM_CHANGED ? &archiver->files_changed
                                              : &archiver->files_unmodified,
                     1);
    atomic_fetch_add(&archiver->bytes, node->size);
    progress_add(archiver->options.progress, 1, file->reused ? node->size : 0);
    if (archiver->options.item)
        archiver->options.item(file->path, node, change, archiver->options.user);
}

static void file_enlist(File *file)
{
    Archiver *archiver = file->archiver;

    pthread_mutex_lock(&archiver->mutex);
    file->next = archiver->files;
    if (file->next)
        file->next->previous = file;
    archiver->files = file;
    pthread_mutex_unlock(&archiver->mutex);
}

static void file_free(File *file)
{
    Archiver *archiver = file->archiver;

    pthread_mutex_lock(&archiver->mutex);
    if (file->next)
        file->next->previous = file->previous;
    if (file->previous)
        file->previous->next = file->next;
    else
        archiver->files = file->next;
    pthread_mutex_unlock(&archiver->mutex);
    g_clear_pointer(&file->content, g_array_unref);
    g_free(file->path);
    g_free(file);
}

static void file_release(File *file)
{
    Archiver *archiver = file->archiver;

    if (atomic_fetch_sub(&file->references, 1) != 1)
        return;
    if (file->abandoned) {
        tree_slot_drop(file->slot);
    } else {
        Node *node = tree_slot_node(file->slot);

        if (S_ISREG(node->mode)) {
            // a file without its content must never look whole
            g_assert(file->reused ||
                     (node->size == file->size && (file->n_pieces > 0 || node->size == 0)));
            g_clear_pointer(&node->content, g_array_unref);
            node->content = g_steal_pointer(&file->content);
            count_file(archiver, file, node);
        }
        tree_slot_done(file->slot);
    }
    file_free(file);
}

static void piece_done(void *user, uint64_t index, const Id *id)
{
    File *file = user;

    pthread_mutex_lock(&file->archiver->mutex);
    g_array_index(file->content, Id, index) = *id;
    pthread_mutex_unlock(&file->archiver->mutex);
    file_release(file);
}

static uint64_t next_content_slot(File *file)
{
    uint64_t index = file->n_pieces++;

    pthread_mutex_lock(&file->archiver->mutex);
    g_array_set_size(file->content, (guint)file->n_pieces);
    pthread_mutex_unlock(&file->archiver->mutex);
    return index;
}

/* ---- cutting ---- */

/* The unfinished piece of this file, if any, becomes a chunk; the batch is handed over when it is
 * worth it. */
static void close_piece(File *file, Feeder *feeder)
{
    Batch *batch = feeder->batch;
    unsigned n;

    if (!file->piece_open)
        return;
    file->piece_open = false;
    n = batch->n++;
    batch->pieces[n].start = file->piece_start;
    batch->pieces[n].len = batch->len - file->piece_start;
    batch->pieces[n].type = BLOB_DATA;
    batch->pieces[n].done = piece_done;
    batch->pieces[n].user = file;
    batch->pieces[n].index = next_content_slot(file);
    atomic_fetch_add(&file->references, 1);
    chunker_reset(&file->chunker);
    if (batch->len >= BATCH_FULL || batch->n == BATCH_PIECES)
        feeder_push(feeder);
}

static bool feed(File *file, const uint8_t *data, size_t len, GError **error)
{
    Feeder *feeder = feeder_get(file->archiver);

    while (len > 0) {
        bool cut;
        size_t n;

        if (!feeder_ready(feeder, error))
            return false;
        if (!file->piece_open) {
            file->piece_open = true;
            file->piece_start = feeder->batch->len;
        }
        n = chunker_next(&file->chunker, data, len, &cut);
        memcpy(feeder->batch->data + feeder->batch->len, data, n);
        feeder->batch->len += n;
        if (cut)
            close_piece(file, feeder);
        data += n;
        len -= n;
        file->size += n;
        progress_add(file->archiver->options.progress, 0, n);
    }
    return true;
}

static bool zero_chunk_id(Archiver *archiver, Id *ret_id, GError **error)
{
    bool ok = true;

    pthread_mutex_lock(&archiver->mutex);
    if (!archiver->has_zero_chunk) {
        g_autofree uint8_t *chunk = g_malloc0(CHUNK_MAX);

        ok = archiver->has_zero_chunk = packer_store(archiver->packer, BLOB_DATA, chunk, CHUNK_MAX,
                                                     &archiver->zero_chunk, error);
    }
    *ret_id = archiver->zero_chunk;
    pthread_mutex_unlock(&archiver->mutex);
    return ok;
}

/* A hole. Whole chunks of zeros are one known blob, so a terabyte of nothing is neither hashed nor
 * copied. */
static bool feed_hole(File *file, uint64_t len, GError **error)
{
    if (len >= CHUNK_MAX && !file->chunker.fixed) {
        close_piece(file, feeder_get(file->archiver));
        for (; len >= CHUNK_MAX; len -= CHUNK_MAX) {
            uint64_t index;
            Id id;

            if (!zero_chunk_id(file->archiver, &id, error) ||
                !cancel_check(file->archiver->cancel, error))
                return false;
            index = next_content_slot(file);
            atomic_fetch_add(&file->references, 1);
            piece_done(file, index, &id);
            file->size += CHUNK_MAX;
            progress_add(file->archiver->options.progress, 0, CHUNK_MAX);
        }
    }
    for (; len > 0; len -= MIN(len, sizeof zeros))
        if (!feed(file, zeros, (size_t)MIN(len, sizeof zeros), error))
            return false;
    return true;
}

/* ---- the sink ---- */

static bool archiver_begin(Sink *sink, const Entry *entry, void **ret_handle, GError **error)
{
    Archiver *archiver = (Archiver *)sink;
    TreeSlot *slot;
    File *file;

    if (!packer_check(archiver->packer, error))
        return false;
    progress_current(archiver->options.progress, entry->path);
    slot = tree_build_begin(archiver->build, entry->node, error);
    if (!slot)
        return false;
    file = g_new0(File, 1);
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
    file_enlist(file);
    *ret_handle = file;
    return true;
}

static bool archiver_write(Sink *sink, void *handle, uint64_t offset, const void *data, size_t len,
                           GError **error)
{
    File *file = handle;

    (void)sink;
    g_assert(offset >= file->size);
    if (offset > file->size && !feed_hole(file, offset - file->size, error))
        return false;
    return feed(file, data, len, error);
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
    File *file = handle;
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
    tree_build_enter(((Archiver *)sink)->build, ((File *)handle)->slot);
}

static void archiver_mark(Sink *sink, void *handle)
{
    (void)sink;
    close_piece(handle, feeder_get(((File *)handle)->archiver));
}

static bool archiver_end(Sink *sink, void *handle, const Node *node, GError **error)
{
    Archiver *archiver = (Archiver *)sink;
    File *file = handle;
    Node *mine;

    if (node)
        tree_slot_update(file->slot, node);
    mine = tree_slot_node(file->slot);
    if (S_ISDIR(mine->mode)) {
        tree_build_enter(archiver->build, file->slot);
        tree_build_leave(archiver->build);
        file_release(file);
        return packer_check(archiver->packer, error);
    }
    if (S_ISREG(mine->mode) && !file->reused) {
        Feeder *feeder = feeder_get(archiver);

        if (node && mine->size > file->size && !feed_hole(file, mine->size - file->size, error))
            return false;
        close_piece(file, feeder);
        mine->size = file->size; // what was read, whatever was promised
    }
    file_release(file);
    return true;
}

static void archiver_abandon(Sink *sink, void *handle)
{
    Archiver *archiver = (Archiver *)sink;
    File *file = handle;

    if (S_ISDIR(tree_slot_node(file->slot)->mode)) {
        tree_build_enter(archiver->build, file->slot);
        tree_build_leave(archiver->build);
    }
    // the piece being filled is simply never handed over
    if (file->piece_open) {
        Feeder *feeder = feeder_get(archiver);

        feeder->batch->len = file->piece_start;
        file->piece_open = false;
    }
    file->abandoned = true;
    file_release(file);
}

static void push_feeders(Archiver *archiver)
{
    for (guint i = 0; i < archiver->feeders->len; i++)
        feeder_push(g_ptr_array_index(archiver->feeders, i));
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

    push_feeders(archiver);
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
        file_free(archiver->files);
    tree_build_free(archiver->build);
    snapshot_free(archiver->snapshot);
    for (guint i = 0; i < archiver->feeders->len; i++)
        g_free(g_ptr_array_index(archiver->feeders, i));
    g_ptr_array_unref(archiver->feeders);
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
    PackerOptions packing = { .workers = options->workers, .dry_run = options->dry_run };

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
