/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source is a thing worth backing up: it knows the way out, the way back, and how to tell that
 * what came back is alive. It pushes entries into a sink and knows nothing of repositories.
 * Design.md sections 3 and 5.
 */
#pragma once
#include "base/cancel.h"
#include "flow/progress.h"
#include "flow/sink.h"
#include <jansson.h>

typedef struct Source Source;

/* An item could not be read; the run goes on and ends with exit 3. Any thread. */
typedef void (*SourceProblem)(const char *item, const GError *problem, void *user);

typedef struct {
    Progress *progress; /* totals and the path are the source's; what is done the sink counts */
    SourceProblem problem;
    void *user;
    const Cancel *cancel;
} SourceRun;

/* What the last backup of the same thing left; borrowed for the call. */
typedef struct {
    char *const *tags;
    /* A file of it, of at most bound bytes. */
    bool (*file)(void *user, const char *path, size_t bound, GBytes **ret_content, GError **error);
    void *user;
} SourceParent;

typedef struct {
    const char *kind; /* "files", "postgres" */
    /* Fills progress totals; may run in a thread of its own beside backup. May be NULL. */
    void (*estimate)(Source *source, const SourceRun *run);
    /* The parent snapshot, before the backup: what it was cut in, say, may serve again. May be
     * NULL.
     */
    void (*inherit)(Source *source, const SourceParent *parent);
    /* The sink may take over content only when all agrees, ctime and inode, too. */
    bool strict_reuse;
    /* Pushes everything. True also when items were left out (they went to problem). The producer's
     * success decides: false when its exit status, end marker or count says that the stream is not
     * whole. */
    bool (*backup)(Source *source, Sink *sink, const SourceRun *run, GError **error);
    void (*free)(Source *source); /* what the driver added; the base is freed by source_free */
} SourceOps;

struct Source {
    const SourceOps *ops;
    char *name;       /* "postgresql-db1-app"; NULL for files */
    GStrv paths;      /* what the snapshot's paths say */
    GPtrArray *tags;  /* of char *: key=value ("source=", "kind="); the backup may add some */
    GPtrArray *notes; /* of char *: what the backup tells an operator; nothing was left out */
    /* For compare with the parent: the tags that choose the parent snapshot are host and paths, as
     * in restic. */
};

/* name: taken over; also what the snapshot's path and the tag "source=" say. */
void source_init(Source *source, const SourceOps *ops, char *name);
void source_free(Source *source); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Source, source_free)
