/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that open and read the files a walk has found, so that the walk goes on meanwhile. Small
 * files travel in groups: a hand-over per file would cost more than reading it.
 */
#pragma once
#include "source/files.h"

typedef struct FileReaders FileReaders;

/* A directory that stays open while files below it wait to be read. */
typedef struct DirHandle DirHandle;
DirHandle *dir_handle_new(int fd); /* takes fd over; one reference */
DirHandle *dir_handle_ref(DirHandle *dir);
void dir_handle_unref(DirHandle *dir);
int dir_handle_fd(const DirHandle *dir);

FileReaders *file_readers_new(Sink *sink, const SourceRun *run, bool with_atime, unsigned threads);
/* Takes over node; path is copied. The entry was begun and ends, or is abandoned and reported, in a
 * reader. */
void file_readers_add(FileReaders *readers, DirHandle *dir, const char *path, Node *node,
                      void *handle);
/* Waits for everything. False: the sink failed, with its error. */
bool file_readers_finish(FileReaders *readers, GError **error);
/* The sink failed in some reader: the walk can stop. */
bool file_readers_failed(FileReaders *readers);
void file_readers_free(FileReaders *readers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FileReaders, file_readers_free)
