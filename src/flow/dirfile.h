/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file on its way into the target of a restore: under a temporary name from its first byte,
 * under its own when it is whole; or, with delta, patched where it lies (flow/dirpatch.h). Writes
 * may come from several threads; the rest from one at a time.
 */
#pragma once
#include "flow/target.h"
#include <pthread.h>

/* What becomes of the file that lies there already. */
typedef enum {
    OLD_UNKNOWN, /* not looked at yet */
    OLD_UNUSED,  /* replaced: nothing of it is taken over */
    OLD_PATCHED, /* it stays, and what differs is written into it */
    OLD_COPIED,  /* what is the same is copied from it into the new file */
    OLD_SEEN,    /* only looked at: dry run */
} OldUse;

typedef struct {
    TargetDir *dir;
    Node *node;   /* without content */
    bool existed; /* something has its name */
    bool delta;   /* and that is a regular file, whose content may serve */
    pthread_mutex_t mutex;
    int fd; /* -1 until something is written */
    TempName temp;
    uint64_t end; /* of what was written, or found there */

    /* with delta; guarded by the mutex */
    OldUse use;
    int old; /* the file that lies there, or -1 */
    struct stat old_st;
    bool held;    /* some of its bytes are relied on */
    bool renewed; /* all of its bytes come anew, at once */
    bool differs; /* something was written, or would be */
} TargetFile;

/* Takes the node over; keeps dir from being ended until it is freed (target_file_free leaves that
 * to its caller). */
TargetFile *target_file_new(TargetDir *dir, Node *node);
void target_file_free(TargetFile *file);
/* Opens it under a temporary name, unless it is open. Needs the mutex. */
bool target_file_create(Target *target, TargetFile *file, GError **error);
/* Whether these are zeros and a hole is all that is asked for: then it is there. */
bool target_file_has_hole(Target *target, TargetFile *file, uint64_t offset, size_t len,
                          const Id *id, bool *ret_has, GError **error);
bool target_file_write(Target *target, TargetFile *file, uint64_t offset, const void *data,
                       size_t len, GError **error);
/* ret_identity: the finished file's, or NULL. */
bool target_file_finish(Target *target, TargetFile *file, struct stat *ret_identity,
                        GError **error);
/* Throws away what was written. */
void target_file_drop(TargetFile *file);
/* Nothing is written: the content is there, but it may have another owner, mode or label. */
bool target_file_refresh(const Target *target, TargetFile *file, GError **error);
