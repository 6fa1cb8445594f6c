/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file on its way into the target of a restore: under a temporary name from its first byte,
 * under its own when it is whole. Writes may come from several threads; the rest from one at a
 * time.
 */
#pragma once
#include "flow/target.h"
#include <pthread.h>

typedef struct {
    TargetDir *dir;
    Node *node;   /* without content */
    bool existed; /* something has its name */
    pthread_mutex_t mutex;
    int fd; /* -1 until something is written */
    TempName temp;
    uint64_t end; /* of what was written */
} TargetFile;

/* Takes the node over; keeps dir from being ended until it is freed (target_file_free leaves that
 * to its caller). */
TargetFile *target_file_new(TargetDir *dir, Node *node);
void target_file_free(TargetFile *file);
bool target_file_write(Target *target, TargetFile *file, uint64_t offset, const void *data,
                       size_t len, GError **error);
/* ret_identity: the finished file's, or NULL. */
bool target_file_finish(Target *target, TargetFile *file, struct stat *ret_identity,
                        GError **error);
/* Throws away what was written. */
void target_file_drop(TargetFile *file);
/* Nothing is written: the content is there, but it may have another owner, mode or label. */
bool target_file_refresh(const Target *target, TargetFile *file, GError **error);
