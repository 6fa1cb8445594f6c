/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The directories below a target that a restore is working in. Only so many are kept open; one that
 * was closed for want of room is opened again from its parent, never through a link, and must be
 * the one it was. Any depth, any thread.
 */
#pragma once
#include "codec/tree.h"
#include <stdatomic.h>

typedef struct TargetDirs TargetDirs;
typedef struct TargetDir TargetDir;

struct TargetDir {
    TargetDirs *all;
    TargetDir *parent; /* NULL: the target itself */
    char *name; /* one component; of the target: the path in the snapshot that it stands for */
    Node *node; /* metadata to be set when everything in it is done, or NULL */
    GHashTable *names; /* what the snapshot has in it, or NULL when nobody asks */
    bool fresh;        /* made by this run: empty when it began */
    bool incomplete;   /* not all of its names are known: nothing may be removed from it */
    atomic_uint open;  /* itself until its end, directories and files in it that are worked on */
    atomic_uint refs;

    /* guarded by the mutex of all */
    int fd;
    unsigned pins;
    bool identified;
    dev_t dev;
    ino_t ino;
    GList idle; /* in the list of open ones that nobody uses */
};

/* Takes root_fd over; -1 with a dry run into nothing. */
TargetDirs *target_dirs_new(int root_fd);
void target_dirs_free(TargetDirs *dirs); /* every other directory must be gone */
TargetDir *target_dirs_root(TargetDirs *dirs);

/* fd is taken over; -1 when there is none (dry run). Holds a reference to its parent. */
TargetDir *target_dir_new(TargetDir *parent, const char *name, int fd);
TargetDir *target_dir_ref(TargetDir *dir);
void target_dir_unref(TargetDir *dir);

/* Its descriptor, good until unpin; -1 with error set when it cannot be opened again. */
int target_dir_pin(TargetDir *dir, GError **error);
void target_dir_unpin(TargetDir *dir);

/* The path in the snapshot of name in dir; name NULL: of dir itself. */
char *target_dir_path(const TargetDir *dir, const char *name);
