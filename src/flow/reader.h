/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading half of the road: pushes what a tree holds into a sink. Directories are walked in
 * order in the calling thread; content is fetched ahead in ranges of packs by workers, each blob
 * opened and its hash proved before a byte is written. A sink with SINK_MANY_OPEN | SINK_ANY_ORDER
 * is written to by the workers, any other one in order by the caller. Memory: a fixed number of 8
 * MiB buffers.
 */
#pragma once
#include "base/cancel.h"
#include "flow/progress.h"
#include "flow/sink.h"
#include "repo/repo.h"

typedef struct {
    unsigned workers; /* 0: choose */
    Progress *progress;
    /* Which entries: called before begin with the path from the root. *ret_wanted: this entry;
     * *ret_descend (directories): look below it. NULL: all. A directory that is not wanted but has
     * a wanted entry below is begun all the same. */
    void (*select)(const char *path, const Node *node, bool *ret_wanted, bool *ret_descend,
                   void *user);
    /* An entry could not be had (damaged blob, sink refused). True: go on without it. NULL: stop.
     */
    bool (*problem)(const char *path, const GError *problem, void *user);
    void *user;
} ReaderOptions;

/* tree: a directory's tree; prefix: its path ("" for the root), put before every name. */
bool reader_run(Repo *repo, const Id *tree, const char *prefix, Sink *sink,
                const ReaderOptions *options, const Cancel *cancel, GError **error);
/* One entry by itself (a file, or a directory with what is below it). */
bool reader_run_node(Repo *repo, const Node *node, const char *prefix, Sink *sink,
                     const ReaderOptions *options, const Cancel *cancel, GError **error);
