/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file on its way into the target of a restore: under a temporary name from its first byte,
 * under its own when it is whole. Writes may come from several threads; the rest from one at a
 * time.
 */
#pragma once
#include "flow/dirsink.h"
#include "flow/targetdir.h"
#include <pthread.h>

/* What all entries of one restore share. */
typedef struct {
    DirSinkOptions options;
    uint64_t salt; /* temporary names are neither guessed nor the same twice */
    atomic_uint n_temps;
} Target;

typedef struct {
    char text[48];
} TempName;

typedef struct {
    TargetDir *dir;
    Node *node;   /* without content */
    bool existed; /* something has its name */
    pthread_mutex_t mutex;
    int fd; /* -1 until something is written */
    TempName temp;
    uint64_t end; /* of what was written */
} TargetFile;

TempName target_temp_name(Target *target);
/* Gives what is called temp in dir the name that it shall have, in the place of what has it now. */
bool target_replace(const Target *target, const TargetDir *dir, int dirfd, const char *temp,
                    const char *name, GError **error);
void target_report(const Target *target, const TargetDir *dir, const Node *node,
                   const char *action);
void target_warn(const Target *target, const TargetDir *dir, const char *name,
                 const GError *problem);
/* Owner, mode and so on; what fails is a warning. */
void target_restore_meta(const Target *target, const TargetDir *dir, int fd, const Node *node);

/* Takes the node over; keeps dir from being ended until it is freed (target_file_free leaves that
 * to its caller). */
TargetFile *target_file_new(TargetDir *dir, Node *node);
void target_file_free(TargetFile *file);
bool target_file_write(Target *target, TargetFile *file, uint64_t offset, const void *data,
                       size_t len, GError **error);
/* ret_identity: the finished file's, or NULL. */
bool target_file_finish(Target *target, TargetFile *file, struct stat *ret_identity,
                        GError **error);
void target_file_drop(TargetFile *file);
