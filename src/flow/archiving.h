/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the archiver share: content is cut into pieces (archivecut.c), pieces come back
 * as ids and complete files (archivefile.c), files and directories make a snapshot (archiver.c).
 */
#pragma once
#include "flow/archiver.h"
#include "flow/treebuild.h"
#include <pthread.h>
#include <stdatomic.h>

/*
 * One file on its way. It is complete when it was ended and every piece has its id; whoever brings
 * the last of these (the pusher or a worker) closes it. references counts them.
 */
typedef struct ArchiveFile {
    Archiver *archiver;
    struct ArchiveFile *next, *previous; /* all that are not complete: a failed run frees them */
    TreeSlot *slot;
    const Node *old; /* the parent's entry at this path; belongs to the directory */
    char *path;      /* only kept when somebody wants to be told */
    GArray *content; /* of Id; grown by the pusher, filled by workers, under the archiver's mutex */
    uint64_t n_pieces, size;
    Chunker chunker;
    size_t piece_start; /* of the unfinished piece in the feeder's batch */
    bool piece_open, abandoned, reused;
    atomic_uint references;
} ArchiveFile;

struct Archiver {
    Sink base;
    Repo *repo;
    Packer *packer;
    TreeBuild *build;
    Snapshot *snapshot;
    ArchiverOptions options;
    const Cancel *cancel;
    Id parent_tree;
    Id zero_chunk; /* id of so many zeros, once one was needed */
    size_t zero_chunk_len;
    bool has_parent, saved;
    ArchiveFile *files;
    pthread_mutex_t mutex; /* content arrays, files, feeders, zero chunk */
    pthread_key_t feeder_key;
    GPtrArray *feeders;
    _Atomic uint64_t files_new, files_changed, files_unmodified, bytes;
};

/* ---- archivefile.c ---- */

/* From here on a failed run frees it. */
void archive_file_enlist(ArchiveFile *file);
void archive_file_free(ArchiveFile *file);
/* One reference less; with the last one it is complete. Any thread. */
void archive_file_release(ArchiveFile *file);
/* Room for the id of the next piece. */
uint64_t archive_next_piece(ArchiveFile *file);
/* The next n pieces all have this id. */
void archive_known_pieces(ArchiveFile *file, const Id *id, uint64_t n);
/* PackerDone. user: the file, which it releases. */
void archive_piece_done(void *user, uint64_t index, const Id *id);

/* ---- archivecut.c ---- */

bool archive_feed(ArchiveFile *file, const uint8_t *data, size_t len, GError **error);
/* Whole chunks of zeros are one known blob, so a terabyte of nothing is neither hashed nor copied.
 */
bool archive_feed_hole(ArchiveFile *file, uint64_t len, GError **error);
/* The unfinished piece of this file, if any, becomes a chunk. */
void archive_close_piece(ArchiveFile *file);
/* The unfinished piece of this file is forgotten. */
void archive_drop_piece(ArchiveFile *file);
/* No thread pushes any more: what they were filling is handed over. */
void archive_push_feeders(Archiver *archiver);
void archive_free_feeders(Archiver *archiver);
