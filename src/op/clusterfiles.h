/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the files of a cluster in their places so that a server can only start from them when all is
 * there: global/pg_control, without which none starts, comes last, after everything else is on the
 * disk.
 */
#pragma once
#include "flow/dirsink.h"
#include "op/clusterbase.h"

typedef struct {
    const ClusterBase *base;
    const char *pgdata;      /* absolute */
    const GArray *places;    /* of TablespacePlace */
    const char *auto_config; /* what postgresql.auto.conf says */
    bool replace;            /* strangers in the directories are removed */
    bool replace_top;        /* those in the data directory itself, too */
    /* Files that are there serve (flow/dirsink.h), and strangers go when everything else is on the
     * disk, also what is mounted below: the directories are the cluster's alone. NULL: all is
     * written anew. */
    DirDelta *delta;
    Progress *progress; /* may be NULL */
    /* What could not be set as it was: owner, attributes. Any thread. */
    void (*problem)(const char *path, const GError *problem, void *user);
    void *user;
} ClusterFiles;

typedef struct {
    uint64_t files, bytes, deleted;
} ClusterFilesCount;

/* True: all of it is durable. False: what lies there does not start. */
bool cluster_files_write(const ClusterFiles *files, const Cancel *cancel,
                         ClusterFilesCount *ret_count, GError **error);
