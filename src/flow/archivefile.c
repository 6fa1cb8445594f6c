/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/archiving.h"

static ItemChange change_of(const ArchiveFile *file)
{
    if (file->reused)
        return ITEM_UNMODIFIED;
    return file->old ? ITEM_CHANGED : ITEM_NEW;
}

static void count_file(Archiver *archiver, ArchiveFile *file, const Node *node)
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

void archive_file_enlist(ArchiveFile *file)
{
    Archiver *archiver = file->archiver;

    pthread_mutex_lock(&archiver->mutex);
    file->next = archiver->files;
    if (file->next)
        file->next->previous = file;
    archiver->files = file;
    pthread_mutex_unlock(&archiver->mutex);
}

void archive_file_free(ArchiveFile *file)
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

void archive_file_release(ArchiveFile *file)
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
    archive_file_free(file);
}

void archive_piece_done(void *user, uint64_t index, const Id *id)
{
    ArchiveFile *file = user;

    pthread_mutex_lock(&file->archiver->mutex);
    g_array_index(file->content, Id, index) = *id;
    pthread_mutex_unlock(&file->archiver->mutex);
    archive_file_release(file);
}

uint64_t archive_next_piece(ArchiveFile *file)
{
    uint64_t index = file->n_pieces++;

    pthread_mutex_lock(&file->archiver->mutex);
    g_array_set_size(file->content, (guint)file->n_pieces);
    pthread_mutex_unlock(&file->archiver->mutex);
    return index;
}

void archive_known_pieces(ArchiveFile *file, const Id *id, uint64_t n)
{
    uint64_t from = file->n_pieces;

    file->n_pieces += n;
    pthread_mutex_lock(&file->archiver->mutex);
    g_array_set_size(file->content, (guint)file->n_pieces);
    for (uint64_t i = from; i < file->n_pieces; i++)
        g_array_index(file->content, Id, i) = *id;
    pthread_mutex_unlock(&file->archiver->mutex);
}
