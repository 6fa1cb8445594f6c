/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that open and read the files a walk has found, so that the walk goes on meanwhile. Small
 * files travel in groups: a hand-over per file would cost more than reading it.
 */
#pragma once
#include "source/source.h"

typedef struct FileReaders FileReaders;

/* A directory that stays open while files below it wait to be read. */
typedef struct DirHandle DirHandle;
DirHandle *dir_handle_new(int fd); /* takes fd over; one reference */
DirHandle *dir_handle_ref(DirHandle *dir);
void dir_handle_unref(DirHandle *dir);
int dir_handle_fd(const DirHandle *dir);
/* What lies in it, sorted by bytes. With error set: what could be seen of it. */
GPtrArray *dir_handle_names(const DirHandle *dir, GError **error);

/* A file to be read; the reader's for the call. */
typedef struct {
    DirHandle *dir;
    char *path;
    Node *node;   /* with the name in dir */
    void *handle; /* of its entry, which was begun */
} FileJob;

/* For reading, without changing its access time where that is allowed; links are not followed. -1
 * with error set. */
int file_job_open(const FileJob *job, GError **error);

#define FILE_READ_SIZE (1024u * 1024)

/* Reads a file into its entry, and ends or abandons that. Called in the readers, buffer is of
 * FILE_READ_SIZE bytes. False with error set: nothing more is read, the run fails. */
typedef bool (*FileRead)(void *user, FileJob *job, uint8_t *buffer, GError **error);

/* sink and user are borrowed. */
FileReaders *file_readers_new(Sink *sink, FileRead read, void *user, unsigned threads);
/* Takes over node; path is copied. */
void file_readers_add(FileReaders *readers, DirHandle *dir, const char *path, Node *node,
                      void *handle);
/* Waits for everything. False: a file failed, with its error. */
bool file_readers_finish(FileReaders *readers, GError **error);
/* A file failed: the walk can stop. */
bool file_readers_failed(FileReaders *readers);
void file_readers_free(FileReaders *readers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FileReaders, file_readers_free)
